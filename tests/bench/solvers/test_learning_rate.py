"""A learning rate rises straight to 1 and falls along half a cosine, to nothing at the end."""

from __future__ import annotations

import numpy as np
import pytest

from bench.solvers.learning_rate import rate_at


@pytest.mark.parametrize("steps", [20, 45, 100, 200])
def test_the_rate_rises_to_its_highest_and_falls_to_almost_nothing(steps):
    rates = [rate_at(step, steps) for step in range(steps)]
    top = int(np.argmax(rates))
    assert max(rates) == 1 and min(rates) > 0 and rates[-1] < 0.02
    assert np.all(np.diff(rates[: top + 1]) > 0) and np.all(np.diff(rates[top:]) <= 0)


def test_the_rate_rises_straight_and_falls_along_a_cosine():
    rates = [rate_at(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[55] == pytest.approx(0.5, abs=0.01) and rates[-1] < 0.001


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_few_steps_have_a_rate_too(steps):
    assert all(0 < rate_at(step, steps) <= 1 for step in range(steps))
