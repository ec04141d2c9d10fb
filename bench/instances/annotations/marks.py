"""What a file of annotations marks, whatever program drew it: boxes, and texts that may be labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bench.errors import BenchError
from bench.text import plain

MOST_MARKS = 1_000_000  # in one file
FAR = 2.0**31  # pixels; beyond is no image
ROUNDED = 1e-3  # pixels by which a corner may reach into the next pixel, as decimals are rounded


class Mark(NamedTuple):
    """One thing that was drawn: x0, y0, x1, y1 in pixels, and its texts by column, the same in all of a file.

    (0, 0) is the corner of the image, and (0.5, 0.5) the centre of its first pixel. point: it has no size.
    """

    corners: tuple[float, float, float, float]
    texts: Mapping[str, str | None]
    point: bool = False


@dataclass(frozen=True, kw_only=True)
class Marks:
    """All of a file. boxes: int64 (N, 4) x0, y0, x1, y1, the last pixel excluded. columns: text or None of each (N).

    left_out: how many things are no cell, by what they are. sizeless: how many are points, whose box is one pixel.
    """

    boxes: np.ndarray
    columns: Mapping[str, list[str | None]]
    left_out: Mapping[str, int]
    sizeless: int


class NoCell(Exception):
    """Something was drawn that can be no cell, such as a line; its text says what it is."""


def collect(file: str, found: Iterable[tuple[str, Iterator[Mark]]]) -> Marks:
    """Return the boxes and texts of marks. found: (where, such as "feature 3", its marks) in the order of the file.

    Marks are read one at a time; NoCell while they are is counted. Raises BenchError, which names the file and where,
    for too many, and for points that are no pixels.
    """
    corners: list[tuple[float, float, float, float]] = []
    places: list[str] = []
    columns: dict[str, list[str | None]] = {}
    left_out: Counter[str] = Counter()
    sizeless = 0
    for where, marks in found:
        try:
            for mark in marks:
                if len(corners) >= MOST_MARKS:
                    raise BenchError(
                        f"Got over {MOST_MARKS:,} cells in {file}; expected at most so many. Split it by image."
                    )
                corners.append(mark.corners)
                places.append(where)
                for name, text in mark.texts.items():
                    columns.setdefault(name, []).append(text)
                sizeless += mark.point
        except NoCell as what:
            left_out[str(what)] += 1
    given = np.array(corners, np.float64).reshape(-1, 4)
    wrong = ~(np.abs(given) <= FAR).all(1)
    if wrong.any():
        raise BenchError(
            f"Got coordinates in {places[int(wrong.argmax())]} of {file} that are no pixels; expected finite numbers."
        )
    return Marks(boxes=_boxes(given), columns=columns, left_out=left_out, sizeless=sizeless)


def without_marks(marks: Marks, these: np.ndarray, what: str) -> Marks:
    """Return marks without some, bool (N,), which are counted as `what`."""
    if not these.any():
        return marks
    return replace(
        marks,
        boxes=marks.boxes[~these],
        columns={name: [text for text, gone in zip(texts, these, strict=True) if not gone]
                 for name, texts in marks.columns.items()},
        left_out={**marks.left_out, what: int(these.sum())},
    )  # fmt: skip


def corners_of(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 of points, of which there is one at least."""
    return min(x), min(y), max(x), max(y)


def _boxes(corners: np.ndarray) -> np.ndarray:
    """Return the pixels that corners float64 (N, 4) span, int64 (N, 4); one at least along each axis."""
    low, high = np.floor(corners[:, :2] + ROUNDED), np.ceil(corners[:, 2:] - ROUNDED)
    return np.concatenate([low, np.maximum(high, low + 1)], axis=1).astype(np.int64)


def text_of(value: object, where: str) -> str | None:
    """Return a text of a file in one line, None for none. Raises BenchError for what is no text."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise BenchError(f"Got {plain(str(value))[:40]} for a name in {where}; expected a text.")
    return value.strip() or None
