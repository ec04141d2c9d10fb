"""Answers to cells, as other programs read them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from bench.instances.cut import CELL_BOX
from bench.studies.classifier.image_rows import ImageRows
from bench.studies.classifier.model import Answers
from bench.studies.classifier.predict import Answered
from bench.studies.classifier.programs import writing_for

CLASSES = ("a", "=b")


def block(paths: list[str], first: int = 0) -> Answered:
    """Return a block of cells, every third of which has no answer."""
    n = len(paths)
    x0 = np.arange(first, first + n) * 10
    instances = pd.DataFrame({"path": paths, "digest": [f"d{path}" for path in paths], "x0": x0, "y0": 5, "x1": x0 + 8, "y1": 9})
    instances = instances.assign(**{name: pd.array([pd.NA] * n, "Int64") for name in ("value", "cell", *CELL_BOX)})
    P = np.stack([np.linspace(0.1, 0.9, n), np.linspace(0.9, 0.1, n)], 1)
    why = tuple("not sure enough" if i % 3 == 2 else "" for i in range(n))
    found = Answers(P=P, members=P > 0, unlike=np.ones(n), nearest=np.zeros((n, 3), int),
                    seen=np.zeros(n, bool), why=why)  # fmt: skip
    named = np.array(CLASSES, object)[P.argmax(1)]
    rows = instances[["path", "x0", "y0", "x1", "y1"]].assign(
        **{"class": named, "probability": P.max(1), "set": "a|=b", "unlike_p": 1.0, "why_no_answer": [one or None for one in why],
           "answer": [None if one else name for name, one in zip(named, why, strict=True)]}
    )  # fmt: skip
    X = np.arange(first * 3, (first + n) * 3, dtype=np.float32).reshape(n, 3)
    return Answered(instances=instances, found=found, rows=rows, X=X, um_per_px=np.where(x0 < 30, 0.5, np.nan))


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


def test_an_image_is_answered_by_each_window_once_and_all_its_cells_are_counted():
    """As it was learned from: there cells of one window are one, and here they are in two blocks."""
    seen: list[np.ndarray] = []

    def answer_images(X, bags, asked):
        seen.append(X)
        return SimpleNamespace(P=np.array([[0.9, 0.1]]), sure=[True], members=np.ones((1, 2), bool))

    model = SimpleNamespace(about=SimpleNamespace(most=9, classes=CLASSES), answer_images=answer_images)
    written: list[pd.DataFrame] = []
    rows = ImageRows(model, None, written.append)
    one, two = block(["x/1.png"] * 3), block(["x/1.png"] * 2, first=3)
    rows.take(replace(one, instances=one.instances.assign(instance=["p", "p", "q"])))
    rows.take(replace(two, instances=two.instances.assign(instance=["q", "r"])))
    rows.end()
    assert [X.tolist() for X in seen] == [[one.X[0].tolist(), one.X[2].tolist(), two.X[1].tolist()]]
    assert written[0]["cells"].tolist() == [5]


def cells_file(tmp_path) -> str:
    with writing_for(("anndata", "napari"), tmp_path / "p.csv", CLASSES) as write:
        write(block(["x/1.png", "x/1.png", "x/2.png"]))
        write(block(["x/2.png", "x/2.png", "y/1.png"], first=3))
    assert (tmp_path / "p-napari" / "x" / "2.png.csv").exists()
    return str(tmp_path / "p-anndata" / "cells.h5ad")


def test_anndata_reads_every_cell_with_its_class_place_probabilities_and_embedding(tmp_path):
    pytest.importorskip("h5py")
    anndata = pytest.importorskip("anndata")
    cells = anndata.read_h5ad(cells_file(tmp_path))
    assert cells.shape == (6, 0) and cells.obs_names[0] == "x/1.png [0,5,8,9]" and cells.obs_names.is_unique
    assert cells.obs["image"].astype(str).tolist() == ["x/1.png"] * 2 + ["x/2.png"] * 3 + ["y/1.png"]
    assert list(cells.obs["class"].cat.categories) == list(CLASSES) == list(cells.uns["classes"])
    np.testing.assert_array_equal(cells.obs["answer"].isna(), [False, False, True] * 2)
    np.testing.assert_array_equal(cells.obsm["spatial"], [[10 * i + 4, 7] for i in range(6)])
    np.testing.assert_array_equal(cells.obsm["X_embedding"], np.arange(18).reshape(6, 3))
    np.testing.assert_allclose(cells.obsm["probabilities"].sum(1), 1)
    np.testing.assert_array_equal(cells.obs["x_um"], [2, 7, 12, np.nan, np.nan, np.nan])
    assert cells.obs["x1"].tolist() == [8, 18, 28, 38, 48, 58]
    cells.write_h5ad(tmp_path / "again.h5ad")


def test_the_file_for_anndata_has_the_layout_of_its_format(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(cells_file(tmp_path)) as file:
        kinds = {name: (one.attrs["encoding-type"], one.attrs["encoding-version"]) for name, one in [("", file), *file.items()]}
        assert kinds[""] == ("anndata", "0.1.0") and kinds["obs"] == kinds["var"] == ("dataframe", "0.2.0")
        assert {kinds[name] for name in ("obsm", "varm", "uns", "layers", "obsp", "varp")} == {("dict", "0.1.0")}
        assert file["obs/class"].attrs["encoding-type"] == "categorical" and file["obs/class/codes"][:].max() == 1
        assert set(file["obs"].attrs["column-order"]) == set(file["obs"]) - {"_index"}
        assert len(file["obs/_index"]) == len(file["obsm/spatial"]) == 6


def test_whole_images_go_to_anndata_without_a_place(tmp_path):
    h5py = pytest.importorskip("h5py")
    whole = block(["a.png", "b.png"])
    none = {side: pd.array([pd.NA] * 2, "Int64") for side in ("x0", "y0", "x1", "y1")}
    whole = replace(whole, rows=whole.rows.drop(columns=list(none)), instances=whole.instances.assign(**none))
    with writing_for(("anndata",), tmp_path / "p.csv", CLASSES) as write:
        write(whole)
    with h5py.File(tmp_path / "p-anndata" / "cells.h5ad") as file:
        assert list(file["obsm"]) == ["X_embedding", "probabilities"] and "x_um" not in file["obs"]
        assert file["obs/_index"].asstr()[:].tolist() == ["a.png", "b.png"]


def test_cells_and_whole_images_in_one_file_keep_the_same_columns(tmp_path):
    h5py = pytest.importorskip("h5py")
    none = {side: pd.array([pd.NA], "Int64") for side in ("x0", "y0", "x1", "y1")}
    whole = block(["b.png"])
    whole = replace(whole, rows=whole.rows.drop(columns=list(none)), instances=whole.instances.assign(**none))
    with writing_for(("anndata",), tmp_path / "p.csv", CLASSES) as write:
        write(block(["a.png"]))
        write(whole)
    with h5py.File(tmp_path / "p-anndata" / "cells.h5ad") as file:
        columns = (*file["obs"].values(), *file["obsm"].values())
        lengths = {len(one["codes"] if isinstance(one, h5py.Group) else one) for one in columns}
        assert lengths == {2} and np.isnan(file["obsm/spatial"][1]).all()


def test_a_stopped_file_for_anndata_is_no_file_and_an_absent_library_is_told(tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    with pytest.raises(RuntimeError), writing_for(("anndata",), tmp_path / "p.csv", CLASSES) as write:
        write(block(["a.png"]))
        raise RuntimeError
    assert not list((tmp_path / "p-anndata").iterdir())
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(BenchError, match=r"pip install 'cell-classifier\[anndata\]'"), writing_for(("anndata",), tmp_path / "p.csv", CLASSES):
        pass
