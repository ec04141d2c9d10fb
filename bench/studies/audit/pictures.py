"""Images that are no use, whatever their label: blank, out of focus, too bright or too dark, unlike all others.

Simple measures of small grey images, each held against the other images of the set by robust deviations,

    z = (x - median) / (1.4826 median |x - median|)

An image is named where it lies beyond FAR of them, and beyond what is wrong by itself. A class of its own looks (bright
cells beside dark ones) is no outlier: an image has to be far from its class as well as from the whole set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

FAR = 5.0
FLAT = 2.0  # grey levels between the darkest and the brightest, of 255
FEWEST = 8  # images of a class that say what is usual in it
SOME = 30  # images of a set, below which nothing is usual
CLIPPED = 0.25  # of the pixels, at the end of the range
NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measure of an image. high: whether it is the large values that are wrong; least: what is wrong by itself, on
    that side; says: in words."""

    high: bool
    least: float
    says: str


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "sharpness": Measure(high=False, least=np.inf, says="out of focus: far less fine detail than the other images"),
        "bright": Measure(high=True, least=CLIPPED, says="saturated: a large part has the maximum brightness"),
        "dark": Measure(high=True, least=CLIPPED, says="too dark: a large part is black"),
        "contrast": Measure(high=False, least=np.inf, says="nearly empty: far less contrast than the other images"),
    }
)
BLANK = "blank: one flat colour"
UNLIKE = "unlike all others: even the nearest images are far away, as if it did not belong to this set"


def measures(grey: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures (n,) of grey images uint8 or float (n, S, S), and "range" between darkest and brightest."""
    out: dict[str, list[np.ndarray]] = {name: [] for name in (*MEASURES, "range")}
    for i in range(0, len(grey), 512):
        some = grey[i : i + 512].astype(np.float32)
        flat = some.reshape(len(some), -1)
        spread = flat.std(1)
        fine = some[:, 1:-1, 1:-1] - 0.25 * (
            some[:, :-2, 1:-1] + some[:, 2:, 1:-1] + some[:, 1:-1, :-2] + some[:, 1:-1, 2:]
        )
        low, high = np.quantile(flat, [0.001, 0.999], axis=1)
        out["sharpness"].append(np.log(fine.std((1, 2)) + 0.05) - np.log(spread + 0.05))
        out["contrast"].append(np.log(spread + 0.05))
        out["bright"].append((flat >= 254).mean(1))
        out["dark"].append((flat <= 1).mean(1))
        out["range"].append(high - low)
    return {name: np.concatenate(parts) for name, parts in out.items()}


def unusable(grey: np.ndarray, y: np.ndarray) -> list[tuple[int, str, float]]:
    """Return (row, why, how many deviations off) of images that are no use. grey (n, S, S), labels y (n,)."""
    found = measures(grey)
    blank = found["range"] <= FLAT
    out = [(int(row), BLANK, float("inf")) for row in np.flatnonzero(blank)]
    for name, one in MEASURES.items() if len(y) >= SOME else ():
        z = far_off(found[name], y, ~blank) * (1 if one.high else -1)
        wrong = (z > FAR) & ~blank & ((found[name] >= one.least) if one.high else True)
        out += [(int(row), one.says, float(z[row])) for row in np.flatnonzero(wrong)]
    return out


def far_off(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return how many robust deviations (n,) each x is off, from all that count or its class, whichever is less."""
    z = _deviations(x, x[counts])
    for k in np.unique(y):
        own = counts & (y == k)
        if own.sum() >= FEWEST:
            within = _deviations(x[y == k], x[own])
            z[y == k] = np.where(np.sign(within) == np.sign(z[y == k]), np.sign(within), 0) * np.minimum(
                np.abs(within), np.abs(z[y == k])
            )
    return z


def _deviations(x: np.ndarray, among: np.ndarray) -> np.ndarray:
    if not len(among):
        return np.zeros(len(x))
    middle = np.median(among)
    spread = 1.4826 * np.median(np.abs(among - middle))
    spread = max(spread, 0.1 * float(among.std()), 1e-3)
    return (x - middle) / spread  # type: ignore[no-any-return]


def unlike(Z: np.ndarray, y: np.ndarray, near: Callable[[np.ndarray, int], np.ndarray]) -> list[tuple[int, str, float]]:
    """Return (row, why, deviations) of rows Z (n, d) that are far from all others. near: see `neighbour_distance`."""
    if len(Z) < SOME:
        return []
    distance = np.log(np.maximum(near(Z, NEIGHBOURS), 1e-6))
    z = far_off(distance, y, np.ones(len(y), bool))
    return [(int(row), UNLIKE, float(z[row])) for row in np.flatnonzero(z > FAR)]


def neighbour_distance(Z: np.ndarray, k: int) -> np.ndarray:
    """Return the mean distance (n,) of every row of Z (n, d) to its k nearest others."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=k + 1).fit(Z)
    return found.kneighbors(Z)[0][:, 1:].mean(1)  # type: ignore[no-any-return]
