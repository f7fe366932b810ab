"""Archives: files of the layout are unpacked; unsafe or damaged archives are refused."""

import io
import stat
import tarfile
import zipfile

import multivolumefile
import numpy as np
import py7zr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloads.entries import ArchiveError, DamagedArchiveError, Limits
from downloads.extract import extract, placer, volumes
from mask_utils.datasets import LAYOUTS

from .conftest import LFW, picture, tar_of, zip_of

LFW_PLACE = placer(LAYOUTS["lfw"])
PLACED = {
    name.removeprefix("lfw_funneled/"): data for name, data in LFW.items() if "pairs" not in name
}


def unpack(tmp_path, data, name="a.zip", **options):
    path = tmp_path / name
    path.write_bytes(data)
    out = tmp_path / "out"
    out.mkdir()
    return extract([path], out, options.pop("place", LFW_PLACE), **options), out


def files_below(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("dataset", "entry", "expected"),
    [
        ("lfw", "lfw_funneled/A_B/A_B_0001.jpg", "A_B/A_B_0001.jpg"),
        ("lfw", "A_B/A_B_0001.jpg", "A_B/A_B_0001.jpg"),
        ("lfw", "A_B/C_D_0001.jpg", ""),
        ("lfw", "A_B_0001.jpg", ""),
        ("celeba", "img_align_celeba_png/000001.png", "images/000001.png"),
        ("celeba", "000001.png", "images/000001.png"),
        ("UTKFace", "part1/10_0_0_20170103200329407.jpg", "10_0_0_20170103200329407.jpg"),
        ("UTKFace", "__MACOSX/part1/._10_0_0_1.jpg", ""),
        ("fei_face_original", "1-05.jpg", "1-05.jpg"),
        ("georgia_tech", "gt_db/s01/01.jpg", "s01/01.jpg"),
        ("georgia_tech", "gt_db/s01/Thumbs.db", ""),
        ("youtube_faces", "frame_images_DB/A_B/0/0.1.jpg", "A_B/0/0.1.jpg"),
        ("youtube_faces", "frame_images_DB/A_B.labeled_faces.txt", ""),
        ("sof_original", "original images/AboA_00183_m_33_i_fr.jpg", "AboA_00183_m_33_i_fr.jpg"),
    ],
)
def test_the_layout_decides_where_an_entry_goes(dataset, entry, expected):
    assert placer(LAYOUTS[dataset])(entry) == expected


@pytest.mark.parametrize("dataset", sorted(LAYOUTS))
@given(name=st.text(st.sampled_from("a1_/.\\-sj pg"), max_size=40))
def test_no_entry_is_placed_outside(dataset, name):
    place = placer(LAYOUTS[dataset])(name)
    assert not place.startswith("/")
    assert ".." not in place.split("/")


def test_volumes_are_one_archive():
    assert volumes(["b.zip", "a.7z.002", "a.7z.001", "c.tar.gz"]) == {
        "b.zip": ["b.zip"],
        "a.7z": ["a.7z.001", "a.7z.002"],
        "c.tar.gz": ["c.tar.gz"],
    }


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path, mode):
    written, out = unpack(tmp_path, tar_of(LFW, mode), "a.tar")
    assert files_below(out) == PLACED
    assert {file.path: file.bytes for file in written} == {n: len(d) for n, d in PLACED.items()}
    assert {file.archive for file in written} == {"a.tar"}


def test_zip_and_only_what_is_wanted(tmp_path):
    _, out = unpack(tmp_path, zip_of(LFW))
    assert files_below(out) == PLACED
    written = extract([tmp_path / "a.zip"], tmp_path / "some", LFW_PLACE, {"C_D/C_D_0001.png"})
    assert [file.path for file in written] == ["C_D/C_D_0001.png"]
    assert list(files_below(tmp_path / "some")) == ["C_D/C_D_0001.png"]


def seven_zip(path, entries):
    with py7zr.SevenZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writef(io.BytesIO(content), name)


def test_7z_whole_and_in_volumes(tmp_path):
    entries = {f"img_align_celeba_png/{i:06d}.png": picture(i) for i in range(1, 30)}
    entries["img_align_celeba_png/000030.png"] = b""
    place = placer(LAYOUTS["celeba"])
    seven_zip(tmp_path / "a.7z", entries)
    expected = {name.replace("img_align_celeba_png", "images"): d for name, d in entries.items()}
    written = extract([tmp_path / "a.7z"], tmp_path / "one", place)
    assert files_below(tmp_path / "one") == expected
    assert len(written) == 30
    with multivolumefile.open(tmp_path / "b.7z", mode="wb", volume=2000) as stream:
        stream.write((tmp_path / "a.7z").read_bytes())
    parts = sorted(tmp_path.glob("b.7z.0*"))
    assert len(parts) > 2
    (tmp_path / "b.7z.0003.damaged").write_bytes(b"of an earlier run")
    assert {file.archive for file in extract(parts, tmp_path / "two", place)} == {"b.7z"}
    assert files_below(tmp_path / "two") == expected
    with pytest.raises(DamagedArchiveError, match=r"b\.7z: damaged or cut short"):
        extract(parts[:-1], tmp_path / "three", place)


@pytest.mark.parametrize("kind", ["zip", "tar", "7z"])
def test_damage_anywhere_is_one_line(tmp_path, kind):
    """Bytes changed at random: the archive is refused, or what is unpacked is right."""
    make = {"zip": zip_of, "tar": tar_of}
    if kind == "7z":
        seven_zip(tmp_path / "a.7z", LFW)
        data = (tmp_path / "a.7z").read_bytes()
    else:
        data = make[kind](LFW)
    generator = np.random.default_rng(5)
    refused = 0
    for number in range(60):
        changed = bytearray(data)
        for at in generator.integers(6, len(data), 1 + number % 3):
            changed[at] = generator.integers(0, 256)
        (tmp_path / "changed").write_bytes(changed)
        out = tmp_path / str(number)
        try:
            written = extract([tmp_path / "changed"], out, LFW_PLACE)
        except ArchiveError:
            refused += 1
            continue
        found = files_below(out)
        assert {file.path for file in written} == set(found)
        assert set(found.values()) <= set(LFW.values())
    assert refused > 30


def test_7z_with_a_flipped_bit(tmp_path):
    seven_zip(tmp_path / "a.7z", {"x/000001.png": picture(1)})
    data = bytearray((tmp_path / "a.7z").read_bytes())
    data[60] ^= 1
    (tmp_path / "a.7z").write_bytes(data)
    with pytest.raises(DamagedArchiveError, match="damaged"):
        extract([tmp_path / "a.7z"], tmp_path / "out", placer(LAYOUTS["celeba"]))


@pytest.mark.parametrize(
    "name", ["../A_B/A_B_0009.png", "/A_B/A_B_0009.png", "a\\..\\..\\A_B_0009.png", "C:/A_B/x.png"]
)
@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_an_entry_that_leaves_the_folder(tmp_path, name, make):
    """The entry is the last: of a zip nothing is written, what is written of a tar is not used."""
    with pytest.raises(
        ArchiveError, match="refused, nothing from it is used: .* leaves the folder"
    ):
        unpack(tmp_path, make({**LFW, name: b"x"}), "a")
    assert not (tmp_path / "A_B").exists()


def test_7z_that_leaves_the_folder(tmp_path):
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.writef(io.BytesIO(b"x"), "A_B/A_B_0001.png")
        archive.files.files_list[0]["filename"] = "../A_B/A_B_0001.png"
    with pytest.raises(ArchiveError, match="leaves the folder"):
        extract([tmp_path / "a.7z"], tmp_path / "out", LFW_PLACE)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.FIFOTYPE, "a device"),
    ],
)
def test_tar_with_links_and_devices(tmp_path, kind, what):
    member = tarfile.TarInfo("A_B/A_B_0001.png")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(ArchiveError, match=f"is {what}"):
        unpack(tmp_path, tar_of({}, extra=[member]), "a.tgz")


def test_zip_and_7z_with_a_link(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("A_B/A_B_0001.png")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ArchiveError, match="is a link"):
        unpack(tmp_path, buffer.getvalue())
    (tmp_path / "A_B_0001.png").symlink_to("/etc/passwd")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.write(tmp_path / "A_B_0001.png", "A_B/A_B_0001.png")
    with pytest.raises(ArchiveError, match="is a link"):
        extract([tmp_path / "a.7z"], tmp_path / "out2", LFW_PLACE)


def test_bombs(tmp_path):
    zeros = bytes(4_000_000)
    small = Limits(free_bytes=1_000_000)
    for number, data in enumerate(
        [
            zip_of({"A_B/A_B_0001.png": zeros}),
            tar_of({"A_B/A_B_0001.png": zeros}),
            tar_of({"left/out.bin": zeros}),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(ArchiveError, match=r"more than 1,000,000 bytes unpacked, a bomb"):
            unpack(folder, data, "a", limits=small)
        assert files_below(folder / "out") == {}
    seven_zip(tmp_path / "a.7z", {"A_B/A_B_0001.png": zeros})
    with pytest.raises(ArchiveError, match="a bomb"):
        extract([tmp_path / "a.7z"], tmp_path / "out", LFW_PLACE, limits=small)
    with pytest.raises(ArchiveError, match="more than 3 entries, a bomb"):
        unpack(tmp_path, zip_of(LFW), limits=Limits(entries=3))


def test_a_bomb_after_the_tar_has_ended(tmp_path):
    """Bytes after the last block are read for the checksum, and counted."""
    import gzip

    data = gzip.compress(tar_of(LFW, "w") + bytes(4_000_000))
    with pytest.raises(ArchiveError, match="a bomb"):
        unpack(tmp_path, data, "a.tgz", limits=Limits(free_bytes=1_000_000))


def test_a_zip_that_lies_about_a_size(tmp_path):
    data = bytearray(zip_of({"A_B/A_B_0001.png": bytes(50_000)}))
    at = data.rindex(b"PK\x01\x02") + 24  # uncompressed size, in the directory
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(ArchiveError):
        unpack(tmp_path, bytes(data))


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.98])
def test_cut_short(tmp_path, make, keep):
    data = make(LFW)
    with pytest.raises(DamagedArchiveError, match="damaged or cut short"):
        unpack(tmp_path, data[: int(len(data) * keep)], "a")


def test_a_gzip_whose_checksum_is_wrong(tmp_path):
    data = bytearray(tar_of(LFW))
    data[-8] ^= 1
    with pytest.raises(DamagedArchiveError, match="CRC"):
        unpack(tmp_path, bytes(data), "a.tgz")


def test_encrypted(tmp_path):
    data = bytearray(zip_of(LFW))
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + offset] |= 1
    with pytest.raises(ArchiveError, match="encrypted"):
        unpack(tmp_path, bytes(data))
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w", password="x") as archive:
        archive.writef(io.BytesIO(b"x"), "A_B/A_B_0001.png")
    with pytest.raises(ArchiveError, match="encrypted"):
        extract([tmp_path / "a.7z"], tmp_path / "out2", LFW_PLACE)


def test_two_entries_for_one_place(tmp_path):
    same = {"a/A_B/A_B_0001.png": picture(1), "b/A_B/A_B_0001.png": picture(1)}
    written, _ = unpack(tmp_path, zip_of(same))
    assert len(written) == 1
    (tmp_path / "other").mkdir()
    with pytest.raises(ArchiveError, match="two different entries would become A_B/A_B_0001.png"):
        unpack(tmp_path / "other", zip_of({**same, "b/A_B/A_B_0001.png": picture(2)}))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zip_of({"readme.txt": b"x"}), "expected pictures of this dataset"),
        (b"Rar!\x1a\x07\x01\x00", "RAR archives are not unpacked here"),
        (b"something else", "expected a zip, tar or 7z archive; got an unknown kind of file"),
    ],
    ids=(
        "zip",
        "rar",
        "other",
    ),  # archives contain the time, so ids made from them would differ between workers
)
def test_no_archive_of_this_dataset(tmp_path, data, message):
    with pytest.raises(ArchiveError, match=message) as caught:
        unpack(tmp_path, data)
    assert not isinstance(caught.value, DamagedArchiveError)
