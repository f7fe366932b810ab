"""The masking benchmark's usage and the page it fills; its figures are measured, not tested."""

import pytest

from benchmarks import masking
from reproduction import measurements


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--folder", "faces", "--repeats", "0"], "expected a whole number above 0; got '0'"),
        ([], "--folder is needed"),
    ],
)
def test_wrong_usage_is_one_line(capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        masking.main(words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_the_page_is_filled(tmp_path, monkeypatch):
    page = tmp_path / "speed.md"
    page.write_text("<!-- masking:begin -->\n<!-- masking:end -->\n")
    monkeypatch.setattr(masking, "PAGE", page)
    monkeypatch.setattr(measurements, "RESULTS", tmp_path)
    rows = [{"what": "ours, cold, 1 process", "pictures_per_second": "89"}]
    arguments = masking.parse_arguments(["--folder", "UTKFace", "--output", str(tmp_path)])
    masking.write_results(rows, tmp_path, arguments)
    text = (tmp_path / "masking.md").read_text()
    assert "| ours, cold, 1 process | 89 |" in text and "--folder UTKFace" in text
    assert text in page.read_text()
