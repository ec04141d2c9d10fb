"""Limits of an arm allow for other trainings, and the verdict says what they leave open."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from bench.report.pages.plain_text import plain_words
from bench.studies.pilot.judge import widened
from bench.studies.pilot.page import verdict


def test_limits_grow_by_what_trainings_differ_in_squares():
    row = {"difference": 0.1, "ci_low": 0.07, "ci_high": 0.14}
    seeds = np.array([0.08, 0.1, 0.12])
    found = widened(row, seeds)
    reach = t.ppf(0.975, 2) * 0.02 / 3**0.5
    assert found["ci_low"] == pytest.approx(0.1 - np.hypot(0.03, reach))
    assert found["ci_high"] == pytest.approx(0.1 + np.hypot(0.04, reach))
    assert found["spread_of_trainings"] == pytest.approx(0.02)
    assert (found["ci_slides_low"], found["ci_slides_high"]) == (0.07, 0.14)
    assert widened(row, np.full(3, 0.1))["ci_low"] == pytest.approx(0.07)
    alone = widened(row, np.array([0.1]))
    assert (alone["ci_low"], alone["ci_high"]) == (0.07, 0.14) and np.isnan(alone["spread_of_trainings"])


def table(continued: tuple[float, float], random: tuple[float, float] = (-0.1, 0.1)) -> pd.DataFrame:
    rows = [("continued", continued), ("random", random)]
    return pd.DataFrame(
        [
            {"arm": arm, "head": "knn", "shots": shots, "difference": (low + high) / 2 * (shots == 0), "ci_low": low,
             "ci_high": high}
            for arm, (low, high) in rows for shots in (1, 0)
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ((0.01, 0.05), "Learning on pays: it gains 3.0 points (1.0 to 5.0)."),
        ((-0.05, -0.01), "Learning on does harm: it costs 3.0 points (-5.0 to -1.0)."),
        ((-0.01, 0.03), "Whether learning on pays cannot be told: +1.0 points, and the interval from -1.0 to 3.0 holds 0."),
    ],
)
def test_the_verdict_follows_the_interval_of_the_mean_over_labels(limits, said):
    assert plain_words(verdict(table(limits))) == f"{said} No other arm can be told from ImageNet weights as they are."


def test_other_arms_that_can_be_told_apart_are_named():
    text = plain_words(verdict(table((-0.01, 0.03), (-0.3, -0.1))))
    assert text.endswith("Told from ImageNet weights as they are: random weights as they are, -20.0 points (-30.0 to -10.0).")
    assert plain_words(verdict(table((0.01, 0.05)).query("arm == 'random'"))).startswith("No other arm")
