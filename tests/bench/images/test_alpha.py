"""Transparency is not read, which is said of every file that has some: below it may lie what its user cut away."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.images import probe_image, read_image
from bench.images.picture import ALPHA

PIXELS = np.random.default_rng(0).integers(0, 255, (5, 6, 4), dtype=np.uint8)


@pytest.fixture(params=["a.png", "grey.png", "a.webp", "a.tif"])
def picture(tmp_path, request):
    """A file with transparent pixels, and the colours that are stored in it."""
    file = tmp_path / request.param
    if request.param == "a.tif":
        tifffile.imwrite(file, PIXELS, photometric="rgb", extrasamples=["unassalpha"])
    elif request.param == "grey.png":
        Image.fromarray(PIXELS[..., :2].copy(), "LA").save(file)
        return file, PIXELS[..., :1]
    else:
        Image.fromarray(PIXELS).save(file, **({"lossless": True, "exact": True} if file.suffix == ".webp" else {}))
    return file, PIXELS[..., :3]


def test_stored_colours_are_read_and_the_choice_is_named(picture):
    file, stored = picture
    np.testing.assert_array_equal(read_image(file), stored)
    assert ALPHA in probe_image(file).remarks


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_of_a_file_without_transparency_nothing_is_said(tmp_path, name):
    Image.fromarray(PIXELS[..., :3].copy()).save(tmp_path / name)
    assert probe_image(tmp_path / name).remarks == ()
