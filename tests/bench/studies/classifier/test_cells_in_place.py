"""Where other programs find predicted cells: at the cell itself and by its value in the mask, not by its window."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.data.datasets import BOX
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.studies.classifier import predict as predicting
from bench.studies.classifier.fit import FitRequest, fit
from bench.studies.classifier.learn_images import check_classes
from bench.studies.classifier.model import Asked, Model
from bench.studies.classifier.predict import PredictRequest, predict
from bench.studies.classifier.programs import WINDOW, writing_for
from bench.studies.classifier.table import set_text, writing

SIDE = 96
#: Mask value -> box of a cell of the test image: values in no order, with gaps; the first two lie at the border.
CELLS = {7: (0, 0, 6, 8), 300: (88, 40, 96, 50), 2: (40, 44, 52, 54), 41: (40, 80, 50, 96)}


def drawn(folder: Path, name: str, color: tuple[int, int, int], cells: dict[int, tuple[int, int, int, int]], side: int = SIDE) -> None:
    """Draw an image with cells of a colour, and its mask."""
    pixels, mask = np.full((side, side, 3), 30, np.uint8), np.zeros((side, side), np.uint16)
    for value, (x0, y0, x1, y1) in cells.items():
        pixels[y0:y1, x0:x1] = color
        mask[y0:y1, x0:x1] = value
    for kind, array in (("images", pixels), ("masks", mask)):
        (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / kind / name)


@pytest.fixture(scope="module")
def of_masks(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A classifier of windows of 32 pixels around the cells of masks, of two colours."""
    folder = tmp_path_factory.mktemp("masks")
    for i in range(6):
        color = (200, 60 + i, 40) if i % 2 else (40, 60 + i, 200)
        drawn(folder, f"{'red' if i % 2 else 'blue'}/{i}.png", color, {1: (20 + i, 20, 40, 40), 2: (60, 50 + i, 80, 70)})
    source = DataSpec(folder / "images", instances="masks:32", cells=CellFiles(masks=folder / "masks"))
    return fit(FitRequest(source=source, encoders=("color-stats",), heads=("knn",), out=folder / "results")).model


def answered(model: Model, folder: Path, *also: str) -> pd.DataFrame:
    """Write predictions of folder/images with folder/masks, and read the table."""
    to = folder / "p.csv"
    request = PredictRequest(
        images=(folder / "images",), cells=CellFiles(masks=folder / "masks"), asked=Asked(unlike=0), out=folder / "out"
    )
    with writing(to) as table, writing_for(also, to, model.about.classes) as others:
        predict(model, request, lambda block: (table(block.rows), others(block)))
    return pd.read_csv(to)


def test_every_program_finds_a_cell_by_its_value_in_the_mask_and_at_its_own_place(of_masks, tmp_path):
    h5py = pytest.importorskip("h5py")
    drawn(tmp_path, "a.png", (210, 70, 40), CELLS)
    table = answered(of_masks, tmp_path, "qupath", "cellprofiler", "napari", "anndata")
    assert sorted(table["cell"]) == sorted(CELLS)
    assert ((table["x1"] - table["x0"]) == 32).all()  # the window, which is what the classifier saw
    boxes = [CELLS[value] for value in table["cell"]]
    labels = pd.read_csv(tmp_path / "p-napari" / "a.png.csv")
    assert labels["index"].tolist() == labels["label"].tolist() == table["cell"].tolist()
    objects = pd.read_csv(tmp_path / "p-cellprofiler" / "objects.csv")
    sides = [f"Cell_AreaShape_BoundingBox{one}" for one in ("Minimum_X", "Minimum_Y", "Maximum_X", "Maximum_Y")]
    assert [tuple(row) for row in objects[sides].to_numpy().tolist()] == boxes
    assert objects["Cell_Location_Center_X"].tolist() == [(x0 + x1 - 1) / 2 for x0, _, x1, _ in boxes]
    features = json.loads((tmp_path / "p-qupath" / "a.png.geojson").read_text())["features"]
    corners = [np.array(one["geometry"]["coordinates"][0]) for one in features]
    assert [(*ring.min(0).tolist(), *ring.max(0).tolist()) for ring in corners] == boxes
    with h5py.File(tmp_path / "p-anndata" / "cells.h5ad") as file:
        assert file["obsm/spatial"][:].tolist() == [[(x0 + x1) / 2, (y0 + y1) / 2] for x0, y0, x1, y1 in boxes]
        read = {name: file[f"obs/{name}"][:] for name in ("cell", *BOX, *WINDOW)}
        assert read["cell"].tolist() == table["cell"].tolist()
        assert np.stack([read[name] for name in BOX], 1).tolist() == [[*box] for box in boxes]
        assert np.stack([read[name] for name in WINDOW], 1).tolist() == table[list(BOX)].to_numpy().tolist()
        assert file["obs/_index"].asstr()[:].tolist() == [f"a.png [{','.join(map(str, box))}]" for box in boxes]


def test_qupath_gets_the_outline_of_a_cell_with_its_holes_and_parts(of_masks, tmp_path):
    shapely = pytest.importorskip("shapely")
    drawn(tmp_path, "a.png", (210, 70, 40), CELLS)
    mask = np.asarray(Image.open(tmp_path / "masks" / "a.png")).copy()
    mask[46:50, 44:47], mask[44, 40], mask[90:96, 45] = 0, 0, 0  # a hole, a corner, and a slit
    mask[20, 60] = 41  # a part apart
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    table = answered(of_masks, tmp_path, "qupath")
    features = json.loads((tmp_path / "p-qupath" / "a.png.geojson").read_text())["features"]
    for value, feature in zip(table["cell"], features, strict=True):
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        pixels = [shapely.box(x, y, x + 1, y + 1) for y, x in np.argwhere(mask == value)]
        assert shape.is_valid and shape.area == len(pixels)
        assert shape.symmetric_difference(shapely.union_all(pixels)).area == 0
    assert sorted(one["geometry"]["type"] for one in features) == ["MultiPolygon", *["Polygon"] * 3]


def test_cells_that_share_a_window_have_a_line_each_everywhere(of_masks, tmp_path):
    pytest.importorskip("h5py")
    cells = {5: (3, 4, 12, 20), 9: (14, 4, 22, 20), 2: (4, 22, 12, 28)}
    drawn(tmp_path, "small.png", (210, 70, 40), cells, side=30)
    drawn(tmp_path, "corner.png", (210, 70, 40), {1: (0, 0, 6, 6), 2: (7, 7, 12, 12), 3: (60, 60, 70, 70)})
    table = answered(of_masks, tmp_path, "qupath", "cellprofiler", "napari", "anndata")
    assert sorted(table.loc[table["path"] == "small.png", "cell"]) == [2, 5, 9]
    assert sorted(table.loc[table["path"] == "corner.png", "cell"]) == [1, 2, 3]
    for name, count in (("small.png", 3), ("corner.png", 3)):
        own = table[table["path"] == name]
        lines = pd.read_csv(tmp_path / "p-napari" / f"{name}.csv")
        assert lines["index"].tolist() == own["cell"].tolist()
        assert lines["class"].tolist() == own["class"].tolist()
        features = json.loads((tmp_path / "p-qupath" / f"{name}.geojson").read_text())["features"]
        assert len({one["id"] for one in features}) == count
    assert len(pd.read_csv(tmp_path / "p-cellprofiler" / "objects.csv")) == len(table) == 6


def test_a_cell_whose_window_is_all_of_its_image_has_a_place_too(of_masks, tmp_path):
    drawn(tmp_path, "small.png", (210, 70, 40), {5: (3, 4, 12, 20)}, side=30)
    table = answered(of_masks, tmp_path, "napari", "cellprofiler")
    assert table["cell"].tolist() == [5] and "x0" not in table
    assert pd.read_csv(tmp_path / "p-napari" / "small.png.csv")["index"].tolist() == [5]
    assert pd.read_csv(tmp_path / "p-cellprofiler" / "objects.csv")["Cell_Location_Center_X"].tolist() == [7]


def test_pieces_of_a_mask_of_one_value_are_numbered(of_masks, tmp_path):
    drawn(tmp_path, "a.png", (210, 70, 40), dict.fromkeys(CELLS, (0, 0, 1, 1)))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for x0, y0, x1, y1 in CELLS.values():
        mask[y0:y1, x0:x1] = 255
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    assert "cell" not in answered(of_masks, tmp_path, "napari")
    assert pd.read_csv(tmp_path / "p-napari" / "a.png.csv")["index"].tolist() == [1, 2, 3, 4]


def test_all_blocks_of_a_table_have_the_same_columns(of_masks, tmp_path, monkeypatch):
    """A block of windows that are whole images has no boxes; its rows still have their columns."""
    monkeypatch.setattr(predicting, "BLOCK", 2)
    drawn(tmp_path, "a.png", (210, 70, 40), CELLS)
    for name in ("b", "c"):
        drawn(tmp_path, f"{name}.png", (40, 70, 210), {5: (3, 4, 12, 20)}, side=30)
    table = answered(of_masks, tmp_path)
    assert table["path"].tolist() == ["a.png"] * 4 + ["b.png", "c.png"]
    assert table["x0"].isna().tolist() == [False] * 4 + [True] * 2
    assert set(table["class"]) <= {"red", "blue"} and table["probability"].between(0, 1).all()


def test_classes_of_a_set_can_be_told_apart_whatever_they_are_called():
    assert set_text(["a", "b c"]) == "a|b c"
    assert set_text(["a|b", "c\\"]) == r"a\|b|c" + "\\\\"


@pytest.mark.parametrize("name", ["none of these", "unlike"])
def test_a_class_called_as_a_column_of_the_table_of_images_is_refused(name):
    with pytest.raises(BenchError, match=f"Got a class called '{name}'.*Rename it"):
        check_classes(("a", name))
