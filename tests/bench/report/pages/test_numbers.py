"""A number has one way to be printed, and one that is not known prints as nothing."""

from __future__ import annotations

from math import inf, nan

import pytest

from bench.report.pages import numbers
from bench.report.pages.numbers import Number, together
from bench.text import counted


@pytest.mark.parametrize(
    ("kind", "values", "text"),
    [
        ("points", (0.7149,), "71.5"), ("points", (-0.0004,), "0.0"), ("whole", (0.716,), "72"), ("rate", (0.4,), "40%"),
        ("interval", (0.66, 0.759), "66-76"), ("interval", (0.661, 0.759, 1), "66.1-75.9"),
        ("signed_interval", (-0.032, 0.09), "-3.2 to 9.0"), ("score", (0.715, 0.66, 0.76), "71.5 [66-76]"),
        ("chance", (0.71, 0.66, 0.76), "71% [66-76]"), ("gain", (0.024,), "+2.4"),
        ("difference", (0.024, 0.01, 0.04), "+2.4 [+1 to +4]"), ("decimal", (0.7094,), "0.709"), ("short", (0.05,), "0.05"),
        ("p_value", (0.02345,), "0.023"), ("places", (1.0, 3.0), "1-3"), ("open_interval", (0.28, 0.41), "[28-41]"),
        ("open_interval", (0.28, inf), "[28% or more]"), ("band", (0.0123, 0.0344), "0.012-0.034"),
    ],
)  # fmt: skip
def test_a_number_is_printed_in_its_way_and_nothing_is_where_it_is_not_known(kind, values, text):
    shown = getattr(numbers, kind)
    assert shown(*values) == text and isinstance(shown(*values), Number)
    unknown = shown(*(nan for value in values if isinstance(value, float)))
    assert unknown == "" and isinstance(unknown, Number)


def test_a_score_without_an_interval_stands_alone():
    assert numbers.score(0.715, nan, nan) == "71.5" and numbers.difference(0.024, nan, nan) == "+2.4"
    assert together(Number("37%"), Number("")) == "37%" and together(Number("37%"), Number("[28-41]")) == "37% [28-41]"


def test_one_is_singular_and_all_else_plural():
    assert [counted(n, "label") for n in (0, 1, 2, 12000)] == ["0 labels", "1 label", "2 labels", "12,000 labels"]
    assert counted(1, "class", "classes") == "1 class" and counted(3, "class", "classes") == "3 classes"
