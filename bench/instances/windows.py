"""From cells to the windows that are cut around them: a fixed size keeps the scale, a fitted one loses it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.errors import BenchError
from bench.text import counted, counted_of

MARGIN = 0.25  # of the longer side, for context; encoders crop up to an eighth of what they are given
COVERED = 0.95  # share of cells that fit, with the margin, into a window whose size comes from the data


@dataclass(frozen=True)
class Window:
    """A square around each cell. unit: 'px', 'um' or 'fit' (as large as the cell). size: None is from the data."""

    size: float | None = None
    unit: str = "px"

    @classmethod
    def parse(cls, text: str) -> Window | None:
        """Return the window of "64", "10um" (also "7.5um"), "fit" or "" (from the data); None for another text."""
        if text in ("", "fit"):
            return cls(None, text or "px")
        match = re.fullmatch(r"([1-9]\d*)(?:px)?|(\d+(?:\.\d+)?)um", text)
        if not match or not float(match[1] or match[2]):
            return None
        return cls(float(match[1] or match[2]), "px" if match[1] else "um")


def cut_windows(cells: pd.DataFrame, window: Window, notes: list[str]) -> np.ndarray:
    """Return the window of each cell, int64 (n, 4) x0, y0, x1, y1, and append to notes what was decided.

    cells: columns BOX (NA: the whole image), width, height, um_per_px. A window is centred on its cell and shifted
    inside at the border; along an axis shorter than the window it takes the whole axis. Raises BenchError for a
    window in um where the scale of an image is not known.
    """
    limits, box = cells[["width", "height"]].to_numpy(np.int64), boxes_of_cells(cells)
    low, high = box[:, :2], box[:, 2:]
    longest = (high - low).max(1)
    scale = cells["um_per_px"].to_numpy(np.float64, na_value=np.nan)
    if window.unit == "um" and not np.isfinite(scale).all():
        raise _unknown_scale(cells, window, scale)
    size = _sizes(longest, scale, window, notes)[:, None]
    start = np.clip((low + high - size) // 2, 0, np.maximum(limits - size, 0))
    end = np.minimum(start + size, limits)
    if window.unit != "fit":
        cut = int((longest > size[:, 0]).sum())
        if cut:
            notes.append(
                counted_of(
                    cut, len(cells), "cells is larger than its window and loses its rim",
                    "cells are larger than their window and lose their rim",
                )
            )  # fmt: skip
        narrow = int((limits < size).any(1).sum())
        if narrow:
            of = counted(narrow, "cell is cut to its", "cells are cut to their")
            notes.append(f"{'the window' if narrow == 1 else 'the windows'} of {of} image, which is smaller")
    return np.concatenate([start, end], 1)


def boxes_of_cells(cells: pd.DataFrame) -> np.ndarray:
    """Return the box of each cell, int64 (n, 4) x0, y0, x1, y1; that of the whole image where a row has none."""
    whole = cells[["width", "height"]].to_numpy(np.int64)
    low = cells[["x0", "y0"]].fillna(0).to_numpy(np.int64)
    high = cells[["x1", "y1"]].to_numpy(np.float64, na_value=np.nan)
    return np.concatenate([low, np.where(np.isnan(high), whole, high).astype(np.int64)], 1)


def _unknown_scale(cells: pd.DataFrame, window: Window, scale: np.ndarray) -> BenchError:
    """Return the error for a window in um where some images have no scale; it says which have one, and which."""
    known = np.isfinite(scale)
    example = f", e.g. {cells['path'].to_numpy()[~known][0]}" if "path" in cells else ""
    told = sorted({float(f"{one:.4g}") for one in scale[known].tolist()})
    ends = " to ".join(f"{one:g}" for one in dict.fromkeys((told[0], told[-1]))) if told else ""
    others = f" Other images have {ends}." if told else ""
    unknown = counted(int((~known).sum()), "cell is in an image", "cells are in images")
    return BenchError(
        f"Got a window of {window.size:g}um, but {unknown} of unknown scale{example}; "
        f"expected micrometres per pixel of every image: in the file (OME-TIFF, ImageJ, CZI, ND2, LIF), or in a column "
        f"um_per_px of the CSV.{others} Or give the window in pixels."
    )


def _sizes(longest: np.ndarray, scale: np.ndarray, window: Window, notes: list[str]) -> np.ndarray:
    """Return the side of each window in pixels, int64 (n,)."""
    known = np.isfinite(scale)
    differs = len(np.unique(scale[known])) > 1
    if window.unit == "fit":
        notes.append(
            f"each cell is cut with a margin of {MARGIN:.0%} and fills the encoder's input: its size is lost, and a "
            "small cell looks blurred (a number instead of fit keeps one scale for all)"
        )
        return np.ceil(longest * (1 + MARGIN)).astype(np.int64)
    in_um = window.unit == "um" or (window.size is None and differs and bool(known.all()))
    size = window.size
    if size is None:
        sides = longest * scale if in_um else longest
        size = float(np.quantile(sides, COVERED, method="inverted_cdf")) * (1 + MARGIN)
        size = float(f"{size:.3g}") if in_um else float(np.ceil(size))
        unit, example = ("um", f"{size:g}um") if in_um else ("px", f"{size:.0f}")
        notes.append(
            f"the window around each cell is {size:g} {unit}: {COVERED:.0%} of the cells and a margin of {MARGIN:.0%} "
            f"(:{example} after the kind of instances asks for this size, whatever the data)"
        )
    if not in_um:
        if differs:
            notes.append(
                f"images differ in scale, {np.nanmin(scale):g} to {np.nanmax(scale):g} um per px, and a window in "
                "pixels keeps that difference; one in um, e.g. 10um, takes it away"
            )
        return np.full(len(longest), int(size), np.int64)
    pixels = np.maximum(np.rint(size / scale), 1).astype(np.int64)
    ends = " to ".join(f"{side:,}" for side in dict.fromkeys((int(pixels.min()), int(pixels.max()))))
    resized = ", which encoders resize to one size: every image is seen at the same um per px" * (" to " in ends)
    notes.append(f"a window of {size:g} um is {ends} px{resized}")
    return pixels


def set_boxes(rows: pd.DataFrame, box: np.ndarray) -> pd.DataFrame:
    """Return rows with boxes int64 (n, 4); one that is the whole image (columns width, height) becomes NA."""
    rows = rows.assign(**{name: pd.array(box[:, k], dtype="Int64") for k, name in enumerate(BOX)})
    whole = (box[:, :2] == 0).all(1) & (box[:, 2] == rows["width"]) & (box[:, 3] == rows["height"])
    rows.loc[whole, BOX] = pd.NA
    return rows


def merge_windows(rows: pd.DataFrame, notes: list[str], *, every: bool = False) -> pd.DataFrame:
    """Keep one row of those that have the same window, with their cell's label where they agree; or every row.

    rows: columns path, BOX, label, blank and cell_label. Appends to notes how many share a window.
    """
    by = ["path", *BOX, "label", "blank"]
    again = rows.duplicated(by)
    if not again.any():
        return rows
    count = int(again.sum())
    share = f"{counted(count, 'cell shares', 'cells share')} the window of another and"
    if every:
        notes.append(f"{share} {'has its answer' if count == 1 else 'have its answer'}")
        return rows
    labels = rows.groupby(by, dropna=False, sort=False)["cell_label"]
    agreed = labels.transform("first").where(labels.transform("nunique") == 1)
    notes.append(f"{share} {'was' if count == 1 else 'were'} merged with it")
    return rows.assign(cell_label=agreed)[~again]
