"""Words of a page as plain text, for a terminal or a notebook; see `bench.report.pages.model`."""

from __future__ import annotations

import re

from bench.report.pages.model import Code, Inline, Words

_MARKS = re.compile(r"\*\*|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|`")  # of strong, emphasis and code, in templates of our own


def plain_words(words: Inline) -> str:
    """Return words as text: templates without their marks, filled with data as they are.

    >>> from bench.report.pages.model import say
    >>> plain_words(say("Best: *{encoder}* with {score}.", encoder=Code("a*b"), score="71"))
    'Best: a*b with 71.'
    """
    if isinstance(words, Words):
        values = {name: plain_words(value) for name, value in words.values.items()}
        return _MARKS.sub("", words.template).format(**values)
    return words.text if isinstance(words, Code) else str(words)
