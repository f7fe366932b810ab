"""Both splits on made-up names: the tens, the published supports, and what is refused."""

from collections import Counter

import numpy as np
import pytest

from AJCAI2021 import splits
from AJCAI2021.attributes import Face
from AJCAI2021.splits import SplitError


def made_up_names(men: int, women: int, seed: int = 0) -> list[str]:
    generator = np.random.default_rng(seed)
    ages = generator.integers(1, 117, men + women)
    races = generator.integers(0, 5, men + women)
    return [
        f"{age}_{int(number >= men)}_{race}_2017{number:013d}.jpg.chip.jpg"
        for number, (age, race) in enumerate(zip(ages, races, strict=True))
    ]


def test_published_supports():
    """11,955 men and 11,049 women give the test pictures of the published prediction files."""
    subsets = splits.uniform_split(made_up_names(11_955, 11_049))
    tested = Counter(splits.face_of(n).sex for n, s in subsets.items() if s == "testing")
    assert tested == {0: 1_195, 1: 1_104}
    assert len(subsets) == 23_004


def test_every_whole_ten_is_eight_one_one():
    names = made_up_names(237, 129)
    subsets = splits.uniform_split(reversed(names))
    for sex in (0, 1):
        own = [name for name in names if splits.face_of(name).sex == sex]
        own.sort(key=lambda name: (splits.face_of(name).race, splits.face_of(name).age, name))
        for start in range(0, len(own), 10):
            ten = [subsets[name] for name in own[start : start + 10]]
            expected = ["training"] * 8 + ["validation", "testing"]
            assert ten == (expected if len(ten) == 10 else ["training"] * len(ten))


def test_a_ten_carries_over_ages_and_races():
    names = [f"{age}_0_0_1.jpg" for age in (5, 6, 7, 8, 9, 10, 11)]
    names += [f"{age}_0_1_1.jpg" for age in (80, 2, 40)]
    subsets = splits.uniform_split(names)
    # The second race begins again at its youngest, and fills up the first race's ten.
    assert [n for n, s in subsets.items() if s != "training"] == ["40_0_1_1.jpg", "80_0_1_1.jpg"]
    assert subsets["40_0_1_1.jpg"] == "validation" and subsets["80_0_1_1.jpg"] == "testing"


def test_ages_are_sorted_as_numbers_and_ties_by_name():
    names = [f"{age}_1_0_1.jpg" for age in (100, 9, 10, 11, 12, 13, 14, 15, 16)] + ["9_1_0_0.jpg"]
    assert list(splits.uniform_split(names))[:3] == ["9_1_0_0.jpg", "9_1_0_1.jpg", "10_1_0_1.jpg"]
    assert list(splits.uniform_split(names))[-1] == "100_1_0_1.jpg"


def test_random_split_is_stratified_seeded_and_of_the_names_alone():
    names = made_up_names(2_000, 2_003)
    subsets = splits.random_split(names, 3)
    counts = Counter(subsets.values())
    assert counts == {"validation": 400, "testing": 400, "training": 3_203}
    assert subsets == splits.random_split(list(reversed(names)), 3)
    assert subsets != splits.random_split(names, 4)
    for sex in (0, 1):
        for race in range(5):
            own = [s for n, s in subsets.items() if splits.face_of(n)[1:] == (sex, race)]
            # Seven age classes follow each other, each off by less than one picture at its ends.
            assert abs(own.count("testing") - len(own) / 10) < 1
            assert abs(own.count("validation") - len(own) / 10) < 1


def test_a_split_survives_its_file(tmp_path):
    rows = splits.split_rows(splits.uniform_split(made_up_names(20, 11)))
    path = tmp_path / "split.csv"
    path.write_text(splits.to_csv(rows))
    assert splits.read_split(path) == rows
    assert path.read_text().splitlines()[0] == "picture,subset,age,sex,race"
    assert len(splits.of_subset(rows, "testing")) == 3


def test_a_name_without_a_field_is_not_guessed():
    with pytest.raises(ValueError, match=r"61_1_2017\.jpg"):
        splits.uniform_split(["61_1_2017.jpg"])
    assert splits.face_of("1_0_4_20170101.jpg") == Face(1, 0, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got an empty file"),
        ("name,subset\n", "expected the columns picture, subset"),
        ("a.jpg,training,x,0,0\n", "line 2: expected whole numbers"),
        ("a.jpg,training,1,2,0\n", "sex 0-1"),
        ("a.jpg,tested,1,0,0\n", "got 'tested'"),
        ("../a.jpg,training,1,0,0\n", "without folders"),
        ("a.jpg,training,1,0,0\na.jpg,testing,1,0,0\n", "line 3: a.jpg came before"),
        ("a.jpg,training,1,0,0\n", "pictures for validation"),
    ],
)
def test_a_malformed_split_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "split.csv"
    header = "" if not text or text.startswith("name") else "picture,subset,age,sex,race\n"
    path.write_text(header + text)
    with pytest.raises(SplitError, match=message):
        splits.read_split(path)


def test_a_missing_split_names_the_command(tmp_path):
    with pytest.raises(SplitError, match=r"utkfaces_dataset\.py"):
        splits.read_split(tmp_path / "none.csv")
