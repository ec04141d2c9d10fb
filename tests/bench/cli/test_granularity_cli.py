"""`bench granularity`: from images and cells to tables that say what their labels are worth."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.storage.together import read_record, unsound


@pytest.fixture
def fields(tmp_path):
    """Images of 2 x 3 coloured cells: the first shows the image's class, the others are grey, or of either class."""
    rng, lines = np.random.default_rng(0), ["path,x0,y0,x1,y1,kind"]
    colour = {"red": (200, 60, 60), "green": (60, 200, 60), "grey": (120, 120, 120)}
    for label in ("red", "green"):
        for i in range(14):
            pixels = np.zeros((20, 30, 3))
            for j in range(6):
                kind = label if j == 0 else rng.choice(list(colour))
                x, y = 10 * (j % 3), 10 * (j // 3)
                pixels[y : y + 10, x : x + 10] = np.array(colour[kind]) + rng.normal(0, 40, 3)
                lines.append(f"{label}/{i}.png,{x},{y},{x + 10},{y + 10},{kind}")
            pixels = (pixels + rng.normal(0, 15, pixels.shape)).clip(0, 255).astype(np.uint8)
            place = tmp_path / "raw" / label / f"{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place)
    (tmp_path / "cells.csv").write_text("\n".join(lines))
    return tmp_path


COMMAND = (
    "granularity", "--data", "raw", "--instances", "boxes:fit", "--cells", "cells.csv", "--cell-column", "kind",
    "--encoder", "color-stats", "--image-labels", "0,1,4", "--cell-labels", "0,1,2,4", "--draws", "3",
)  # fmt: skip


def test_the_command_from_images_to_tables(bench, fields):
    code, text = bench(*COMMAND)
    assert code == 0, text
    assert "no class of images (grey" in text
    folder = fields / "results" / "granularity" / "raw-boxesfit"
    if not folder.is_dir():
        [folder] = (fields / "results" / "granularity").iterdir()
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    together = {"curves.csv", "exchange.csv", "frontier.csv", "noise.csv", "granularity.md"}
    assert names - {"curves.png"} == {*together, "dataset.json", "run.json", "predictions", "claims"}
    assert read_record(folder)["files"].keys() - {"curves.png"} == together
    curves = pd.read_csv(folder / "curves.csv").set_index(["head", "images", "cells"])
    assert set(curves.index) >= {("logreg", 0, 4), ("joint", 4, 4), ("mean-pool", 4, 0), ("noisy-or", 1, 2)}
    assert ("mean-pool", 4, 1) not in curves.index
    assert curves.loc[("logreg", 0, 4), "cell"] > 0.8
    np.testing.assert_allclose(curves["gap"], curves["image"] - curves["cell"], atol=1e-5)
    fixed = curves.index.get_level_values("head") == "noisy-or"
    assert (curves["chosen_by"] == np.where(fixed, "fixed", "auto")).all()
    told = (folder / "granularity.md").read_text()
    assert "| noisy-or | fixed | 1 |" in told and "| mean-pool | auto | 4 |" in told
    assert "**Cell level covers cells of the labelled classes only**" in told and "--none-class" in told
    assert "Windows that do not show their image's label" in told and "image labels per class" in told
    first = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    blocks = len(list((folder / "predictions").iterdir()))
    assert f"0 blocks of fits reused, {blocks} made" in text
    code, text = bench(*COMMAND)
    assert code == 0 and f"{blocks} blocks of fits reused, 0 made" in text
    assert first == {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tables_that_another_request_left_are_kept_unless_they_are_damaged_and_a_table_it_lacks_goes(bench, fields):
    smaller = (*COMMAND, "--bag-head", "mean-pool", "--name", "g")
    folder = fields / "results" / "granularity" / "g"
    earlier = lambda: sorted(folder.parent.glob("g-earlier-*"))  # noqa: E731
    assert bench(*COMMAND, "--name", "g")[0] == 0
    code, text = bench(*smaller)
    assert code == 0 and "its earlier tables are kept in" in text
    [kept] = earlier()
    assert unsound(kept) == [] and "joint" in set(pd.read_csv(kept / "curves.csv")["head"])
    shutil.rmtree(kept)
    assert bench(*COMMAND, "--name", "g")[0] == 0
    (folder / "curves.csv").write_text("encoder,purity,head,images,cells\nx,1,joint,9,9\n")
    code, text = bench(*smaller)
    assert code == 0 and earlier() == [] and "is not what was written there" in text
    code, text = bench(*smaller, "--purity", "1", "--simulate-bags", "2")
    assert code == 0 and not (folder / "noise.csv").exists() and unsound(folder) == []


def test_the_command_simulates_images_of_each_purity(bench, fields):
    code, text = bench(*COMMAND, "--purity", "1,0.5", "--simulate-bags", "2", "--bag-head", "mean-pool")
    assert code == 0, text
    [place] = (fields / "results" / "granularity").glob("*-simulated/exchange.csv")
    assert sorted(pd.read_csv(place)["purity"].unique()) == [0.5, 1]
    assert "limits count each image as a group" in (place.parent / "granularity.md").read_text()
    assert "hold cells of green, grey, red alone" in (place.parent / "granularity.md").read_text()


def test_windows_that_take_in_a_neighbour_are_counted_by_what_they_show(bench, fields):
    found = {}
    for size in (10, 20):  # the cell alone; or with the cells beside it
        kind = ("--instances", f"boxes:{size}", "--name", f"w{size}", "--bag-head", "mean-pool", "--draws", "2")
        code, text = bench(*COMMAND, *kind)
        assert code == 0 and ("show no cell of that class" in text) == (size == 20), text
        table = pd.read_csv(fields / "results" / "granularity" / f"w{size}" / "noise.csv").set_index("label")
        found[size] = table.loc["all"]
    assert found[10]["noise"] == pytest.approx(found[10]["other"])
    assert found[20]["noise"] < found[20]["other"] - 0.1


def test_cells_of_other_types_are_a_class_on_request(bench, fields, monkeypatch):
    drawn = []
    monkeypatch.setattr("bench.studies.granularity.run.draw_curves", lambda curves, n_classes: drawn.append(n_classes))
    code, text = bench(*COMMAND, "--none-class", "other", "--bag-head", "mean-pool,noisy-or", "--name", "all")
    assert code == 0, text
    assert "are the class 'other' at cell level" in text
    folder = fields / "results" / "granularity" / "all"
    curves = pd.read_csv(folder / "curves.csv").set_index(["head", "images", "cells"])
    assert curves[["of_classes", "of_none"]].notna().all(axis=None)
    assert curves.loc[("logreg", 0, 4), "of_none"] > 0.5  # guessing: a third
    page = (folder / "granularity.md").read_text()
    assert "**Cell level covers all cells that an expert labelled**: green, red, and `other`" in page
    assert "guessing gives about 50 at image level and 33 at cell level" in page and "recall of other" in page
    assert drawn == [3]  # the line of guessing in the picture, which is of cells


def without(words: tuple[str, ...], *options: str) -> tuple[str, ...]:
    """Return a command without some options and their values."""
    left = list(words)
    for option in options:
        at = left.index(option)
        del left[at : at + 2]
    return tuple(left)


def test_pure_images_give_their_label_to_every_cell(bench, fields):
    plain = without(COMMAND, "--cells", "--cell-column", "--instances")
    code, text = bench(*plain, "--instances", "tiles:10", "--pure", "--name", "pure")
    assert code == 0, text
    assert "(--pure)" in text
    page = (fields / "results" / "granularity" / "pure" / "granularity.md").read_text()
    assert "**Cell level covers every cell (or tile)**" in page and "that an expert labelled" not in page
    folder = fields / "results" / "granularity" / "pure"
    curves = pd.read_csv(folder / "curves.csv")
    assert not curves[["cell_low", "cell_high", "image_low", "image_high"]].isna().any(axis=None)
    assert not (folder / "noise.csv").exists()  # it is none by assumption, not by measurement


def test_tiles_without_labels_of_their_own_are_refused(bench, fields):
    code, text = bench(*without(COMMAND, "--cells", "--cell-column", "--instances"), "--instances", "tiles:10")
    assert code == 2 and "none has a label of its own cell" in text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--instances", "tiles:10"), "Got --cells cells.csv for --instances tiles:10, which looks for no cells"),
        (("--instances", "masks:10"), "Got --cells cells.csv for --instances masks:10, which finds its cells elsewhere"),
        (("--minutes", "image=1"), "Got --minutes 'image=1'"),
        (("--classes", "red,gren"), "did you mean 'green'"),
        (("--cell-column", "label"), "Got --cell-column label"),
        (("--bag-head", "mil"), "Got bag head 'mil'"),
        (("--purity", "2"), "Got purity 2"),
        (("--image-labels", "0,90", "--classes", "red,green"), "none can be drawn"),
        (("--image-labels", "0,90"), "is left out"),
        (("--name", "../x"), "Got name '../x'"),
        (("--none-class", "red"), "Got --none-class red, which is a class of images"),
        (("--none-class", "other", "--pure"), "Got --none-class other with --pure"),
        (("--none-class", "other", "--purity", "1"), "Got --none-class other with simulated images"),
        (("--none-class", "x", "--cell-column", "kind", "--classes", "red,green,grey"), "Got class 'grey'"),
    ],
)
def test_what_cannot_be_asked_is_refused(bench, fields, more, message):
    code, text = bench(*COMMAND, *more)
    assert code == 2
    assert message in text
