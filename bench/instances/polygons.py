"""From the pixels of a cell to its outline: polygons whose corners are corners of pixels.

A pixel is the square from its number to the next, so the pixels 10 to 19 reach from 10 to 20, and an outline has the
area of the pixels. Pixels that touch by a side are one polygon; those that touch by a corner only are two, as a polygon
must not cross itself there.

A corner of the outline is where one or three of the four pixels around a point are the cell's, and twice where two are
that lie across. Along every row and every column of points the corners are then the ends of edges, pair by pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from bench.instances.blank import read_labels

Ring = np.ndarray  # integers (m, 2) x, y, not closed: the last is not the first again
Polygon = list[Ring]  # its outer ring, and those of its holes


def polygons_of(mask: np.ndarray) -> list[Polygon]:
    """Return the polygons of a mask, bool (h, w), in pixels from its corner.

    The shoelace formula gives outer rings a positive area and those of holes a negative one. No ring meets itself, and
    holes meet others by single points only.
    """
    from scipy.ndimage import label

    pieces, count = label(mask)  # those that touch by a side
    return [_polygon(pieces == piece) for piece in range(1, count + 1)]


def _polygon(piece: np.ndarray) -> Polygon:
    """Return the polygon of pixels (h, w) that hang together."""
    rings = _rings(piece)
    outer = [ring for ring in rings if _area(ring) > 0]
    return [*outer, *(ring for ring in rings if _area(ring) < 0)]


def _rings(piece: np.ndarray) -> list[Ring]:
    x, y, follows = _corners(piece)
    rings, left = [], np.ones(len(x), bool)
    for start in range(len(x)):
        walked: list[int] = []
        position: dict[tuple[int, int], int] = {}
        corner = start
        while left[corner]:
            left[corner] = False
            point = int(x[corner]), int(y[corner])
            if point in position:  # met again: what lies between is a ring of its own
                first = position[point]
                loop = walked[first:]
                for passed in loop[1:]:
                    del position[int(x[passed]), int(y[passed])]
                rings.append(loop)
                walked = walked[:first]
            position[point] = len(walked)
            walked.append(corner)
            corner = int(follows[corner])
        if walked:
            rings.append(walked)
    return [np.stack([x[ring], y[ring]], 1) for ring in rings]


def _corners(piece: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x and y of all corners, and the number of the one that follows each, the cell's pixels on one side.

    Each corner is the end of a horizontal and of a vertical edge. right, down: where these lie, seen from it. Along a
    row its corners come in pairs, the first with its edge to the right, the second to the left; so along a column.
    """
    padded = np.pad(piece, 1)
    up_left, up_right = padded[:-1, :-1], padded[:-1, 1:]
    down_left, down_right = padded[1:, :-1], padded[1:, 1:]
    several = up_left.astype(np.int8) + up_right + down_left + down_right
    across = (several == 2) & (up_left == down_right)
    found = []
    for below, beside, own in ((0, 0, up_left), (0, 1, up_right), (1, 0, down_left), (1, 1, down_right)):
        # of the one pixel that is the cell's, of each of two that lie across, or of the one among four that is not
        y, x = np.nonzero((own & ((several == 1) | across)) | (~own & (several == 3)))
        found.append(np.stack([x, y, np.full(len(x), beside), np.full(len(x), below)]))
    x, y, right, down = np.concatenate(found, 1)
    in_row, in_column = _pairs(x, y, right), _pairs(y, x, down)
    # An edge with the cell below it is walked to the right, another to the left: from this corner if it lies that way.
    goes_along_row = padded[y + 1, x + right] == right.astype(bool)
    return x, y, np.where(goes_along_row, in_row, in_column)


def _pairs(along: np.ndarray, line: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Return the other end of each corner's edge. line: which row it lies in; ahead: whether its edge goes on along."""
    order = np.lexsort((ahead, along, line))
    other = np.empty_like(order)
    other[order[0::2]], other[order[1::2]] = order[1::2], order[0::2]
    return other


def _area(ring: Ring) -> int:
    x, y = ring.T
    return int(x @ np.roll(y, -1) - y @ np.roll(x, -1))


class LabelImages:
    """Label images that were kept when cells were looked for, in a folder; the last one stays in memory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._last: tuple[str, np.ndarray] | None = None

    def read(self, name: str) -> np.ndarray:
        """Return integers (H, W); BenchError where it is not there."""
        if self._last is None or self._last[0] != name:
            self._last = None  # before another is read
            self._last = name, read_labels(self.root, name)
        return self._last[1]


class KeptOutlines(Sequence[list[Polygon]]):
    """The outlines of n cells of an image in pixels of the image, each made when it is asked for.

    cells: "NAME:VALUE" for each, see `bench.instances.cell_boxes.FoundCells`. boxes: integers (n, 4), the box of each.
    """

    def __init__(self, images: LabelImages, cells: Sequence[str], boxes: np.ndarray) -> None:
        self.images, self.cells, self.boxes = images, cells, boxes

    def __len__(self) -> int:
        return len(self.cells)

    @overload
    def __getitem__(self, i: int) -> list[Polygon]: ...
    @overload
    def __getitem__(self, i: slice) -> KeptOutlines: ...
    def __getitem__(self, i: int | slice) -> list[Polygon] | KeptOutlines:
        if isinstance(i, slice):
            return KeptOutlines(self.images, self.cells[i], self.boxes[i])
        name, _, value = self.cells[i].rpartition(":")
        x0, y0, x1, y1 = (int(side) for side in self.boxes[i])
        found = polygons_of(self.images.read(name)[y0:y1, x0:x1] == int(value))
        return [[ring + np.array([x0, y0]) for ring in polygon] for polygon in found]
