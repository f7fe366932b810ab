"""Files of DET curves: what was written is read; a malformed line is named."""

import pytest

from mask_utils.errors import UserError
from reproduction.det_files import COLUMNS, Curve, is_det_file, read_det, write_det

CURVES = {
    Curve("a, with a comma", "lfw, probe"): ([0.1, 0.25], [0.5, 0.125]),
    Curve("b", "lfw, probe"): ([0.0], [0.0]),
}


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "test_det.csv"
    write_det(path, CURVES)
    assert read_det(path) == CURVES
    assert is_det_file(path)
    assert path.read_text().splitlines()[0] == "model,condition,FMR,FNMR"


def test_another_table_is_none(tmp_path):
    path = tmp_path / "test.csv"
    for text in ("", "model,condition,EER\n", "\n"):
        path.write_text(text)
        assert not is_det_file(path)
        with pytest.raises(UserError, match=r"test\.csv: expected the header"):
            read_det(path)


@pytest.mark.parametrize("line", ["a,b,0.1", "a,b,0.1,x", "a,b,0.1,1.5", "a,b,nan,0", "a,b,0,0,0"])
def test_a_malformed_line_is_named(tmp_path, line):
    path = tmp_path / "test_det.csv"
    path.write_text(f"{','.join(COLUMNS)}\na,b,0.5,0.5\n{line}\n")
    with pytest.raises(UserError, match="line 3: expected model, condition and two rates"):
        read_det(path)
