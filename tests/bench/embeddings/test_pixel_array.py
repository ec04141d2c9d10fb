"""The inputs of all instances in one array: row for row what an encoder would be given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.embeddings.embed import DataSpec, prepare
from bench.embeddings.pixel_array import pixel_array
from bench.embeddings.prepare import cut, open_views
from bench.errors import BenchError
from encoders import Preprocess

POLICY = Preprocess(size=16)


@pytest.fixture
def prepared(tmp_path, save_png):
    for k, label in enumerate("ab"):
        for i in range(40):  # more than one chunk
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=100 * k + i)
    return prepare(DataSpec(tmp_path / "raw", instances="tiles:10"), tmp_path / "results")


def test_every_row_is_the_input_of_its_instance_also_where_one_stands_twice(prepared, tmp_path):
    table = pd.concat([prepared.instances, prepared.instances.iloc[[3, 0]]]).sample(frac=1, random_state=0)
    prepared = replace(prepared, instances=table.reset_index(drop=True))
    pixels = pixel_array(prepared, POLICY, tmp_path / "pixels.npy", workers=2)
    assert pixels.dtype == np.uint8 and pixels.shape == (len(table), 16, 16, 3) and not pixels.flags.writeable
    assert isinstance(pixels, np.memmap)
    for at in (0, 1, len(table) // 2, len(table) - 1):
        row = prepared.instances.iloc[at]
        views = open_views(prepared.dataset.root / row["path"], [POLICY])
        expected = cut(views, tuple(int(row[key]) for key in ("x0", "y0", "x1", "y1")), POLICY)
        np.testing.assert_array_equal(pixels[at], expected[0])


def test_an_image_that_is_gone_is_named(prepared, tmp_path):
    gone = prepared.dataset.root / prepared.instances["path"].iloc[5]
    gone.unlink()
    with pytest.raises(BenchError, match=f"Got .*{gone.name}, which was read before and cannot be now"):
        pixel_array(prepared, POLICY, tmp_path / "pixels.npy")
