"""Outlines of cells against shapely, which is not ours: valid, and exactly the squares of the cell's pixels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.instances.cell_cache import cells_of, keep
from bench.instances.masks import read_cells
from bench.instances.polygons import KeptOutlines, LabelImages, polygons_of

shapely = pytest.importorskip("shapely")
SHARED = Path(os.environ.get("CELL_SHARED", "absent")) / "data" / "nuclei_fields" / "masks"


def shape_of(mask: np.ndarray):
    """Return the polygons of a mask as one shape, each of which is valid and runs as the standard says."""
    polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in polygons_of(mask)]
    for one in polygons:
        assert one.is_valid and one.exterior.is_ccw and not any(hole.is_ccw for hole in one.interiors)
    shape = shapely.MultiPolygon(polygons)
    assert shape.is_valid and shape.area == mask.sum()
    return shape


def pixels_of(mask: np.ndarray):
    return shapely.union_all([shapely.box(x, y, x + 1, y + 1) for y, x in np.argwhere(mask)])


def test_every_mask_of_three_by_three_pixels_is_outlined_by_the_corners_of_its_pixels():
    for bits in range(1, 2**9):
        mask = (bits >> np.arange(9) & 1).astype(bool).reshape(3, 3)
        assert shape_of(mask).symmetric_difference(pixels_of(mask)).area == 0, mask


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7, 0.9])
def test_holes_islands_in_holes_and_several_parts_are_outlined_too(share):
    rng = np.random.default_rng(0)
    for _ in range(15):
        mask = rng.random((12, 15)) < share
        assert shape_of(mask).symmetric_difference(pixels_of(mask)).area == 0, mask


def test_a_cell_that_meets_itself_at_a_corner_is_one_polygon_with_a_hole_and_two_cells_across_are_two():
    ring = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1]], bool)  # its ends meet at a corner
    [polygon] = polygons_of(ring)
    assert [len(one) for one in polygon] == [6, 4] and shape_of(ring).area == 7
    assert len(polygons_of(np.eye(2, dtype=bool))) == 2
    [[square]] = polygons_of(np.ones((4, 7), bool))
    assert sorted(map(tuple, square.tolist())) == [(0, 0), (0, 4), (7, 0), (7, 4)]  # no corner along a straight side


def test_outlines_are_made_of_what_was_kept_and_tell_where_it_is_not(tmp_path):
    labels = np.zeros((30, 40), np.int32)
    labels[4:9, 20:33], labels[6, 25], labels[5:9, 33:36] = 300, 0, 7
    found = cells_of(labels)
    keep(tmp_path, "mask", found)
    outlines = KeptOutlines(LabelImages(tmp_path), ["mask:1", "mask:2"], found["box"])
    assert [sum(shapely.Polygon(one[0], one[1:]).area for one in cell) for cell in outlines] == [12, 64]
    assert outlines[1][0][0].min(0).tolist() == [20, 4] and outlines[1][0][1].max(0).tolist() == [26, 7]
    assert len(outlines[1:]) == 1 and len(outlines[1:][0][0]) == 2
    with pytest.raises(BenchError, match="Run the same command again"):
        KeptOutlines(LabelImages(tmp_path), ["other:1"], found["box"][:1])[0]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real fields")
def test_nuclei_of_a_real_field_have_outlines_of_their_area_at_the_corners_of_their_pixels():
    path = sorted(SHARED.rglob("*.*"))[0]
    labels = read_cells(path)
    found = cells_of(labels)
    assert len(found["box"]) > 5
    for code, ((x0, y0, x1, y1), area) in enumerate(zip(found["box"].tolist(), found["area"].tolist(), strict=True), 1):
        shape = shape_of(found["labels"][y0:y1, x0:x1] == code)
        assert shape.area == area and shape.bounds == (0, 0, x1 - x0, y1 - y0)
