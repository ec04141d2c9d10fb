"""How well one segmentation of an image agrees with another: objects matched by intersection over union."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.errors import BenchError


@dataclass(frozen=True)
class Agreement:
    """Objects of the truth, objects found, and pairs that match."""

    truth: int
    found: int
    matched: int

    @property
    def f1(self) -> float:
        """2 matched / (truth + found), in [0, 1]; 1 where neither holds an object."""
        return 2 * self.matched / (self.truth + self.found) if self.truth + self.found else 1.0

    @property
    def count_error(self) -> float:
        """(found - truth) / truth; NaN without a true object."""
        return (self.found - self.truth) / self.truth if self.truth else float("nan")


def agreement(truth: np.ndarray, found: np.ndarray, least: float = 0.5) -> Agreement:
    """Match the objects of two label images: non-negative integers (H, W), 0 the background, each value one object.

    A pair matches where its intersection over union is above `least`; from 0.5 on no object can be in two such pairs,
    so there is nothing to assign (Caicedo et al. 2019, Nature Methods 16, the F1 of their figure 2). Raises BenchError
    for images of two sizes, and for a lower `least`.
    """
    if truth.shape != found.shape or least < 0.5:
        raise BenchError(
            f"Got label images of {truth.shape} and {found.shape} and an IoU of {least}; expected one size and 0.5 or "
            "more, where matches are unique."
        )
    _, a = np.unique(truth, return_inverse=True)
    _, b = np.unique(found, return_inverse=True)
    empty_a, empty_b = bool((truth == 0).any()), bool((found == 0).any())  # then code 0 is the background
    a, b = a.ravel(), b.ravel()
    width = int(b.max()) + 1
    table = np.bincount(a * width + b, minlength=(int(a.max()) + 1) * width).reshape(-1, width)
    union = table.sum(1, keepdims=True) + table.sum(0, keepdims=True) - table
    iou = (table / union)[int(empty_a) :, int(empty_b) :]
    return Agreement(iou.shape[0], iou.shape[1], int((iou > least).sum()))
