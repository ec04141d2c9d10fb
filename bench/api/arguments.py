"""What a caller gave, checked: one value stands for a list of one, and a wrong one is named with what was expected."""

from __future__ import annotations

import inspect
import operator
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from bench.data.spellings import one_form
from bench.errors import BenchError
from bench.storage.buckets.address import TAKEN_BY, is_address
from bench.text import plain
from encoders import find_placement, split_names

PathLike = str | os.PathLike[str]
Number = TypeVar("Number", int, float)
WATCHED = ("progress", "workers", "memory")
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


def wrong(name: str, value: object, expected: str) -> BenchError:
    """Return the error for an argument: its name, its value, what was expected."""
    return BenchError(f"Got {name}={plain(' '.join(_short.repr(value).split()))}; expected {expected}.")


def texts(value: object, name: str, example: str) -> list[str]:
    """Return texts; one stands for a list of one."""
    expected = f"names as text, e.g. {name}={example}"
    several = _several(value, (str,), name, expected)
    if not all(isinstance(one, str) for one in several):
        raise wrong(name, value, expected)
    return several


def words(value: object, name: str, example: str) -> list[str]:
    """Return texts, each once, in the spelling in which names are kept; one may hold several with commas between."""
    pieces = (piece for one in texts(value, name, example) for piece in one.split(","))
    return list(dict.fromkeys(one_form(piece) for piece in pieces if piece.strip()))


def encoder_names(value: object, name: str = "encoders") -> list[str]:
    """Return names of encoders or variants; one text may hold several with commas between."""
    return [found for one in texts(value, name, "['dino', 'texture']") for found in split_names(one)]


def whole_numbers(value: object, name: str, example: str) -> tuple[int, ...]:
    """Return whole numbers, rising, each once."""
    return _rising(value, name, f"whole numbers from 1, e.g. {name}={example}", _whole)


def shares(value: object, name: str) -> tuple[float, ...]:
    """Return numbers, rising, each once."""
    return _rising(value, name, f"numbers from 0 to 1, e.g. {name}=[0, 0.2, 0.4]", _number)


def whole_or_none(value: object, name: str) -> int | None:
    """Return a whole number from 1, or None."""
    if value is None:
        return None
    try:
        number = _whole(value)
    except TypeError:
        number = 0
    if number < 1:
        raise wrong(name, value, "a whole number from 1, or None")
    return number


def seed(value: object, name: str) -> int:
    """Return a whole number from 0."""
    try:
        number = _whole(value)
    except TypeError:
        number = -1
    if number < 0:
        raise wrong(name, value, "a whole number from 0")
    return number


def number_or_none(value: object, name: str) -> float | None:
    """Return a number from 0, or None."""
    if value is None:
        return None
    expected = "a number, e.g. 8, or None"
    numbers = _rising(value, name, expected, _number)
    if len(numbers) != 1:
        raise wrong(name, value, expected)
    return numbers[0]


def flag(value: object, name: str) -> bool:
    """Return True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise wrong(name, value, "True or False")
    return bool(value)


def text_or_none(value: object, name: str) -> str | None:
    """Return a text, or None."""
    if value is not None and not isinstance(value, str):
        raise wrong(name, value, "a text, or None")
    return value


def text(value: object, name: str, example: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise wrong(name, value, f"a text, e.g. {example!r}")
    return value


def device(value: object, name: str) -> str:
    """Return where something runs, as text; EncoderError for a device that is not there."""
    found = text(value, name, "cuda")
    if found not in ("auto", "cpu"):
        find_placement(found, 1)
    return found


def path(value: object, name: str) -> Path:
    """Return a path, ~ replaced by the home folder."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise wrong(name, value, "a path, as text or pathlib.Path")
    if "\0" in os.fspath(value):
        raise wrong(name, value, "a path without the character 0, which no file's name can hold")
    if value == "":  # pathlib would take it for the folder that Python runs in
        raise wrong(name, value, "a path; '.' is the folder that Python runs in")
    if is_address(value):
        raise wrong(name, value, f"a local path; addresses of object stores are for --data and --out of {TAKEN_BY}")
    return Path(value).expanduser()


def path_or_none(value: object, name: str) -> Path | None:
    """Return a path, or None."""
    return None if value is None else path(value, name)


def paths(value: object, name: str) -> tuple[Path, ...]:
    """Return paths; one stands for a list of one."""
    return tuple(path(one, name) for one in _several(value, (str, os.PathLike), name, "paths"))


def call_text(function: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """Return a call as it may be typed: what was given other than the defaults, but for how it was watched."""
    typed = []
    for name, known in inspect.signature(function).parameters.items():
        value = given[name]
        text = getattr(value, "typed", None) or repr(str(value) if isinstance(value, os.PathLike) else value)
        if known.default is inspect.Parameter.empty:
            typed.append(text)
        elif name not in WATCHED and text != repr(known.default):
            typed.append(f"{name}={text}")
    return f"bench.{function.__name__}({', '.join(typed)})"


def _rising(value: object, name: str, expected: str, read: Callable[[Any], Number]) -> tuple[Number, ...]:
    several = _several(value, (int, float, np.number), name, expected)
    try:
        return tuple(sorted({read(one) for one in several}))
    except (TypeError, ValueError):
        raise wrong(name, value, expected) from None


def _whole(value: Any) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise TypeError
    return operator.index(value)


def _number(value: Any) -> float:
    if isinstance(value, (bool, np.bool_, str)):
        raise TypeError
    return float(value)


def _several(value: object, one: tuple[type, ...], name: str, expected: str) -> list[Any]:
    """Return the items of a value, or itself as the only one."""
    if isinstance(value, one):
        return [value]
    if isinstance(value, (str, bytes, dict, pd.DataFrame)) or not isinstance(value, Iterable):
        raise wrong(name, value, expected)
    return list(value)
