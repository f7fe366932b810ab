"""Lists of pairs as others publish them: forms, encodings, headers; nothing outside the folder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.pair_files import LfwPair, PairError, PathPair, decode, read_pair_file

LFW = [LfwPair("Ann_Lee", 1, "Ann_Lee", 4), LfwPair("Ann_Lee", 2, "Bo", 1)]
PATHS = [PathPair("ann/0_0_9.jpg", "ann/0_0_ann_0001.jpg", 1), PathPair("bo/a.PNG", "c.jpeg", 0)]
CRMFRD = "Input,Target,Label\nann/0_0_9.jpg,ann/0_0_ann_0001.jpg,1\nbo/a.PNG,c.jpeg,0\n"


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "pairs.csv"
    path.write_bytes(text.encode(encoding))
    return read_pair_file(path)


@pytest.mark.parametrize(
    "text",
    [
        "10\t300\nAnn_Lee\t1\t4\nAnn_Lee\t2\tBo\t1\n",
        "2\nAnn_Lee 1 4\nAnn_Lee  2  Bo  1",
        "Ann_Lee\t1\t4\r\n\r\nAnn_Lee\t2\tBo\t1\r\n",
        "name,imagenum1,imagenum2,\nAnn_Lee,1,4,\nAnn_Lee,2,Bo,1\n",
        "name,imagenum1,name,imagenum2\nAnn_Lee,1,4\nAnn_Lee,2,Bo,1\n",
        "name,imagenum1,imagenum2,Unnamed: 3\nAnn_Lee,1,4.0,\n Ann_Lee , 2.0 ,Bo,1.0,,\n",
        '"name","n","m"\n"Ann_Lee","1","4"\n"Ann_Lee","2","Bo","1"\n',
    ],
)
def test_pairs_of_lfw_in_the_forms_that_people_have(tmp_path, text):
    assert read(tmp_path, text) == LFW


@pytest.mark.parametrize(
    "text",
    [
        CRMFRD,
        CRMFRD.partition("\n")[2],
        CRMFRD.replace(",", "\t"),
        CRMFRD.replace(",", " "),
        CRMFRD.replace("\n", "\r\n"),
        CRMFRD.replace("ann/", "./ann//"),
        CRMFRD.replace("/", "\\"),
    ],
)
def test_lists_of_paths(tmp_path, text):
    assert read(tmp_path, text) == PATHS


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gbk", "gb18030"]
)
def test_encodings(tmp_path, encoding):
    text = "Input,Target,Label\n杨幂/0_0_9.jpg,杨幂/0_0_0001.jpg,1\n"
    assert read(tmp_path, text, encoding) == [PathPair("杨幂/0_0_9.jpg", "杨幂/0_0_0001.jpg", 1)]


def test_bytes_of_no_encoding_are_refused():
    with pytest.raises(PairError, match=r"x\.txt: expected text in UTF-8, UTF-16 or GBK"):
        decode(b"ann\xff\xff.jpg", "x.txt")
    with pytest.raises(PairError, match=r"x\.txt: expected text"):
        decode(b"\xff\xfea\x00\x00", "x.txt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ann", "expected 'name i j'"),
        ("Ann 1 Bo two", "expected 'name i j'"),
        ("Ann 1 2 3 4", "expected 'name i j'"),
        ("Ann -1 2", "expected 'name i j'"),
        ("../Ann 1 2", "not paths"),
        ("Ann 1 .. 2", "not paths"),
        ("1 11065 1", "not numbers of templates"),
        ("a/1.jpg a/2.jpg 1", "expected 'name i j'"),
    ],
)
def test_a_malformed_line_of_lfw_is_named(tmp_path, line, message):
    with pytest.raises(PairError, match=f"line 3: .*{message}"):
        read(tmp_path, f"1 1\nAnn 1 2\n{line}\nAnn 1 2\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a/1.jpg,a/2.jpg", "reference probe label"),
        ("a/1.jpg,a/2.jpg,2", "reference probe label"),
        ("a/1.jpg,a/2.jpg,1,0", "reference probe label"),
        ("a/1.jpg,a,1", "reference probe label"),
        ("Ann 1 2", "reference probe label"),
        ("/a/1.jpg,a/2.jpg,1", "below the dataset's folder"),
        ("a/1.jpg,a/../../2.jpg,1", "below the dataset's folder"),
        ("a/1.jpg,..\\2.jpg,1", "below the dataset's folder"),
        ("C:\\1.jpg,a/2.jpg,1", "below the dataset's folder"),
        ("x/1.jpg,x/2.jpg,0", "one label for each pair"),
        ('"a/1.jpg,' + "x" * 200_000, "separated by commas"),
    ],
)
def test_a_malformed_line_of_paths_is_named(tmp_path, line, message):
    with pytest.raises(PairError, match=f"line 3: .*{message}") as error:
        read(tmp_path, f"Input,Target,Label\nx/1.jpg,x/2.jpg,1\n{line}\n")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("text", ["", "\n\n", "10 300\n", "Input,Target,Label\n", ",,,\n"])
def test_no_pairs_are_refused(tmp_path, text):
    with pytest.raises(PairError, match=r"expected pairs in .*there are none"):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PairError, match="absent.txt cannot be read"):
        read_pair_file(tmp_path / "absent.txt")


@given(st.one_of(st.text(), st.text("Ann_/.\\jpg01, \t\n")), st.sampled_from(["utf-8", "utf-16"]))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text, encoding):
    path = tmp_path_factory.mktemp("list") / "pairs.txt"
    path.write_bytes(text.encode(encoding, "surrogatepass"))
    try:
        pairs = read_pair_file(path)
    except PairError as error:
        assert len(str(error).splitlines()) == 1
        return
    for pair in pairs:
        places = (pair.reference, pair.probe)
        assert not any(place.startswith("/") or ".." in place.split("/") for place in places)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    try:
        decode(data, "list.txt")
    except PairError as error:
        assert "list.txt" in str(error)


NAMES = st.text("abcß杨_.-", min_size=1, max_size=8).filter(lambda name: name.strip("."))


@given(
    st.lists(
        st.tuples(NAMES, NAMES, st.integers(0, 1)), min_size=1, unique_by=lambda item: item[:2]
    ),
    st.sampled_from([",", "\t", " "]),
    st.sampled_from(["utf-8", "utf-16", "gb18030"]),
    st.booleans(),
)
def test_what_was_written_is_read(tmp_path_factory, items, separator, encoding, header):
    pairs = [PathPair(f"{a}/1.jpg", f"{b}/2.jpg", label) for a, b, label in items]
    lines = [separator.join(map(str, pair)) for pair in pairs]
    path = tmp_path_factory.mktemp("list") / "pairs.txt"
    first = [separator.join(["Input", "Target", "Label"])] if header else []
    path.write_bytes("\n".join([*first, *lines]).encode(encoding))
    read_back = read_pair_file(path)
    if encoding != "gb18030":  # a few short texts in GB 18030 are valid UTF-8, too
        assert read_back == pairs
    else:
        assert [pair.label for pair in read_back] == [pair.label for pair in pairs]
