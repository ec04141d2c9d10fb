"""Which file of annotations is of which image, Fiji's and napari's files, and what is refused."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bench.data.datasets import BOX
from bench.errors import BenchError
from bench.instances.annotations import fiji
from bench.instances.annotations.files import is_annotation
from bench.instances.cell_boxes import CellFiles, boxes_of
from tests.bench.instances.annotations.drawing import rectangle


def cells_of(data, file, **how):
    found = boxes_of(data, CellFiles(file, **how))
    return found.cells.sort_values(["path", *BOX]).reset_index(drop=True), found.notes


def boxes(table) -> list[list[int]]:
    return table[BOX].to_numpy(int).tolist()


def test_a_folder_has_a_file_for_each_image_at_its_place_or_by_its_name_alone(data, drawn):
    drawn("1.geojson", rectangle(1, 1, 9, 9))
    drawn("b/3.png.geojson", rectangle(2, 2, 9, 9))
    drawn(".hidden/4.geojson", rectangle(2, 2, 9, 9))
    folder = drawn("other.json", rectangle(2, 2, 9, 9))
    cells, notes = cells_of(data, folder)
    assert cells["path"].tolist() == ["a/1.png", "b/3.png"]
    assert any("1 of 3 files of annotations is of no image in the data, e.g. other.json" in note for note in notes)


def test_two_files_of_one_image_are_refused(data, drawn):
    drawn("1.geojson", rectangle(1, 1, 9, 9))
    folder = drawn("1.json", rectangle(1, 1, 9, 9))
    with pytest.raises(BenchError, match=r"Got 1\.geojson and 1\.json for a/1\.png"):
        cells_of(data, folder)


def test_a_file_that_is_of_no_image_or_not_there_is_refused_with_what_is_expected(data, drawn, tmp_path):
    folder = drawn("slide.geojson", rectangle(1, 1, 9, 9))
    for source, said in ((folder, "no file is named as an image"), (folder / "slide.geojson", "no file is named as an image"),
                         (folder / "1.geojson", "no file and no folder"), (tmp_path / "raw", "without a file of ann")):  # fmt: skip
        with pytest.raises(BenchError, match=said) as error:
            cells_of(data, source)
        assert "named as its image" in str(error.value)


def test_a_link_that_leads_out_of_the_folder_is_not_read(data, drawn, tmp_path):
    folder = drawn("1.geojson", rectangle(1, 1, 9, 9))
    (tmp_path / "2.geojson").write_text((folder / "1.geojson").read_text())
    (folder / "2.geojson").symlink_to(tmp_path / "2.geojson")
    assert cells_of(data, folder)[0]["path"].tolist() == ["a/1.png"]


def test_annotations_are_in_pixels_and_other_units_are_refused(data, drawn):
    with pytest.raises(BenchError, match="Got --box-units fractions with drawn; expected pixels"):
        cells_of(data, drawn("1.geojson", rectangle(0, 0, 1, 1)), units="fractions")


def test_what_reaches_beyond_the_image_is_clipped_and_what_lies_outside_is_told(data, drawn):
    folder = drawn("1.geojson", rectangle(-5, -5, 10, 10), rectangle(100, 100, 110, 110))
    found = boxes_of(data, CellFiles(folder))
    assert boxes(found.cells) == [[0, 0, 10, 10]] and "holds no pixel" in found.reasons["a/1.png"]


def test_a_csv_of_boxes_is_still_a_csv_of_boxes(tmp_path):
    (tmp_path / "cells.csv").write_text("path,x0,y0,x1,y1\n1.png,1,1,2,2\n")
    assert not is_annotation(tmp_path / "cells.csv") and is_annotation(tmp_path / "cells.geojson.gz")


# --- napari

SHAPES = "index,shape-type,vertex-index,axis-0,axis-1\n"


def test_a_rectangle_of_napari_is_counted_from_the_centre_of_the_first_pixel(data, tmp_path):
    corners = [(9.5, 4.5), (9.5, 14.5), (19.5, 14.5), (19.5, 4.5)]  # y, x: the rows 10 to 19, the columns 5 to 14
    lines = "".join(f"0,rectangle,{k},{y},{x}\n" for k, (y, x) in enumerate(corners))
    (tmp_path / "1.csv").write_text(SHAPES + lines + "1,path,0,1,1\n1,path,1,2,2\n")
    cells, notes = cells_of(data, tmp_path / "1.csv")
    assert boxes(cells) == [[5, 10, 15, 20]] and any("1 lines in the annotations" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "said"), [("0,blob,0,1,1\n", "Got shape-type blob in 1.csv"), ("0,polygon,0,x,1\n", "is no number"),
                       ("0,polygon,0,,1\n", "coordinates in shape 0 of 1.csv that are no pixels")]
)  # fmt: skip
def test_what_is_no_shape_of_napari_is_named(data, tmp_path, text, said):
    (tmp_path / "1.csv").write_text(SHAPES + text)
    with pytest.raises(BenchError, match=said):
        cells_of(data, tmp_path / "1.csv")


# --- Fiji


def test_without_the_reader_of_rois_what_to_install_is_said(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "roifile", None)
    (tmp_path / "1.zip").write_bytes(b"")
    with pytest.raises(BenchError, match=r"pip install '\.\[rois\]'"):
        cells_of(data, tmp_path / "1.zip")


@pytest.fixture
def rois(tmp_path):
    """Return a function that writes ROIs by name into 1.zip, and its path."""
    roifile = pytest.importorskip("roifile")

    def write(**rois: tuple) -> Path:
        with zipfile.ZipFile(tmp_path / "1.zip", "w") as archive:
            for name, (kind, points, more) in rois.items():
                roi = roifile.ImagejRoi.frompoints(np.array(points, np.float32), name=name)
                roi.roitype = roifile.ROI_TYPE[kind]
                for key, value in more.items():
                    setattr(roi, key, value)
                archive.writestr(f"{name}.roi", roi.tobytes())
        return tmp_path / "1.zip"

    return write


SQUARE = [(5, 6), (15, 6), (15, 18), (5, 18)]


def test_areas_are_their_box_and_points_their_pixel(data, rois):
    file = rois(a=("POLYGON", SQUARE, {}), b=("POINT", [(20, 30), (22.5, 31.5)], {}), c=("POLYLINE", SQUARE, {}))
    cells, notes = cells_of(data, file)
    assert boxes(cells) == [[5, 6, 15, 18], [20, 30, 21, 31], [22, 31, 23, 32]]
    assert any("1 lines and texts" in note for note in notes)


def test_a_rectangle_and_an_oval_are_their_corners_also_in_parts_of_pixels(data, tmp_path):
    roifile = pytest.importorskip("roifile")
    whole = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, left=5, top=6, right=15, bottom=18)
    (tmp_path / "1.roi").write_bytes(whole.tobytes())
    assert boxes(cells_of(data, tmp_path / "1.roi")[0]) == [[5, 6, 15, 18]]
    part = roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.OVAL, left=5, top=6, right=15, bottom=18, xd=5.5, yd=6.5, widthd=9.25, heightd=11.0,
        options=roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION,
    )  # fmt: skip
    (tmp_path / "1.roi").write_bytes(part.tobytes())
    assert boxes(cells_of(data, tmp_path / "1.roi")[0]) == [[5, 6, 15, 18]]


def test_the_label_of_a_roi_is_its_group_or_its_name_unless_fiji_gave_it(data, rois):
    named = {"RBC": ("POLYGON", SQUARE, {}), "RBC-1": ("POLYGON", SQUARE, {"left": 9, "right": 19}),
             "0012-0034": ("POINT", [(30, 30)], {})}  # fmt: skip
    assert cells_of(data, rois(**named))[0]["cell_label"].fillna("NA").tolist() == ["RBC", "RBC", "NA"]
    grouped = {"a": ("POLYGON", SQUARE, {"group": 3}), "b": ("POINT", [(30, 30)], {})}
    assert cells_of(data, rois(**grouped))[0]["cell_label"].fillna("NA").tolist() == ["3", "NA"]
    assert cells_of(data, rois(**grouped), column="name")[0]["cell_label"].tolist() == ["a", "b"]


def test_a_roi_that_was_cut_short_is_named_or_has_the_same_box(data, rois, tmp_path):
    rois(a=("POLYGON", SQUARE, {}))
    whole = zipfile.ZipFile(tmp_path / "1.zip").read("a.roi")
    said = []
    for k in range(0, len(whole), 7):
        with zipfile.ZipFile(tmp_path / "1.zip", "w") as archive:
            archive.writestr("a.roi", whole[:k])
        try:
            assert boxes(cells_of(data, tmp_path / "1.zip")[0]) == [[5, 6, 15, 18]]
        except BenchError as error:
            said.append(str(error))
    assert len(said) >= 10 and all("a.roi in 1.zip, which is no ROI" in text for text in said)


def test_a_roi_with_any_byte_changed_gives_cells_or_a_named_refusal(data, rois, tmp_path):
    rois(a=("POLYGON", SQUARE, {}))
    whole = zipfile.ZipFile(tmp_path / "1.zip").read("a.roi")
    said = []
    for k in range(len(whole)):
        (tmp_path / "1.roi").write_bytes(whole[:k] + bytes([whole[k] ^ 0x81]) + whole[k + 1 :])
        try:
            fiji.read_rois(tmp_path / "1.roi")
        except BenchError as error:
            said.append(str(error))
    assert said and all("1.roi" in text for text in said)


@pytest.mark.parametrize("data_", [b"PK\x03\x04 damaged", b"", b"Iout"])
def test_a_file_that_is_no_roi_is_named(data, tmp_path, data_):
    pytest.importorskip("roifile")
    (tmp_path / "1.zip").write_bytes(data_)
    with pytest.raises(BenchError, match=r"1\.zip"):
        cells_of(data, tmp_path / "1.zip")


def test_a_zip_that_unpacks_to_more_than_rois_take_is_refused_before_it_is_unpacked(data, rois, tmp_path, monkeypatch):
    file = rois(a=("POLYGON", SQUARE, {}))
    monkeypatch.setattr(fiji, "MOST_BYTES", 20)
    with pytest.raises(BenchError, match="unpacks to more than ROIs take"):
        cells_of(data, file)
