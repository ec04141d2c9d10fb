"""One cell of a window, or all but it, blanked: is an encoder's score from the cell, or from what surrounds it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.instances.cell_cache import FOLDER, read_kept
from bench.seeds import content_name

VERSION = 2  # raised when the same window and mask would give other pixels
LEVEL = "the median of the window's pixels that are of no cell, in every channel; of all where there are none"


@dataclass(frozen=True)
class Mode:
    """hides: labels (h, w) and the value of the cell to what is replaced, bool (h, w). note: what readers must know.

    diagnostic: why scores on such windows are no result, "" where they are. black: what is hidden becomes black, and
    nothing else is, so that an encoder can tell the cell's pixels; without, it gets the window's background level.
    """

    hides: Callable[[np.ndarray, int], np.ndarray]
    note: str
    diagnostic: str = ""
    black: bool = False


#: The last word of a kind of cells, e.g. masks:64:only.
MODES = {
    "only": Mode(
        np.not_equal,
        f"what is not of its cell is blanked in every window ({LEVEL}): that level still tells the light and stain of "
        "the image",
    ),
    "cutout": Mode(
        np.not_equal,
        "what is not of its cell is black in every window, and the cell's own black pixels are 1 of 255: encoders that "
        "measure shapes see the mask by it, and others may as well",
        black=True,
    ),
    "without": Mode(
        np.equal,
        f"the cell is blanked in every window ({LEVEL}): the shape and size of the hole are still to be seen, and so "
        "is what shows of a cell outside its mask, as blur",
        "DIAGNOSTIC, NOT A RESULT: the cell is blanked in every window, so a score says what surrounds a cell gives "
        "away, and nothing is ranked. Compare it with a run on the same windows with their cells: where this one "
        "scores as well, that score is no evidence that the cell was seen",
    ),
}


@dataclass(frozen=True)
class Blank:
    """What is blanked in an instance. labels: the name of the kept label image; value: the cell's value in it."""

    mode: str
    labels: str
    value: int

    @classmethod
    def parse(cls, text: str) -> Blank:
        """Return what the column `blank` of an instance table says: "MODE:LABELS:VALUE"."""
        mode, labels, value = text.split(":")
        return cls(mode, labels, int(value))

    def apply(self, window: np.ndarray, labels: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
        """Return a window uint8 (h, w, C) with its own background level, or black, in place of what is hidden.

        labels: the same part of the label image, integers (h, w), 0 the background. known: where the pixels of the file
        are finite, bool (h, w); None is everywhere. The level is of known pixels.
        """
        hidden = MODES[self.mode].hides(labels, self.value)[..., np.newaxis]
        if MODES[self.mode].black:
            return np.where(hidden, np.zeros_like(window), np.maximum(window, 1))
        known = np.ones(labels.shape, bool) if known is None or not known.any() else known
        outside = (labels == 0) & known
        seen = window[outside if outside.any() else known]
        level = np.rint(np.median(seen, axis=0)).astype(window.dtype)
        return np.where(hidden, level, window)


def mode_of(words: Sequence[str]) -> str | None:
    """Return the mode that the last of the words names, None where it names none."""
    return words[-1] if words and words[-1] in MODES else None


def diagnostic_of(instances: str) -> str:
    """Return why scores on a kind of instances, such as masks:64:without, are diagnostics; "" where they are not."""
    mode = mode_of([word for word in instances.split(":") if "=" not in word])
    return MODES[mode].diagnostic if mode else ""


def with_blank(rows: pd.DataFrame, mode: str | None, notes: list[str] | None = None) -> pd.DataFrame:
    """Return rows with the column blank (text, all NA without a mode), of their column cell; append the mode's note."""
    if mode is None:
        return rows.assign(blank=pd.Series(pd.NA, index=rows.index, dtype="string"))
    if notes is not None:
        notes.append(MODES[mode].note)
    return rows.assign(blank=(f"{mode}:" + rows["cell"]).astype("string"))


def name_blanked(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose names (column instance) name also what is blanked: mode, mask and value; others keep theirs."""
    texts = zip(rows["instance"].tolist(), rows["blank"].tolist(), strict=True)
    names = [content_name([name, "blank", VERSION, text]) if isinstance(text, str) else name for name, text in texts]
    return rows.assign(instance=pd.Series(names, index=rows.index, dtype="str"))


def read_labels(root: Path | None, name: str) -> np.ndarray:
    """Return a label image (H, W) that was kept when the instances were cut; BenchError where it is not there."""
    found = read_kept(root, name, ("labels",))
    if found is None:
        where = "no folder of label images" if root is None else f"no sound label image {root / FOLDER / name}.npz"
        raise BenchError(
            f"Got {where}; expected what cutting instances keeps. Run the same command again: it makes what is missing."
        )
    return found["labels"]
