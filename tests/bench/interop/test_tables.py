"""Tables for CellProfiler Analyst and napari, read back by the standard library."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from bench.interop.objects import PredictedObjects
from bench.interop.tables import analyst_images, analyst_objects, napari_features, write_parts


def objects(**changed: object) -> PredictedObjects:
    """Return three objects of an image, one of a single pixel; the classifier abstains from the last."""
    given = {
        "path": "a/1.png", "digest": "d1", "classes": ("RBC", "=evil()"),
        "boxes": np.array([[10, 20, 20, 30], [7, 8, 8, 9], [0, 0, 3, 3]]),
        "probabilities": np.array([[0.75, 0.25], [0.1, 0.9], [0.5, 0.5]]), "predicted": np.array([0, 1, -1]),
    }  # fmt: skip
    return PredictedObjects(**{**given, **changed})


def read(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_places_of_objects_are_counted_from_the_centre_of_the_first_pixel(tmp_path):
    assert write_parts(tmp_path / "objects.csv", [analyst_objects(objects(), 4)]) == 3
    rows = read(tmp_path / "objects.csv")
    assert [(row["ImageNumber"], row["ObjectNumber"]) for row in rows] == [("4", "1"), ("4", "2"), ("4", "3")]
    places = [(float(row["Cell_Location_Center_X"]), float(row["Cell_Location_Center_Y"])) for row in rows]
    assert places == [(14.5, 24.5), (7.0, 8.0), (1.0, 1.0)]
    assert [row["Cell_AreaShape_BoundingBoxMaximum_Y"] for row in rows] == ["30", "9", "3"]


def test_classes_and_probabilities_stand_beside_and_no_cell_is_a_formula(tmp_path):
    write_parts(tmp_path / "objects.csv", [analyst_objects(objects(), 1)])
    rows = read(tmp_path / "objects.csv")
    assert [row["Cell_Predicted_Class"] for row in rows] == ["RBC", "'=evil()", ""]
    assert [float(row["Cell_Probability_RBC"]) for row in rows] == [0.75, 0.1, 0.5]


def test_parts_of_an_image_go_on_counting_and_share_one_header(tmp_path):
    parts = [analyst_objects(objects(), 1), analyst_objects(objects(first=4), 1)]
    assert write_parts(tmp_path / "objects.csv", parts) == 6
    assert [row["ObjectNumber"] for row in read(tmp_path / "objects.csv")] == ["1", "2", "3", "4", "5", "6"]


def test_images_are_numbered_in_the_order_given(tmp_path):
    write_parts(tmp_path / "images.csv", [analyst_images(["a/b/1.png", "2.png"])])
    assert read(tmp_path / "images.csv") == [
        {"ImageNumber": "1", "Image_FileName_Cells": "1.png", "Image_PathName_Cells": "a/b"},
        {"ImageNumber": "2", "Image_FileName_Cells": "2.png", "Image_PathName_Cells": ""},
    ]


@pytest.mark.parametrize(("values", "labels"), [(np.array([9, 4, 70]), ["9", "4", "70"]), (None, ["1", "2", "3"])])
def test_napari_finds_an_object_by_its_value_in_the_label_image(tmp_path, values, labels):
    write_parts(tmp_path / "features.csv", [napari_features(objects(values=values))])
    rows = read(tmp_path / "features.csv")
    assert [row["label"] for row in rows] == labels and [row["class"] for row in rows] == ["RBC", "'=evil()", ""]
    assert [float(row["p_RBC"]) for row in rows] == [0.75, 0.1, 0.5]
