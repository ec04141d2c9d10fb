"""Images that are blank, blurred, saturated or foreign are named, and a class that looks its own way is not."""

from __future__ import annotations

import numpy as np
import pytest

from bench.studies.audit.pictures import BLANK, UNLIKE, neighbour_distance, unlike, unusable


@pytest.fixture
def images():
    """60 grey images of two classes, the second one brighter."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    made = rng.normal(90 + 60 * y[:, None, None], 18 + 3 * rng.random((60, 1, 1)), (60, 32, 32))
    return np.clip(made, 5, 250).astype(np.uint8), y


def named(found):
    return {row: why.partition(":")[0] for row, why, _ in found}


def test_usual_images_are_not_named(images):
    assert unusable(*images) == []


def test_blank_blurred_and_saturated_images_are_named(images):
    grey, y = images
    grey = grey.copy()
    grey[3] = 77
    grey[10] = np.linspace(60, 130, 32)[None].round()
    grey[40, :20] = 255
    found = named(unusable(grey, y))
    assert found[3] == BLANK.partition(":")[0] and found[10] == "out of focus" and found[40] == "saturated"
    assert set(found) == {3, 10, 40}


def test_few_images_say_nothing_of_what_is_usual(images):
    grey, y = images[0][:10].copy(), images[1][:10]
    grey[0] = 77
    grey[1, :20] = 255
    assert named(unusable(grey, y)) == {0: "blank"}


def test_what_is_far_from_all_is_named():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(80, 6))
    Z[7] = 40
    found = unlike(Z, np.zeros(80, int), neighbour_distance)
    assert [row for row, *_ in found] == [7] and found[0][1] == UNLIKE
    assert unlike(Z[:9], np.zeros(9, int), neighbour_distance) == []
