"""A short version of the simulations of new slides and of equal methods, and every other simulation for a moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _beside(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


@pytest.mark.parametrize("number", [0, 4, 10, 13])
def test_intervals_hold_the_score_on_new_slides_and_those_of_these_slides_hold_it_less_often(number, one_thread):
    import new_slides

    design = new_slides.DESIGNS[number]
    true, error = new_slides.truth(design, 30)
    found, _ = new_slides.boards(design, 40)
    said = new_slides.coverage(found, true)
    assert (said["holds"] >= 0.8).all()  # .95, less four standard errors of 40 studies
    assert said["holds"].mean() > said["these"].mean()
    assert (said["width"] <= 1.8 * said["ideal"]).all()
    assert (np.abs(said["bias"]) <= 4 * np.hypot(error, said["ideal"] / (2 * 1.96 * np.sqrt(40)))).all()


def test_equal_methods_are_rarely_put_in_an_order_and_unequal_ones_are_told_apart(one_thread):
    import equal_methods

    ranks, pairs, _ = equal_methods.false_claims(equal_methods.FIXED, 10, 30)
    assert max(ranks, pairs) <= 0.17  # .05, and three standard errors of 30 tables
    told, behind = equal_methods.power(2, 0.5)
    assert behind > 3 and told >= 11


@pytest.mark.parametrize("number", [0, 2])
def test_intervals_of_what_labels_of_images_are_worth_hold_on_new_slides(number, one_thread):
    import granularity_slides

    found = granularity_slides.curves(granularity_slides.DESIGNS[number], 30)
    for _, rows in found.groupby(["head", "images", "cells"]):
        true, ideal = rows["cell"].mean(), 2 * 1.96 * rows["cell"].std()
        assert ((rows["cell_low"] <= true) & (true <= rows["cell_high"])).mean() >= 0.8  # .95, less four errors of 30
        assert (rows["cell_high"] - rows["cell_low"]).mean() <= 1.6 * ideal


@pytest.mark.parametrize("name", ["chance", "calibration", "curves", "confounding", "draws", "exchange", "granularity_slides"])
def test_every_simulation_runs(name):
    command = [sys.executable, str(HERE / "run_all.py"), "--short", "--only", name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "|---|" in done.stdout
