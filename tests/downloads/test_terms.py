"""What a person reads: terms, and numbered steps."""

from pathlib import Path

import pytest

from downloads.sources import read_sources, read_terms
from downloads.terms import (
    TermsError,
    require_acceptance,
    steps_text,
    terms_text,
    web_address,
)


def test_terms_name_site_and_conditions():
    text = terms_text(read_terms(), ["celeba", "UTKFace"])
    assert "CelebA (celeba), https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html" in text
    assert text.count("Non-commercial research") == 2
    require_acceptance(True)
    with pytest.raises(TermsError, match="add --accept_terms; nothing was downloaded"):
        require_acceptance(False)


@pytest.mark.parametrize(
    ("mirror", "address"),
    [
        ("http://a/b.zip", "http://a/b.zip"),
        ("gdrive:X", "https://drive.google.com/file/d/X/view"),
        ("gdrive:X?resourcekey=0-k", "https://drive.google.com/file/d/X/view?resourcekey=0-k"),
        ("gdrive-folder:X/a.7z.001", "https://drive.google.com/drive/folders/X"),
        (
            "gdrive-folder:X?resourcekey=0-k/a.txt",
            "https://drive.google.com/drive/folders/X?resourcekey=0-k",
        ),
    ],
)
def test_the_address_for_a_browser(mirror, address):
    assert web_address(mirror) == address


def test_steps_group_what_lies_at_one_address():
    lines = steps_text(
        "celeba", read_terms()["celeba"], read_sources()["celeba"], Path("store"), "again"
    ).splitlines()
    assert lines[0] == "celeba, by hand:"
    assert lines[1].startswith("  1. open https://drive.google.com/drive/folders/0B7EVK8r0v71pTUZ")
    assert "img_align_celeba_png.7z.001 to img_align_celeba_png.7z.016 (16 files)" in lines[1]
    assert "download identity_CelebA.txt" in lines[2]
    assert lines[3].startswith(
        "  3. put what you downloaded into store, without unpacking it, named img_align"
    )
    assert lines[4] == "  4. run again: again; it checks and unpacks these files"
    assert len(lines) == 5
