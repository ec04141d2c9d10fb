"""What the draws of labels have in common says how far other training groups would move an accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from bench.studies.granularity.bags import bags_of_one, make_bags
from bench.studies.granularity.training import luck_of_training

S, SLIDES, IMAGES, SIZE = 6, 10, 4, 5  # draws, slides of either class, images a slide, cells an image
IMAGE = np.repeat(np.arange(2 * SLIDES * IMAGES), SIZE)
SLIDE = IMAGE // IMAGES
Y = (np.arange(2 * SLIDES * IMAGES) // IMAGES) % 2  # of images
TESTED = bags_of_one(np.arange(2 * SLIDES * IMAGES * SIZE), Y[IMAGE])


def luck(which: list[np.ndarray], margin: np.ndarray) -> float:
    bags = make_bags(IMAGE, Y)
    return luck_of_training([bags.take(own) for own in which], SLIDE, margin, TESTED)


def draws(slides: int) -> list[np.ndarray]:
    """Images of so many slides of either class, one a slide, another choice in every draw."""
    rng, found = np.random.default_rng(4), []
    for _ in range(S):
        own = [2 * rng.permutation(SLIDES)[:slides] + k for k in (0, 1)]
        found.append(np.concatenate(own) * IMAGES + rng.integers(IMAGES, size=2 * slides))
    return found


def margins(effect: float) -> np.ndarray:
    """Margins of which slides make up a part."""
    rng = np.random.default_rng(5)
    return effect * rng.standard_normal(2 * SLIDES)[SLIDE] + rng.standard_normal((S, len(IMAGE)))


def test_draws_that_share_nothing_show_all_there_is():
    """Each slide is in one draw: the variance of the mean is that between draws over their number."""
    own = [np.array([2 * s, 2 * s + 1]) * IMAGES for s in range(S)]
    assert luck(own, margins(1.0)) == pytest.approx(1)


def test_the_more_slides_a_draw_holds_the_less_draws_show_of_other_slides():
    few, many = luck(draws(2), margins(3.0)), luck(draws(9), margins(3.0))
    assert 1 < few < many


def test_slides_that_are_all_alike_are_shared_without_harm():
    alike, unlike = luck(draws(9), margins(0.0)), luck(draws(9), margins(3.0))
    assert alike < unlike / 2
