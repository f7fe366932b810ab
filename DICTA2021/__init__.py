"""DICTA2021: identification of masked faces."""
