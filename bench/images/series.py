"""Which of several pictures of a file is meant: by a number behind its path, or by a rule.

A microscope's file may hold many pictures (series, scenes). `slide.lif#3` is the third of them, wherever a path to an
image is given; `slide.lif` is the largest, the first of several as large.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.images.picture import NO_SERIES, ImageError

#: What the positions along an axis are, of which the first is read.
AXES = {"T": "time points", "R": "positions", "P": "positions", "M": "mosaic tiles", "H": "lifetimes", "A": "angles",
        "E": "wavelengths", "V": "events", "L": "exposures"}  # fmt: skip
LONGEST = 60  # letters of a name that are shown
NUMBERED = re.compile(r"(.+)#([1-9]\d{0,5})")


def split_series(path: str) -> tuple[str, int | None]:
    """Return the file of "slide.lif#3" and 3; of a path without a number the path, and None.

    >>> split_series("a/slide.lif#3")
    ('a/slide.lif', 3)
    >>> split_series("a/slide.lif")
    ('a/slide.lif', None)
    """
    match = NUMBERED.fullmatch(path)
    return (match[1], int(match[2])) if match else (path, None)


def file_of(path: Path | str) -> tuple[Path, int | None]:
    """Return the file that a path means, and which picture of it; a file whose very name ends so is that file."""
    file, number = split_series(str(path))
    if number is None or os.path.lexists(path):
        return path if isinstance(path, Path) else Path(path), None
    return Path(file), number


def choose_series(areas: Sequence[int], names: Sequence[str], number: int | None) -> tuple[int, tuple[str, ...]]:
    """Return which of several pictures of a file is read, counted from 0, and what is to be said of it.

    areas: pixels of a plane of each. number: counted from 1, as asked for; None is the largest, the first of several as
    large. Raises ImageError for one that the file does not hold.
    """
    count = len(areas)
    if number is not None and not 1 <= number <= count:
        raise ImageError(f"{NO_SERIES} {number}: the file holds {count}, counted from 1")
    at = max(range(count), key=areas.__getitem__) if number is None else number - 1
    if count == 1:
        return at, ()
    named = f" ('{names[at][:LONGEST]}')" if names[at] else ""
    why = "as asked for" if number is not None else "the first" if len(set(areas)) == 1 else "the largest"
    return at, (f"of {count} series (scenes) number {at + 1}{named} is read, {why}; --series takes another",)


def first_of_each(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Return what is to be said of axes, by their letters, along which the first position alone is read."""
    named = {axis: AXES.get(axis, f"positions along {axis}") for axis in sizes}
    return tuple(f"the first of {size:,} {named[axis]} is read" for axis, size in sizes.items() if size > 1)
