"""The masking benchmark's usage; its figures are measured, not tested."""

import pytest

from benchmarks import masking


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--folder", "faces", "--repeats", "0"], "expected a whole number above 0; '0' came"),
        ([], "--folder is needed"),
    ],
)
def test_wrong_usage_is_one_line(capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        masking.main(words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
