"""Which of the pictures in a TIFF is read: the largest, the first of several as large, or the one that is asked for.

Reduced copies (the levels of a pyramid), thumbnails, masks, and the label and overview of a slide are no pictures of
their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bench.images.picture import ImageError
from bench.images.series import choose_series

ASIDE = {"label", "macro", "map", "thumbnail", "overview", "probability"}  # what scanners of slides add to a picture
REDUCED, MASK = 1, 4  # bits of NewSubfileType
OLD_REDUCED = 2  # of SubfileType


def open_pages(file: Any, uniform: bool) -> Any:
    """Return the library's view of a TIFF, which reads this file and no other. uniform: all its pages are alike."""
    import tifffile

    tiff = tifffile.TiffFile(file, _multifile=False)
    if tiff.is_mmstack:  # by its name the library would find further files of a recording
        file.seek(0)
        tiff = tifffile.TiffFile(file, name="stack.tif", _multifile=False)
    tiff.is_ndtiff = False
    if not uniform:
        tiff.is_uniform = False  # the library looks at the first, the eighth and the last page alone
    return tiff


def pick_series(tiff: Any, number: int | None) -> tuple[Any, int, tuple[str, ...]]:
    """Return the series that is read, how many there are, and what is to be said of the choice. Raises ImageError.

    number: counted from 1; None is the largest, the first of several as large.
    """
    pictures, aside = _pictures(tiff.series)
    if not pictures:
        return None, 0, ()
    names = [str(series.name or "") for series in pictures]
    at, remarks = choose_series([_area(series) for series in pictures], names, number)
    levels = len(pictures[at].levels)
    if levels > 1:
        remarks += (f"the full resolution is read of a pyramid of {levels} levels",)
    if aside:
        remarks += (f"thumbnails, labels and reduced copies are not read ({aside} of its pages)",)
    return pictures[at], len(pictures), remarks


def _pictures(every: Sequence[Any]) -> tuple[list[Any], int]:
    """Return the series that are pictures of their own, and how many pages are not."""
    kept = [series for series in every if "X" in series.axes and "Y" in series.axes and _area(series)]
    pictures = [series for series in kept if not _is_aside(series)] or kept
    return pictures, sum(len(series.pages) for series in kept if series not in pictures)


def _is_aside(series: Any) -> bool:
    page = series.keyframe
    old = page.tags.get(255)
    by_scanner = series.kind not in ("ome", "shaped") and str(series.name).casefold() in ASIDE
    return bool(by_scanner or int(page.subfiletype) & (REDUCED | MASK) or (old and old.value == OLD_REDUCED))


def _area(series: Any) -> int:
    return math.prod(series.shape[series.axes.index(axis)] for axis in "YX")


def refuse_no_series(lacking: Sequence[str]) -> ImageError:
    """Return the error for a file in which there is no picture."""
    if lacking:
        return ImageError(f"damaged: a TIFF that lacks the tag {lacking[0]}, without which there is no picture")
    return ImageError("a TIFF without an image plane: none of its pages has a width and a height")
