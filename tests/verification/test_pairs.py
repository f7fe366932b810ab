"""Who is compared with whom: the published protocol and its variants."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from DICTA2021 import generate_pairs
from mask_utils.ledger import Ledger
from mask_utils.manifest import COLUMNS
from reproduction.published import identity, read_pairs, same_photograph
from verification.pairs import (
    LISTED,
    MASK_SIDES,
    PairError,
    People,
    all_identities_pairs,
    balanced_sample,
    listed_pairs,
    official_lfw_pairs,
    published_pairs,
    read_people,
    read_real_mask_people,
    real_mask_pairs,
    without_repeats,
    without_same_photographs,
    write_pairs,
)


def people(**counts: int) -> People:
    def names(person, count, prefix):
        return [f"./{person}/{prefix}{person}_{i:04}.jpg" for i in range(1, count + 1)]

    return People(
        {person: names(person, count, "") for person, count in counts.items()},
        {person: names(person, count, "masked_") for person, count in counts.items()},
        0,
    )


def write_manifest(folder, rows):
    ledger = Ledger(folder / "manifest.csv", COLUMNS, ("source",))
    ledger.append({"source": f"{row['dataset']}/{i}", **row} for i, row in enumerate(rows))
    ledger.close()


SOME = people(Ann=3, Bo=1, Cy=2, Di=1)


def test_four_rows_per_picture_two_for_a_single_one():
    comparisons = published_pairs(SOME, 0)
    assert len(comparisons) == 4 * 3 + 2 + 4 * 2 + 2
    per_reference = Counter(item.pair.reference.replace("masked_", "") for item in comparisons)
    assert per_reference["./Ann/Ann_0001.jpg"] == 4
    assert per_reference["./Bo/Bo_0001.jpg"] == 2
    assert sum(item.label for item in comparisons) * 2 == len(comparisons)


@given(st.lists(st.integers(0, 1), max_size=30), st.integers(1, 40), st.integers(0, 9))
def test_a_sample_is_as_balanced_as_its_list_allows(labels, count, seed):
    drawn = balanced_sample(labels, count, seed)
    assert drawn == sorted(set(drawn)) and len(drawn) == min(count, len(labels))
    genuine = sum(labels[place] for place in drawn)
    impostor = len(drawn) - genuine
    if abs(impostor - genuine) > 1:  # only where the kind that is short was taken whole
        kind, fewer = (1, genuine) if genuine < impostor else (0, impostor)
        assert fewer == labels.count(kind)


@pytest.mark.parametrize("make", [published_pairs, all_identities_pairs, real_mask_pairs])
def test_labels_and_flags_are_right(make):
    for item in make(SOME, 5):
        pair = item.pair
        assert item.label == (identity(pair.reference) == identity(pair.probe))
        assert pair.reference_is_masked == str(int("masked_" in pair.reference))
        assert pair.probe_is_masked == str(int("masked_" in pair.probe))
        assert pair.reference_is_masked != pair.probe_is_masked


def test_only_a_single_picture_is_compared_with_its_own_mask():
    comparisons = published_pairs(SOME, 0)
    same = [item for item in comparisons if same_photograph(item.pair)]
    assert {identity(item.pair.reference) for item in same} == {"Bo", "Di"}
    assert all(item.label for item in same)
    assert len(without_same_photographs(comparisons)) == len(comparisons) - 2


def test_seeded():
    assert published_pairs(SOME, 1) == published_pairs(SOME, 1)
    assert published_pairs(SOME, 1) != published_pairs(SOME, 2)


def test_genuine_pairs_stay_when_others_join():
    """Impostors are drawn from everybody, so they may change; genuine pairs may not."""
    few = people(Ann=3, Bo=1, Cy=2)
    before, after = published_pairs(few, 1), published_pairs(SOME, 1)
    genuine = [item for item in before if item.label]
    assert [item for item in after if item.label and item in before] == genuine
    assert len([item for item in after if item.label]) > len(genuine)


def test_all_identities_has_two_rows_per_person():
    comparisons = all_identities_pairs(SOME, 0)
    assert [item.label for item in comparisons] == [1, 0] * 4
    assert [identity(item.pair.reference) for item in comparisons[::2]] == sorted(SOME.masked)


def test_impostors_are_drawn_evenly():
    many = people(**{f"P{i}": 1 for i in range(6)})
    drawn = Counter(
        identity(item.pair.probe)
        for seed in range(200)
        for item in all_identities_pairs(many, seed)
        if not item.label
    )
    assert len(drawn) == 6
    assert min(drawn.values()) > 150


@pytest.mark.parametrize("make", [published_pairs, all_identities_pairs, real_mask_pairs])
def test_one_person_has_no_impostors(make):
    with pytest.raises(PairError, match="at least two people.*got 1"):
        make(people(Ann=3), 0)


@pytest.mark.parametrize("masks", MASK_SIDES)
def test_official_pairs_wear_masks_on_the_sides_asked_for(tmp_path, masks):
    (tmp_path / "pairs.txt").write_text("1\t2\nAnn\t1\t3\nBo\t1\tCy\t2\nAnn\t1\t9\n")
    comparisons = official_lfw_pairs(tmp_path / "pairs.txt", SOME, masks)
    assert [item.label for item in comparisons] == [1, 0, 1]
    assert [item.possible for item in comparisons] == [True, True, False]
    first = comparisons[0].pair
    assert ("masked_" in first.reference) == (masks in ("reference", "both"))
    assert ("masked_" in first.probe) == (masks in ("probe", "both"))
    assert first.probe.endswith("Ann_0003.jpg")


@pytest.mark.parametrize("line", ["Ann", "Ann 1", "Ann one two", "Ann 1 Bo two", "a b c d e"])
def test_malformed_official_line_is_named(tmp_path, line):
    (tmp_path / "pairs.txt").write_text(f"2 300\nAnn 1 2\n{line}\n")
    with pytest.raises(PairError, match="line 3: expected 'name i j'"):
        official_lfw_pairs(tmp_path / "pairs.txt", SOME, "probe")


def test_read_people_counts_pictures_without_a_mask(tmp_path):
    def row(dataset, identity, name, status):
        place = f"{dataset}/{identity}"
        masked = f"{place}/masked_{name}" if status == "masked" else ""
        return {
            "dataset": dataset, "identity": identity, "status": status,
            "copy": f"{place}/{name}", "output": masked,
        }  # fmt: skip

    write_manifest(
        tmp_path,
        [
            row("lfw", "Ann", "a.jpg", "masked"),
            row("lfw", "Ann", "b.jpg", "no_face"),
            row("lfw", "Bo", "c.jpg", "masked"),
            row("lfw", "Bo", "d.jpg", "not_needed"),
            row("georgia_tech", "s01", "01.jpg", "masked"),
        ],
    )
    found = read_people(tmp_path, "lfw")
    assert found.unmasked == {"Ann": ["./Ann/a.jpg"], "Bo": ["./Bo/c.jpg"]}
    assert found.masked == {"Ann": ["./Ann/masked_a.jpg"], "Bo": ["./Bo/masked_c.jpg"]}
    assert found.without_mask == 1
    with pytest.raises(PairError, match="masked pictures of celeba.*there are none"):
        read_people(tmp_path, "celeba")
    with pytest.raises(PairError, match="generate_mask_to_datasets.py writes"):
        read_people(tmp_path / "nowhere", "lfw")


def test_real_masks(tmp_path):
    for name in ["ann/0_0_1.jpg", "ann/0_0_ann_0001.jpg", "bo/1_0_7.jpg", "bo/1_0_bo_0002.jpg",
                 "cy/0_0_cy_0001.jpg"]:  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = read_real_mask_people(tmp_path)
    assert found.masked == {"ann": ["./ann/0_0_1.jpg"], "bo": ["./bo/1_0_7.jpg"]}
    assert found.without_mask == 1
    pairs = [item.pair for item in real_mask_pairs(found, 0)]
    assert pairs[0][:2] == ("./ann/0_0_ann_0001.jpg", "./ann/0_0_1.jpg")
    assert pairs[1][:2] == ("./bo/1_0_bo_0002.jpg", "./ann/0_0_1.jpg")


def test_written_lists_are_read_by_the_published_reader(tmp_path):
    (tmp_path / "pairs.txt").write_text("Ann 1 3\nBo 1 Cy 2\nAnn 1 9\n")
    comparisons = official_lfw_pairs(tmp_path / "pairs.txt", SOME, "probe")
    write_pairs(comparisons, tmp_path, "lfw")
    labelled = read_pairs(tmp_path / "lfw" / "evaluation_lfw.txt", labelled=True)
    possible = read_pairs(tmp_path / "lfw" / "landmark_evaluation_input_lfw.txt", labelled=False)
    assert labelled == {item.pair: item.label for item in comparisons}
    assert list(possible) == [item.pair for item in comparisons[:2]]


def test_a_pair_that_occurs_twice_is_written_once(tmp_path):
    (tmp_path / "pairs.txt").write_text("Ann 1 3\nBo 1 Cy 2\nAnn 1 3\n")
    comparisons = official_lfw_pairs(tmp_path / "pairs.txt", SOME, "probe")
    assert without_repeats(comparisons) == comparisons[:2]
    with pytest.raises(PairError, match="Ann_0001.jpg .* occurs twice"):
        write_pairs(comparisons, tmp_path, "lfw")
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.txt"]


def test_a_space_in_a_name_is_refused(tmp_path):
    spaced = People(
        {"A B": ["./A B/1.jpg"], "C": ["./C/1.jpg"]},
        {"A B": ["./A B/masked_1.jpg"], "C": ["./C/masked_1.jpg"]},
        0,
    )
    with pytest.raises(PairError, match="without spaces"):
        write_pairs(published_pairs(spaced, 0), tmp_path, "x")
    assert not list(tmp_path.iterdir())


def test_command(tmp_path, capsys):
    rows = [
        {"dataset": "lfw", "identity": p, "status": "masked", "copy": f"lfw/{p}/{p}_000{i}.jpg",
         "output": f"lfw/{p}/masked_{p}_000{i}.jpg"}
        for p, i in [("Ann", 1), ("Ann", 2), ("Bo", 1)]
    ]  # fmt: skip
    write_manifest(tmp_path, rows)
    command = ["--base_folder", str(tmp_path), "--datasets", "lfw", "--output", str(tmp_path / "o")]
    assert generate_pairs.main([*command, "--exclude_same_photo"]) == 0
    printed = "9 pairs, 4 of them genuine; 9 can be compared; left out: 1 pairs of one photograph"
    assert printed in capsys.readouterr().out
    (tmp_path / "pairs.txt").write_text("Ann 1 2\nAnn 1 Bo 1\nAnn 1 2\n")
    official = ["--protocol", "lfw_official", "--lfw_pairs", str(tmp_path / "pairs.txt")]
    assert generate_pairs.main([*command, *official]) == 0
    printed = "2 pairs, 1 of them genuine; 2 can be compared; left out: 1 repeated pairs"
    assert printed in capsys.readouterr().out
    assert generate_pairs.main([*command, "--protocol", "lfw_official"]) == 2
    assert "--lfw_pairs" in capsys.readouterr().err
    assert generate_pairs.main([*command, "--protocol", "real_masks"]) == 2


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_listed_pairs_are_taken_as_they_are(tmp_path):
    folder = tmp_path / "rmfrd"
    touch(folder, "ann/0_0_9.jpg", "ann/0_0_ann_0001.jpg", "mask/bo.jpg", "masked_cy.jpg")
    (tmp_path / "list.csv").write_text(
        "Input,Target,Label\nann/0_0_9.jpg,ann/0_0_ann_0001.jpg,1\n"
        "mask/bo.jpg,masked_cy.jpg,0\nann/0_0_9.jpg,dee/0_0_dee_0001.jpg,0\n"
    )
    comparisons = listed_pairs(tmp_path / "list.csv", folder, LISTED)
    assert [tuple(item.pair) for item in comparisons] == [
        ("./ann/0_0_9.jpg", "./ann/0_0_ann_0001.jpg", "1", "0"),
        ("./mask/bo.jpg", "./masked_cy.jpg", "1", "1"),
        ("./ann/0_0_9.jpg", "./dee/0_0_dee_0001.jpg", "1", "0"),
    ]
    assert [(item.label, item.possible) for item in comparisons] == [
        (1, True),
        (0, True),
        (0, False),
    ]
    assert identity(comparisons[0].pair.reference) == "ann"


@pytest.mark.parametrize("masks", MASK_SIDES)
def test_listed_pairs_wear_masks_on_the_sides_asked_for(tmp_path, masks):
    folder = tmp_path / "lfw"
    touch(folder, *(f"Ann/{m}Ann_000{i}.jpg" for m in ("", "masked_") for i in (1, 2)))
    (tmp_path / "list.txt").write_text("Ann/Ann_0001.jpg Ann/Ann_0002.jpg 1\n")
    (comparison,) = listed_pairs(tmp_path / "list.txt", folder, masks)
    (tmp_path / "pairs.txt").write_text("Ann 1 2\n")
    assert listed_pairs(tmp_path / "pairs.txt", folder, masks) == [comparison]
    sides = [masks in (side, "both") for side in ("reference", "probe")]
    assert ["masked_" in place for place in comparison.pair[:2]] == sides
    assert comparison.pair[2:] == tuple(str(int(side)) for side in sides)
    assert comparison.possible


def test_a_list_of_which_no_picture_is_there_is_refused(tmp_path):
    touch(tmp_path / "lfw", "Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg")
    (tmp_path / "pairs.txt").write_text("Ann 1 2\n")
    assert listed_pairs(tmp_path / "pairs.txt", tmp_path / "lfw", "neither")
    with pytest.raises(PairError, match=r"\./Ann/masked_Ann_0002\.jpg among the missing"):
        listed_pairs(tmp_path / "pairs.txt", tmp_path / "lfw", "probe")
    with pytest.raises(PairError, match="celeba does not exist"):
        listed_pairs(tmp_path / "pairs.txt", tmp_path / "celeba", "probe")


def test_official_pairs_are_no_paths(tmp_path):
    (tmp_path / "pairs.txt").write_text("Ann/Ann_0001.jpg Ann/Ann_0003.jpg 1\n")
    with pytest.raises(PairError, match="--protocol list reads"):
        official_lfw_pairs(tmp_path / "pairs.txt", SOME, "probe")


def test_command_with_a_list(tmp_path, capsys):
    touch(tmp_path / "rmfrd", "ann/0_0_9.jpg", "ann/0_0_ann_0001.jpg", "bo/0_0_bo_0001.jpg")
    path = tmp_path / "list.csv"
    path.write_bytes(
        "Input,Target,Label\nann/0_0_9.jpg,ann/0_0_ann_0001.jpg,1\n"
        "ann/0_0_9.jpg,bo/0_0_bo_0001.jpg,0\nann/0_0_9.jpg,cy/0_0_杨_0001.jpg,0\n".encode("gbk")
    )
    command = ["--base_folder", str(tmp_path), "--datasets", "rmfrd"]
    command += ["--output", str(tmp_path / "o"), "--protocol", "list"]
    assert generate_pairs.main([*command, "--list", str(path)]) == 0
    assert "3 pairs, 1 of them genuine; 2 can be compared" in capsys.readouterr().out
    labelled = read_pairs(tmp_path / "o" / "rmfrd" / "evaluation_rmfrd.txt", labelled=True)
    assert list(labelled.values()) == [1, 0, 0]
    path.write_text("ann/0_0_9.jpg,../x.jpg,1\n")
    assert generate_pairs.main([*command, "--list", str(path)]) == 2
    error = capsys.readouterr().err
    assert "list.csv, line 1: expected paths below" in error and len(error.splitlines()) == 1
    assert generate_pairs.main(command) == 2
    assert "expected --list" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        generate_pairs.main([*command[:-1], "published", "--list", str(path)])
    assert "--list is of --protocol list" in capsys.readouterr().err
