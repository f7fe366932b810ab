"""What a user can mend: errors whose message is one clear line, and how a command ends on them."""

import sys
from collections.abc import Callable

INTERRUPTED = 130


class UserError(Exception):
    """The message says what was expected, what came and what to do; exit_code ends the command."""

    exit_code = 2


def end_cleanly(command: Callable[[], int]) -> int:
    """Run a command and turn what a user can mend into one line on standard error.

    What the terminal cannot show, a name that is not UTF-8 or a sign beyond ASCII, is printed as
    an escape.

    Returns:
        The command's own exit code; the error's (2: wrong usage or nothing to do); 1 where the
        operating system refuses something; 130 after Ctrl-C.
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
