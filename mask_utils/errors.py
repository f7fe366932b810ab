"""Errors that a user can fix: one clear line each, and how a command ends on them."""

import sys
from collections.abc import Callable

INTERRUPTED = 130


class UserError(Exception):
    """The message says what was expected, what it got and what to do.

    exit_code: of the command that ends on this error.
    """

    exit_code = 2


class BatchError(UserError):
    """A run on many pictures cannot begin or cannot go on."""


def end_cleanly(command: Callable[[], int]) -> int:
    """Run a command and print an error that the user can fix as one line on standard error.

    Characters that the terminal cannot show, as in a name that is not UTF-8, are printed as
    escapes.

    Returns:
        The command's own exit code; or the error's (2: wrong usage or nothing to do); or 1 where
        the operating system refuses something; or 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a captured stream may be of another kind
            stream.reconfigure(errors="backslashreplace")
    try:
        return command()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; what is done is kept, the same command goes on", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {place}{error.strerror or error}", file=sys.stderr)
        return 1
