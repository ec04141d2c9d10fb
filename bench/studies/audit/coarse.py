"""Pairs of images that are one picture saved twice, told by their coarse parts: JPEG keeps these and destroys detail.

Images of one kind are alike in coarse parts too, but then an image has several neighbours at much the same distance. If
images lie around one of them evenly in D dimensions, the distances to its first and fourth neighbour are by chance

    P(d_1 / d_4 < t) = 1 - (1 - t^D)^3, about 3 t^D,

and D follows from later neighbours, as (d_4 / d_10)^D has the distribution Beta(4, 6) (the idea: Levina and Bickel,
2004). A copy is nearer than that: t is at most RATIO, and less where D is small. Both images have to say so. And no
part may differ by much (ANYWHERE), as a limb does that only one of two animals has. Up to three copies of one picture
are found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PART = 6  # pixels along each side
FOURTH, TENTH = 4, 10  # neighbours; an image has fewer copies than the first
RATIO = 0.42  # of the distance to the fourth neighbour; copies that were saved again at JPEG 50 are nearer
BY_CHANCE = 1e-3  # of images may have a first neighbour as near as that
ANYWHERE = 0.8  # standard deviations by which a part of two copies may differ at most
FAINT = 2.0  # standard deviation in grey levels below which an image is flat
MEDIAN = 0.3931  # of Beta(4, 6)
AT_ONCE = 1024  # images


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """Which images are nearest by their coarse parts, of the m of n that are not flat.

    rows float32 (m, d): parts, centred and of length 1; at (m,): which images; near (m, k): rows, the nearest first;
    apart (m, k): how far. k is TENTH, or less where there are fewer others.
    """

    rows: np.ndarray
    at: np.ndarray
    near: np.ndarray
    apart: np.ndarray


def coarse_neighbours(pixels: np.ndarray) -> Neighbours:
    """Return the neighbours of grey images (n, S, S), in any light but neither moved nor turned; PART divides S."""
    rows, at = _coarse(pixels)
    near, apart = _neighbours(rows)
    return Neighbours(rows=rows, at=at, near=near, apart=apart)


def same_coarsely(found: Neighbours) -> list[tuple[int, int, float]]:
    """Return (first, second, correlation of coarse parts) of pairs of images that are the same.

    Of TENTH images or fewer no pair is called the same.
    """
    rows, at, near, apart = found.rows, found.at, found.near, found.apart
    if len(rows) <= TENTH:
        return []
    fourth = apart[:, FOURTH - 1]
    ratio = min(RATIO, (BY_CHANCE / 3) ** (1 / _dimensions(apart)))
    first, second = np.repeat(np.arange(len(rows)), FOURTH - 1), near[:, : FOURTH - 1].ravel()
    distance = apart[:, : FOURTH - 1].ravel()
    same = distance < ratio * np.minimum(fourth[first], fourth[second])
    first, second, distance = first[same], second[same], distance[same]
    same = np.sqrt(rows.shape[1]) * np.abs(rows[first] - rows[second]).max(1) < ANYWHERE
    pairs = {
        (int(at[min(i, j)]), int(at[max(i, j)])): 1 - d * d / 2
        for i, j, d in zip(first[same].tolist(), second[same].tolist(), distance[same].tolist(), strict=True)
    }
    return [(i, j, value) for (i, j), value in sorted(pairs.items())]


def _coarse(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of images as centred rows of length 1, float32 (m, d), and which images these are, (m,)."""
    n, S = pixels.shape[:2]
    rows = pixels.reshape(n, S // PART, PART, S // PART, PART).mean((2, 4), dtype=np.float32).reshape(n, -1)
    rows -= rows.mean(1, keepdims=True)
    length = np.linalg.norm(rows, axis=1)
    at = np.flatnonzero(length > FAINT * np.sqrt(rows.shape[1]))
    return rows[at] / length[at, None], at


def _neighbours(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest other rows of each row of length 1, the first of them first, and how far, both (n, k)."""
    k = min(TENTH, len(rows) - 1)
    if k < 1:
        return np.empty((len(rows), 0), np.int64), np.empty((len(rows), 0), np.float32)
    near, apart = [], []
    for start in range(0, len(rows), AT_ONCE):
        alike = rows[start : start + AT_ONCE] @ rows.T
        one = np.arange(len(alike))[:, None]
        alike[one, start + one] = -np.inf
        some = np.argpartition(-alike, k - 1, 1)[:, :k]
        some = some[one, np.argsort(-alike[one, some], 1)]
        near.append(some)
        apart.append(np.sqrt(np.maximum(2 - 2 * alike[one, some], 0)))
    return np.concatenate(near), np.concatenate(apart)


def _dimensions(apart: np.ndarray) -> float:
    """Return D of distances to neighbours (n, TENTH): the median of d_4 / d_10 is that of Beta(4, 6)^(1 / D)."""
    inner, outer = (np.maximum(apart[:, k - 1], 1e-6) for k in (FOURTH, TENTH))
    return float(np.log(MEDIAN) / min(np.median(np.log(inner / outer)), -1e-6))
