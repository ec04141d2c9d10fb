"""Cells as instances: boxes of a CSV, the window around each, and what becomes of those that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import bench.embeddings.inputs
from bench.data.datasets import BOX, load_dataset
from bench.data.reading import Reading
from bench.embeddings.extract import extract
from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import COLUMNS, cut_instances
from bench.instances.windows import Window, cut_windows
from encoders import resolve


@pytest.fixture
def data(tmp_path, save_png):
    """Two classes of two images, 60 x 40."""
    for seed, path in enumerate(("a/1.png", "a/2.png", "b/3.png", "b/4.png")):
        save_png(tmp_path / "raw" / path, seed, (40, 60))
    return load_dataset(tmp_path / "raw")


@pytest.fixture
def cells(tmp_path):
    def write(*lines: str, head: str = "path,x0,y0,x1,y1,kind") -> Path:
        (tmp_path / "cells.csv").write_text("\n".join([head, *lines]) + "\n")
        return tmp_path / "cells.csv"

    return write


GOOD = (
    "a/1.png,5,5,15,15,x",
    "a/1.png,40,20,52,30,y",
    "a/2.png,10,10,20,20,x",
    "b/3.png,10,10,20,20,",
    "b/4.png,0,0,8,8,z",
)


def boxes(table: pd.DataFrame) -> list[list[int]]:
    return table[BOX].fillna(-1).to_numpy(int).tolist()


def test_a_cell_keeps_its_label_inherits_that_of_its_image_and_gets_a_window_of_one_size(data, cells):
    cut = cut_instances(data, "boxes:16", CellFiles(cells(*GOOD), "Kind"))
    table = cut.table
    assert list(table.columns) == COLUMNS
    assert boxes(table) == [[2, 2, 18, 18], [38, 17, 54, 33], [7, 7, 23, 23], [7, 7, 23, 23], [0, 0, 16, 16]]
    assert table["cell_label"].fillna("NA").tolist() == ["x", "y", "x", "NA", "z"]
    assert table["label"].tolist() == ["a", "a", "a", "b", "b"]
    assert set(table["level"]) == {"inherited"}
    assert (table["image"] == table["path"]).all()
    assert table["instance"].is_unique
    assert cut.dataset.problems.empty and cut.notes[:-1] == ("5 cells of 4 images, 1 to 2 an image, median 1",)
    assert cut.dataset.notes[-1] == cut.notes[-1]


def test_the_order_of_the_lines_does_not_matter(data, cells):
    one = cut_instances(data, "boxes", CellFiles(cells(*GOOD), "kind")).table
    pd.testing.assert_frame_equal(one, cut_instances(data, "boxes", CellFiles(cells(*GOOD[::-1]), "kind")).table)


def test_a_box_names_the_same_instance_whoever_asks_for_it(data, cells, tmp_path):
    rows = "\n".join(f"raw/{line}" for line in GOOD if not line.endswith(","))
    (tmp_path / "own.csv").write_text(f"path,x0,y0,x1,y1,label\n{rows}\n")
    own = load_dataset(tmp_path / "own.csv")
    direct, window = cut_instances(own), cut_instances(own, "boxes:10")
    beside = cut_instances(data, "boxes:10", CellFiles(cells(*GOOD), "kind"))
    assert set(window.table["instance"]) <= set(beside.table["instance"])
    assert set(direct.table["instance"]) & set(window.table["instance"])  # the box of 10 px is its own window
    assert set(window.table["level"]) == {"expert"}
    assert window.table["cell_label"].tolist() == window.table["label"].tolist()
    assert window.table.dtypes.to_dict() == direct.table.dtypes.to_dict()
    assert beside.table["cell_label"].dtype == direct.table["cell_label"].dtype


def test_what_cannot_be_used_is_listed_and_the_rest_goes_on(data, cells):
    bad = ("a/1.png,70,5,80,15,x", "a/1.png,9,9,9,12,x", "b/4.png,50,30,99,99,z", "c/9.png,1,1,5,5,x")
    cut = cut_instances(data, "boxes:16", CellFiles(cells(*GOOD, *bad), "kind"))
    assert len(cut.table) == len(GOOD) + 1
    assert cut.dataset.problems.to_numpy().tolist() == [
        ["a/1.png", "used without 2 of its cells: box 70 5 80 15 holds no pixel of the image"]
    ]
    assert any(note.startswith("1 cell is of 1 file not in the data, e.g. c/9.png") for note in cut.notes)
    assert any("1 of " in note and " boxes reaches beyond its image" in note for note in cut.notes)


def test_an_image_without_a_cell_falls_out_and_a_class_without_any_is_refused(data, cells):
    cut = cut_instances(data, "boxes:16", CellFiles(cells(*GOOD[:3], GOOD[4])))
    assert cut.dataset.problems.to_numpy().tolist() == [["b/3.png", "no cell was found in it"]]
    assert "b/3.png" not in set(cut.dataset.table["path"]) | set(cut.table["path"])
    assert any("--cell-column can name one of kind" in note for note in cut.notes)
    with pytest.raises(BenchError, match=r"leaves no instance of class 'b' \(b/3.png: no cell.*every class"):
        cut_instances(data, "boxes:16", CellFiles(cells(*GOOD[:3])))


@pytest.mark.parametrize(
    ("head", "line", "source", "message"),
    [
        ("path,x0,y0,x1,y1", "a/1.png,1,1,5,five", {}, "not four numbers"),
        ("path,x0,y0,x1,y1", "a/1.png,1,1,5,", {}, "incomplete box in line 2"),
        ("path,label", "a/1.png,x", {}, "Got columns path, label in cells.csv, which are no boxes. Expected columns path,x0"),
        ("path,x0,y0,x1,y1,kind", "a/1.png,1,1,5,5,x", {"column": "kid"}, "Got --cell-column kid, did you mean 'kind'"),
        ("path,x0,y0,x1,y1", "q.png,1,1,5,5", {}, "no line is of an image in the data .e.g. 'q.png'"),
        ("path,x0,y0,x1,y1,um_per_px", "a/1.png,1,1,5,5,-1", {}, "Got um_per_px '-1' in line 2"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_understood_is_refused(data, cells, head, line, source, message):
    with pytest.raises(BenchError, match=message):
        cut_instances(data, "boxes", CellFiles(cells(line, head=head), **source))


def test_boxes_that_nobody_gave_are_asked_for(data, tmp_path):
    with pytest.raises(BenchError, match="Got --instances boxes without boxes.*--cells FILE.csv"):
        cut_instances(data, "boxes")
    with pytest.raises(BenchError, match="cels.csv, which is no file"):
        cut_instances(data, "boxes", CellFiles(tmp_path / "cels.csv"))


def test_how_many_inherited_labels_are_wrong_is_told_where_cells_have_labels_by_the_same_names(data, cells):
    lines = [line[:-1] + label for line, label in zip(GOOD, "axaba", strict=True) if line[-1] != ","]
    cut = cut_instances(data, "boxes:16", CellFiles(cells(*lines, "b/3.png,10,10,20,20,b"), "kind"))
    assert cut.notes[-1].startswith("40% of the 5 cells that an expert labelled are not of the class of their image")


def test_labels_of_cells_that_are_no_classes_of_the_images_are_said_not_to_be_learned(data, cells):
    cut = cut_instances(data, "boxes:16", CellFiles(cells(*GOOD), "kind"))
    assert cut.notes[-1] == (
        "4 cells have labels of their own, none of which is a class of the images (x, y, z). They are not learned: a "
        "cell has the class of its image. To learn them, give a CSV with columns path,x0,y0,x1,y1,label as --data"
    )
    unlabelled = load_dataset(data.root, reading=Reading(labelled=False))
    cut = cut_instances(unlabelled, "boxes:16", CellFiles(cells(*GOOD), "kind"))
    assert not any("not learned" in note for note in cut.notes)


def test_an_image_all_of_whose_boxes_lie_outside_falls_out(data, cells):
    cut = cut_instances(data, "boxes:16", CellFiles(cells(*GOOD[:3], "b/3.png,90,1,99,9,x", GOOD[4])))
    assert cut.dataset.problems.to_numpy().tolist() == [
        ["b/3.png", "no cell: box 90 1 99 9 holds no pixel of the image"]
    ]


def test_files_are_found_by_their_names_where_these_are_enough(data, cells):
    cut = cut_instances(data, "boxes:16", CellFiles(cells(*(line[2:] for line in GOOD)), "kind"))
    assert len(cut.table) == len(GOOD)


def test_of_an_image_full_of_cells_a_hash_chooses_and_more_of_them_are_nested(data, cells):
    many = [f"a/1.png,{x},{y},{x + 2},{y + 2},x" for x in range(50) for y in range(38)]
    source = cells(*many, *GOOD[2:])
    few, more = (cut_instances(data, "boxes:2", CellFiles(source, most=most)) for most in (20, 60))
    counts = few.table.groupby("path").size()
    assert counts["a/1.png"] == 20 and counts["b/4.png"] == 1
    assert set(few.table["instance"]) < set(more.table["instance"])
    assert few.table[few.table["path"] == "a/1.png"]["x0"].max() > 20  # and not the first ones
    assert any(note.startswith("1,880 instances were left out, of 1 image: 20 of one image") for note in few.notes)
    assert cut_instances(data, "boxes:2", CellFiles(source)).table.groupby("path").size().max() == 200
    assert len(cut_instances(data, "tiles:2").table) == 4 * 600
    assert len(cut_instances(data, "tiles:2", CellFiles(most=7)).table) == 4 * 7


def test_cells_with_one_window_are_one_instance_whose_label_they_must_share(data, cells):
    same = ("a/1.png,0,0,4,4,x", "a/1.png,1,1,5,5,x", "a/2.png,0,0,4,4,x", "a/2.png,1,1,5,5,y")
    cut = cut_instances(data, "boxes:30", CellFiles(cells(*same, *GOOD[3:]), "kind"))
    assert cut.table["cell_label"].fillna("NA").tolist() == ["x", "NA", "NA", "z"]
    assert any(note.startswith("2 cells share the window of another") for note in cut.notes)
    every = cut_instances(data, "boxes:30", CellFiles(cells(*same, *GOOD[3:]), "kind", every=True))
    assert every.table["cell_label"].fillna("NA").tolist() == ["x", "x", "x", "y", "NA", "z"]
    assert "2 cells share the window of another and have its answer" in every.notes


def test_a_cell_has_the_scale_of_the_table_of_cells_which_tells_where_its_image_has_another(data, cells):
    data = replace(data, table=data.table.assign(um_per_px=pd.array([0.5, pd.NA, 0.5, pd.NA], dtype="Float64")))
    lines = ("a/1.png,1,1,9,9,0.25", "a/2.png,1,1,9,9,0.25", "b/3.png,1,1,9,9,0.5", "b/4.png,1,1,9,9,")
    cut = cut_instances(data, "boxes:10", CellFiles(cells(*lines, head="path,x0,y0,x1,y1,um_per_px")))
    assert cut.table["um_per_px"].tolist()[:3] == [0.25, 0.25, 0.5] and pd.isna(cut.table["um_per_px"][3])
    said = "a/1.png has 0.5 um per pixel, the table of cells 0.25 (1 cell differs so); the table of cells is followed"
    assert said in cut.notes


def test_a_window_as_large_as_the_image_is_the_whole_image(data, cells):
    cut = cut_instances(data, "boxes:999", CellFiles(cells(*GOOD)))
    assert cut.table["x0"].isna().all()
    assert set(cut.table["instance"]) == set(cut_instances(data).table["instance"])


def frame(box: np.ndarray, size: tuple[int, int], um: float | None = None) -> pd.DataFrame:
    table = pd.DataFrame({name: pd.array(box[:, k], dtype="Int64") for k, name in enumerate(BOX)})
    return table.assign(width=size[0], height=size[1], um_per_px=pd.array([um] * len(box), dtype="Float64"))


@given(st.data(), st.integers(8, 90), st.integers(8, 90), st.sampled_from(["", "fit", "1", "7", "40", "3um"]))
def test_windows_lie_in_their_images_and_hold_their_cells_where_they_are_large_enough(draw, width, height, text):
    corner = [draw.draw(st.tuples(st.integers(0, width - 2), st.integers(0, height - 2))) for _ in range(5)]
    far = [(draw.draw(st.integers(x + 1, width)), draw.draw(st.integers(y + 1, height))) for x, y in corner]
    box = np.concatenate([corner, far], 1)
    notes: list[str] = []
    window = cut_windows(frame(box, (width, height), 0.5), Window.parse(text), notes)
    side = window[:, 2:] - window[:, :2]
    assert (window[:, :2] >= 0).all() and (window[:, 2] <= width).all() and (window[:, 3] <= height).all()
    assert (side > 0).all()
    for cell, own, size in zip(box, window, side, strict=True):
        for axis in (0, 1):
            if cell[axis + 2] - cell[axis] <= size[axis]:
                assert own[axis] <= cell[axis] and cell[axis + 2] <= own[axis + 2]
    if text in ("1", "7", "40", "3um"):
        asked = {"1": 1, "7": 7, "40": 40, "3um": 6}[text]
        assert (side == np.minimum(asked, (width, height))).all()


def test_a_size_from_the_data_fits_nearly_all_cells_with_a_margin_and_is_told():
    side = np.r_[np.full(95, 10), np.full(5, 30)]
    box = np.stack([np.full(100, 50)] * 2 + [50 + side] * 2, 1)
    notes: list[str] = []
    window = cut_windows(frame(box, (200, 200)), Window.parse(""), notes)
    assert (window[:, 2] - window[:, 0] == 13).all()
    assert notes[0].startswith("the window around each cell is 13 px: 95% of the cells and a margin of 25%")
    assert notes[1] == "5 of 100 cells are larger than their window and lose their rim"


def test_images_of_two_scales_are_seen_at_one_when_the_window_is_in_micrometres():
    box = np.array([[40, 40, 60, 60], [40, 40, 80, 80]])  # one cell of 10 um, at .5 and at .25 um a pixel
    cells = frame(box, (400, 400)).assign(um_per_px=pd.array([0.5, 0.25], dtype="Float64"))
    for text, sides in (("16um", [32, 64]), ("", [25, 50]), ("30", [30, 30]), ("fit", [25, 50])):
        notes: list[str] = []
        window = cut_windows(cells, Window.parse(text), notes)
        assert (window[:, 2] - window[:, 0]).tolist() == sides
        assert any("same um per px" in note for note in notes) == (text in ("16um", ""))
        assert any("differ in scale" in note for note in notes) == (text == "30")
    notes = []
    cut_windows(cells.assign(um_per_px=pd.array([0.5, 0.5], dtype="Float64")), Window.parse("16um"), notes)
    assert notes[0] == "a window of 16 um is 32 px"
    with pytest.raises(BenchError, match="1 cell is in an image of unknown scale.* Other images have 0.5"):
        cut_windows(cells.assign(um_per_px=pd.array([0.5, pd.NA], dtype="Float64")), Window.parse("9um"), [])


def test_the_scale_is_read_from_the_data_and_the_crop_has_it(tmp_path, save_png, cells):
    for name in ("1", "2"):
        save_png(tmp_path / f"{name}.png", int(name), (40, 60))
    (tmp_path / "index.csv").write_text("path,label,um_per_px\n1.png,a,1\n2.png,b,0.5\n")
    source = CellFiles(cells("1.png,20,20,26,26,x", "2.png,20,20,32,32,x"))
    table = cut_instances(load_dataset(tmp_path / "index.csv"), "boxes:8um", source).table
    assert (table["x1"] - table["x0"]).tolist() == [8, 16]


def test_five_thousand_cells_of_one_image_are_planned_at_once(data, cells, tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 9, (900, 900), np.uint8)).save(tmp_path / "raw" / "a" / "1.png")
    corner = rng.integers(0, 880, (5000, 2))
    lines = [f"a/1.png,{x},{y},{x + 10},{y + 10},x" for x, y in corner]
    cut = cut_instances(load_dataset(tmp_path / "raw"), "boxes:20", CellFiles(cells(*lines, *GOOD[2:])))
    assert len(cut.table) == 203


def test_real_fields_are_cut_into_their_cells(shared):
    folder = shared / "data" / "bccd_fields"
    cut = cut_instances(load_dataset(folder), "boxes:96", CellFiles(folder / "cells.csv", "cell_subtype"))
    assert len(cut.table) > 4500 and cut.table["path"].nunique() == 348
    assert cut.table["cell_label"].value_counts().idxmax() == "RBC"
    assert ((cut.table["x1"] - cut.table["x0"]) == 96).all()


def test_an_image_is_decoded_once_for_all_its_cells_and_each_gets_the_vector_of_its_own_pixels(
    data, cells, tmp_path, monkeypatch
):
    opened: list[str] = []
    whole = bench.embeddings.inputs.open_views
    monkeypatch.setattr(
        bench.embeddings.inputs, "open_views", lambda path, *how: opened.append(path.name) or whole(path, *how)
    )
    many = [f"{path},{x},9,{x + 8},17,x" for path in ("a/1.png", "b/3.png") for x in range(0, 50, 2)]
    table = cut_instances(data, "boxes:8", CellFiles(cells(*many))).table
    spec, store = resolve("color-stats"), EmbeddingStore(tmp_path / "store")
    extract(table, data.root, [spec], store)
    assert len(table) == 50 and sorted(opened) == ["1.png", "3.png"]
    x = store.read(spec.key, table["instance"].tolist())
    for row in (0, 17, 49):
        one = table.iloc[row]
        pixels = np.asarray(Image.open(data.root / one["path"]))[one["y0"] : one["y1"], one["x0"] : one["x1"]]
        (tmp_path / "crop" / "c").mkdir(parents=True, exist_ok=True)
        (tmp_path / "crop" / "d").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "crop" / "c" / "1.png")
        Image.fromarray(pixels).save(tmp_path / "crop" / "d" / "2.png")
        crop = cut_instances(load_dataset(tmp_path / "crop")).table.iloc[:1]
        own = EmbeddingStore(tmp_path / f"own{row}")
        extract(crop, tmp_path / "crop", [spec], own)
        assert np.array_equal(own.read(spec.key, crop["instance"].tolist())[0], x[row])


def test_a_run_on_cells_is_scored_by_image_and_a_second_one_does_nothing(data, cells, bench):
    call = ("run", "--data", data.root, "--instances", "boxes:16", "--cells", cells(*GOOD), "--encoder", "color-stats",
            "--shots", "1", "--draws", "2", "--head", "centroid", "--no-baselines")  # fmt: skip
    code, text = bench(*call, "--cell-column", "kind")
    assert code == 0, text
    assert "Note: 5 cells of 4 images" in text
    board = pd.read_csv(next(Path("results/runs").glob("*-boxes16/leaderboard.csv")))
    assert set(board["level"]) == {"image"} and set(board["n_test"]) == {4}
    assert "Nothing to do" in bench(*call, "--cell-column", "kind")[1]
    code, text = bench("export", "--data", data.root, "--instances", "boxes:16", "--cells", cells(*GOOD), "--encoder",
                       "color-stats", "--to", "x.npz")  # fmt: skip
    assert code == 0 and "5 embeddings" in text
    code, text = bench(
        "data", "check", "--data", data.root, "--instances", "boxes", "--cells", cells(*GOOD), "--cell-column", "kind"
    )
    assert code == 0 and "Labels that experts gave cells: x 2, y 1, z 1" in text


def test_a_path_of_cells_in_another_case_is_found_as_one_of_labels_is(data, cells):
    cut = cut_instances(data, "boxes:16", CellFiles(cells("A/1.PNG,5,5,15,15,x", *GOOD[1:])))
    assert len(cut.table) == 5
    assert any(note.startswith("1 cell names its image in another case") for note in cut.notes)


@pytest.mark.parametrize("own", [True, False])
def test_boxes_of_images_that_were_turned_upright_are_said_to_be_of_the_upright_picture(tmp_path, own):
    exif = Image.Exif()
    exif[274] = 6
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.jpg", exif=exif)
    boxes = [f"{i}.jpg,{'ab'[i % 2]},1,1,9,9" for i in range(4)]
    (tmp_path / "cells.csv").write_text("\n".join(["path,label,x0,y0,x1,y1", *boxes]))
    (tmp_path / "l.csv").write_text("\n".join(["path,label", *(box[:7] for box in boxes)]))
    data = load_dataset(tmp_path / ("cells.csv" if own else "l.csv"))
    cut = cut_instances(data, "boxes:8", CellFiles(None if own else tmp_path / "cells.csv"))
    assert any("turned upright" in note and "the boxes must have been drawn" in note for note in cut.notes)
