"""Words for people: text from files in one line of visible characters (`plain`), and how many of something there are.

Names of classes, files, groups, channels and encoders come from other people's folders and tables. Shown raw, an escape
sequence may clear a terminal, a line break may forge a line of a report, and a bidirectional control may make a name
read as another. What a reader would not see is shown as Python writes it: a line break as \\n, an escape as \\x1b.
"""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"  # zero width; part of the spelling of some scripts, and of composed emoji


def plain(text: str) -> str:
    """Return text without line breaks, controls, bidirectional or other invisible characters, which are spelt out.

    Text that has none comes back as it is, and what comes back has none, so that twice is the same as once. A name
    that is no valid text (a file name in another encoding) is shown with its bytes spelt out.
    """
    if text.isprintable():
        return text
    return "".join(c if _is_seen(text, i) else _spelt(c) for i, c in enumerate(text))


def sentence(text: str) -> str:
    """Return text with a full stop, where it does not end in one or in a question mark."""
    return text if text.endswith((".", "?")) else f"{text}."


def as_sentence(text: str) -> str:
    """Return `sentence(text)` with a capital letter where it begins with a plain word, and not with a name in quotation
    marks, of a file or with digits."""
    first = text.partition(" ")[0]
    return sentence(text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text)


def encodable(text: str, encoding: str) -> str:
    """Return text with the characters that an encoding lacks spelt out."""
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:  # an encoding that Python does not know
        return text.encode("ascii", "backslashreplace").decode("ascii")


def _is_seen(text: str, i: int) -> bool:
    c = text[i]
    if c in JOINERS:
        return 0 < i < len(text) - 1 and all(ord(beside) > 127 for beside in (text[i - 1], text[i + 1]))
    return c.isprintable() or unicodedata.category(c) == "Zs"  # other spaces are seen as spaces


def _spelt(c: str) -> str:
    return c.encode("unicode_escape").decode("ascii")


def counted(number: int, one: str, many: str = "") -> str:
    """Return how many there are of something, e.g. '1 file', '1,200 files'; many: the plural where it is no mere s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def counted_of(number: int, total: int, one: str, many: str) -> str:
    """Return how many of all there are, e.g. '1 of 12 rows has no group', '2 of 12 rows have no group'."""
    return f"{number:,} of {total:,} {one if number == 1 else many}"
