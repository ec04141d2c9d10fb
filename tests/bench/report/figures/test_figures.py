"""Figures for papers: the data of the report, the same bytes every time, any name, and a reason for what is missing."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.report.figures import sheet as sheets
from bench.report.figures import write
from bench.report.figures.plots import PLOTS
from bench.report.figures.write import write_figures
from bench.report.html.read import Look, data_of, read_report
from bench.report.pages.markdown import inline
from bench.report.pictures.best import best_of_encoders, with_cost
from bench.report.pictures.curves import against_labels, against_wrong_labels
from bench.report.pictures.items import best_matrix, recalls_of_best, reliabilities
from bench.report.pictures.map import best_map
from bench.storage.tables import read_csv

pytest.importorskip("matplotlib")
KEYS = ["leaderboard", "labels", "wrong-labels", "confusion", "recall", "calibration", "map", "cost"]
HOSTILE = r"$\frac{1}{0}$ <b>&_%#~^ \x1b[2J" + "\u202e細胞\n"


@pytest.fixture(scope="module")
def context(small_run):
    return read_report(small_run, Look(pictures=False))


@pytest.fixture(scope="module")
def made(small_run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    written = write_figures(small_run, folder, ["png", "svg", "pdf"])
    assert list(written.made) == KEYS and not written.left_out
    return folder


def test_every_figure_is_there_in_every_format_with_its_caption(made):
    expected = {f"{key}.{name}" for key in KEYS for name in ("png", "svg", "pdf")} | {"captions.md", "leaderboard.tex"}
    assert {path.name for path in made.iterdir()} == expected
    captions = (made / "captions.md").read_text()
    assert captions.startswith("# Figures of ") and all(f"\n## {key}\n" in captions for key in KEYS)
    assert "Tested on" in captions and "draws" in captions and "95%" in captions and "`bench run --data" in captions


def test_captions_say_of_how_many_draws_each_figure_is_and_that_a_group_counts_as_one_at_most(context):
    board = context.run.board
    most = board.table["shots"].max()
    fewer = board.table.assign(seeds=np.where(board.table["shots"] == most, 10, 30))  # as by default
    told = replace(context, run=replace(context.run, board=replace(board, table=fewer)))
    said = {plot.key: inline(plot.make(told).caption) for plot in PLOTS}
    assert "means over 10 to 30 draws (more where labels are fewer)" in said["labels"]
    assert all("means over 10 draws of" in said[key] for key in ("leaderboard", "wrong-labels", "recall", "cost"))
    assert "as one observation at most" in said["recall"]


def test_the_same_run_gives_the_same_bytes_whatever_style_the_user_has(small_run, made, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "text.usetex": False, "lines.linewidth": 9}):
        write_figures(small_run, tmp_path, ["png", "svg", "pdf"])
        assert matplotlib.rcParams["font.size"] == 20  # the user's style is back
    for path in made.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_no_figure_says_when_or_by_what_it_was_drawn(made):
    for path in made.iterdir():
        data = path.read_bytes()
        assert not re.search(rb"(?i)CreationDate|ModDate|dc:date|Matplotlib v|tIME|Software", data), path.name


def test_words_are_text_in_svg_and_pdf(made):
    svg = (made / "leaderboard.svg").read_text()
    assert "balanced accuracy (%)</text>" in svg and "texture" in svg
    assert b"/FontFile2" in (made / "leaderboard.pdf").read_bytes()  # TrueType, not outlines


def test_figures_are_as_wide_as_columns_of_a_journal(made):
    widths = {round(float(re.search(r'width="([\d.]+)pt"', path.read_text())[1]) / 72 * 25.4)
              for path in made.glob("*.svg")}  # fmt: skip
    assert widths == {85, 180}


def test_colours_and_dashes_are_those_of_the_report():
    css = (Path(write.__file__).parents[1] / "html" / "assets" / "report.css").read_text()
    first = re.search(r"--c0:[^\n]*", css)[0]
    assert tuple(re.findall(r"#[0-9a-f]{6}", first)) == sheets.COLOURS
    for number, dashes in enumerate(sheets.DASHES):
        found = re.search(rf"\.line\.s{number} {{ stroke-dasharray: ([\d ]+);", css)
        assert tuple(map(int, found[1].split())) == dashes if found else not dashes


def test_colour_and_shape_tell_many_series_apart():
    pairs = {(sheets.style_of(n)["color"], sheets.style_of(n)["marker"]) for n in range(64)}
    assert len(pairs) == 64


def test_pictures_show_the_fields_of_the_tables(small_run, context):
    board = read_csv(small_run / "leaderboard.csv")
    for shown, x in ((against_labels(context), "shots"), (against_wrong_labels(context), "noise")):
        for panel in shown.panels:
            for line in panel.series:
                assert line.points
                for at, *values in line.points:
                    rows = board[(board["encoder"] == line.name) & (board["head"] == line.detail)]
                    value = 2**at if x == "shots" else at
                    own = rows[np.isclose(rows[x], value)][["balanced_accuracy", "ci_low", "ci_high"]]
                    assert (np.isclose(own.to_numpy(float), values, equal_nan=True).all(1)).any()
    best = board[(board["shots"] == 2) & (board["noise"] == 0)].sort_values("balanced_accuracy", ascending=False)
    assert best_of_encoders(context)[0]["balanced_accuracy"] == best["balanced_accuracy"].iloc[0]
    assert len(with_cost(context)) == len({row["encoder"] for row in with_cost(context)})


def test_pictures_of_answers_agree_with_one_another(context):
    matrix, recalls = best_matrix(context), recalls_of_best(context)
    assert np.diag(matrix.shares) == pytest.approx([row["recall"] for row in recalls], abs=1e-5)
    assert matrix.method == context.detailed[0] == reliabilities(context)[0].method
    right = {round(sum(n for n, _, _ in one.bins)) for one in reliabilities(context)}
    assert len(right) == 1  # every method was asked for the same items
    shown = best_map(context)
    assert len(shown.at) == len(shown.label) == len(shown.rows) <= shown.of


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (lambda board: board[board["shots"] == 2], {"labels": "one number of labels"}),
        (lambda board: board[board["noise"] == 0], {"wrong-labels": "clean labels only"}),
        (lambda board: board.assign(role=board["role"].replace("baseline", "encoder")), {}),
        (lambda board: board.assign(ms_per_image=np.nan), {"cost": "was not measured"}),
    ],
    ids=["one number of labels", "clean", "no baselines", "no cost"],
)
def test_what_a_run_has_nothing_for_is_left_out_with_a_reason(context, change, missing):
    run = context.run
    board = change(context.board).reset_index(drop=True)
    robustness = run.robustness if (board["noise"] > 0).any() else run.robustness.iloc[:0]
    less = replace(context, run=replace(run, board=replace(run.board, table=board), robustness=robustness))
    for plot in PLOTS:
        shown = plot.make(less)
        if shown is None:
            assert missing[plot.key] in plot.empty(less)
        else:
            assert sheets.drawn(shown.draw, ["svg"])["svg"].startswith(b"<?xml")
    assert {plot.key for plot in PLOTS if plot.make(less) is None} <= set(missing)


def test_a_run_without_wrong_labels_says_so_beside_its_figures(small_run, tmp_path, monkeypatch, context):
    less = replace(context, map=None, items=None, tables={}, why={"map": "gone", "items": "no <b>predictions</b>"})
    monkeypatch.setattr(write, "read_report", lambda folder, look: less)
    (tmp_path / "captions.md").write_text("# Figures of before")
    (tmp_path / "map.png").write_bytes(b"of before")
    (tmp_path / "mine.png").write_bytes(b"mine")
    written = write_figures(small_run, tmp_path, ["svg"])
    assert dict(written.left_out) == {"map": "gone"} | dict.fromkeys(
        ["confusion", "recall", "calibration"], "no <b>predictions</b>"
    )
    assert not (tmp_path / "map.png").exists() and (tmp_path / "mine.png").exists()
    assert "## Left out" in (tmp_path / "captions.md").read_text()
    assert "<b>" not in (tmp_path / "captions.md").read_text()


def test_a_folder_of_others_loses_nothing(small_run, tmp_path):
    (tmp_path / "map.pdf").write_bytes(b"a map of the institute")
    write_figures(small_run, tmp_path, ["svg"])
    assert (tmp_path / "map.pdf").read_bytes() == b"a map of the institute"


def test_hostile_names_are_drawn_as_they_are(context, tmp_path, recwarn):
    classes = (HOSTILE, *context.classes[1:])
    renamed = {context.classes[0]: HOSTILE}
    tables = {
        name: table.assign(**{c: table[c].replace(renamed) for c in ("class", "true", "predicted") if c in table})
        for name, table in context.tables.items()
    }
    hostile = replace(
        context, run=replace(context.run, facts=replace(context.run.facts, classes=classes, dataset=HOSTILE)),
        tables=tables, labels=[renamed.get(name, name) for name in context.labels],
    )  # fmt: skip
    for plot in PLOTS:
        shown = plot.make(hostile)
        svg = sheets.drawn(shown.draw, ["svg", "png"])["svg"].decode()
        if plot.key in ("confusion", "recall", "map"):
            assert "$\\frac{1}" in svg and "\u202e" not in svg and "<b>" not in svg, plot.key
    assert not [one for one in recwarn if "Glyph" in str(one.message)]
    assert sheets.not_in_font(["abc細胞"]) == ["細", "胞"]


def test_long_names_stay_apart_when_they_are_cut():
    names = [f"copepod_calanoid_large_{end}_of_the_southern_ocean" for end in "abc"]
    assert len(set(sheets.cut(names, 20))) == 3 and all(len(name) <= 22 for name in sheets.cut(names, 20))
    assert sheets.cut(["short"], 20) == ["short"]


def test_without_matplotlib_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(BenchError, match=r"without matplotlib; expected it installed: pip install '\.\[plots\]'"):
        sheets.need_matplotlib("bench figures")


def test_anonymous_captions_say_no_path_and_no_name_of_the_dataset(small_run, tmp_path):
    write_figures(small_run, tmp_path, ["svg"], anonymous=True)
    text = (tmp_path / "captions.md").read_text()
    assert "this dataset" in text and str(small_run.parents[2]) not in text and "bench run" not in text


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_drawn(small_run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(write, "drawn", lambda draw, formats: pytest.fail("a figure was drawn"))
    with pytest.raises(BenchError, match="cannot be written"):
        write_figures(small_run, tmp_path / "file" / "figures", ["svg"])


def test_figures_do_not_go_among_the_images_where_they_would_be_read_as_a_class(small_run, monkeypatch):
    images = data_of(write.read_record_of(small_run).command, small_run)
    assert images is not None and images.is_dir()
    monkeypatch.setattr(write, "drawn", lambda draw, formats: pytest.fail("a figure was drawn"))
    for place in (images, images / "figures"):
        with pytest.raises(BenchError, match="lies in the folder of images; expected another place"):
            write_figures(small_run, place, ["png"])


def test_a_failed_figure_leaves_nothing_half_written(small_run, tmp_path, monkeypatch):
    def refuse(*given):
        raise BenchError("no")

    monkeypatch.setattr(write, "leaderboard_tex", refuse)
    with pytest.raises(BenchError):
        write_figures(small_run, tmp_path / "new", ["svg"])
    assert not (tmp_path / "new").exists()
    shutil.rmtree(tmp_path / "new", ignore_errors=True)
