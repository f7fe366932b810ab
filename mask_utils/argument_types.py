"""Types of command-line arguments, for argparse; nothing heavy is imported."""

import argparse

LARGEST_SEED = 2**32 - 1
"""The largest seed that NumPy and every backend of Keras accept."""


def positive(text: str) -> int:
    """Return a whole number above 0."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number above 0; got {text!r}")


def seed_number(text: str) -> int:
    """Return the seed of a random generator: a whole number from 0 to LARGEST_SEED."""
    if text.isdecimal() and int(text) <= LARGEST_SEED:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"expected a whole number from 0 to {LARGEST_SEED:,}; got {text!r}"
    )


def job_count(text: str) -> int:
    """Return a number of processes: not 0, and -1 for as many as there are cores."""
    try:
        if int(text) != 0:
            return int(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a number of processes, or -1; got {text!r}")


def new_parser(docstring: str, example: str) -> argparse.ArgumentParser:
    """Return a parser whose --help opens with a script's docstring and closes with an example."""
    return argparse.ArgumentParser(
        description=docstring,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
