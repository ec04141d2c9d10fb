"""`bench figures` and `bench cite`: where they write, what they print, and what they answer to a slip."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

RUN = ("run", "--data", "raw", "--encoder", "texture,net=thumbnail", "--head", "knn", "--shots", "1", "--draws", "2",
       "--workers", "1", "--no-baselines")  # fmt: skip


@pytest.fixture
def made(bench, tmp_path, save_png):
    for i in range(12):
        save_png(tmp_path / "raw" / "ab"[i % 2] / f"{i}.png", seed=i)
    assert bench(*RUN, "--name", "one")[0] == 0
    return bench


def test_figures_lie_in_a_folder_of_the_run_or_where_they_are_wanted(made):
    pytest.importorskip("matplotlib")
    code, text = made("figures", "--format", "svg")
    assert code == 0 and "labels is left out: the run has one number of labels" in text
    folder = Path("results/figures/one")
    assert (folder / "leaderboard.svg").is_file() and not list(folder.glob("*.png")) and (folder / "captions.md").is_file()
    assert made("figures", "one", "--to", "paper", "--format", "PDF, svg")[0] == 0
    assert {path.suffix for path in Path("paper").iterdir()} == {".svg", ".pdf", ".md", ".tex"}
    assert made(*RUN, "--name", "two")[0] == 0
    assert made("figures", "--to", "both", "--format", "svg")[0] == 0
    assert sorted(path.name for path in Path("both").iterdir()) == ["one", "two"]
    assert made("report", "one")[0] == 0 and made("leaderboard")[0] == 0  # a folder of figures is in nobody's way


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "tiff"), "Got --format 'tiff'; expected some of png, svg, pdf"),
        (("--format", ""), "Got --format ''"), (("three",), "Got run three"),
        (("--to", "raw/a/0.png"), "Got --to raw/a/0.png, which is a file; expected a folder"),
        (("--to", "x.pdf"), "Got --to x.pdf; expected a folder"), (("--out", "nothing"), "Got no run in nothing"),
    ],
)  # fmt: skip
def test_a_slip_is_answered_and_nothing_is_drawn(made, words, said):
    pytest.importorskip("matplotlib")
    code, text = made("figures", *words)
    assert code == 2 and said in text and "Traceback" not in text
    assert not list(Path.cwd().rglob("*.svg"))


def test_figures_without_matplotlib_are_refused_before_any_work(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, text = made("figures")
    assert code == 2 and "without matplotlib" in text and "bench report" in text and "Traceback" not in text
    assert not Path("results/figures").exists()


def test_the_program_is_cited_without_a_run(bench):
    code, text = bench("cite")
    assert code == 0 and "@misc{cell-classifier," in text and "name a run" in text


def test_a_run_is_cited_with_what_it_used(made):
    code, text = made("cite", "one")
    assert code == 0 and "@misc{encoder-texture," in text and "Haralick" in text and "@misc{data-" in text
    assert "Wu and others" in text and "thumbnail" in text and "net" not in text.split("or knows no paper of them:")[1].split()[0]
    code, text = made("cite", "one", "--text")
    assert code == 0 and "Wu et al. 2018. Method of head knn" in text and "@" not in text
    code, text = made("cite", "one", "--cff")
    assert code == 0 and text.startswith("cff-version: 1.2.0") and "references:" in text


@pytest.mark.parametrize(
    ("words", "said"), [(("three",), "Got run three"), (("--text", "--cff"), "Got --text and --cff; expected one")]
)
def test_a_slip_of_a_citation_is_answered(made, words, said):
    code, text = made("cite", *words)
    assert code == 2 and said in text and "Traceback" not in text
