"""CSV: nothing that a spreadsheet runs, and what was written is what is read."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from bench.storage.tables import FORMULA, csv_bytes, parse_csv, read_csv, write_csv
from bench.text import plain

TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
VALID = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)  # pandas takes no other names of columns
HOSTILE = st.one_of(TEXT, st.tuples(st.sampled_from([*"=+-@'\t\r", "\uff1d"]), TEXT).map("".join))


@given(
    st.lists(HOSTILE, min_size=1, max_size=5), st.tuples(st.sampled_from(["", *"=+-@'\t\r", "\uff1d"]), VALID).map("".join)
)
def test_no_cell_or_header_begins_a_formula_or_holds_an_escape(texts, header):
    table = pd.DataFrame({header: pd.Series(texts, dtype=object), "n": range(len(texts))})
    rows = list(csv.reader(io.StringIO(csv_bytes(table).decode(), newline="")))
    assert len(rows) == len(texts) + 1
    for row in rows:
        assert not row[0].startswith((*FORMULA, "\t", "\r")) and plain(row[0]) == row[0]


def test_names_come_back_as_they_were_written(tmp_path):
    names = ["=cmd|'/c calc'!A1", "-1+1", "@SUM(1)", "'=x", "''", "NA", "nan", "None", "a,b", 'say "a"', "β"]
    table = pd.DataFrame({"=head": names, "score": [np.nan, np.inf, *np.linspace(-1, 1, len(names) - 2)]})
    write_csv(tmp_path / "t.csv", table)
    back = read_csv(tmp_path / "t.csv")
    assert back["=head"].tolist() == names
    assert np.isnan(back["score"][0]) and np.isinf(back["score"][1]) and back["score"].iloc[2] == -1


def test_an_empty_field_is_missing_or_an_empty_text_as_asked_for(tmp_path):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"a": ["x", ""], "b": [1, 2]}))
    assert read_csv(tmp_path / "t.csv")["a"].isna().tolist() == [False, True]
    assert read_csv(tmp_path / "t.csv", empty_is_text=True)["a"].tolist() == ["x", ""]


def test_numbers_are_not_marked():
    assert (
        csv_bytes(pd.DataFrame({"x": [-1.5, -2.0], "n": [-1, 2], "t": [True, False]}))
        == b"x,n,t\n-1.5,-1,True\n-2,2,False\n"
    )


def test_a_column_of_texts_that_look_like_numbers_comes_back_as_texts_where_that_is_said():
    table = pd.DataFrame({"class": ["01", "02", None], "n": [1, 2, 3]})
    assert parse_csv(csv_bytes(table), texts=["class", "not there"])["class"].tolist()[:2] == ["01", "02"]
    assert parse_csv(csv_bytes(table), texts=["class"])["class"].isna().tolist() == [False, False, True]
    assert parse_csv(csv_bytes(table))["class"].tolist()[:2] == [1.0, 2.0]
