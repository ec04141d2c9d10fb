"""What the shell completes: names of encoders and heads, the last of several with commas between.

Nothing is loaded but the registries, which import neither a deep-learning nor a table library.
"""

from __future__ import annotations

from collections.abc import Iterable


def encoder_words(incomplete: str) -> list[str]:
    """Return what a text that names encoders may go on as."""
    from encoders import PANELS, names

    return continued(incomplete, [*names(), *PANELS])


def head_words(incomplete: str) -> list[str]:
    """Return what a text that names heads may go on as."""
    from bench.fitting.finetune.recipe import KINDS
    from bench.heads import all_heads

    return continued(incomplete, [*all_heads(), *KINDS])


def continued(incomplete: str, names: Iterable[str]) -> list[str]:
    """Return the texts that end in one of the names, whose beginning is the last word of `incomplete`, sorted.

    Names that are given already are not proposed again.
    """
    before, comma, last = incomplete.rpartition(",")
    given = before.split(",")
    return sorted(f"{before}{comma}{name}" for name in names if name.startswith(last) and name not in given)
