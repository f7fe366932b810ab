"""How a command ends: one line, an exit code, and no traceback whatever the terminal can show."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mask_utils.errors import INTERRUPTED, UserError, end_cleanly

REPOSITORY = Path(__file__).resolve().parents[2]


def raise_(error):
    raise error


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("expected this; got that"), 2, "error: expected this; got that"),
        (KeyboardInterrupt(), INTERRUPTED, "the same command goes on"),
        (OSError(28, "No space left on device", "out.csv"), 1, "error: out.csv: No space left"),
    ],
)
def test_what_a_user_can_mend_is_one_line(error, code, message, capsys):
    assert end_cleanly(lambda: raise_(error)) == code
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii"])
def test_names_and_signs_that_the_terminal_cannot_show_are_escaped(encoding):
    code = (
        "import sys\nfrom mask_utils.errors import end_cleanly\n"
        "sys.exit(end_cleanly(lambda: print('caf\\udce9.jpg: .1 \\u2192 .1') or 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, cwd=REPOSITORY,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(rb"caf\udce9.jpg: .1 ")


def test_a_captured_stream_of_another_kind_does(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert end_cleanly(lambda: print("done") or 0) == 0
    assert stream.getvalue() == "done\n"
