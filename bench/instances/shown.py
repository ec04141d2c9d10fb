"""What a window shows: judged by the window around a cell, not by the box of the cell that it was cut around.

A red cell beside the one white cell of an image is labelled red; a window around it that takes in most of the white
cell shows the white cell all the same.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.data.reading import UNLABELLED
from bench.text import counted

SHOWN = 0.5  # of the area of a cell's box that has to lie in a window
NAMED = 4  # labels of cells


def shows_label(cells: pd.DataFrame, box: np.ndarray, window: np.ndarray) -> pd.Series:
    """Return, boolean (n,), whether each window shows a cell of the class of its image; NA where that is not known.

    cells: columns path, label (the image's), cell_label (text or NA). box, window int (n, 4): x0, y0, x1, y1 of each
    cell and of the window around it. A window shows a cell if at least SHOWN of the cell's box is inside. It is not
    known of a window that shows none, around a cell without a label.
    """
    label, known = cells["label"].to_numpy(str), cells["cell_label"].notna().to_numpy()
    shown = np.zeros(len(cells), bool)
    right = known & (cells["cell_label"].fillna("").to_numpy(str) == label)
    area = np.prod(box[:, 2:] - box[:, :2], axis=1)
    for rows in cells.groupby("path", sort=False).indices.values():
        own = rows[right[rows]]
        low = np.maximum(window[rows][:, None, :2], box[own][None, :, :2])  # (windows, cells, 2)
        high = np.minimum(window[rows][:, None, 2:], box[own][None, :, 2:])
        inside = np.prod(np.maximum(high - low, 0), axis=2) >= SHOWN * area[own]
        shown[rows] = (inside & (label[rows][:, None] == label[own])).any(1)
    return pd.Series(pd.array(shown, dtype="boolean"), index=cells.index).where(shown | known)


def wrongly_inherited(rows: pd.DataFrame) -> list[str]:
    """Return how often cells are not of the class of their image, where experts labelled cells by the same names; else
    that their labels are not learned."""
    known = rows[rows["cell_label"].notna() & (rows["level"] == "inherited") & (rows["label"] != UNLABELLED)]
    if not known["cell_label"].isin(rows["label"].unique()).any():
        return _not_learned(known["cell_label"])
    wrong = (known["cell_label"].astype("str") != known["label"].astype("str")).mean()
    if not wrong:
        return []
    note = (
        f"{wrong:.0%} of the {len(known):,} cells that an expert labelled are not of the class of their image, which "
        "they inherit: so many labels of cells are wrong"
    )
    missing = (~known["shows"]).mean() if known["shows"].notna().all() else wrong
    if f"{missing:.0%}" != f"{wrong:.0%}":
        note += f". {missing:.0%} of the windows around them show no cell of that class, as some take in a neighbour"
    return [note]


def _not_learned(labels: pd.Series) -> list[str]:
    names = labels.value_counts().index.tolist()
    if not names:
        return []
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    have = counted(len(labels), "cell has a label of its own", "cells have labels of their own")
    return [
        f"{have}, none of which is a class of the images ({', '.join(names[:NAMED])}{more}). They are not learned: a "
        "cell has the class of its image. To learn them, give a CSV with columns path,x0,y0,x1,y1,label as --data"
    ]
