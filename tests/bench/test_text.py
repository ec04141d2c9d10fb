"""Any text becomes one line of characters that a reader sees."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.text import as_sentence, counted_of, encodable, plain

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)  # surrogates too
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(ANY)
def test_what_comes_back_is_one_line_of_seen_characters_and_stays_as_it_is(text):
    shown = plain(text)
    assert plain(shown) == shown and len(shown.splitlines()) <= 1
    assert not {unicodedata.category(c) for c in shown} & UNSEEN - {"Cf"}
    assert not set(shown) & set("\x1b\n\r\t\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u00ad")


@given(ANY, st.sampled_from(["ascii", "cp1252", "utf-8", "shift-jis", "no such encoding"]))
def test_what_is_encodable_can_be_encoded_by_that_encoding(text, encoding):
    shown = encodable(plain(text), encoding)
    assert isinstance(shown.encode("ascii" if encoding.startswith("no") else encoding), bytes)


def test_names_as_people_write_them_stay_as_they_are():
    for name in ("CD4[high]", "β-Zelle", "赤血球", "عصبون", "نمی‌دانم", "a\u00a0b", "x" * 300, "R&D <5 µm>", ""):
        assert plain(name) == name


def test_what_is_not_seen_is_spelt_out():
    assert plain("a\x1b[2J") == "a\\x1b[2J" and plain("a\nb\r\tc") == "a\\nb\\r\\tc"
    assert plain("a\u202ecod.exe") == "a\\u202ecod.exe"
    assert plain("caf\udce9") == "caf\\udce9"
    assert plain("a\u200db") == "a\\u200db"  # two names that look alike
    assert encodable("α-cell", "cp1252") == "\\u03b1-cell"


@pytest.mark.parametrize(
    ("text", "said"),
    [("no groups were given", "No groups were given."), ("a.csv is not used", "a.csv is not used."), ("'a' is odd?", "'a' is odd?"),
     ("s1 is small", "s1 is small."), ("Every one.", "Every one."), ("", ".")],
)  # fmt: skip
def test_a_sentence_begins_with_a_capital_unless_a_name_begins_it(text, said):
    assert as_sentence(text) == said


def test_one_of_many_is_said_as_one():
    assert counted_of(1, 1200, "rows has no group", "rows have no group") == "1 of 1,200 rows has no group"
    assert counted_of(2, 3, "rows has no group", "rows have no group") == "2 of 3 rows have no group"
