"""Annotations of QuPath as cells: which pixels they are, which class, and what is no GeoJSON."""

from __future__ import annotations

import gzip
import json
import sys

import pytest
from skimage.io import imread

from bench.data.datasets import BOX
from bench.errors import BenchError
from bench.instances.annotations import json_stream, marks
from bench.instances.annotations.geojson import read_geojson
from bench.instances.cell_boxes import CellFiles, boxes_of
from bench.instances.cut import cut_instances
from tests.bench.instances.annotations.drawing import feature, rectangle


def cells_of(data, file, **how):
    found = boxes_of(data, CellFiles(file, **how))
    return found.cells.sort_values(["path", *BOX]).reset_index(drop=True), found.notes


def boxes(table) -> list[list[int]]:
    return table[BOX].to_numpy(int).tolist()


def test_a_rectangle_is_its_pixels_and_its_classification_is_the_label(data, drawn):
    folder = drawn("1.geojson", rectangle(5, 6, 15, 18, "RBC"), rectangle(40, 20, 52, 30))
    cells, notes = cells_of(data, folder / "1.geojson")
    assert boxes(cells) == [[5, 6, 15, 18], [40, 20, 52, 30]] and set(cells["path"]) == {"a/1.png"}
    assert cells["cell_label"].fillna("NA").tolist() == ["RBC", "NA"]
    assert any("labels of cells are read from their classification" in note for note in notes)


def test_the_box_of_a_shape_has_every_pixel_that_the_shape_touches_and_no_other(data, drawn):
    ellipse = feature("Polygon", [[[9.9, 20.5], [20.5, 9.25], [30.1, 20.5], [20.5, 31.0004], [9.9, 20.5]]])
    two = feature("MultiPolygon", [[[[1, 1], [3, 1], [3, 3], [1, 1]]], [[[7, 7], [8, 7], [8, 9], [7, 7]]]])
    cells, _ = cells_of(data, drawn("1.geojson", ellipse, two) / "1.geojson")
    assert boxes(cells) == [[1, 1, 8, 9], [9, 9, 31, 31]]


@pytest.mark.parametrize(
    "types", [("annotation", "detection"), ("tmaCore", "cell"), ("PathAnnotationObject", "PathCellObject")]
)
def test_an_annotation_in_which_cells_were_detected_is_a_region_and_no_cell(data, drawn, types):
    kinds = [{"objectType": one} if one[0] != "P" else {} for one in types]
    region, one, two = (
        rectangle(*box, label, **kinds[k])
        for k, box, label in ((0, (0, 0, 40, 30), "Tumor"), (1, (5, 6, 15, 18), "pos"), (1, (25, 6, 35, 18), "neg"))
    )
    alone = rectangle(44, 20, 56, 32, "pos", **kinds[0])
    for k, made in ((0, region), (0, alone), (1, one), (1, two)):
        if not kinds[k]:
            made["id"] = types[k]
            del made["properties"]["objectType"]
    cells, notes = cells_of(data, drawn("1.geojson", region, one, two, alone) / "1.geojson")
    assert boxes(cells) == [[5, 6, 15, 18], [25, 6, 35, 18], [44, 20, 56, 32]]
    assert cells["cell_label"].tolist() == ["pos", "neg", "pos"]
    assert "1 annotations in which cells were detected (regions) in the annotations are no cells and were left out" in notes
    cells, _ = cells_of(data, drawn("1.geojson", region, one) / "1.geojson")
    assert len(cells) == 2  # a cell that was drawn over what was detected


def test_a_shape_without_coordinates_is_left_out_and_counted(data, drawn):
    empty = [feature(kind, []) for kind in ("Polygon", "MultiPoint", "Point")] + [feature("MultiPolygon", [[[]]])]
    shapes = (*empty, rectangle(5, 6, 15, 18))
    cells, notes = cells_of(data, drawn("1.geojson", *shapes) / "1.geojson")
    assert boxes(cells) == [[5, 6, 15, 18]] and any(note.startswith("4 features without a geometry") for note in notes)


@pytest.mark.parametrize(("x", "y"), [(10.5, 20.5), (10.0, 20.0), (10.9, 20.9)])
def test_a_point_anywhere_in_a_pixel_is_that_pixel(data, drawn, x, y):
    cells, notes = cells_of(data, drawn("1.geojson", feature("Point", [x, y], "RBC")) / "1.geojson")
    assert boxes(cells) == [[10, 20, 11, 21]] and any("1 of 1 cells is a point, without a size" in note for note in notes)


def test_several_points_of_one_feature_are_several_cells(data, drawn):
    cells, _ = cells_of(data, drawn("1.geojson", feature("MultiPoint", [[3.5, 4.5], [8.5, 9.5]], "x")) / "1.geojson")
    assert boxes(cells) == [[3, 4, 4, 5], [8, 9, 9, 10]] and set(cells["cell_label"]) == {"x"}


def middle_of(dataset, row) -> tuple[list[float], tuple[int, int]]:
    """Return the mean x and y of the pixels that a row shows, and how many it shows."""
    picture = imread(dataset.root / row["path"])
    window = picture[row["y0"] : row["y1"], row["x0"] : row["x1"]]
    return window[..., :2].reshape(-1, 2).mean(0).tolist(), window.shape[:2]


def test_a_window_in_pixels_is_centred_on_what_was_drawn(data, drawn):
    for i in range(4):
        folder = drawn(f"{i + 1}.geojson", rectangle(20, 10 + i, 30, 20 + i, "x"))
    table = cut_instances(data, "boxes:16", CellFiles(folder)).table
    assert boxes(table) == [[17, 7 + i, 33, 23 + i] for i in range(4)]
    middle, size = middle_of(data, table.iloc[1])
    assert middle == [24.5, 15.5] and size == (16, 16)  # a pixel's value is its place: its centre is half a pixel on


def test_a_window_in_micrometres_is_centred_on_the_same_pixels(scaled, drawn):
    drawn("1.geojson", rectangle(20, 10, 30, 20, "x"))
    folder = drawn("2.geojson", feature("Point", [25.5, 15.5], "x"))
    table = cut_instances(scaled, "boxes:8um", CellFiles(folder)).table  # half a micrometre per pixel
    assert boxes(table) == [[17, 7, 33, 23], [17, 7, 33, 23]]
    assert middle_of(scaled, table.iloc[0]) == ([24.5, 14.5], (16, 16))


@pytest.mark.parametrize(
    ("classification", "label"),
    [({"name": "Tumor"}, "Tumor"), ("Tumor", "Tumor"), ({"names": ["Tumor", "Positive"]}, "Tumor: Positive"),
     ({"name": None}, "NA"), (None, "NA"), ({"name": " NA "}, "NA"), ({}, "NA")],
)  # fmt: skip
def test_a_class_is_read_as_any_version_of_qupath_writes_it(data, drawn, classification, label):
    one = rectangle(1, 1, 9, 9, classification=classification)
    cells, _ = cells_of(data, drawn("1.geojson", one) / "1.geojson")
    assert cells["cell_label"].fillna("NA").tolist() == [label]


def test_the_label_may_be_the_name_of_an_object_if_that_is_asked_for(data, drawn):
    folder = drawn("1.geojson", rectangle(1, 1, 9, 9, "class", name="its name"))
    assert cells_of(data, folder / "1.geojson", column="Name")[0]["cell_label"].tolist() == ["its name"]
    with pytest.raises(BenchError, match="Got --cell-column nam, did you mean 'name'"):
        cells_of(data, folder / "1.geojson", column="nam")


@pytest.mark.parametrize("whole", [lambda own: own, lambda own: own[0], lambda own: {"features": own, "name": "x"}])
def test_a_list_one_feature_and_a_collection_are_read_alike(data, drawn, whole):
    folder = drawn("1.geojson", rectangle(5, 6, 15, 18, "RBC"), whole=whole)
    assert boxes(cells_of(data, folder / "1.geojson")[0]) == [[5, 6, 15, 18]]


def test_a_packed_file_is_read_as_the_unpacked_one(data, drawn):
    folder = drawn("1.geojson", rectangle(5, 6, 15, 18, "RBC"))
    text = (folder / "1.geojson").read_bytes()
    (folder / "1.geojson").unlink()
    (folder / "1.geojson.gz").write_bytes(gzip.compress(text))
    assert boxes(cells_of(data, folder / "1.geojson.gz")[0]) == [[5, 6, 15, 18]]


def test_lines_and_objects_without_a_shape_are_counted_and_left_out(data, drawn):
    line = feature("LineString", [[1, 1], [2, 2]])
    none = {"type": "Feature", "geometry": None, "properties": {}}
    cells, notes = cells_of(data, drawn("1.geojson", line, none, rectangle(1, 1, 9, 9)) / "1.geojson")
    assert len(cells) == 1
    assert any("1 lines in the annotations" in note for note in notes)
    assert any("1 features without a geometry" in note for note in notes)


GOOD = json.dumps(rectangle(1, 1, 9, 9))
HOSTILE = {
    "": "1.geojson, where line 1 has its end; expected a list or an object",
    "nothing": "where line 1 has nothing; expected a list or an object",
    f"[{GOOD},\n{{]": "feature 2 of 1.geojson, where line 2 has ]; expected JSON",
    f"[{GOOD}": "feature 1 of 1.geojson, where line 1 has its end",
    f"[{GOOD}] and more": "has and more; expected nothing after the end",
    f"[{GOOD}, 3]": "Got 3.0 as feature 2 of 1.geojson, which is no feature",
    '{"type": "Topology"}': "Got Topology as feature 1",
    '[{"type": "Feature", "geometry": 7}]': "Got a geometry or properties in feature 1",
    '[{"type": "Feature", "geometry": {"type": ["Point"]}}]': "feature 1 of 1.geojson; expected one of Polygon",
    '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [[1, 2]]}}]': "coordinates in feature 1",
    '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": ["1", true]}}]': "coordinates in feature 1",
    '[{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[]]]}}]': "coordinates in feature 1",
    '[{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [1, 2]}}]': "coordinates in feature 1",
    '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [NaN, 2]}}]': "finite numbers, and not NaN",
    '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1e999, 2]}}]': "that are no pixels",
    '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [%s, 2]}}]' % ("9" * 5000): "that are no pixels",
    '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"name": 3}}]': "feature 1",
    "[" * 200_000: "not nested as deep",
    '{"a":' * 200_000: "not nested as deep",
    '[{"type": "Feature\x1b[31m"': "1.geojson, where line 1 has",
    "{3: 4}": "expected a name in quotation marks",
    '{"features": [], }': "expected a name in quotation marks",
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_what_is_no_geojson_is_named_with_its_place(tmp_path, text, said):
    (tmp_path / "1.geojson").write_text(text)
    with pytest.raises(BenchError) as error:
        read_geojson(tmp_path / "1.geojson")
    assert said in str(error.value) and "\x1b" not in str(error.value) and len(str(error.value)) < 400


@pytest.mark.parametrize("data", [b"\xff\xfe\x00[", b"\x1f\x8b\x08damaged", gzip.compress(b"[" * 99, mtime=0)[:-9]])
def test_bytes_that_are_no_text_or_damaged_are_named(tmp_path, data):
    (tmp_path / "1.geojson").write_bytes(data)
    with pytest.raises(BenchError, match=r"1\.geojson, which"):
        read_geojson(tmp_path / "1.geojson")


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "MOST_BYTES", 100_000)
    (tmp_path / "1.geojson.gz").write_bytes(gzip.compress(b" " * 50_000_000))
    with pytest.raises(BenchError, match="MB of text; expected less"):
        read_geojson(tmp_path / "1.geojson.gz")


def test_more_features_or_cells_than_the_limit_are_refused(tmp_path, monkeypatch):
    (tmp_path / "1.geojson").write_text(json.dumps([rectangle(1, 1, 9, 9)] * 5))
    monkeypatch.setattr(json_stream, "MOST_ITEMS", 3)
    with pytest.raises(BenchError, match="at most 3 features"):
        read_geojson(tmp_path / "1.geojson")
    monkeypatch.undo()
    monkeypatch.setattr(marks, "MOST_MARKS", 3)
    with pytest.raises(BenchError, match="Got over 3 cells in 1.geojson"):
        read_geojson(tmp_path / "1.geojson")


def test_the_objects_of_a_file_are_not_all_held_at_once(tmp_path, monkeypatch):
    import tracemalloc

    (tmp_path / "1.geojson").write_text(json.dumps([rectangle(1, 1, 9, 9, "RBC")] * 3000))
    monkeypatch.setattr(json_stream, "BLOCK", 1 << 16)
    size = (tmp_path / "1.geojson").stat().st_size
    tracemalloc.start()
    assert len(read_geojson(tmp_path / "1.geojson").boxes) == 3000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size, (peak, size, sys.version)
