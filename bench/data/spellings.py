"""One thing, several spellings: Unicode forms, spaces, words for a missing value, names that nearly agree."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: How R, Python, spreadsheets, databases and people write that there is no value, in lower case.
MISSING = frozenset({
    "", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "-nan", "nat", "none", "null", "nil", "#null!", "\\n",
    "missing", "unknown", "-", "--", "—", "–", "?", "??", ".",
})  # fmt: skip
#: Those that are never meant as a class: a class may well be called NA, None, - (negative) or unknown.
NEVER_A_CLASS = frozenset({"", "#n/a", "#na", "<na>", "nan", "-nan", "nat", "#null!"})
SHOWN = 3
MOST_COMPARED = 300_000  # names; these take a second


def one_form(text: str) -> str:
    """Return a name in Unicode form NFC without spaces at its ends: two spellings of one name become equal."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip()


def in_one_form(values: pd.Series) -> pd.Series:
    """Return text (or NA) with every value as `one_form` gives it."""
    return values.map({value: one_form(value) for value in values.dropna().unique()}).astype("string")


def without_missing(values: pd.Series, words: frozenset[str] = MISSING) -> tuple[pd.Series, Counter[str]]:
    """Return text with NA for words of a missing value, and how often each was found, as it is spelled ("": empty)."""
    spelled = {value for value in values.dropna().unique() if value.lower() in words}
    found = Counter(values[values.isin(spelled)].tolist())
    if values.isna().any():
        found[""] += int(values.isna().sum())
    return (values.mask(values.isin(spelled)) if spelled else values), found


def spelled(found: Counter[str]) -> str:
    """Return " ('NA' 10, empty 2)", how missing values are spelled; "" where all are empty."""
    if not set(found) - {""}:
        return ""
    listed = (f"{repr(word) if word else 'empty'} {count:,}" for word, count in found.most_common())
    return f" ({', '.join(listed)})"


def alike(names: Iterable[str], what: str) -> list[str]:
    """Return a sentence for names that differ in case or in how a number is written; what: 'classes' or 'groups'."""
    found = []
    names = sorted(set(names))
    if len(names) > MOST_COMPARED:
        return []
    for key, differ in (
        (str.casefold, "in case only"),
        (_number, "only in how a number is written"),
        (_visible, "only in characters that cannot be seen"),
    ):
        keys = list(map(key, names))
        if len(set(keys)) < len(names):
            sets: dict[str, list[str]] = {}
            for name, common in zip(names, keys, strict=True):
                sets.setdefault(common, []).append(name)
            pairs = [same for same in sets.values() if len(same) > 1]
            first = " and ".join(ascii(name) if key is _visible else f"'{name}'" for name in pairs[0][:SHOWN])
            more = f" (and {len(pairs) - 1} more such)" if len(pairs) > 1 else ""
            found.append(f"{what} {first} differ {differ}{more} and count as {len(pairs[0])}: are they one?")
    return found


def column_name(text: str) -> str:
    """Return the name of a column as it is looked up: 'Image Path' is image_path."""
    return re.sub(r"[\s\-]+", "_", one_form(text).lower())


def pick(given: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return those of `names` that are among the given, in the order of names."""
    return [name for name in names if name in given]


def _visible(name: str) -> str:
    """Return a name without characters that have no width, and with every space as one."""
    if name.isascii() and name.isprintable():
        return name
    return "".join(" " if mark.isspace() else mark for mark in name if unicodedata.category(mark) not in ("Cf", "Cc"))


def _number(name: str) -> str:
    """Return one text for '1', '01', '1.0'; the name itself where it is no number."""
    if not re.fullmatch(r"[+-]?\d+(\.\d*)?", name):
        return name
    whole, _, part = name.lstrip("+").partition(".")
    return f"{whole.lstrip('0') or '0'}.{part.rstrip('0')}"
