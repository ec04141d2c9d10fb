"""Which images belong together: the slide, patient or culture of each, by a column or by a pattern of the path."""

from __future__ import annotations

import re
from collections import Counter
from unicodedata import normalize

import pandas as pd

from bench.data.spellings import alike, in_one_form, spelled, without_missing
from bench.errors import BenchError
from bench.images import split_series
from bench.text import counted_of

PATTERN = "([^/]+)__"  # of the examples: the slide is what stands before two underscores


def missing_groups(number: int, total: int, without: Counter[str]) -> str:
    """Return the sentence for rows without a group; without: how often each word for a missing value was found."""
    no_group = f"no group{spelled(without)}"
    rows = counted_of(number, total, f"rows has {no_group}: its image", f"rows have {no_group}: each of their images")
    return f"{rows} is a group of its own, which is over-optimistic if several come from one slide or patient"


def _what_to_do(paths: list[str]) -> str:
    """Return the option to give, and the pattern where names share what stands before two underscores."""
    found = [re.search(PATTERN, path) for path in paths]
    slides = {match[1] for match in found if match}
    if None in found or not 1 < len(slides) < len(paths):
        return " (--group-pattern)"
    return f"; if the {len(slides):,} names before '__' are slides, give --group-pattern '{PATTERN}'"


def groups_were_given(table: pd.DataFrame) -> bool:
    """Return whether any group of a dataset table (columns path, digest, group) is more than an image and its copies.

    Else no groups were given, and a table that is written of it names none, so that this is said of it again.
    """
    files = table["path"].map(lambda path: split_series(path)[0])
    named = table["group"].astype(str)
    contents = dict(zip(files, table["digest"], strict=True))
    return not ((named == files) | (named.map(contents) == table["digest"])).all()


def with_groups(table: pd.DataFrame, pattern: str | None, notes: list[str]) -> pd.DataFrame:
    """Return the table with a group in every row; an image without one is its own. Raises BenchError for a pattern that
    does not find a group in every path.
    """
    if pattern is not None:
        try:
            compiled = re.compile(normalize("NFC", pattern))
        except re.error as error:
            message = f"Got --group-pattern '{pattern}', not a regular expression ({error}). Try '{PATTERN}'."
            raise BenchError(message) from None
        part: str | int = "group" if "group" in compiled.groupindex else min(1, compiled.groups)
        matches = {path: compiled.search(normalize("NFC", path)) for path in table["path"].unique().tolist()}
        group = {path: match[part] for path, match in matches.items() if match and match[part] is not None}
        missed = sorted(matches.keys() - group.keys())
        if missed:
            how = "change it so that it matches these too, or rename these images" if group else f"try '{PATTERN}'"
            raise BenchError(
                f"Got --group-pattern '{pattern}', which does not match {len(missed):,} of {len(matches):,} paths, "
                f"e.g. '{missed[0]}'. Expected it to name a group in every path: {how}."
            )
        notes += alike(set(group.values()), "groups")
        named, without = without_missing(in_one_form(table["path"].map(group).astype("string")))
        if without:
            notes.append(missing_groups(int(named.isna().sum()), len(table), without))
        table = table.assign(group=named)
    elif table["group"].isna().all():
        notes.append(
            "no groups were given, so every image counts as a group of its own. This is over-optimistic if several "
            f"images come from one slide or patient{_what_to_do(table['path'].unique().tolist())}"
        )
    if table["group"].notna().all():
        return table
    file = table["path"].map(lambda path: split_series(path)[0])  # pictures of one file are of one slide
    return table.assign(group=table["group"].fillna(file))
