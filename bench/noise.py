"""Label noise on training labels. Test labels are never touched.

Noise is nested: every item carries one uniform number u and one wrong class per seed, and is flipped
iff u < rate. A higher rate therefore keeps all the flips of a lower one, and the curves over rates
are paired. Adding a kind is adding one function to `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from bench.errors import BenchError, did_you_mean
from bench.seeds import keyed_uniform

NoiseKind = Callable[[np.ndarray, Sequence[str], int, float, int], np.ndarray]


def symmetric(y: np.ndarray, items: Sequence[str], n_classes: int, rate: float, seed: int) -> np.ndarray:
    """Flip each label with probability `rate` to one of the other classes, uniformly.

    y: int (n,) in [0, K). Returns a new int (n,). The true class keeps its plurality below
    rate = (K - 1) / K.
    """
    if n_classes < 2 or rate == 0:
        return y.copy()
    flipped = keyed_uniform(("symmetric", "flip", seed), items) < rate
    step = 1 + np.floor(keyed_uniform(("symmetric", "target", seed), items) * (n_classes - 1)).astype(y.dtype)
    return np.where(flipped, (y + step) % n_classes, y)


KINDS: Mapping[str, NoiseKind] = MappingProxyType({"symmetric": symmetric})


def check_noise(kind: str, rates: Sequence[float]) -> None:
    """Raise BenchError unless `kind` is known and every rate lies in [0, 1)."""
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise BenchError(f"Got noise kind '{kind}'{did_you_mean(kind, KINDS) or '.'} Expected one of: {known}.")
    for rate in rates:
        if not 0 <= rate < 1:
            raise BenchError(f"Got noise rate {rate}; expected a share of wrong labels in [0, 1), e.g. 0.2.")


def flip_labels(
    y: np.ndarray, items: Sequence[str], n_classes: int, *, kind: str, rate: float, seed: int
) -> np.ndarray:
    """Return a copy of the labels y (n,) with noise of `kind` at `rate`; items name the n rows."""
    check_noise(kind, [rate])
    return KINDS[kind](y, items, n_classes, rate, seed)
