"""Training: views, batches, losses, recipes, and a loop that can be resumed."""
