"""`bench report`: where it writes, and what it answers to a slip."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.report.html import report

RUN = ("run", "--data", "raw", "--encoder", "texture", "--head", "knn", "--shots", "1", "--draws", "2", "--workers", "1",
       "--no-baselines", "--no-report")  # fmt: skip


@pytest.fixture
def made(bench, tmp_path, save_png):
    for i in range(12):
        save_png(tmp_path / "raw" / "ab"[i % 2] / f"{i}.png", seed=i)
    for name in ("one", "two"):
        assert bench(*RUN, "--name", name)[0] == 0
    return bench


def test_a_report_lies_in_the_folder_of_its_run_or_where_it_is_wanted(made):
    code, text = made("report")
    assert code == 0 and text.count("Report: ") == 3  # and the page of both
    assert Path("results/runs/one/report.html").is_file() and Path("results/runs/two/report.html").is_file()
    assert made("report", "one", "--to", "a/b.html")[0] == 0
    assert Path("a/b.html").read_bytes() == Path("results/runs/one/report.html").read_bytes()
    assert made("report", "--to", "all")[0] == 0
    assert sorted(path.name for path in Path("all").iterdir()) == ["index.html", "one.html", "two.html"]
    assert made("report", "one", "--to", "c.html", "--no-images", "--anonymous")[0] == 0
    page = Path("c.html").read_text()
    assert "raw/" not in page and ".png" not in page and "data:image" not in page


def test_several_runs_have_a_page_together_that_leads_to_their_reports(made):
    assert made("report")[0] == 0
    page = Path("results/report.html").read_text()
    for name in ("one", "two"):
        assert f'href="runs/{name}/report.html"' in page and Path(f"results/runs/{name}/report.html").is_file()
    assert made("report", "one", "two", "--to", "x/both.html")[0] == 0
    assert [path.name for path in Path("x").iterdir()] == ["both.html"] and "report.html" not in Path("x/both.html").read_text()
    assert made("report", "two", "one", "--to", "x/both.html", "--anonymous")[0] == 0
    shown = re.sub("<style>.*?</style>|<[^>]+>", " ", Path("x/both.html").read_text(), flags=re.DOTALL)
    assert not re.search(r"\braw\b|\.png|\bone:", shown) and "dataset 1" in shown
    assert made("report", "--to", "all")[0] == 0
    assert 'href="one.html"' in Path("all/index.html").read_text()


def test_it_finds_images_that_were_moved_where_it_is_told(made):
    shutil.move("raw", "moved")
    assert made("report", "one")[0] == 0
    assert "data:image" not in Path("results/runs/one/report.html").read_text()
    assert made("report", "one", "--images", "moved")[0] == 0
    assert "data:image" in Path("results/runs/one/report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("three",), "Got run three"), (("--map", "tsne"), "Got --map tsne; expected one of pca, umap"),
        (("one", "two", "--to", "x.html", "--images", "raw"), "Got --images for x.html, the page of 2 runs"),
        (("one", "--to", "x.pdf"), "Got --to x.pdf; expected a name ending in .html"),
        (("one", "--images", "nowhere"), "Got --images nowhere, which is no folder"),
        (("--out", "nothing"), "Got no run in nothing"),
    ],
)  # fmt: skip
def test_a_slip_is_answered_and_nothing_is_written(made, words, said):
    code, text = made("report", *words)
    assert code == 2 and said in text and "Traceback" not in text
    assert not list(Path.cwd().rglob("*.html"))


def test_tables_that_are_damaged_are_made_again_first(made):
    Path("results/runs/one/leaderboard.csv").write_text("no table")
    code, text = made("report", "one")
    assert code == 0 and "made again from the stored predictions" in text
    assert Path("results/runs/one/report.html").is_file()


def test_lost_predictions_are_named(made):
    for path in Path("results/runs/one/predictions").iterdir():
        path.unlink()
    code, text = made("report", "one")
    assert code == 2 and "without the predictions" in text and not list(Path.cwd().rglob("*.html"))


def test_a_run_writes_its_report_and_leaves_the_one_of_the_same_tables_as_it_is(made, monkeypatch):
    code, text = made(*[word for word in RUN if word != "--no-report"], "--name", "three")
    page = Path("results/runs/three/report.html")
    assert code == 0 and f"Report to open in a browser: {page}" in text and page.is_file()
    page.write_text("as it lies")
    code, text = made(*[word for word in RUN if word != "--no-report"], "--name", "three")
    assert code == 0 and f"Report to open in a browser: {page}" in text and page.read_text() == "as it lies"


def test_a_run_whose_report_cannot_be_made_says_so_and_is_done(made, monkeypatch):
    def fails(folder):
        raise BenchError("Got no room on the disk.")

    monkeypatch.setattr(report, "write_report", fails)
    code, text = made(*[word for word in RUN if word != "--no-report"], "--name", "four")
    assert code == 0 and "No report to look at: Got no room on the disk." in text
    assert Path("results/runs/four/leaderboard.csv").is_file()
