"""Types of command-line arguments, for argparse; they import nothing heavy."""

import argparse

LARGEST_SEED = 2**32 - 1
"""The largest that NumPy and every backend of Keras take."""


def positive(text: str) -> int:
    """Return a whole number above 0."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number above 0; {text!r} came")


def seed_number(text: str) -> int:
    """Return the seed of a random generator: a whole number from 0 to LARGEST_SEED."""
    if text.isdecimal() and int(text) <= LARGEST_SEED:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"expected a whole number from 0 to {LARGEST_SEED:,}; {text!r} came"
    )
