"""Micrometres per pixel are read where a file means them, and not where a graphics program filled in its habit."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from bench.images import probe_image
from bench.images.scale import micrometres, square

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)


def scale_of(path, **how):
    tifffile.imwrite(path, PIXELS, **how)
    return probe_image(path).um_per_px


@pytest.mark.parametrize(
    ("x", "x_unit", "y", "y_unit", "expected"),
    [(0.325, "µm", 0.325, "µm", 0.325), (325, "nm", 0.325, "µm", 0.325), (0.000325, "mm", 325, "nm", 0.325),
     (0.325, None, 0.325, None, 0.325), (0.325, "µm", 0.65, "µm", None), (1, "pixel", 1, "pixel", None),
     (1, "reference frame", 1, "reference frame", None), (0, "µm", 0, "µm", None), (3250, "Å", 0.325, "µm", 0.325)],
)  # fmt: skip
def test_ome_gives_a_size_and_a_unit_for_each_axis(tmp_path, x, x_unit, y, y_unit, expected):
    about = {"axes": "YX", "PhysicalSizeX": x, "PhysicalSizeY": y}
    about |= {"PhysicalSizeXUnit": x_unit, "PhysicalSizeYUnit": y_unit} if x_unit else {}
    assert scale_of(tmp_path / "a.ome.tif", metadata=about, resolution=(300, 300), resolutionunit=2) == expected


@pytest.mark.parametrize(
    ("unit", "per_unit", "expected"),
    [("um", 4, 0.25), ("micron", 3.0769, 0.325002), ("\\u00B5m", 4, 0.25), ("nm", 0.004, 0.25), ("mm", 4000, 0.25), ("cm", 40_000, 0.25),
     ("pixel", 4, None), ("", 4, None), ("inch", 72, None), ("inch", 300, None), ("cm", 28.35, None)],
)  # fmt: skip
def test_imagej_gives_the_unit_in_words_and_pixels_per_unit(tmp_path, unit, per_unit, expected):
    how = {"imagej": True, "resolution": (per_unit, per_unit), "metadata": {"unit": unit} if unit else {}}
    found = scale_of(tmp_path / "a.tif", **how)
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-4))


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [((40_000, 40_000), 3, 0.25), ((101_600, 101_600), 2, 0.25), ((40_000, 20_000), 3, None), ((40_000, 40_000), 1, None)]
    + [((dpi, dpi), 2, None) for dpi in (72, 96, 150, 300, 600, 1200, 2400, 4800, 9600)] + [((28.35, 28.35), 3, None), ((118.11, 118.11), 3, None)],
)  # fmt: skip
def test_dots_per_inch_of_screens_and_printers_say_nothing(tmp_path, resolution, unit, expected):
    assert scale_of(tmp_path / "a.tif", resolution=resolution, resolutionunit=unit, metadata=None) == expected


def test_a_tiff_without_a_resolution_says_nothing(tmp_path, raw_tiff):
    Layout, write = raw_tiff
    write(tmp_path / "a.tif", (PIXELS[..., None], Layout()))
    assert probe_image(tmp_path / "a.tif").um_per_px is None
    write(tmp_path / "a.tif", (PIXELS[..., None], Layout(tags=((282, 5, (0, 0)), (283, 5, (1, 0)), (296, 3, (3,))))))
    assert probe_image(tmp_path / "a.tif").um_per_px is None


def test_units_and_squares():
    assert micrometres("Micron") == 1 and micrometres("µm") == micrometres("μm") == 1 and micrometres("pixel") is None
    assert square(0.5, 0.5004) == 0.5 and square(0.5, 0.51) is None and square(None, 0.5) is None
    assert square(float("nan"), 0.5) is None and square(1e-9, 1e-9) is None and square(1e9, 1e9) is None
