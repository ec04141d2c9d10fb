"""Resizing is Pillow's, to the bit or, where it shrinks to half or less, within one grey level on micrographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.resize import resize

METHODS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def by_pillow(pixels: np.ndarray, width: int, height: int, interpolation: str) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((width, height), METHODS[interpolation]))


@pytest.mark.parametrize("interpolation", METHODS)
def test_an_image_that_is_enlarged_or_hardly_shrunk_is_pillows_to_the_bit(interpolation: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 90, 3), dtype=np.uint8)
    for width, height in ((224, 224), (90, 100), (80, 99), (46, 40)):
        assert np.array_equal(resize(pixels, width, height, interpolation), by_pillow(pixels, width, height, interpolation))


@pytest.mark.parametrize("interpolation", METHODS)
def test_micrographs_shrunk_to_half_or_less_are_within_one_grey_level_of_pillow(shared: Path, interpolation: str) -> None:
    paths = sorted((shared / "data" / "cell_classifier" / "raw").glob("*/*"))
    paths += sorted((shared / "data" / "unlabelled" / "dsb2018").glob("*.png"))[::30]
    assert len(paths) > 30
    for path in paths:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        for ratio in (2, 2.5, 4):
            width, height = int(pixels.shape[1] / ratio), int(pixels.shape[0] / ratio)
            ours = resize(pixels, width, height, interpolation)
            assert np.abs(ours.astype(int) - by_pillow(pixels, width, height, interpolation)).max() <= 1, path


def test_a_part_of_a_larger_image_and_one_that_must_not_be_written_are_resized_like_their_copies() -> None:
    large = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    part = large[20:280, 50:350]
    expected = resize(part.copy(), 100, 80, "bicubic")
    assert np.array_equal(resize(part, 100, 80, "bicubic"), expected)
    part.flags.writeable = False
    assert np.array_equal(resize(part, 100, 80, "bicubic"), expected)
    grey = np.broadcast_to(large[..., :1], large.shape)
    assert np.array_equal(resize(grey, 100, 80, "bilinear"), resize(grey.copy(), 100, 80, "bilinear"))
