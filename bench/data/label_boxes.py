"""Boxes in the columns of a CSV: by the names that tools give them, in pixels or in parts of the image."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.data.csv_table import CsvTable
from bench.data.reading import UNITS, check_units
from bench.data.spellings import MISSING, without_missing
from bench.errors import BenchError

BOX = ["x0", "y0", "x1", "y1"]
NEAR_ONE = 1.05  # fractions may lie a little outside of 0 to 1, as annotation tools write them


@dataclass(frozen=True)
class BoxLayout:
    """Four columns that are a box: their names, what they are in words, and how they become x0, y0, x1, y1."""

    names: tuple[str, str, str, str]
    what: str
    corners: Callable[[pd.DataFrame], list[pd.Series]]


def _as_corners(four: pd.DataFrame) -> list[pd.Series]:
    return [four[k] for k in range(4)]


def _from_rows(four: pd.DataFrame) -> list[pd.Series]:
    return [four[1], four[0], four[3], four[2]]


def _from_size(four: pd.DataFrame) -> list[pd.Series]:
    return [four[0], four[1], four[0] + four[2], four[1] + four[3]]


def _from_centre(four: pd.DataFrame) -> list[pd.Series]:
    half = [four[2] / 2, four[3] / 2]
    return [four[0] - half[0], four[1] - half[1], four[0] + half[0], four[1] + half[1]]


_CORNERS = "corners"
_SIZE = "upper left corner, width and height"
_CENTRE = "centre, width and height"
#: The first whose four columns are all there is taken.
LAYOUTS = (
    BoxLayout(("x0", "y0", "x1", "y1"), _CORNERS, _as_corners),
    BoxLayout(("x1", "y1", "x2", "y2"), _CORNERS, _as_corners),
    BoxLayout(("xmin", "ymin", "xmax", "ymax"), _CORNERS, _as_corners),
    BoxLayout(("x_min", "y_min", "x_max", "y_max"), _CORNERS, _as_corners),
    BoxLayout(("min_x", "min_y", "max_x", "max_y"), _CORNERS, _as_corners),
    BoxLayout(("left", "top", "right", "bottom"), _CORNERS, _as_corners),
    BoxLayout(("bbox_0", "bbox_1", "bbox_2", "bbox_3"), "corners as scikit-image gives them, rows first", _from_rows),
    BoxLayout(("x", "y", "w", "h"), _SIZE, _from_size),
    BoxLayout(("x", "y", "width", "height"), _SIZE, _from_size),
    BoxLayout(("left", "top", "width", "height"), _SIZE, _from_size),
    BoxLayout(("bx", "by", "width", "height"), _SIZE, _from_size),
    BoxLayout(("bbox_x", "bbox_y", "bbox_w", "bbox_h"), _SIZE, _from_size),
    BoxLayout(("bbox_x", "bbox_y", "bbox_width", "bbox_height"), _SIZE, _from_size),
    BoxLayout(("cx", "cy", "w", "h"), _CENTRE, _from_centre),
    BoxLayout(("x_center", "y_center", "width", "height"), _CENTRE, _from_centre),
    BoxLayout(("xcenter", "ycenter", "width", "height"), _CENTRE, _from_centre),
)
#: Names of columns that are of a box.
BOX_NAMES = frozenset({"box", *(name for layout in LAYOUTS for name in layout.names)})
_ALSO_SIZES = frozenset({"w", "h", "width", "height", "left", "right", "top", "bottom"})  # and words of other things
#: Of centres, and of boxes as other programs name them, such as bbox, centroid_x_px or AreaShape_BoundingBoxMinimum_X.
_PLACE = re.compile(r"bbox|bounding_?box|.*(centroid|cent(er|re)|bbox|bounding_?box)[a-z]*_[xy01](_.*)?")
SHOWN = 4


def has_boxes(table: CsvTable) -> bool:
    """Return whether a table has columns of boxes."""
    return names_boxes(table)


def names_boxes(columns: Collection[str]) -> bool:
    """Return whether columns are those of boxes."""
    return "box" in columns or any(all(name in columns for name in layout.names) for layout in LAYOUTS)


def read_boxes(table: CsvTable, units: str, notes: list[str]) -> pd.DataFrame:
    """Return x0, y0, x1, y1 (Int64 or NA) of every line, in pixels; Float64 in other units, for `scale_boxes`.

    From a column box (x0 y0 x1 y1) or the first of LAYOUTS. Raises BenchError for boxes that are no four numbers, and
    for some in pixels that can only be fractions.
    """
    check_units(units)
    given, layout = _four(table, notes)
    given = given.apply(lambda text: without_missing(text, MISSING)[0])
    try:
        four = given.apply(pd.to_numeric).astype("Float64")
    except (ValueError, TypeError, OverflowError) as error:
        message = f"Got a box in {table.path.name} that is not four numbers {' '.join(layout.names)} ({error})."
        raise BenchError(message) from None
    strange = ~np.isfinite(four.fillna(0).to_numpy(float)).all(axis=1)
    partial = (four.isna().any(axis=1) & four.notna().any(axis=1)).to_numpy() | strange
    if partial.any():
        line = table.line(int(np.flatnonzero(partial)[0]))
        names = ", ".join(layout.names[:3])
        raise BenchError(
            f"Got an incomplete box in line {line} of {table.path.name}; expected {names} and {layout.names[3]}."
        )
    box = pd.DataFrame(dict(zip(BOX, layout.corners(four), strict=True)))
    if units == "pixels":
        _refuse_fractions(table, given, box)
        box = box.round()
        if (box.abs() > 2**31).any(axis=None):
            raise BenchError(
                f"Got a box in {table.path.name} of over 2 thousand million pixels; expected pixels of the image."
            )
        return box.astype("Int64")
    most = float(UNITS[units] or 1) * NEAR_ONE
    beyond = np.flatnonzero((box.abs() > most).any(axis=1).fillna(False))
    if len(beyond):
        row = int(beyond[0])
        raise BenchError(
            f"Got the box {_text(given, row)} in line {table.line(row)} of {table.path.name} with --box-units {units}; "
            f"expected numbers from 0 to {UNITS[units]:g}."
        )
    return box


def stated_size(table: CsvTable) -> dict[str, pd.Series]:
    """Return the columns width and height as stated_width and stated_height, unless they are of the boxes."""
    layout = next((layout for layout in LAYOUTS if all(name in table for name in layout.names)), LAYOUTS[0])
    none = pd.Series(pd.NA, index=table.index, dtype="string")
    return {
        f"stated_{name}": table.numbers(name) if name in table and name not in layout.names else none
        for name in ("width", "height")
    }


def scale_boxes(table: pd.DataFrame, units: str) -> pd.DataFrame:
    """Return a table with BOX in pixels (Int64), by its columns height and width."""
    part = UNITS[units]
    if part is None:
        return table
    scaled = {
        name: (table[name].astype("Float64") * table["width" if name[0] == "x" else "height"] / part)
        .round()
        .astype("Int64")
        for name in BOX
    }
    return table.assign(**scaled)


def _four(table: CsvTable, notes: list[str]) -> tuple[pd.DataFrame, BoxLayout]:
    """Return the text of four columns, named 0 to 3, and what they are."""
    none = pd.Series(pd.NA, index=table.index, dtype="string")
    if "box" in table:
        text = table["box"].str.strip("[]() ")
        parts = text.str.split(r"[\s,;]+", expand=True, regex=True).reindex(columns=range(5))
        if parts[4].notna().any():
            line = table.line(int(np.flatnonzero(parts[4].notna())[0]))
            raise BenchError(
                f"Got a box of over four numbers in line {line} of {table.path.name}; expected x0 y0 x1 y1."
            )
        return parts[range(4)], LAYOUTS[0]
    layout = next((layout for layout in LAYOUTS if all(name in table for name in layout.names)), None)
    if layout is not None:
        if layout is not LAYOUTS[0]:
            notes.append(f"boxes are read from {', '.join(layout.names)} ({layout.what})")
        return pd.DataFrame({k: table.numbers(name) for k, name in enumerate(layout.names)}), layout
    there = [name for name in BOX if name in table]
    if there:
        lacks = ", ".join(name for name in BOX if name not in there)
        is_are, was_were = ("is", "was") if len(there) == 1 else ("are", "were")
        columns = f"column{'s' * (len(there) > 1)} {', '.join(there)}"
        notes.append(f"{columns} {is_are} no box without {lacks} and {was_were} ignored")
    elif places := _places(table):
        what, are = ("column", "is") if len(places) == 1 else ("columns", "are")
        notes.append(
            f"{what} {', '.join(places[:SHOWN])} of {table.path.name} {are} no box and {are} not used: a label counts "
            f"for its whole image. For regions of images, give {', '.join(BOX)} in pixels"
        )
    return pd.DataFrame(dict.fromkeys(range(4), none)), LAYOUTS[0]


def _places(table: CsvTable) -> list[str]:
    """Return the columns that tell where something is in an image, by their names, though they make no box."""
    names = [name for name in table.given if _PLACE.fullmatch(name) or (name in BOX_NAMES and name not in _ALSO_SIZES)]
    return [] if set(names) in ({"x"}, {"y"}) else names  # the rows of a table of R are called X


def _refuse_fractions(table: CsvTable, given: pd.DataFrame, box: pd.DataFrame) -> None:
    """Raise BenchError where boxes are fractions of the image: no corner is beyond 1, though no box is that small."""
    near = (box.abs() <= NEAR_ONE).all(axis=1).fillna(False)
    whole = (box == box.round()).all(axis=1).fillna(False)
    known = box.notna().all(axis=1)
    bad = near & (~whole | bool(near[known].all())) & known
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise BenchError(
            f"Got the box {_text(given, row)} in line {table.line(row)} of {table.path.name}, whose numbers lie "
            f"between 0 and 1 ({int(bad.sum()):,} of {int(known.sum()):,} boxes do); expected pixels. If they are "
            "fractions of the width and height of the image, add --box-units fractions."
        )


def _text(given: pd.DataFrame, row: int) -> str:
    return " ".join(str(value) for value in given.iloc[row])


def reversed_reason(corners: Sequence[object]) -> str:
    """Return why a box holds nothing whose corners are exchanged or equal, "" for another."""
    x0, y0, x1, y1 = (float(str(value)) for value in corners)
    if x1 > x0 and y1 > y0:
        return ""
    return ": expected x0 < x1 and y0 < y1 (are these x, y, width and height?)"
