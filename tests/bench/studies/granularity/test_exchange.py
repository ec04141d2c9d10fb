"""The exchange rate that a construction has is the one that is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.statistics.hits import Hits
from bench.statistics.intervals import few_groups_interval, recalls_by_group, score_intervals
from bench.studies.granularity.design import Levels
from bench.studies.granularity.exchange import equal_cells, frontier, measure, sample
from bench.studies.granularity.heads import get_bag_heads
from bench.studies.granularity.simulate import Recipe, simulate_images

MINUTES = {"image": 0.1, "cell": 0.5}
HEADS = ["mean-pool:centroid"]


def gaussian_cells(n_classes: int, d: int, distance: float, n: int = 700, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Cells of classes whose means are as far from each other, in noise of variance 1, each cell its own group."""
    means = np.eye(n_classes, d) * distance / np.sqrt(2)
    means -= means.mean(0)
    y = np.repeat(np.arange(n_classes), n)
    X = means[y] + np.random.default_rng(seed).standard_normal((len(y), d))
    names = [f"c{i}" for i in range(len(y))]
    table = pd.DataFrame({"instance": names, "label": np.array(list("abc"))[y], "group": names, "split": pd.NA})
    return table, X.astype("f4")


def rates(purity: float, size: int, n_classes: int = 2, levels: Levels | None = None) -> pd.DataFrame:
    table, X = gaussian_cells(n_classes, 300, 2.5)
    levels = levels or Levels((0, 2, 4, 8), (0, 1, 2, 4, 8, 16, 32, 64, 128), 20)
    design = simulate_images(table, "abc"[:n_classes], levels, Recipe(purity, size))
    return measure(design, get_bag_heads(HEADS), lambda train: X, MINUTES).rates


@pytest.mark.parametrize(
    ("purity", "size", "n_classes"),
    [(1, 1, 2), (1, 4, 2), (1, 8, 2), (0.75, 8, 2), (0.75, 16, 2), (0.625, 16, 2), (1, 4, 3), (0.75, 8, 3)],
)
def test_the_rate_found_is_that_of_the_construction(purity, size, n_classes):
    """The mean of an image of s cells, a share p of its class and the others evenly of the rest, is a class mean moved
    towards the mean of all: differences of classes shrink by q = (K p - 1) / (K - 1) while the noise of the mean is
    that of s cells. Where the noise of the centroids decides (many dimensions), m such images serve the nearest
    centroid as c = m s q^2 cells do: one cell is worth m / c = 1 / (s q^2) images.
    """
    q = (n_classes * purity - 1) / (n_classes - 1)
    known = 1 / (size * q**2)
    found = rates(purity, size, n_classes)
    covered = (found["rate_low"] <= known) & (known <= found["rate_high"])
    assert covered.sum() >= 2, found  # of three 95% intervals
    most = found[(found["images"] == 8) & np.isfinite(found["rate"])]
    assert len(most) == 1
    assert most["rate"].item() == pytest.approx(known, rel=0.35)
    assert (most["rate_high"] / most["rate_low"]).item() < 4  # an interval that says something


def test_the_rate_is_that_of_the_construction_where_images_take_most_of_the_cells_there_are():
    """15 images of 8 cells of the 160 per class: images that shared cells gave .78 of the rate in the mean."""
    levels, recipe, found = Levels((15,), (1, 2, 4, 8, 16, 32, 64, 128), 10), Recipe(0.75, 8), []
    for seed in range(4):
        table, X = gaussian_cells(2, 300, 2.5, 240, seed)
        design = simulate_images(table, "ab", levels, recipe)
        own = measure(design, get_bag_heads(HEADS), lambda train, X=X: X, MINUTES).rates
        found.append(own["rate"].item())
    assert np.mean(found) == pytest.approx(1 / (8 * 0.5**2), rel=0.12), found


def test_an_image_is_worth_less_the_less_pure_it_is():
    found = [rates(purity, 8).query("images == 8")["cells"].item() for purity in (1, 0.8, 0.65, 0.5)]
    assert found[:3] == sorted(found[:3], reverse=True)
    assert found[3] < 1 or found[3] == -np.inf  # half and half of two classes says nothing


def test_an_image_of_one_cell_is_a_labelled_cell():
    """The heads are the same then, and so are images and cells but for which of them are drawn."""
    found = rates(1, 1).query("images == 8").iloc[0]
    assert found["rate_low"] < 1 < found["rate_high"]


def test_equal_cells_are_read_off_between_levels_on_a_log_scale():
    curve = np.repeat([[0.5], [0.6], [0.8]], 5, axis=1)
    found = equal_cells([1, 4, 16], curve, np.array([0.4, 0.5, 0.55, 0.7, 0.9]))
    np.testing.assert_allclose(found, [-np.inf, 1, 2, 8, np.inf])


def test_a_curve_that_dips_is_made_to_rise_first():
    found = equal_cells([1, 2, 4, 8], np.array([[0.5], [0.7], [0.6], [0.9]]), np.array([0.65]))
    np.testing.assert_allclose(found, [2])  # 2 and 4 share their mean


def test_no_mix_of_the_frontier_is_beaten_by_a_cheaper_one():
    rows = [("a", 0, 1, 0.5), ("a", 0, 4, 0.7), ("j", 10, 0, 0.6), ("j", 10, 1, 0.72), ("j", 50, 4, 0.71)]
    curves = pd.DataFrame(rows, columns=["head", "images", "cells", "cell"]).assign(cell_low=np.nan, cell_high=np.nan)
    found = frontier(curves, MINUTES, 2)
    assert found[["minutes", "head", "images", "cells"]].to_numpy().tolist() == [
        [1.0, "a", 0, 1], [2.0, "j", 10, 0], [3.0, "j", 10, 1],
    ]  # fmt: skip
    np.testing.assert_allclose(found["alone_image"], [np.nan, 0.6, 0.6])
    np.testing.assert_allclose(found["alone_cell"], [0.5, 0.5, 0.5])


def test_what_is_no_better_than_guessing_is_worth_no_cell():
    found = equal_cells([1, 2], np.array([[0.5], [0.5]]), np.array([0.5]), 0.5)
    np.testing.assert_array_equal(found, [-np.inf])


def hits_of(groups: int, empty: int = 0) -> Hits:
    """Two classes, 4 items of either in each group, 3 methods, 5 draws; some groups of which nothing is tested."""
    total = np.repeat([[4, 4], [0, 0]], [groups, empty], axis=0)
    right = np.random.default_rng(2).binomial(total, 0.7, (3, 5, *total.shape)).astype(float)
    return Hits(right, total)


def test_intervals_allow_for_other_training_groups_where_these_are_never_tested():
    narrow, wide = sample(hits_of(12)), sample(hits_of(12), luck=np.array([1.0, 3.0, 5.0]))
    assert np.allclose(narrow.low[0], wide.low[0])
    assert (wide.low[1:] < narrow.low[1:]).all() and (wide.high[1:] > narrow.high[1:]).all()
    assert (wide.samples[1:].std(1) > narrow.samples[1:].std(1)).all()


def test_limits_of_accuracies_are_those_of_every_other_table():
    many, few = sample(hits_of(12)), sample(hits_of(5))
    np.testing.assert_array_equal([many.low, many.high], score_intervals(hits_of(12)))
    exact = [few_groups_interval(*recalls_by_group(hits_of(5), m)) for m in range(3)]
    np.testing.assert_array_equal(np.transpose([few.low, few.high]), exact)
    assert (few.high - few.low > many.high - many.low).all()
    assert many.enough and not few.enough


def test_groups_of_which_nothing_is_tested_do_not_move_limits():
    np.testing.assert_array_equal(sample(hits_of(12, 7)).low, score_intervals(
        Hits(hits_of(12, 7).right[:, :, :12], hits_of(12).total))[0])  # fmt: skip


def test_where_groups_are_tested_in_turn_limits_and_resamples_are_wider():
    plain, in_turn = sample(hits_of(12)), sample(hits_of(12), in_turn=True)
    assert (in_turn.high - in_turn.low > 1.2 * (plain.high - plain.low)).all()
    assert (in_turn.samples.std(1) > 1.2 * plain.samples.std(1)).all()
