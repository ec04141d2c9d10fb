"""From which confidence on answers keep a promise."""

from __future__ import annotations

import numpy as np

from bench.statistics.selective import answer_from


def study(rng: np.random.Generator, groups: int, items: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confident answers are right, others less often; groups differ in how hard they are."""
    hard = rng.normal(scale=0.5, size=(groups, 1))
    margin = 1.5 + hard + rng.normal(size=(groups, items))
    wrong = rng.random(margin.shape) > 1 / (1 + np.exp(-2 * margin))
    return margin.ravel(), wrong.ravel(), np.repeat(np.arange(groups), items)


def test_the_rate_of_errors_that_is_promised_is_kept_on_new_groups():
    rng, kept, answered = np.random.default_rng(0), [], []
    for _ in range(60):
        least = answer_from(*study(rng, 40), 0.05)
        margin, wrong, _ = study(rng, 400)
        given = margin >= least
        kept.append(not given.any() or wrong[given].mean() <= 0.05)
        answered.append(given.mean())
    assert np.mean(kept) >= 0.95
    assert np.mean(answered) > 0.2


def test_too_few_groups_promise_nothing_even_without_an_error():
    confidence, group = np.linspace(0.5, 1, 80), np.arange(80) % 8
    wrong = np.zeros(80, bool)
    assert answer_from(confidence, wrong, group, 0.05) == np.inf
    assert answer_from(confidence, wrong, group * 0, 0.05) == np.inf
    assert answer_from(confidence, wrong, np.arange(80) % 40, 0.05) == 0.5  # all are answered


def test_errors_at_high_confidence_stop_all_lower_thresholds():
    confidence, group = np.linspace(0, 1, 1000), np.arange(1000) % 100
    wrong = confidence > 0.9
    assert answer_from(confidence, wrong, group, 0.05) == np.inf


def test_a_higher_rate_of_errors_answers_more():
    data = study(np.random.default_rng(1), 60)
    assert answer_from(*data, 0.2) <= answer_from(*data, 0.1) <= answer_from(*data, 0.05)
