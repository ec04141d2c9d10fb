"""The error that a user of an encoder can act on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches


class EncoderError(ValueError):
    """A foreseeable mistake; its text is for the user: value got, what was expected, what to do."""


def did_you_mean(value: str, choices: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" for the nearest of `choices`, or "" when none is near."""
    near = get_close_matches(value, list(choices), n=1, cutoff=0.6)
    return f", did you mean '{near[0]}'?" if near else ""


def meant_path(name: str) -> str:
    """Return what to write instead where the unknown name of an encoder is that of a folder or file, or ""."""
    if os.path.isdir(name):
        return f", which is a folder here. If it holds an encoder, write ./{name}."
    if name.endswith(".py"):
        return f"; expected {name}:NAME with an encoder that the file registers."
    if name.endswith((".csv", ".npz", ".parquet")):
        return f"; if it is a file of embeddings, write file:{name}."
    return ""
