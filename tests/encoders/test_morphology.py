"""Measurements of a cell whose mask is what is not black in its window."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bench.embeddings.prepare import check_cutouts
from bench.errors import BenchError
from encoders import EncoderError, availability, names, resolve
from encoders.morphology import DIM, PLACES, UNDEFINED


def disc(radius: float, side: int = 64, middle: tuple[float, float] = (32, 32), level: int = 120) -> np.ndarray:
    """Return a window uint8 (side, side, 3) of a disc on black."""
    y, x = np.mgrid[:side, :side]
    inside = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 <= radius**2
    return np.repeat(np.where(inside, level, 0)[..., None], 3, axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def measure():
    """Return a function from windows to rows (n, DIM), and one from a window to measurements by name."""
    bulk = pytest.importorskip("cp_measure.bulk")
    encoder = resolve("cp-measure").load()

    def by_name(window: np.ndarray) -> dict[str, float]:
        [row] = encoder.encode([window])
        raw = {}
        for one in bulk.get_core_measurements().values():
            with np.errstate(all="ignore"):
                raw |= one((window[..., 0] > 0).astype(np.int32), window[..., 0] / 255.0)
        kept = [name for name in raw if not name.startswith(PLACES) and name not in UNDEFINED]
        assert len(kept) == DIM
        return dict(zip(kept, row.tolist(), strict=True))

    return by_name


def test_area_roundness_and_brightness_are_those_of_what_is_not_black(measure):
    window = disc(12)
    found = measure(window)
    assert found["Area"] == (window[..., 0] > 0).sum() and found["Eccentricity"] < 0.1 and found["Solidity"] > 0.94
    assert found["Intensity_MeanIntensity"] == pytest.approx(120 / 255, rel=1e-6)
    long = np.zeros_like(window)
    long[30:34, 10:54] = 200
    assert measure(long)["Eccentricity"] > 0.99


def test_where_a_cell_lies_in_its_window_changes_nothing_but_rounding(measure):
    here, there = measure(disc(9)), measure(disc(9, middle=(20, 41)))
    apart = [name for name in here if not np.isclose(here[name], there[name], rtol=1e-3, atol=1e-3)]
    assert all(name.startswith("Granularity") for name in apart), apart  # which is measured on every fourth pixel


@pytest.mark.parametrize("radius", [0, 1, 1.5])
def test_a_cell_of_a_few_pixels_and_a_window_without_one_have_numbers(measure, radius):
    assert np.isfinite(list(measure(disc(radius)).values())).all()
    assert not resolve("cp-measure").load().encode([np.zeros((9, 9, 3), np.uint8)]).any()


def test_without_its_library_the_encoder_is_listed_and_says_what_to_install(monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cp_measure" else found(name))
    monkeypatch.delitem(sys.modules, "cp_measure", raising=False)
    assert "cp-measure" in names() and availability(resolve("cp-measure")) == "cp_measure is not installed"
    with pytest.raises(EncoderError, match=r"needs cp_measure, which is not installed: pip install '\.\[morphology\]'"):
        resolve("cp-measure").load()


@pytest.mark.parametrize("blank", [None, "only:x:1", "without:x:1"])
def test_windows_that_do_not_tell_the_cell_are_refused_for_it_and_for_no_other(blank):
    import pandas as pd

    shown = pd.Series(["cutout:x:1", blank], dtype="string")
    with pytest.raises(BenchError, match="Got cp-measure for windows .* masks:64:cutout"):
        check_cutouts(shown, [resolve("texture"), resolve("cp-measure")])
    check_cutouts(shown, [resolve("texture")])
    check_cutouts(shown[:1], [resolve("cp-measure")])
