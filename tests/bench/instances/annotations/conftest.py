"""Images of known pixels, and files of annotations beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.data.datasets import Dataset, load_dataset


@pytest.fixture
def data(tmp_path) -> Dataset:
    """Two classes of two images, 60 wide and 40 high, whose red is x and whose green is y of each pixel."""
    y, x = np.mgrid[:40, :60].astype(np.uint8)
    for i, path in enumerate(("a/1.png", "a/2.png", "b/3.png", "b/4.png")):
        (tmp_path / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.stack([x, y, np.full_like(x, i)], -1)).save(tmp_path / "raw" / path)
    return load_dataset(tmp_path / "raw")


@pytest.fixture
def scaled(tmp_path) -> Dataset:
    """The same images as TIFF that say that a pixel is half a micrometre wide."""
    y, x = np.mgrid[:40, :60].astype(np.uint8)
    for i, path in enumerate(("a/1.tif", "b/2.tif")):
        (tmp_path / "um" / path).parent.mkdir(parents=True, exist_ok=True)
        image = np.stack([x, y, np.full_like(x, i)], -1)
        tifffile.imwrite(tmp_path / "um" / path, image, resolution=(20_000, 20_000), resolutionunit="CENTIMETER")
    return load_dataset(tmp_path / "um")


@pytest.fixture
def drawn(tmp_path) -> Callable[..., Path]:
    """Return a function that writes features as QuPath does, below the folder drawn; returns that folder."""

    def write(name: str, *features: dict, whole: Callable[[list], object] | None = None) -> Path:
        file = tmp_path / "drawn" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        wrap = whole or (lambda own: {"type": "FeatureCollection", "features": own})
        file.write_text(json.dumps(wrap(list(features))))
        return tmp_path / "drawn"

    return write
