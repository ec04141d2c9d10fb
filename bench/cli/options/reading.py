"""How the text of an option is read."""

from __future__ import annotations

from typing import TypeVar

from bench.data.spellings import one_form
from bench.errors import BenchError

Number = TypeVar("Number", int, float)


def words(text: str) -> list[str]:
    """Return the words of a comma-separated text, each in the spelling in which names of classes are kept."""
    return [one_form(word) for word in text.split(",") if word.strip()]


def numbers(text: str, option: str, kind: type[Number]) -> list[Number]:
    """Return the numbers of a comma-separated text, rising, each once."""
    try:
        return sorted({kind(word) for word in words(text)})
    except ValueError:
        example = "1,5,10" if kind is int else "0,0.2,0.4"
        raise BenchError(
            f"Got {option} '{text}'; expected numbers separated by commas, e.g. {option} {example}."
        ) from None
