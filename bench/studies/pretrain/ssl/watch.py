"""Whether a network learns something: the rank and spread of its vectors, neighbours of labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.text import counted

#: Below these vectors are as good as the same for all images, or lie along one line.
LEAST_SPREAD, LEAST_RANK = 0.1, 1.5
MET = 0.1  # of the loss of the first steps: below it the task is solved
NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class Watched:
    """How things stand after a number of steps.

    loss: mean since the row before, NaN at first. rank: RankMe of the vectors, centred as heads take them. spread: of
    what the loss sees, 1 where it fills its space evenly and 0 where all images are one; NaN for a loss that no
    constant can please. knn: left-out accuracy on labelled images, NaN without.
    """

    step: int
    loss: float
    rank: float
    spread: float
    knn: float

    def as_json(self) -> dict[str, Any]:
        """Return the fields, None for NaN."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


def read_watched(row: dict[str, Any]) -> Watched:
    """Return what `Watched.as_json` wrote."""
    known: dict[str, Any] = {name: float("nan") if value is None else value for name, value in row.items()}
    return Watched(**known)


def rankme(Z: np.ndarray) -> float:
    """Return the effective rank of Z (N, d): the exponential of the entropy of its singular values.

    Garrido et al. (2023), "RankMe", equation 1: p_k = s_k / sum of s + 1e-7, exp(-sum of p_k log p_k). From 1
    to min(N, d).
    """
    s = np.linalg.svd(np.asarray(Z, np.float64), compute_uv=False)
    p = s / max(s.sum(), np.finfo(float).tiny) + 1e-7
    return float(np.exp(-(p * np.log(p)).sum()))


def spread(Z: np.ndarray) -> float:
    """Return the mean deviation of a dimension of the normalised rows of Z (N, d), times sqrt(d).

    Chen and He (2021), "Exploring simple Siamese representation learning", section 4.1: near 1 where directions are
    as good as random, 0 where all rows point the same way.
    """
    Z = np.asarray(Z, np.float64)
    unit = Z / np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-12)
    return float(unit.std(0).mean() * np.sqrt(Z.shape[1]))


def left_out_accuracy(Z: np.ndarray, labels: np.ndarray, groups: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Return the balanced accuracy of the k nearest rows of other groups, by cosine, each vote weighted by it.

    Z: (N, d), centred here. labels, groups: text (N,). NaN where no row has a row of its label in another group.
    """
    Z = np.asarray(Z, np.float64) - Z.mean(0, dtype=np.float64)
    unit = Z / np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-12)
    cosine = unit @ unit.T
    cosine[groups[:, None] == groups[None, :]] = -np.inf
    classes, y = np.unique(labels, return_inverse=True)
    near = np.argsort(-cosine, axis=1, kind="stable")[:, :k]  # (N, k)
    weight = np.take_along_axis(cosine, near, 1)
    weight = np.where(np.isfinite(weight), 1 + weight, 0)  # a row without k others has fewer votes
    votes = np.stack([(weight * (y[near] == c)).sum(1) for c in range(len(classes))], 1)  # (N, K)
    possible = np.array([len(set(groups[y == c])) > 1 for c in range(len(classes))])
    right = votes.argmax(1) == y
    return float(np.mean([right[y == c].mean() for c in np.flatnonzero(possible)])) if possible.any() else float("nan")


def is_collapsed(row: Watched) -> bool:
    """Return whether the vectors tell images apart no longer."""
    return row.spread < LEAST_SPREAD or row.rank < LEAST_RANK


def verdict(history: Sequence[Watched]) -> str:
    """Return what went wrong and what to do, or "". history: rows in their order, the first before learning."""
    last = history[-1]
    if is_collapsed(last):
        since = next((row.step for row in reversed(history) if not is_collapsed(row)), None)
        met = last.loss < MET * history[1].loss  # by saying the same of every image
        if since is None and not met:  # it never told images apart, like a network that has hardly learned
            return (
                f"After {counted(last.step, 'step')} the network says nearly the same of every image, as it did before "
                f"it learned ({_shown(last)}), so its encoder is of little use. Give more --steps; if that changes "
                "nothing, a smaller --learning-rate, a larger --batch or another --method."
            )
        return (
            f"The network collapsed: since step {since or 0:,} it says much the same of every image ({_shown(last)}), "
            "so its encoder is of little use. Give a smaller --learning-rate, a larger --batch or another --method."
        )
    if np.isfinite(last.knn) and last.knn < history[0].knn - 0.05:
        return (
            f"On the labelled images the network is worse than before it learned: {100 * last.knn:.0f}% by neighbours, "
            f"{100 * history[0].knn:.0f}% before. Give fewer --steps or a smaller --learning-rate, or use what it "
            "started from."
        )
    return ""


def _shown(row: Watched) -> str:
    spread = "" if np.isnan(row.spread) else f"spread {row.spread:.2f} of 1, "
    return f"{spread}effective rank {row.rank:.1f}"
