"""What a window shows is judged by the window."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.instances.shown import shows_label
from bench.instances.windows import Window, boxes_of_cells, cut_windows


def cells(*rows: tuple[object, ...]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["path", "label", "cell_label", "x0", "y0", "x1", "y1"])
    table = table.astype({"cell_label": "string"} | dict.fromkeys(["x0", "y0", "x1", "y1"], "Int64"))
    return table.assign(width=100, height=100, um_per_px=pd.NA)


FIELD = cells(
    ("1", "white", "white", 40, 40, 60, 60),
    ("1", "white", "red", 20, 40, 36, 56),  # beside the white cell
    ("1", "white", "red", 0, 80, 16, 96),  # far from it
    ("1", "white", None, 62, 40, 78, 56),  # beside it, of no known type
    ("1", "white", None, 80, 0, 96, 16),
    ("2", "white", "red", 40, 40, 56, 56),  # in an image without a labelled white cell
)


def shown(window: Window) -> list[object]:
    return shows_label(FIELD, boxes_of_cells(FIELD), cut_windows(FIELD, window, [])).tolist()


def test_a_window_that_takes_in_half_of_the_white_cell_beside_a_red_one_shows_it():
    assert shown(Window(44)) == [True, True, False, True, pd.NA, False]


def test_a_window_as_large_as_the_red_cell_shows_the_red_cell_alone():
    assert shown(Window(16)) == [True, False, False, pd.NA, pd.NA, False]
    assert shown(Window(None, "fit"))[:3] == [True, False, False]


def test_exactly_half_of_a_box_counts_and_less_does_not():
    pair = cells(("1", "white", "white", 40, 40, 60, 60), ("1", "white", "red", 20, 40, 40, 60))
    box = boxes_of_cells(pair)
    for edge, expected in ((50, True), (49, False)):
        window = np.array([[40, 40, 60, 60], [20, 40, edge, 60]])
        assert shows_label(pair, box, window).tolist() == [True, expected]


def test_a_cell_without_a_box_is_its_whole_image():
    alone = cells(("1", "white", "white", pd.NA, pd.NA, pd.NA, pd.NA))
    assert boxes_of_cells(alone).tolist() == [[0, 0, 100, 100]]
