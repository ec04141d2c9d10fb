"""Options on what is asked of every encoder and head: labels, draws, wrong labels, splits, settings.

They are made of the fields of `bench.protocol.protocol.Protocol`, where each is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from bench.cli.options.groups import STUDY, option
from bench.cli.options.reading import numbers, words
from bench.errors import BenchError
from bench.protocol.knob import Knob, knobs
from bench.protocol.protocol import Protocol

KNOBS = {name: (default, known) for name, default, known in knobs(Protocol)}
TYPES = get_type_hints(Protocol)


def declared(name: str) -> Any:
    """Return the declaration of the option of a field."""
    known = KNOBS[name][1]
    limit = {} if known.least is None else {"min": known.least}
    return option(known.group, known.help, f"--{option_name(name, known)}", value=known.value, **limit)


def option_name(name: str, known: Knob) -> str:
    """Return what the option of a field is called, without its dashes."""
    return known.option or name.replace("_", "-")


Shots = Annotated[str, declared("shots")]
Draws = Annotated[int | None, declared("draws")]
SupportGroups = Annotated[str, declared("support_groups")]
ScaleBy = Annotated[str, declared("scale_by")]
#: Of commands that draw something which is no draw of a protocol.
Seed = Annotated[int, option(STUDY, "Seed of everything that is drawn at random.", "--seed", value="N", min=0)]


class ProtocolOptions:
    """What was typed of the fields of a protocol: a bundle of options, see `bench.cli.command.flatten`."""

    def __init__(self, **typed: Any) -> None:
        self._typed = typed

    @classmethod
    def options(cls) -> dict[str, tuple[Any, Any]]:
        """Return the options: field -> (annotation, default)."""
        found: dict[str, tuple[Any, Any]] = {}
        for name, (default, known) in KNOBS.items():
            kind = _typed_as(name)
            text = known.typed if known.typed is not None else _as_typed(default)
            found[name] = Annotated[kind, declared(name)], text if kind is str else None
        return found

    @property
    def split(self) -> str:
        """The kind of split that was typed."""
        return str(self._typed["split"])

    def check_numbers(self) -> None:
        """Raise BenchError where one of several numbers is none; takes nothing to import."""
        for name in KNOBS:
            if _several(name) in (int, float):
                self._read(name)

    def protocol(self) -> Protocol:
        """Return what is asked of every encoder and head."""
        values = {name: self._read(name) for name in KNOBS}
        if values["tuned"]:
            values["select"] = tuple(dict.fromkeys([*values["select"], "tuned"]))
        return Protocol(**values)

    def _read(self, name: str) -> Any:
        """Return the value of a field."""
        given, several = self._typed[name], _several(name)
        if name in READ:
            return READ[name](given)
        if several in (int, float):
            return tuple(numbers(given, f"--{option_name(name, KNOBS[name][1])}", several))
        if several is str:
            return tuple(dict.fromkeys(words(given)))
        return tuple(given or ()) if several is Path else given


def _several(name: str) -> Any:
    """Return of what a field holds several, None where it holds one."""
    arguments = get_args(TYPES[name])
    return arguments[0] if arguments[1:] == (...,) else None


def _typed_as(name: str) -> Any:
    """Return the type of an option: repeated for files, a number or a text for one, a text with commas for several."""
    several = _several(name)
    if several is Path:
        return list[Path] | None
    return str if several or name in READ else TYPES[name]


def _as_typed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _read_confusable(text: str) -> Any:
    from bench.data.spellings import one_form
    from bench.protocol.confusion_targets import read_confusable

    return read_confusable(one_form(text))


READ: Mapping[str, Callable[[str], Any]] = {"confusable": _read_confusable}  # fields that are not read by their type


def one_number(text: str, option_name: str) -> int:
    """Return the only whole number of a text; BenchError where there are several, or none."""
    found = numbers(text, option_name, int)
    if len(found) != 1:
        raise BenchError(f"Got {option_name} '{text}'; expected one number, e.g. {option_name} 10.")
    return found[0]
