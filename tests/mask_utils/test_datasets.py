"""Every dataset's layout, from names alone: no file here holds a picture."""

import os

import pytest

from mask_utils.datasets import (
    LAYOUTS,
    DatasetError,
    parse_utkface_name,
    read_dataset,
    read_folder,
)


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def sources_of(base, dataset, seed=0):
    return [source for group in read_dataset(base, dataset, seed) for source in group.sources]


@pytest.mark.parametrize(
    ("dataset", "name", "identity", "copy"),
    [
        ("fei_face_frontal", "12b.jpg", "12", "12/12b.jpg"),
        ("fei_face_original", "7-12.jpg", "7", "7/7-12.jpg"),
        ("georgia_tech", "s05/03.jpg", "s05", "s05/03.jpg"),
        ("sof_original", "AbdA_00001_m_31.jpg", "AbdA", "AbdA/AbdA_00001_m_31.jpg"),
        ("youtube_faces", "Al_Gore/2/2.63.jpg", "Al_Gore", "Al_Gore/2_2.63.jpg"),
        ("lfw", "Al_Gore/Al_Gore_0002.jpg", "Al_Gore", "Al_Gore/Al_Gore_0002.jpg"),
        ("UTKFace", "9_1_2_2017.jpg.chip.jpg", "", "9_1_2_2017.jpg.chip.jpg"),
        ("UTKFace", "100_0_4_2017.jpg", "", "100_0_4_2017.jpg"),
    ],
)
def test_names_and_places(tmp_path, dataset, name, identity, copy):
    touch(tmp_path / dataset, name)
    (source,) = sources_of(tmp_path, dataset)
    assert source.relative == f"{dataset}/{name}"
    assert (source.dataset, source.identity, source.status) == (dataset, identity, "")
    assert source.copy == f"{dataset}/{copy}"
    place, _, file = copy.rpartition("/")
    assert source.output == "/".join(filter(None, (dataset, place, f"masked_{file}")))


def test_celeba(tmp_path):
    touch(tmp_path / "celeba" / "images", "000001.jpg", "000002.png", "000003.jpg")
    (tmp_path / "celeba" / "identity_CelebA.txt").write_text("000001.jpg 2880\n000002.jpg 31\n\n")
    sources = sources_of(tmp_path, "celeba")
    assert [(s.relative[-10:], s.identity, s.status) for s in sources] == [
        ("000001.jpg", "2880", ""),
        ("000002.png", "31", ""),
        ("000003.jpg", "", "no_identity"),
    ]
    assert sources[1].copy == "celeba/31/000002.png"


def test_celeba_malformed_and_missing_list(tmp_path):
    touch(tmp_path / "celeba" / "images", "000001.jpg")
    with pytest.raises(DatasetError, match="identity_CelebA.txt"):
        read_dataset(tmp_path, "celeba", 0)
    (tmp_path / "celeba" / "identity_CelebA.txt").write_text("000001.jpg 2880\n000002.jpg\n")
    with pytest.raises(DatasetError, match=r"line 2: expected 'NNNNNN.jpg ID'; got '000002.jpg'"):
        read_dataset(tmp_path, "celeba", 0)


def test_fei_original_uses_six_poses(tmp_path):
    touch(tmp_path / "fei_face_original", *(f"1-{pose:02}.jpg" for pose in range(1, 15)))
    sources = sources_of(tmp_path, "fei_face_original")
    used = [source.relative[-6:-4] for source in sources if not source.status]
    assert used == ["05", "06", "11", "12", "13", "14"]
    assert sum(s.status == "not_used" for s in sources) == 8


def test_youtube_samples_fifteen_frames_a_video(tmp_path):
    touch(tmp_path / "youtube_faces", *(f"A/0/0.{i}.jpg" for i in range(40)), "B/1/1.1.jpg")
    groups = read_dataset(tmp_path, "youtube_faces", 3)
    assert [(len(group.sources), group.enough) for group in groups] == [(15, 6), (1, 6)]
    assert len({source.relative for source in groups[0].sources}) == 15
    assert groups == read_dataset(tmp_path, "youtube_faces", 3)
    assert groups[0] != read_dataset(tmp_path, "youtube_faces", 4)[0]


def test_strange_names_are_rows_not_guesses(tmp_path):
    touch(tmp_path / "lfw", "A_B/A_B_0001.jpg", "A_B/C_0001.jpg", "readme.txt", "A_B/Thumbs.db")
    statuses = {s.relative: s.status for s in sources_of(tmp_path, "lfw")}
    assert statuses == {
        "lfw/A_B/A_B_0001.jpg": "",
        "lfw/A_B/C_0001.jpg": "skipped",
        "lfw/A_B/Thumbs.db": "skipped",
        "lfw/readme.txt": "skipped",
    }


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("39_1_20170116174525125.jpg.chip.jpg", None),
        ("61_3_20170109150557335.jpg", None),
        ("25_2_0_20170116.jpg", None),
        ("25_0_7_20170116.jpg", None),
        ("x_0_1_20170116.jpg", None),
        ("1_0_0_20161219140623097.jpg.chip.jpg", (1, 0, 0)),
        ("110_1_3_20161219140623097.jpg", (110, 1, 3)),
    ],
)
def test_utkface_names(name, fields):
    assert parse_utkface_name(name) == fields


def test_a_utkface_name_that_lacks_a_field_is_masked_and_reported(tmp_path):
    touch(tmp_path / "UTKFace", "39_1_20170116174525125.jpg.chip.jpg")
    (source,) = sources_of(tmp_path, "UTKFace")
    assert source.status == ""
    assert "lacks" in source.detail


def test_missing_folder(tmp_path):
    for dataset in LAYOUTS:
        with pytest.raises(DatasetError, match="does not exist"):
            read_dataset(tmp_path, dataset, 0)


def test_any_folder_keeps_its_tree_and_passes_over_the_output(tmp_path):
    touch(tmp_path, "a.jpg", "b/c d/é.PNG", "out/masked_a.jpg", "notes.txt")
    groups = read_folder(tmp_path, tmp_path / "out")
    outputs = {g.sources[0].relative: g.sources[0].output for g in groups}
    assert outputs == {
        "a.jpg": "masked_a.jpg",
        "b/c d/é.PNG": "b/c d/masked_é.PNG",
        "notes.txt": "",
    }


def test_loops_of_links_end(tmp_path):
    touch(tmp_path, "a/b/c.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a" / "b" / "c.jpg")
    found = {
        g.sources[0].relative: g.sources[0].status for g in read_folder(tmp_path, tmp_path / "o")
    }
    assert found == {"a/b/c.jpg": "", "a/up": "skipped", "link.jpg": "", "self.jpg": ""}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_without_permission_is_a_row(tmp_path):
    touch(tmp_path, "closed/a.jpg", "b.jpg")
    (tmp_path / "closed").chmod(0)
    try:
        found = {
            g.sources[0].relative: g.sources[0].status for g in read_folder(tmp_path, tmp_path)
        }
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert found == {"b.jpg": "", "closed": "unreadable"}
