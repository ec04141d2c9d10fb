"""Boxes by the names that tools give them; in pixels, or in parts of the image where that is asked for."""

from __future__ import annotations

import pandas as pd
import pytest

from bench.data.clip import clip_boxes
from bench.data.datasets import load_dataset
from bench.data.label_boxes import BOX
from bench.data.reading import Reading
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.instances.cut import cut_instances

SIZE = (20, 40)  # height, width


@pytest.fixture
def boxes(tmp_path, save_png):
    for i in range(4):
        save_png(tmp_path / f"{i}.png", seed=i, size=SIZE)

    def read(head: str, *lines: str, units: str = "pixels"):
        rows = [f"{i}.png,{'ab'[i % 2]},{lines[i % len(lines)]}" for i in range(4)]
        (tmp_path / "l.csv").write_text("\n".join([f"path,label,{head}", *rows]))
        return load_dataset(tmp_path / "l.csv", reading=Reading(box_units=units))

    return read


@pytest.mark.parametrize(
    ("head", "line", "said"),
    [
        ("bbox", '"[4,2,10,6]"', "column bbox of l.csv is no box and is not used"),
        ("x,y", "9,5", "columns x, y of l.csv are no box and are not used"),
        ("Centroid X px,Centroid Y px", "9,5", "columns centroid_x_px, centroid_y_px of l.csv are no box"),
        ("centroid-0,centroid-1", "5,9", "columns centroid_0, centroid_1 of l.csv are no box"),
        ("AreaShape_BoundingBoxMinimum_X", "4", "column areashape_boundingboxminimum_x of l.csv is no box"),
        ("xmin,ymin,width,height", "4,2,40,20", "columns xmin, ymin of l.csv are no box"),
        ("x0,y0", "4,2", "columns x0, y0 are no box without x1, y1 and were ignored"),
    ],
)
def test_places_that_are_no_box_are_not_left_out_in_silence(boxes, head, line, said):
    read = boxes(head, line)
    assert read.table[BOX].isna().all(axis=None)
    assert any(note.startswith(said) for note in read.notes), read.notes


@pytest.mark.parametrize(("head", "line"), [("X", "3"), ("center", "Oslo"), ("width,height", "40,20"), ("top", "3")])
def test_columns_of_other_things_are_not_taken_for_places(boxes, head, line):
    assert not any("no box" in note for note in boxes(head, line).notes)


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("x0,y0,x1,y1", "4,2,14,8"),
        ("x1,y1,x2,y2", "4,2,14,8"),
        ("xmin,ymin,xmax,ymax", "4,2,14,8"),
        ("Min X,Min Y,Max X,Max Y", "4,2,14,8"),
        ("left,top,right,bottom", "4,2,14,8"),
        ("bbox-0,bbox-1,bbox-2,bbox-3", "2,4,8,14"),
        ("x,y,w,h", "4,2,10,6"),
        ("X,Y,Width,Height", "4,2,10,6"),
        ("BX,BY,Width,Height", "4,2,10,6"),
        ("bbox_x,bbox_y,bbox_w,bbox_h", "4,2,10,6"),
        ("cx,cy,w,h", "9,5,10,6"),
        ("x_center,y_center,width,height", "9,5,10,6"),
        ("width,height,xmin,ymin,xmax,ymax", "40,20,4,2,14,8"),
        ("box", "[4 2 14 8]"),
        ("x0,y0,x1,y1", "4.2,1.9,13.8,8.1"),
    ],
)
def test_boxes_are_the_same_by_whatever_names(boxes, head, line):
    dataset = boxes(head, line)
    assert dataset.table[["x0", "y0", "x1", "y1"]].drop_duplicates().to_numpy().tolist() == [[4, 2, 14, 8]]
    usual = head in ("x0,y0,x1,y1", "box")
    assert any("boxes are read from" in note for note in dataset.notes) != usual


@pytest.mark.parametrize(("units", "line"), [("fractions", "0.1,0.1,0.35,0.4"), ("percent", "10,10,35,40")])
def test_parts_of_the_image_are_scaled_where_that_is_asked_for(boxes, units, line):
    table = boxes("x0,y0,x1,y1", line, units=units).table
    assert table[["x0", "y0", "x1", "y1"]].drop_duplicates().to_numpy().tolist() == [[4, 2, 14, 8]]


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        ("x0,y0,x1,y1", ["0.1,0.2,0.6,0.7"]),
        ("x0,y0,x1,y1", ["4,2,14,8", "0.1,0.2,0.6,0.7"]),  # one among boxes in pixels
        ("x0,y0,x1,y1", ["0,0,1,1"]),  # whole numbers, but all of them
        ("x0,y0,x1,y1", ["-0.01,0.2,0.6,1.02"]),
        ("box", ["0.1 0.2 0.6 0.7"]),
        ("x_center,y_center,width,height", ["0.5,0.5,0.2,0.4"]),
        ("x,y,w,h", ["0.5,0.5,0.2,0.4"]),
    ],
)
def test_fractions_are_refused_as_pixels_with_the_way_out(boxes, head, lines):
    with pytest.raises(
        BenchError, match=r"in line \d of l.csv, whose numbers lie between 0 and 1.*--box-units fractions"
    ):
        boxes(head, *lines)


def test_a_box_of_one_pixel_is_one_among_others(boxes):
    assert len(boxes("x0,y0,x1,y1", "0,0,1,1", "4,2,14,8").table) == 4


def test_other_units_and_pixels_in_parts_are_refused(boxes):
    with pytest.raises(BenchError, match="--box-units fraction, did you mean 'fractions'"):
        boxes("x0,y0,x1,y1", "0,0,1,1", units="fraction")
    with pytest.raises(
        BenchError, match="box 4 2 14 8 in line 2 of l.csv with --box-units fractions; expected numbers from 0 to 1"
    ):
        boxes("x0,y0,x1,y1", "4,2,14,8", units="fractions")


def test_boxes_beyond_are_clipped_and_counted_and_those_without_a_pixel_are_skipped(boxes):
    dataset = boxes("x0,y0,x1,y1", "-5,-6,12,13", "4,2,14,8", "14,8,4,2", "100,100,120,120")
    assert dataset.table[["x0", "y0"]].min().tolist() == [0, 0] and len(dataset.table) == 2
    assert any("1 of 4 boxes reaches beyond its image and was clipped" in note for note in dataset.notes)
    assert [("x0 < x1" in reason) for reason in dataset.problems["reason"]] == [True, False]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("4,2,x,8", "not four numbers"),
        ("4,2,,8", "incomplete box in line 2"),
        ("4,2,inf,8", "incomplete box in line 2"),
        ("4,2,1e30,8", "2 thousand million pixels"),
    ],
)
def test_what_is_no_box_is_refused(boxes, line, message):
    with pytest.raises(BenchError, match=message):
        boxes("x0,y0,x1,y1", line)


def test_one_incomplete_box_among_whole_ones_is_refused(boxes):
    with pytest.raises(BenchError, match="incomplete box in line 4"):
        boxes("x0,y0,x1,y1", "4,2,14,8", "5,2,14,8", "4,2,,8")


@pytest.mark.parametrize("numbers", ["4 2 14 8 1", "[4, 2, 14, 8, 1, 1]"])
def test_a_box_of_more_than_four_numbers_is_refused(boxes, numbers):
    with pytest.raises(BenchError, match="over four numbers in line 3"):
        boxes("box", "4 2 14 8", f'"{numbers}"')


@pytest.mark.parametrize("word", ["NA", "nan", ""])
def test_a_row_without_a_box_is_the_whole_image(boxes, word):
    table = boxes("x0,y0,x1,y1", ",".join([word] * 4), "4,2,14,8").table
    assert table["x0"].isna().sum() == 2


def test_boxes_of_cells_may_be_fractions_too(tmp_path, save_png):
    for i in range(4):
        save_png(tmp_path / "d" / "ab"[i % 2] / f"{i}.png", seed=i, size=SIZE)
    lines = [f"{'ab'[i % 2]}/{i}.png,0.1,0.1,0.35,0.4" for i in range(4)]
    (tmp_path / "cells.csv").write_text("\n".join(["path,x0,y0,x1,y1", *lines]))
    data = load_dataset(tmp_path / "d")
    with pytest.raises(BenchError, match="--box-units fractions"):
        cut_instances(data, "boxes:8", CellFiles(tmp_path / "cells.csv"))
    cut = cut_instances(data, "boxes:fit", CellFiles(tmp_path / "cells.csv", units="fractions"))
    assert len(cut.table) == 4


def test_boxes_that_were_drawn_on_images_of_another_size_are_doubted(boxes):
    assert not any("another size" in note for note in boxes("width,height,xmin,ymin,xmax,ymax", "40,20,4,2,14,8").notes)
    notes = boxes("width,height,xmin,ymin,xmax,ymax", "400,200,4,2,14,8").notes
    assert any(note.startswith("4 boxes of images that are of another size in the CSV than on disk, e.g. 0.png") for note in notes)
    assert any("400 x 200 there, 40 x 20 here" in note for note in notes)
    assert not any("another size" in note for note in boxes("x,y,width,height", "4,2,10,6").notes)


@pytest.mark.parametrize(("box", "said"), [((5, 5, 99, 9), "reach beyond their image"), ((90, 5, 99, 9), "lie outside")])
@pytest.mark.parametrize("count", [2, 3])
def test_whether_boxes_are_of_other_images_is_asked_where_more_than_one_in_ten_are_not_inside(box, said, count):
    notes = []
    rows = [(f"{i}.png", *(box if i < count else (1, 1, 9, 9)), 40, 20) for i in range(20)]
    clip_boxes(pd.DataFrame(rows, columns=["path", *BOX, "width", "height"]).astype(dict.fromkeys(BOX, "Int64")), notes)
    asked = any("are they of the images these were cut from" in note for note in notes)
    told = any(note.startswith(str(count)) and said in note for note in notes)
    assert asked is (count > 2) and told is (asked or "beyond" in said)
