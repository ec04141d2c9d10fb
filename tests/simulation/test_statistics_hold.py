"""A short version of the simulations of the test against chance, calibration and curves: what they promise holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _beside(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.mark.parametrize(
    "name", ["2 classes in each of 36 slides", "one stray item a slide, 36 + 36 slides of 30", "2 classes in each of 12 slides"]
)
def test_rows_without_skill_are_rarely_called_better_than_chance(name):
    import chance

    engine = chance.Engine(chance.DESIGNS[name])
    found = chance.p_values(engine, 0.0, 60, None)
    assert np.mean([alone <= 0.05 for alone, _ in found]) <= 0.1
    assert np.mean([best.min() <= 0.05 for _, best in found]) <= 0.13  # .05, and twice the error of 60 datasets


def test_rows_with_skill_are_found_although_every_slide_has_a_stray_item():
    import chance

    found = chance.p_values(chance.Engine(chance.DESIGNS["one stray item a slide, 36 + 36 slides of 30"]), 1.2, 20, None)
    assert np.mean([best.min() <= 0.05 for _, best in found]) >= 0.8


def test_a_true_model_is_rarely_above_the_band_of_calibration():
    import calibration

    true, too_sure, _ = calibration.rates((20, 100, 0.1, 0.5), 150, 1)
    assert true <= 0.07 and too_sure >= 0.7


def test_intervals_of_the_labels_needed_and_of_the_breakdown_hold_them():
    import curves

    setting = curves.Setting(40, True, 5, 10, 0.8)
    assert curves.labels(setting, 60, 0.5)[1] >= 0.88
    assert curves.rates(setting, 60, 0.5)[1] >= 0.88


def test_classes_and_sources_that_have_nothing_to_do_with_each_other_are_rarely_named():
    import confounding

    rng = np.random.default_rng(0)
    alone, together = (
        np.mean([bool(confounding.source_warnings(confounding.table_of(case, rng))) for _ in range(20)])
        for case in ((6, 2, 2, 0.5, 0.5), (20, 2, 2, 0.9, 0.1))
    )
    assert alone <= 0.15 and together == 1
