"""Faces -> weights: views, batches, losses, recipes, and the loop that can be resumed."""
