"""Predicted objects of one image, as any writer takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import numpy as np

from bench.errors import BenchError
from bench.text import plain

#: The name space of ids; another would give every object another id.
SPACE = UUID("6b0e2c0f-4a3c-5f64-9c1d-4f2f1f0b7a55")


@dataclass(frozen=True, kw_only=True)
class PredictedObjects:
    """The objects of one image, or a part of them.

    path: of the image, as the dataset has it. digest: hex digits that name its content. classes: K names.
    boxes: integers (n, 4) x0, y0, x1, y1 in pixels of the full image, counted from its corner, the last pixel excluded.
    probabilities: (n, K), each 0 to 1. predicted: (n,) the class, an index, or -1 where the classifier abstains.
    outlines: for each object its polygons in the same pixels, or none at all; a polygon is its outer ring and those of
    its holes, and a ring is (m, 2) x, y. values: integers (n,) from 1 on, the value of each object in a label image, or
    none. first: the number of the first object in its image, from 1.

    Raises BenchError where the parts do not belong together.
    """

    path: str
    digest: str
    classes: tuple[str, ...]
    boxes: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    outlines: Sequence[Sequence[Sequence[np.ndarray]]] | None = None
    values: np.ndarray | None = None
    first: int = 1

    def __post_init__(self) -> None:
        n, K = len(self.boxes), len(self.classes)
        shapes = (np.shape(self.boxes), np.shape(self.probabilities), np.shape(self.predicted))
        if shapes != ((n, 4), (n, K), (n,)):
            raise BenchError(
                f"Got boxes, probabilities and predictions of shapes {shapes} for {K} classes; expected (n, 4), (n, K) "
                "and (n,)."
            )
        for name, own in (("outlines", self.outlines), ("values", self.values)):
            if own is not None and len(own) != n:
                raise BenchError(f"Got {len(own)} {name} for {n} objects of {plain(self.path)}; expected one for each.")
        P, y = np.asarray(self.probabilities, float), np.asarray(self.predicted)
        if not ((P >= 0) & (P <= 1)).all() or not ((y >= -1) & (y < K)).all():
            raise BenchError(
                f"Got probabilities outside of 0 to 1, or a class that is none, for {plain(self.path)}; expected 0 to "
                f"1, and classes 0 to {K - 1} or -1."
            )
        if n and not (np.asarray(self.boxes)[:, 2:] > np.asarray(self.boxes)[:, :2]).all():
            raise BenchError(f"Got a box of {plain(self.path)} without a pixel; expected x0 < x1 and y0 < y1.")

    def __len__(self) -> int:
        return len(self.boxes)

    def names(self) -> list[str | None]:
        """Return the predicted class of each object, None where the classifier abstains."""
        return [self.classes[k] if k >= 0 else None for k in np.asarray(self.predicted).tolist()]


def object_ids(digest: str, boxes: np.ndarray, seen: Counter[str]) -> list[str]:
    """Return a UUID for each box (n, 4) of an image: the same image and box have the same in every file.

    seen: the boxes of the image so far, which are counted there; of several equal boxes each has an id of its own.
    """
    ids = []
    for box in np.asarray(boxes).tolist():
        name = f"{digest}:{','.join(map(str, map(int, box)))}"
        seen[name] += 1
        ids.append(str(uuid5(SPACE, name if seen[name] == 1 else f"{name}#{seen[name]}")))
    return ids
