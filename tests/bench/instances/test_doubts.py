"""Counts, sizes and places of instances that mistakes lead to are doubted, with numbers; ordinary ones are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.data.datasets import load_dataset
from bench.instances.cut import cut_instances
from bench.instances.doubts import doubt_cells, doubt_sizes, doubt_tiles

BOX = ["x0", "y0", "x1", "y1"]


def images(count: int = 3, width: int = 400, height: int = 300) -> pd.DataFrame:
    return pd.DataFrame({"path": [f"{i}.png" for i in range(count)], "width": width, "height": height, "channels": 3})


def cells(counts: list[int], side: int = 20) -> pd.DataFrame:
    rows = [(f"{i}.png", k % 300, k % 200, k % 300 + side, k % 200 + side) for i, n in enumerate(counts) for k in range(n)]
    return pd.DataFrame(rows, columns=["path", *BOX]).astype(dict.fromkeys(BOX, "Int64"))


@pytest.mark.parametrize("kind", ["segments", "cellpose", "masks", "boxes"])
def test_ordinary_cells_are_not_doubted(kind):
    assert doubt_cells(cells([2, 199, 900]), images(), kind) == []
    assert doubt_cells(cells([1]), images(1), kind) == []


@pytest.mark.parametrize(
    ("counts", "side", "sentence"),
    [
        ([200, 300, 1200], 20, "every image has 200 cells or more (200 to 1,200): dust or texture may be taken for cells"),
        ([1, 0, 1], 20, "no image has more than one cell (2 have one, 1 none): cells may be taken for background"),
        ([0, 0, 0], 20, "no image has more than one cell (0 have one, 3 none): cells may be taken for background"),
        ([9, 9, 9], 4, "half of the 27 cells are 4 pixels long or less: an encoder sees no more than a blot of them"),
    ],
)
def test_too_many_too_few_and_tiny_cells_are_doubted(counts, side, sentence):
    [found] = doubt_cells(cells(counts, side), images(), "segments")
    assert found.startswith(sentence) and "`bench segment --to FOLDER` draws what is found" in found


def test_cells_that_fill_their_images_are_doubted():
    whole = pd.DataFrame({"path": ["0.png", "1.png", "1.png"], "x0": [0, pd.NA, 5], "y0": [0, pd.NA, 5], "x1": [390, pd.NA, 25],
                          "y1": [295, pd.NA, 25]}).astype(dict.fromkeys(BOX, "Int64"))  # fmt: skip
    [found] = doubt_cells(whole, images(), "segments")
    assert found.startswith("in 2 of 3 images a cell covers 90% of the image or more: the background may be taken for a cell")
    assert doubt_cells(whole, images(5), "segments") == []


def tiles(dataset, kind):
    return [note for note in cut_instances(dataset, kind).notes if "tile" in note]


@pytest.fixture
def data(tmp_path):
    for path, size in (("a/1.png", (100, 100)), ("a/2.png", (100, 30)), ("b/3.png", (1, 100)), ("b/4.png", (100, 100))):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(len(path)).integers(0, 99, (*size, 3), dtype=np.uint8)).save(tmp_path / path)
    return load_dataset(tmp_path)


def test_images_smaller_than_a_tile_and_borders_without_a_tile_are_said(data):
    assert tiles(data, "tiles:40:20") == [
        "2 of 4 images are less than 40 px wide or high: along that side the tile is as long as the image, and encoders "
        "show it larger than others"
    ]
    small, single, left_out = tiles(data, "tiles:70")
    assert small.startswith("2 of 4 images are less than 70 px")
    assert single == "every image gives one tile of 70 px: for more, use smaller tiles"
    assert left_out.startswith("48% of the pixels are in no tile, as they lie at borders where no whole tile of 70 px fits")
    assert len(tiles(data, "tiles:120")) == 2


def test_the_share_of_pixels_in_no_tile_is_that_of_the_union_of_tiles():
    regions = images(2, 100, 100).assign(**dict.fromkeys(BOX, pd.array([pd.NA] * 2, "Int64")))
    one = pd.DataFrame({"path": ["0.png"] * 2 + ["1.png"] * 2, "x0": [15, 15] * 2, "y0": [0, 50] * 2, "x1": [65, 65] * 2,
                        "y1": [60, 100] * 2, "width": 100, "height": 100})  # fmt: skip
    [found] = doubt_tiles(one, regions, 50)
    assert found.startswith("50% of the pixels are in no tile, as they lie at borders")


def test_images_too_large_to_be_read_at_once_are_counted():
    assert doubt_sizes(images()) == []
    [found] = doubt_sizes(pd.concat([images(), images(1, 24_000, 16_000)]))
    assert found.startswith("1 of 4 images has more than 178 million pixels") and "--instances tiles:512" in found


def test_the_command_prints_the_doubts_and_counts_images_without_a_cell(tmp_path, bench):
    for path in ("a/1.png", "a/2.png", "b/3.png", "b/4.png"):
        (tmp_path / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(1).normal(100, 2, (90, 90))
        pixels[30:60, 30:60] += 0 if "2" in path else 90
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "raw" / path)
    for command in (["data", "check"], ["extract", "--encoder", "color-stats"]):
        code, text = bench(*command, "--data", tmp_path / "raw", "--instances", "segments:32")
        assert code == 0, text
        assert "in 1 of 4 images the segmenter found no cell, e.g. a/2.png" in text
        assert "no image has more than one cell (3 have one, 1 none)" in text


def test_cells_in_no_labelled_region_are_counted(tmp_path):
    for name in ("1.png", "2.png"):
        Image.fromarray(np.full((60, 90, 3), 9, np.uint8)).save(tmp_path / name)
    (tmp_path / "index.csv").write_text("path,label,x0,y0,x1,y1\n1.png,a,0,0,40,60\n1.png,b,40,0,70,60\n2.png,b,0,0,90,60\n")
    cells = [(name, x, 5, x + 10, 15) for name in ("1.png", "2.png") for x in (3, 30, 45, 78)]
    pd.DataFrame(cells, columns=["path", *BOX]).to_csv(tmp_path / "cells.csv", index=False)
    from bench.instances.cell_boxes import CellFiles

    cut = cut_instances(load_dataset(tmp_path / "index.csv"), "boxes:8", CellFiles(tmp_path / "cells.csv"))
    assert "1 of 8 cells lies in no labelled region, by the middle of a cell: left out" in cut.notes
    assert len(cut.table) == 7


@pytest.mark.parametrize("kind", ["tiles:64", "tiles:64:16", "boxes:64", "boxes:10um", "boxes:fit"])
@pytest.mark.parametrize("shape", [(6, 6), (1, 200), (200, 1), (3, 70), (64, 64), (65, 129)])
def test_every_window_and_tile_lies_inside_its_image_and_none_is_lost(tmp_path, kind, shape):
    from bench.instances.cell_boxes import CellFiles

    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(tmp_path / name / "1.png")
    height, width = shape
    corners = {(x, y) for x in (0, width - 1) for y in (0, height - 1)}
    rows = [(f"{name}/1.png", x, y, x + 1, y + 1, 0.5) for name in "ab" for x, y in corners]
    pd.DataFrame(rows, columns=["path", *BOX, "um_per_px"]).to_csv(tmp_path / "cells.csv", index=False)
    source = CellFiles(tmp_path / "cells.csv") if kind.startswith("boxes") else None
    table = cut_instances(load_dataset(tmp_path), kind, source).table
    assert table.groupby("label").size().min() >= 1
    box = table[BOX].dropna().to_numpy(int)
    assert (box[:, :2] >= 0).all() and (box[:, :2] < box[:, 2:]).all()
    assert (box[:, 2] <= width).all() and (box[:, 3] <= height).all()
    if kind == "boxes:fit":
        assert len(table) == 2 * len(corners)
