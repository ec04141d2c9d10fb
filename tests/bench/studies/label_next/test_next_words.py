"""How items of a list are named: an image by its path, a cell or a tile also by its place in the image."""

from __future__ import annotations

import pandas as pd
import pytest

from bench.studies.label_next.page import item_words, items_words


@pytest.mark.parametrize(
    ("box", "one", "all_of_them"),
    [
        ([pd.NA] * 4, "a/1.png", "2 images"),
        ([0, 32, 32, 64], "a/1.png (0, 32, 32, 64)", "2 instances"),
    ],
)
def test_a_place_in_an_image_is_named_where_there_is_one(box, one, all_of_them):
    table = pd.DataFrame([["a/1.png", *box]] * 2, columns=["path", "x0", "y0", "x1", "y1"])
    assert [item_words(row) for row in table.to_dict("records")] == [one, one]
    assert items_words(table) == all_of_them
