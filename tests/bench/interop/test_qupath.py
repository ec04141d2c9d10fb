"""GeoJSON of predictions, read back by parsers that are not ours: jsonschema for its form, shapely for its shapes."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import uuid
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from bench.data.datasets import BOX, load_dataset
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles, boxes_of
from bench.interop.objects import PredictedObjects, object_ids
from bench.interop.qupath import class_color, features_of, geojson_name, write_geojson

POSITION = {"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "number"}}
RINGS = {"type": "array", "minItems": 1, "items": {"type": "array", "minItems": 4, "items": POSITION}}
#: RFC 7946, sections 3.1.6 (a ring has four positions or more), 3.2 and 3.3; and what QuPath reads of a feature.
SCHEMA = {
    "type": "object", "required": ["type", "features"], "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {"type": "array", "items": {
            "type": "object", "required": ["type", "geometry", "properties", "id"], "properties": {
                "type": {"const": "Feature"},
                "id": {"type": "string", "pattern": "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"},
                "geometry": {"type": "object", "required": ["type", "coordinates"], "properties": {
                    "type": {"enum": ["Polygon", "MultiPolygon"]}},
                    "if": {"properties": {"type": {"const": "Polygon"}}}, "then": {"properties": {"coordinates": RINGS}},
                    "else": {"properties": {"coordinates": {"type": "array", "minItems": 1, "items": RINGS}}}},
                "properties": {"type": "object", "required": ["objectType", "measurements"], "properties": {
                    "objectType": {"enum": ["detection", "annotation", "cell"]},
                    "classification": {"type": "object", "required": ["name", "color"], "properties": {
                        "name": {"type": "string", "minLength": 1},
                        "color": {"type": "array", "minItems": 3, "maxItems": 3,
                                  "items": {"type": "integer", "minimum": 0, "maximum": 255}}}},
                    "measurements": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}}}}}}}}  # fmt: skip


def objects(n: int = 4, seed: int = 0, **changed: object) -> PredictedObjects:
    """Return objects of one image, the last of which the classifier abstains from."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 30, (n, 2))
    P = rng.dirichlet([1, 1, 1], n)
    predicted = P.argmax(1)
    predicted[-1] = -1
    made = PredictedObjects(
        path="a/1.png", digest="d1", classes=("RBC", "WBC", 'odd "name"\u2028é'), probabilities=P, predicted=predicted,
        boxes=np.concatenate([corner, corner + rng.integers(1, 9, (n, 2))], 1),
    )  # fmt: skip
    return replace(made, **changed)


def test_a_file_has_the_form_of_the_standard_and_the_shapes_that_were_given(tmp_path):
    jsonschema, shapely = pytest.importorskip("jsonschema"), pytest.importorskip("shapely")
    given = objects(40)
    assert write_geojson(tmp_path / "1.geojson", [given]) == 40
    read = json.loads((tmp_path / "1.geojson").read_text("ascii"))
    jsonschema.Draft202012Validator(SCHEMA).validate(read)
    shapes = [shapely.from_geojson(json.dumps(one["geometry"])) for one in read["features"]]
    assert [list(shape.bounds) for shape in shapes] == given.boxes.tolist()
    assert all(shape.is_valid and shape.exterior.is_ccw for shape in shapes)
    assert [shape.area for shape in shapes] == np.prod(given.boxes[:, 2:] - given.boxes[:, :2], 1).tolist()


def test_classes_and_probabilities_are_read_back_and_an_abstention_has_no_class(tmp_path):
    given = objects()
    write_geojson(tmp_path / "1.geojson", [given])
    features = json.loads((tmp_path / "1.geojson").read_text())["features"]
    assert [one["properties"].get("classification", {}).get("name") for one in features][-1] is None
    names = [one["properties"]["classification"]["name"] for one in features[:-1]]
    assert names == [{"RBC": "RBC", "WBC": "WBC"}.get(name, 'odd "name"\\u2028é') for name in given.names()[:-1]]
    P = np.array([list(one["properties"]["measurements"].values()) for one in features])
    assert np.allclose(P, given.probabilities, atol=1e-6) and np.allclose(P.sum(1), 1, atol=3e-6)
    assert list(features[0]["properties"]["measurements"])[:2] == ["Probability: RBC", "Probability: WBC"]


def test_an_outline_is_closed_runs_anticlockwise_and_keeps_parts_of_pixels(tmp_path):
    shapely = pytest.importorskip("shapely")
    clockwise = np.array([[1.25, 1], [1.25, 5], [4, 5], [4, 1], [1.25, 1]])
    given = objects(2, outlines=[[[clockwise]], [[clockwise[:-1] + 3]]])
    for feature, own in zip(features_of(given, Counter()), given.outlines, strict=True):
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert shape.is_valid and shape.exterior.is_ccw and shape.equals(shapely.Polygon(own[0][0]))


def test_an_outline_may_have_holes_and_several_parts(tmp_path):
    jsonschema, shapely = pytest.importorskip("jsonschema"), pytest.importorskip("shapely")
    square, small = np.array([[0, 0], [9, 0], [9, 9], [0, 9]]), np.array([[2, 2], [5, 2], [5, 5], [2, 5]])
    write_geojson(tmp_path / "1.geojson", [objects(2, outlines=[[[square[::-1], small]], [[square, small], [small + 20]]])])
    read = json.loads((tmp_path / "1.geojson").read_text("ascii"))
    jsonschema.Draft202012Validator(SCHEMA).validate(read)
    one, two = (shapely.from_geojson(json.dumps(feature["geometry"])) for feature in read["features"])
    assert (one.geom_type, one.area, two.geom_type, two.area) == ("Polygon", 72, "MultiPolygon", 81)
    assert one.is_valid and two.is_valid and one.exterior.is_ccw and not one.interiors[0].is_ccw
    with pytest.raises(BenchError, match="without a polygon"):
        write_geojson(tmp_path / "2.geojson", [objects(1, outlines=[[]])])


def test_an_object_has_the_same_id_in_every_file_and_no_other_object_has_it(tmp_path):
    given = objects(6)
    whole = [one["id"] for one in features_of(given, Counter())]
    write_geojson(tmp_path / "1.geojson", [cut(given, slice(3)), cut(given, slice(3, 6))])
    assert [one["id"] for one in json.loads((tmp_path / "1.geojson").read_text())["features"]] == whole
    other = object_ids("d2", given.boxes, Counter())
    twice = object_ids("d1", given.boxes[[0, 0, 0]], Counter())
    assert len({*whole, *other, *twice}) == 6 + 6 + 2 and twice[0] == whole[0]
    assert all(uuid.UUID(one).version == 5 for one in (*whole, *twice))
    assert object_ids("d1", np.array([[1, 2, 3, 4]]), Counter()) == ["b11c45dd-d33e-5c87-9265-b71e1f261b12"]


def test_the_same_objects_are_the_same_bytes_packed_or_not(tmp_path):
    for name in ("a.geojson.gz", "b.geojson.gz", "c.geojson"):
        write_geojson(tmp_path / name, [objects()])
    packed = (tmp_path / "a.geojson.gz").read_bytes()
    assert packed == (tmp_path / "b.geojson.gz").read_bytes() and packed[4:8] == bytes(4)
    assert gzip.decompress(packed) == (tmp_path / "c.geojson").read_bytes()
    assert class_color("RBC") == class_color("RBC") != class_color("WBC") and min(class_color("x")) >= 64


def test_what_is_written_can_be_given_to_cells(tmp_path, save_png):
    for seed, path in enumerate(("a/1.png", "b/2.png")):
        save_png(tmp_path / "raw" / path, seed, (60, 60))
    given = objects()
    write_geojson(tmp_path / "out" / geojson_name("a/1.png", packed=True), [given])
    found = boxes_of(load_dataset(tmp_path / "raw"), CellFiles(tmp_path / "out")).cells
    assert found[BOX].to_numpy(int).tolist() == given.boxes.tolist()
    assert found["cell_label"].isna().tolist() == [False, False, False, True]


def test_an_image_without_objects_is_an_empty_collection(tmp_path):
    assert write_geojson(tmp_path / "1.geojson", []) == 0
    assert json.loads((tmp_path / "1.geojson").read_text()) == {"type": "FeatureCollection", "features": []}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"probabilities": np.ones((4, 2))}, "of shapes"), ({"predicted": np.zeros(3, int)}, "of shapes"),
        ({"probabilities": np.full((4, 3), 1.5)}, "outside of 0 to 1"), ({"predicted": np.full(4, 3)}, "a class that is none"),
        ({"probabilities": np.full((4, 3), np.nan)}, "outside of 0 to 1"), ({"boxes": np.zeros((4, 4), int)}, "without a pixel"),
        ({"values": np.ones(3, int)}, "Got 3 values for 4 objects"), ({"outlines": [[[np.zeros((3, 2))]]]}, "Got 1 outlines"),
    ],
)  # fmt: skip
def test_parts_that_do_not_belong_together_are_refused(changed, said):
    with pytest.raises(BenchError, match=said):
        objects(**changed)


def test_two_images_in_one_file_or_an_outline_of_two_points_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(BenchError, match="one image in a file"):
        write_geojson(tmp_path / "1.geojson", [objects(), objects(digest="d2")])
    with pytest.raises(BenchError, match="expected 3 or more"):
        write_geojson(tmp_path / "1.geojson", [objects(1, outlines=[[[np.zeros((2, 2))]]])])
    assert list(tmp_path.iterdir()) == []


def test_memory_is_that_of_a_part(tmp_path):
    def parts():
        for i in range(20):
            yield objects(200, seed=i)

    tracemalloc.start()
    assert write_geojson(tmp_path / "1.geojson", parts()) == 4000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (tmp_path / "1.geojson").stat().st_size


def cut(given: PredictedObjects, rows: slice) -> PredictedObjects:
    """Return some of the objects."""
    return replace(given, boxes=given.boxes[rows], probabilities=given.probabilities[rows], predicted=given.predicted[rows])
