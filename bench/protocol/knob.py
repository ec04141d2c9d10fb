"""A knob of the protocol: a field that a user can turn, declared once with the words in which help speaks of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Group = Literal["Basic options", "Labels and draws", "Wrong labels", "Heads and their settings"]


@dataclass(frozen=True, kw_only=True)
class Knob:
    """What is said of a field. group: where help shows it; value: the word for its value there.

    option: what its option is called, where not as the field; typed: its default as it is typed, where the command line
    has another than the function. least: the smallest number it may be. marks: whether the fits are others where it is
    turned, so that it has to be in their names; fields that take part in them in another way do not say so.
    """

    group: Group
    help: str
    value: str
    option: str = ""
    typed: str | None = None
    least: int | None = None
    marks: bool = False


def knob(
    default: Any, group: Group, help_text: str, *, value: str, option: str = "", typed: str | None = None,
    least: int | None = None, marks: bool = False,
) -> Any:  # fmt: skip
    """Return a field of a dataclass that is a knob, with its default."""
    known = Knob(group=group, help=help_text, value=value, option=option, typed=typed, least=least, marks=marks)
    return field(default=default, metadata={"knob": known})


def knobs(protocol: Any) -> Iterator[tuple[str, Any, Knob]]:
    """Yield (field, default, what is said of it) of a dataclass, or of one of its kind, in order."""
    for one in fields(protocol):
        if "knob" in one.metadata:
            yield one.name, one.default, one.metadata["knob"]


def turned(protocol: Any) -> dict[str, Any]:
    """Return name -> value of the knobs that mark fits, where they are not at their default; the name is in words."""
    values = ((name, getattr(protocol, name), default) for name, default, known in knobs(protocol) if known.marks)
    return {name.replace("_", " "): value for name, value, default in values if value != default}
