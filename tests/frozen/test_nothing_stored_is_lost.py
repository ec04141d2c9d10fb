"""Names and tables are what they were: what is stored is found again. `products.py` says how a meant change is taken in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import products  # noqa: E402

#: How far apart two processors may be: they add in another order, so that logistic regression ends elsewhere in the fifth
#: digit and a tie falls otherwise. Of `FEW` rows of a column anything may come of it. Columns that hang on a draw from a
#: normal distribution, or on whether a difference is beyond its limit, have a distance of their own.
NEAR, FEW = 1e-4, 0.1
ROUNDED = {"rank_low": 0, "rank_high": 0, "p_best": 0.01, "p_near": 0.01, "p_joint": 0.05}
NAMES = json.loads((HERE / "names.json").read_text())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("frozen")


@pytest.fixture(scope="module")
def stored(place):
    return products.stored_names(place)


@pytest.mark.parametrize("what", NAMES)
def test_what_is_stored_has_the_names_it_had(stored, what):
    assert stored[what] == NAMES[what]


def test_no_name_is_given_twice():
    units = {what: names for what, names in NAMES["units"].items()}
    for names in units.values():
        assert len(set(names)) == len(names)
    assert len(set(NAMES["embeddings"].values())) == len(NAMES["embeddings"])


def test_tables_of_a_run_hold_what_they_held(place):
    made = products.tables_of(products.small_run(place))
    assert {f"{name}" for name in made} == {path.name for path in (HERE / "run").iterdir()}
    for name, table in made.items():
        before = pd.read_csv(HERE / "run" / name)
        assert list(table.columns) == list(before.columns)
        numbers = [column for column in table.select_dtypes("floating")] + [name for name in ROUNDED if name in table]
        exact = [column for column in table if column not in numbers]
        pd.testing.assert_frame_equal(table[exact], before[exact], check_dtype=False)
        for column in numbers:
            assert (table[column].isna() == before[column].isna()).all(), column
            other = (table[column] - before[column]).abs() > ROUNDED.get(column, NEAR)
            assert other.mean() < FEW, column
