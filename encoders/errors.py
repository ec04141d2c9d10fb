"""The error that a user of an encoder can act on."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EncoderError(ValueError):
    """A foreseeable mistake; its text is for the user: value got, what was expected, what to do."""


def did_you_mean(value: str, choices: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" for the nearest of `choices`, or "" when none is near."""
    near = get_close_matches(value, list(choices), n=1, cutoff=0.6)
    return f", did you mean '{near[0]}'?" if near else ""
