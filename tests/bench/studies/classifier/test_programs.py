"""Answers to cells, as other programs read them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from bench.studies.classifier.model import Answers
from bench.studies.classifier.predict import Answered
from bench.studies.classifier.programs import writing_for

CLASSES = ("a", "=b")


def block(paths: list[str], first: int = 0) -> Answered:
    """Return a block of cells, every third of which has no answer."""
    n = len(paths)
    x0 = np.arange(first, first + n) * 10
    instances = pd.DataFrame({"path": paths, "digest": [f"d{path}" for path in paths], "x0": x0, "y0": 5, "x1": x0 + 8, "y1": 9})
    P = np.stack([np.linspace(0.1, 0.9, n), np.linspace(0.9, 0.1, n)], 1)
    why = tuple("not sure enough" if i % 3 == 2 else "" for i in range(n))
    found = Answers(P=P, members=P > 0, unlike=np.ones(n), nearest=np.zeros((n, 3), int), why=why)
    return Answered(instances=instances, found=found, rows=pd.DataFrame())


def test_every_program_gets_every_cell_once_although_blocks_cut_through_images(tmp_path):
    with writing_for(("qupath", "cellprofiler", "napari"), tmp_path / "p.csv", CLASSES) as write:
        write(block(["x/1.png", "x/1.png", "x/2.png"]))
        write(block(["x/2.png", "x/2.png", "y/1.png"], first=3))
    counts = {"x/1.png": 2, "x/2.png": 3, "y/1.png": 1}
    for path, count in counts.items():
        features = json.loads((tmp_path / "p-qupath" / f"{path}.geojson").read_text())["features"]
        assert len(features) == len({one["id"] for one in features}) == count
        labels = pd.read_csv(tmp_path / "p-napari" / f"{path}.csv")
        assert labels["label"].tolist() == [*range(1, count + 1)]
    second = json.loads((tmp_path / "p-qupath" / "x" / "2.png.geojson").read_text())["features"]
    assert [("classification" in one["properties"]) for one in second] == [False, True, True]
    assert second[1]["geometry"]["coordinates"][0][0] == [30, 5]
    objects, images = (pd.read_csv(tmp_path / "p-cellprofiler" / name) for name in ("objects.csv", "images.csv"))
    assert objects[["ImageNumber", "ObjectNumber"]].to_numpy().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2], [2, 3], [3, 1]]
    assert images["Image_FileName_Cells"].tolist() == ["1.png", "2.png", "1.png"]
    assert objects["Cell_Location_Center_X"][0] == 3.5


def test_whole_images_and_programs_that_are_not_known_are_refused(tmp_path):
    with pytest.raises(BenchError, match="did you mean 'qupath'"), writing_for(("qpath",), tmp_path / "p.csv", CLASSES):
        pass
    whole = block(["a.png"])
    whole.instances["x0"] = pd.array([pd.NA], "Int64")
    with pytest.raises(BenchError, match="whole images"), writing_for(("qupath",), tmp_path / "p.csv", CLASSES) as write:
        write(whole)
    with writing_for((), tmp_path / "p.csv", CLASSES) as write:
        write(whole)
    assert not list(tmp_path.iterdir())
