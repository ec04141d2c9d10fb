"""Columns of text as Python's texts: the same as pandas says, and the names of content that follow from it."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.among import among
from bench.data.content import content_of, rows_of
from bench.data.label_boxes import BOX
from bench.data.masks_aside import ANY, masks_aside
from bench.seeds import content_name

TEXTS = st.lists(st.sampled_from(["a", "b", "é", "", "a/b.png"]), max_size=6)


@given(TEXTS, TEXTS)
def test_a_text_is_among_others_as_pandas_says(values, others):
    column = pd.Series(values, dtype="str")
    wanted = column.isin(others).tolist()
    assert among(column, others).tolist() == wanted
    assert among(column, pd.Series(others, dtype="str")).tolist() == wanted
    assert among(column, dict.fromkeys(others)).tolist() == wanted


@pytest.mark.parametrize("kind", ["str", "string", "object"])
def test_a_missing_text_is_among_no_others(kind):
    column = pd.Series(["a", pd.NA], dtype=kind)
    assert among(column, ["a"]).tolist() == [True, False]
    assert among(column, []).tolist() == [False, False]


def regions(boxes: list[tuple[int, int, int, int] | None]) -> pd.DataFrame:
    table = pd.DataFrame({"digest": [f"{i * 7 % 5}" for i in range(len(boxes))]}, dtype="str")
    for k, name in enumerate(BOX):
        table[name] = pd.Series([pd.NA if box is None else box[k] for box in boxes], dtype="Int64")
    table["label"] = pd.Series(["xy"[i % 2] for i in range(len(boxes))], dtype="str")
    return table


@pytest.mark.parametrize(
    "boxes",
    [
        [None] * 7,
        [(0, 0, 10, 9), (0, 0, 9, 10), (2, 0, 10, 9)] * 2,
        [(0, 0, 10, 9), None, (10, 0, 12, 9), None, None, (9, 0, 12, 9)],
    ],
)
def test_the_name_of_content_is_that_of_the_sorted_rows_whatever_way_it_is_made(boxes):
    table = regions(boxes)
    columns = ["digest", *BOX, "label"]
    known = table[columns].astype(object)
    rows = known.where(known.notna(), None).to_numpy().tolist()
    assert [list(row) for row in rows_of(table, columns)] == rows
    named = content_name(sorted(rows, key=lambda row: [(value is not None, value) for value in row]))
    assert content_of(table) == named
    assert content_of(table[::-1]) == named


@pytest.mark.parametrize(
    "name", ["x_MASK.png", "x_Labels.png", "LBL_x.png", "é_ſeg.png", "é_Outlines.png", "x_FLOWS.tif"]
)
def test_a_name_that_may_be_of_a_mask_is_seen_in_any_case_and_alphabet(name, monkeypatch):
    assert ANY.search(name)
    looked = []
    monkeypatch.setattr("bench.data.masks_aside.masks_beside", lambda paths: looked.append(list(paths)) or {})
    masks_aside([f"a/{name}", "a/b.png"], root=None)
    assert looked


def test_names_of_no_interest_are_not_held_against_each_other(monkeypatch):
    monkeypatch.setattr("bench.data.masks_aside.masks_beside", lambda paths: pytest.fail("was asked"))
    assert not masks_aside(["a/b.png", "a/é.png", "c/d.png"], root=None).masks
