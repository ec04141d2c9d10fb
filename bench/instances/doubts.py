"""What makes one doubt the instances of a dataset: counts, sizes and places that mistakes lead to and images rarely do.

Every function returns sentences with numbers and what to do; none where there is nothing to doubt. They are shown by
`data check`, `extract` and `run` alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.images import limits
from bench.text import counted_of

MANY = 200  # cells in every image
FILLS = 0.9  # of its image, by the box of a cell
TINY = 6  # pixels along the longer side of a cell
LEFT_OUT = 0.1  # of the pixels of all images, at borders that no tile reaches

#: By the name of a kind of cells: what to do about too many, about too few, and about cells that fill their image.
ADVICE: Mapping[str, tuple[str, str, str]] = {
    "segments": (
        "dust or texture may be taken for cells: `bench segment --to FOLDER` draws what is found, min=AREA leaves out "
        "what is smaller",
        "cells may be taken for background: `bench segment --to FOLDER` draws what is found, foreground=dark or "
        "bright says which they are",
        "the background may be taken for a cell: foreground=dark or bright says what cells are",
    ),
    "cellpose": (
        "dust or texture may be taken for cells: look at some images, and use another model",
        "cells may be missed: look at some images, and use another model",
        "the background may be taken for a cell: look at some images, and use another model",
    ),
    "masks": (
        "check that the masks are of cells, and not of dust or of parts of cells",
        "check that the masks have a value for each cell, and not one for all of them",
        "check that the background is 0 in the masks",
    ),
    "boxes": (
        "check that the boxes are of cells, and not of dust or of parts of cells",
        "check that no boxes are missing",
        "check that the boxes are of cells, and not of images",
    ),
}
SAME_AS_WHOLE = "where each image is of one cell, --instances whole does the same"


def doubt_cells(cells: pd.DataFrame, images: pd.DataFrame, kind: str) -> list[str]:
    """Return what makes one doubt the cells of a dataset.

    cells: columns path, BOX (NA: the whole image); images: one row each, columns path, width, height; kind: of ADVICE.
    """
    many, few, filled = ADVICE[kind]
    count = cells.groupby("path").size().reindex(images["path"], fill_value=0)
    found = []
    if len(count) and count.min() >= MANY:
        found.append(f"every image has {MANY} cells or more ({count.min():,} to {count.max():,}): {many}")
    if len(count) > 1 and count.max() <= 1:
        one, none = int((count == 1).sum()), int((count == 0).sum())
        found.append(
            f"no image has more than one cell ({one:,} have one, {none:,} none): {few}. "
            f"{SAME_AS_WHOLE[0].upper()}{SAME_AS_WHOLE[1:]}"
        )
    if cells.empty:
        return found
    size = images.set_index("path")[["width", "height"]].loc[cells["path"]].to_numpy(np.int64)
    box = _boxes(cells, size)
    sides = box[:, 2:] - box[:, :2]
    fills = sides.prod(1) >= FILLS * size.prod(1)
    of_images = int(pd.Series(fills).groupby(cells["path"].to_numpy()).any().sum())
    if of_images * 2 > len(images):
        found.append(
            f"in {of_images:,} of {len(images):,} images a cell covers {FILLS:.0%} of the image or more: {filled}; "
            f"{SAME_AS_WHOLE}"
        )
    longest = sides.max(1)
    if np.median(longest) < TINY:
        found.append(
            f"half of the {len(cells):,} cells are {np.median(longest):.0f} pixels long or less: an encoder sees no "
            f"more than a blot of them. {many[0].upper()}{many[1:]}"
        )
    return found


def doubt_tiles(tiles: pd.DataFrame, regions: pd.DataFrame, size: int) -> list[str]:
    """Return what makes one doubt tiles: those smaller than asked for, pixels in no tile, one tile an image.

    tiles: columns path, BOX, width, height; regions: what was cut, of the same columns. size: the side asked for.
    """
    found = []
    area, box = (_boxes(table, table[["width", "height"]].to_numpy(np.int64)) for table in (regions, tiles))
    narrow = ((area[:, 2:] - area[:, :2]) < size).any(1)
    if narrow.any():
        found.append(
            f"{counted_of(int(narrow.sum()), len(regions), 'images is', 'images are')} less than {size} px wide or "
            "high: along that side the tile is as long as the image, and encoders show it larger than others"
        )
    if len(tiles) == len(regions) > 1:
        found.append(f"every image gives one tile of {size} px: for more, use smaller tiles")
    covered = _covered(tiles["path"].to_numpy(str), box)
    total = int((area[:, 2:] - area[:, :2]).prod(1).sum())
    if covered < (1 - LEFT_OUT) * total:
        found.append(
            f"{1 - covered / total:.0%} of the pixels are in no tile, as they lie at borders where no whole tile of "
            f"{size} px fits: smaller tiles, or a stride below the size, leave out less"
        )
    return found


def doubt_sizes(images: pd.DataFrame) -> list[str]:
    """Return what is to be said of images that are too large to be read at once: width, height, channels."""
    shapes = images[["height", "width", "channels"]].to_numpy(np.int64).tolist()
    large = sum(not limits.fits(*shape) for shape in shapes)
    if not large:
        return []
    more = f"more than {limits.MAX_PIXELS / 1e6:.0f} million pixels, too many to be read at once"
    return [
        counted_of(
            large, len(images), f"images has {more}: whole it is skipped, --instances tiles:512 reads it tile by tile",
            f"images have {more}: whole they are skipped, --instances tiles:512 reads them tile by tile",
        )
    ]  # fmt: skip


def _boxes(table: pd.DataFrame, size: np.ndarray) -> np.ndarray:
    """Return int64 (n, 4), that of the whole image, size (n, 2), where a row has none."""
    box = table[BOX].to_numpy(np.float64, na_value=np.nan)
    whole = np.concatenate([np.zeros_like(size), size], 1)
    return np.where(np.isnan(box), whole, box).astype(np.int64)


def _covered(paths: np.ndarray, box: np.ndarray) -> int:
    """Return how many pixels lie in a box: of a grid of tiles, by image, the union along each axis."""
    total = 0
    order = np.argsort(paths, kind="stable")
    for rows in np.split(order, np.flatnonzero(paths[order][1:] != paths[order][:-1]) + 1):
        x0, y0, x1, y1 = box[rows].T
        total += _length(x0, x1) * _length(y0, y1)
    return total


def _length(low: np.ndarray, high: np.ndarray) -> int:
    """Return how much of a line intervals cover."""
    spans = np.unique(np.stack([low, high], 1), axis=0)
    end = np.maximum.accumulate(spans[:, 1])
    start = np.maximum(spans[:, 0], np.concatenate([spans[:1, 0], end[:-1]]))
    return int(np.maximum(end - start, 0).sum())
