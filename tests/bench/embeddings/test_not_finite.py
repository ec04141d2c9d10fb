"""Pixels that are not finite count nowhere: not in a window, a mean, a background level, nor in what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from bench.data.datasets import load_dataset
from bench.embeddings.extract import extract
from bench.embeddings.prepare import cut, open_views
from bench.embeddings.store import EmbeddingStore
from bench.images import limits
from bench.instances.blank import Blank
from bench.instances.cut import cut_instances
from bench.instances.outlines import draw_outlines
from encoders import Preprocess, resolve
from encoders.preprocess import as_rgb

SPOILED = {"nan": np.nan, "inf": np.inf, "minus inf": -np.inf}
KINDS = [Preprocess(size=None), Preprocess(size=None, window="percentile-each"), Preprocess(size=None, intervene="zscore")]


def pixels(channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).normal(100, 20, (60, 80, channels)).astype(np.float32)


@pytest.mark.parametrize("value", SPOILED.values(), ids=SPOILED)
@pytest.mark.parametrize("policy", KINDS, ids=["percentile", "each", "zscore"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_border_that_is_not_finite_changes_no_other_pixel(policy, value, channels):
    inside = pixels(channels)
    around = np.pad(inside, [(30, 30), (30, 30), (0, 0)], constant_values=value)
    np.testing.assert_array_equal(as_rgb(around, policy)[30:-30, 30:-30], as_rgb(inside, policy))


@pytest.mark.parametrize("value", SPOILED.values(), ids=SPOILED)
def test_every_trivial_encoder_gives_numbers_for_tiles_with_and_without_finite_pixels(tmp_path, value):
    for name in "ab":
        (tmp_path / "raw" / name).mkdir(parents=True)
        one = pixels()[..., 0]
        one[:, :40] = value
        tifffile.imwrite(tmp_path / "raw" / name / "1.tif", one + (name == "b"))
    dataset = load_dataset(tmp_path / "raw")
    table, specs = cut_instances(dataset, "tiles:20").table, [resolve(name) for name in ("color-stats", "texture", "raw-pixels")]
    report = extract(table, dataset.root, specs, EmbeddingStore(tmp_path / "store"))
    assert not report.problems and set(report.made.values()) == {24}


@pytest.mark.parametrize("large", [False, True])
def test_the_level_that_hides_a_cell_is_of_finite_pixels(tmp_path, monkeypatch, large):
    one = pixels()
    one[:, :60] = np.nan  # most of the window
    labels = np.zeros((60, 80), np.uint16)
    labels[20:30, 62:75] = 1
    tifffile.imwrite(tmp_path / "a.tif", one[..., 0], rowsperstrip=4)
    monkeypatch.setattr(limits, "MAX_PIXELS", 4_000 if large else 10_000)
    policy, hidden = Preprocess(size=None), (Blank("without", "x", 1), labels)
    hole = cut(open_views(tmp_path / "a.tif", [policy]), (0, 0, 80, 50), policy, hidden)[0][20:30, 62:75]
    seen = as_rgb(one, policy)[:50, 60:][labels[:50, 60:] == 0]
    assert np.unique(hole).tolist() == [np.rint(np.median(seen))]


def test_outlines_are_drawn_over_what_is_finite():
    one, labels = pixels(), np.zeros((60, 80), int)
    one[3, 3], one[5, 5], one[:, 70:] = np.inf, -np.inf, np.nan
    drawn = draw_outlines(one, labels)
    assert drawn[:, 70:].max() == 0 and 100 < drawn[:, :70].mean() < 155
    assert not draw_outlines(np.full((4, 4, 1), np.nan, np.float32), labels[:4, :4]).any()
