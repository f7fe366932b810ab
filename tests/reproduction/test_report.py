"""The web page of results: complete, escaped, in one file, and without errors in a browser."""

import base64
import html
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from PIL import Image

from reproduction import report
from reproduction.provenance import REPOSITORY

pytest.importorskip("jinja2", reason="the optional part report is not installed")
pytest.importorskip("markdown_it", reason="the optional part report is not installed")
pytest.importorskip("plotly", reason="the optional part report is not installed")

FOLDERS = [
    *("DICTA2021/results", "DICTA2021/graphs", "AJCAI2021/results", "AJCAI2021/data"),
    "benchmarks/results",
]
VOID = {"meta", "link", "img", "br", "hr", "line"}
EVIL = "<script>alert(1)</script>&\"'"


class Page(HTMLParser):
    """Parses a page strictly: every element is closed in order, every id is there once."""

    def __init__(self, path):
        super().__init__()
        self.open, self.ids, self.links, self.sources = [], [], [], []
        self.captions, self.elements, self.text = [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.elements.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        elif tag != "line":
            self.sources += [found[name] for name in ("src", "href", "data") if name in found]
        if tag == "caption":
            self.captions.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)
        if self.open and self.open[-1] == "caption":
            self.captions[-1] += data


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """The page of the committed results."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    folders = [str(REPOSITORY / folder) for folder in FOLDERS]
    expected = [str(REPOSITORY / paper / "expected") for paper in ("DICTA2021", "AJCAI2021")]
    assert report.main(["--results", *folders, "--expected", *expected, "--output", str(path)]) == 0
    return path


@pytest.fixture
def results(tmp_path):
    """A small folder of results with names that a page must escape."""
    folder = tmp_path / "results"
    folder.mkdir()
    rows = "condition,model,EER,low,high\n" + "".join(
        f'"{condition}","{model}",0.1,0.05,0.2\n'
        for condition in ("none", "one, masked")
        for model in ("a", EVIL.replace('"', '""'))
    )
    (folder / "mine.csv").write_text(rows)
    (folder / "mine.md").write_text(
        f"# Mine {EVIL}\n\n![x](http://example.org/x.png)\n\n| model | EER |\n| --- | --- |\n"
        f"| {EVIL} | 0.2 → 0.3 FAIL |\n"
    )
    (folder / "mine.meta.json").write_text('{"command": "python <mine>.py", "hardware": "some"}')
    (folder / "mine_det.csv").write_text(
        "model,condition,FMR,FNMR\na,lfw,0.1,0.5\na,lfw,0.2,0.3\n</script>,lfw,0,0\n"
    )
    Image.new("RGB", (30, 10)).save(folder / "mine_det.png")
    Image.new("RGB", (30, 10)).save(folder / "alone.png")
    return folder


def made(tmp_path, folder, *more):
    path = tmp_path / "page.html"
    assert report.main(["--results", str(folder), "--output", str(path), *more]) == 0
    return path


def test_the_page_of_the_committed_results_is_whole(committed):
    page = Page(committed)
    assert len(page.ids) == len(set(page.ids))
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert len(inner) > 40 and set(inner) <= set(page.ids)
    downloads = {a["download"]: a["href"] for tag, a in page.elements if "download" in a}
    for folder in FOLDERS:
        for path in (REPOSITORY / folder).glob("*.csv"):
            data = base64.b64decode(downloads[path.name].partition("base64,")[2])
            assert data == path.read_bytes(), path
    images = [a for tag, a in page.elements if tag == "img"]
    assert len(images) == sum(1 for folder in FOLDERS for _ in (REPOSITORY / folder).glob("*.png"))
    assert all(int(a["width"]) > 0 and a["alt"] for a in images)


def test_every_committed_table_is_there_cell_by_cell(committed):
    text = " ".join(" ".join(Page(committed).text).split())
    for folder in FOLDERS:
        for path in (REPOSITORY / folder).glob("*.md"):
            for line in path.read_text(encoding="utf-8").splitlines():
                if line.startswith("| ") and not line.startswith("| ---"):
                    cells = re.sub(r"[*`|]", " ", line)
                    assert " ".join(cells.split()) in text, (path, line)


def test_nothing_is_fetched(committed, results, tmp_path):
    for path in (committed, made(tmp_path, results)):
        page = Page(path)
        assert all(source.startswith("data:") for source in page.sources)
        policies = [a["content"] for tag, a in page.elements if "http-equiv" in a]
        assert len(policies) == 1 and policies[0].startswith("default-src 'none'")
        style = re.search(r"<style>(.*?)</style>", path.read_text(encoding="utf-8"), re.S)[1]
        assert "url(" not in style and "@import" not in style


def test_verdicts_are_counted_and_marked(committed):
    text = committed.read_text(encoding="utf-8")
    assert '<span class="verdict ok">OK</span> <strong>225</strong>' in text
    assert '<span class="verdict known">KNOWN</span> <strong>11</strong>' in text
    assert '<span class="verdict fail">FAIL</span> <strong>0</strong>' in text
    assert '0.363 → 0.363 <span class="verdict ok">OK</span>' in text


def test_names_are_escaped(results, tmp_path):
    path = made(tmp_path, results, "--title", EVIL)
    page = Page(path)
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "http://example.org/x.png" in page.links  # a link, not a picture
    assert f"<title>{html.escape(EVIL).replace('&quot;', '&#34;').replace('&#x27;', '&#39;')}" in (
        text
    )
    assert [tag for tag, _ in page.elements].count("script") == 4  # two charts, plotly, our own
    assert 'class="verdict fail"' in text
    assert sum("side by side" in caption for caption in page.captions) == 1


def test_figures_and_curves_are_with_their_result(results, tmp_path):
    text = made(tmp_path, results).read_text(encoding="utf-8")
    part = text[text.index('<article id="part-1-mine"') :].partition("</article>")[0]
    assert 'id="part-1-mine-mine-eer"' in part and 'id="part-1-mine-mine-det"' in part
    assert part.count("<noscript>") == 1  # the picture of the same curves
    assert "(no curve)" in part
    assert "python &lt;mine&gt;.py" in part
    assert "alone.png" not in part and "alone.png" in text


def test_anchors_and_titles_are_distinct(results, tmp_path):
    for name, model in (("roc_a", "a"), ("roc_b", "b")):
        Image.new("RGB", (30, 10)).save(results / f"{name}.png")
        meta = f'{{"command": "python draw.py --model {model}"}}'
        (results / f"{name}.meta.json").write_text(meta)
    page = Page(made(tmp_path, results))
    assert len(page.ids) == len(set(page.ids))
    assert {"part-1-draw", "part-1-draw-2"} <= set(page.ids)
    assert "Figures of draw.py (draw 2)" in page.text


def test_published_tables_without_a_result_are_shown(results, tmp_path):
    header = "table,row,column,metric,published,decimals,source,status,note,tolerance,recorded\n"
    folder = tmp_path / "expected"
    folder.mkdir()
    (folder / "other.csv").write_text(
        f"{header}other,r,c,EER,0.25,2,a paper,no-evidence,no scores,,\n"
        "other,r,d,EER,0.5,2,a paper,,,,\n"
    )
    (folder / "counts.csv").write_text("file,lines\nx,1\n")
    text = made(tmp_path, results, "--expected", str(folder)).read_text(encoding="utf-8")
    assert '0.25 → – <span class="verdict no-evidence">' in text
    assert '0.50 → – <span class="verdict not-computed">' in text
    assert "Published figures: a paper." in text


def test_pictures_are_shown_small_and_only_if_named(results, tmp_path, capsys):
    folder = tmp_path / "pictures"
    (folder / "Ann").mkdir(parents=True)
    Image.new("RGB", (400, 200), "red").save(folder / "Ann" / "1.jpg")
    (folder / "broken.png").write_bytes(b"no picture")
    page = Page(made(tmp_path, results, "--pictures", str(folder)))
    chips = [a for tag, a in page.elements if a.get("src", "").startswith("data:image/jpeg")]
    assert [(a["width"], a["height"]) for a in chips] == [("160", "80")]
    assert "Ann/1.jpg" in page.text and "pictures" in page.ids
    assert "broken.png: cannot be read as a picture" in capsys.readouterr().err
    assert "pictures" not in Page(made(tmp_path, results)).ids


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.meta.json", "{", "mine.meta.json: expected JSON"),
        ("mine.meta.json", "[]", "expected a JSON object; got list"),
        ("mine.csv", "a,b\n1,2,3\n", "mine.csv, row 2: expected at most 2 fields"),
        ("mine.csv", "", "mine.csv: expected a CSV file"),
        ("mine_det.csv", "model,condition,FMR,FNMR\na,b,2,0\n", "mine_det.csv, line 2"),
        ("mine_det.png", "GIF", "mine_det.png: expected a PNG file"),
    ],
)
def test_damaged_files_are_named(results, tmp_path, capsys, name, content, message):
    (results / name).write_text(content)
    output = tmp_path / "page.html"
    assert report.main(["--results", str(results), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    assert not output.exists()


def test_nothing_to_show_is_wrong_usage(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "absent"):
        assert report.main(["--results", str(folder), "--output", str(tmp_path / "p.html")]) == 2
        assert str(folder) in capsys.readouterr().err


def test_a_missing_package_is_named(results, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(report.PACKAGES, "no_such_module", "no-such-package")
    assert report.main(["--results", str(results), "--output", str(tmp_path / "p.html")]) == 2
    error = capsys.readouterr().err
    assert "no-such-package needed" in error and "pip install -e '.[report]'" in error


def browse(tmp_path, *arguments):
    """Run headless Chromium; return what it printed: the page, and the console on stderr."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed; it is needed to open the page in a browser")
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run disable-sync"
    flags += " disable-background-networking disable-component-update enable-logging=stderr"
    return subprocess.run(
        [
            chromium,
            *(f"--{flag}" for flag in flags.split()),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=20000",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )


MEASURE = """<script>addEventListener("load", () => setTimeout(() => {
  const inner = (e) => e.closest(".scroll, .picture, .chart, .skip");
  const far = [...document.querySelectorAll("body *")].filter((e) => !inner(e.parentElement)
    && !inner(e) && e.getBoundingClientRect().right > 321);
  document.body.dataset.far = far.map((e) => e.tagName + "." + e.className).join(" ");
  document.body.dataset.drawn = document.querySelectorAll(".chart .main-svg").length;
}, 3000));</script></body>"""


def test_a_browser_opens_the_page_without_errors(committed, tmp_path):
    """Every table and chart is there; at 320 pixels nothing but boxes that scroll is wider."""
    narrow = committed.with_name("narrow.html")
    text = committed.read_text(encoding="utf-8")
    narrow.write_text(
        text.replace('<html lang="en">', '<html lang="en" style="width: 320px">').replace(
            "</body>", MEASURE
        ),
        encoding="utf-8",
    )
    done = browse(tmp_path, "--window-size=500,900", "--dump-dom", narrow.as_uri())
    assert "CONSOLE" not in done.stderr, done.stderr
    assert done.stdout.count("<table>") == text.count("<table>") > 40
    assert re.search(r'data-far="([^"]*)"', done.stdout)[1] == ""
    charts = text.count('type="application/json"')
    assert int(re.search(r'data-drawn="(\d+)"', done.stdout)[1]) >= charts > 10
    picture = tmp_path / "page.png"
    done = browse(
        tmp_path, "--window-size=1280,2000", f"--screenshot={picture}", committed.as_uri()
    )
    with Image.open(picture) as shot:
        assert shot.size == (1280, 2000)
        assert len(set(shot.convert("L").resize((64, 100)).tobytes())) > 20
