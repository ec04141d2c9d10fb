"""Which setting a head takes, by rows that were predicted without their group.

Scores of two settings are compared after each has had its temperature fitted (`bench.heads.temperature`): the log loss
of a softmax at a fixed temperature would prefer what happens to live on its scale, and so whatever shrinks its scores.

    loss of a setting = mean log loss of the rows at its temperature

The cautious choice adds what is known before a label is seen, that settings near the published one are good:

    PRIOR (place(setting) - place(published))^2 / n

which few labels cannot outweigh and many do not notice: the criterion of regularised maximum likelihood, with a normal
prior on the place, of standard deviation (2 PRIOR)^-1/2.

Where classes have unlike many labels, a mean over rows asks what is good for the large ones, and balanced accuracy does
not. A mean over classes rests on the few rows of the small ones, and where labels are wrong most of these are rows of
large ones. Rows weigh between the two, the inverse square root of their class's labels, and n is what such weights
leave of the rows, (sum of w)^2 / sum of w^2 (Kish 1965, section 11.7).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.heads.contract import Head, Params
from bench.heads.left_out import groups_of_classes, rows_left
from bench.heads.support import Support
from bench.heads.temperature import fit_temperature

PRIOR = 0.1  # the best in the mean over heads and sets, results/settings
FEWEST = 2  # groups of every class, for some to be left when one is left out


class Judged(NamedTuple):
    """losses (m, L): of every setting, the least is best; temperatures (m, L): at which it has them."""

    losses: np.ndarray
    temperatures: np.ndarray


def weights_of(Y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return what every row weighs by its label, float64 (m, n), of labels Y (m, n): 1 where classes are equal."""
    counts = np.stack([np.bincount(y, minlength=n_classes) for y in Y])
    usual = Y.shape[1] / (counts > 0).sum(1)  # labels of a class in the mean
    return np.sqrt(usual[:, None] / np.take_along_axis(counts, Y, 1))


def effective_rows(weights: np.ndarray) -> np.ndarray:
    """Return how many rows of equal weight tell as much as rows of these weights (m, n), float64 (m,)."""
    found: np.ndarray = weights.sum(1) ** 2 / (weights**2).sum(1)
    return found


def leave_groups_out(
    head: Head, support: Support, Y: np.ndarray, n_classes: int, settings: Sequence[Params], *,
    weights: np.ndarray | None = None,
) -> Judged:  # fmt: skip
    """Judge settings by the support rows, each predicted without its group. Y (m, n): labels. weights: see `judge`."""
    assert head.loo is not None
    P = head.loo(support, Y, n_classes, settings).P
    return judge(head, P, Y, support.groups, support.shape, weights=weights)


def judge(
    head: Head, P: np.ndarray, Y: np.ndarray, parts: np.ndarray, shape: tuple[int, int], *,
    weights: np.ndarray | None = None, among: np.ndarray | None = None,
) -> Judged:  # fmt: skip
    """Judge probabilities P (m, L, n, K) of the support rows by models that saw none of a row's part (n,).

    A row whose class has no label outside of its part tells nothing. shape: (n, d) of the support. weights (m, n): of
    the rows in the mean loss, see `weights_of`; None for all alike. Temperatures are fitted to all rows alike, for
    probabilities are to hold for labels as they come. among bool (n,): the rows that may judge; None for all.
    """
    m, L, _, K = P.shape
    left = rows_left(Y, parts, K)
    told = np.take_along_axis(left, Y[..., None], 2)[..., 0] > 0  # (m, n)
    if among is not None:
        told &= among
    prior = np.full((m, L), head.published_temperature(shape[0], K, shape[1]))
    T, losses = fit_temperature(P, Y, told, prior)
    if weights is None:
        return Judged(losses.sum(-1) / np.maximum(told.sum(-1), 1)[:, None], T)
    of_all = (weights * told).sum(-1)
    return Judged((losses * weights[:, None]).sum(-1) / np.where(of_all > 0, of_all, 1)[:, None], T)


def least(losses: np.ndarray, settings: Sequence[Params], published: Params) -> np.ndarray:
    """Return the setting (m,) with the least of its losses (m, L); of equals the published one, else the earliest."""
    index = losses.argmin(1)
    own = [i for i, setting in enumerate(settings) if setting == published]
    if own:
        index[losses[:, own[0]] == losses.min(1)] = own[0]
    return index


def with_prior(
    losses: np.ndarray, head: Head, settings: Sequence[Params], published: Params, n: float | np.ndarray
) -> np.ndarray:
    """Return losses (m, L) with what is known before: how far a setting is from the published one.

    n: labels, of all or of each (m, 1), see `effective_rows`.
    """
    if head.place is None:
        return losses
    away = np.array([head.place(setting) for setting in settings]) - head.place(published)
    return losses + PRIOR * away**2 / n


def choose_setting(
    head: Head, P: np.ndarray, y: np.ndarray, parts: np.ndarray, shape: tuple[int, int], *,
    among: np.ndarray | None = None,
) -> tuple[int, float]:  # fmt: skip
    """Return which of `head.grid` suits one label vector y (n,) best, and its temperature: the cautious choice.

    P (L, n, K): of every row by the head learned without its part (n,), at the settings of the grid. shape: (n, d).
    among bool (n,): the rows that may say so; None for all.
    """
    K = P.shape[-1]
    weights, rows = weights_of(y[None], K), np.ones(len(y), bool) if among is None else among
    judged = judge(head, P[None], y[None], parts, shape, weights=weights, among=among)
    published = head.published(shape[0], K, shape[1])
    losses = with_prior(judged.losses, head, head.grid, published, effective_rows(weights[:, rows])[:, None])
    at = int(least(losses, head.grid, published)[0])
    return at, float(judged.temperatures[0, at])


def may_leave_out(groups: np.ndarray, y: np.ndarray, n_classes: int) -> bool:
    """Return whether every class has enough groups in a draw to leave one out. groups, y: (n,)."""
    return bool((groups_of_classes(y, groups, n_classes) >= FEWEST).all())
