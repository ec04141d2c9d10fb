"""What the page may ask to be done, whoever brings it: a server of this computer, or the kernel of a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from bench.studies.label.labelling import Labelling


class MalformedError(Exception):
    """Something was asked in a way in which the page never asks."""


def _press(labelling: Labelling, said: Mapping[str, Any]) -> Mapping[str, Any]:
    items, code = said.get("items"), said.get("label")
    if not isinstance(items, list) or not all(type(one) is int for one in [*items, code]):
        raise MalformedError("items and label have to be whole numbers")
    return labelling.press(items, int(str(code)))


def _add_class(labelling: Labelling, said: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(name := said.get("name"), str):
        raise MalformedError("name has to be a text")
    return labelling.add_class(name)


#: By the word that is asked, what is done and what the page is told of it.
DEEDS: Mapping[str, Callable[[Labelling, Mapping[str, Any]], Mapping[str, Any]]] = MappingProxyType({
    "press": _press, "undo": lambda labelling, said: labelling.undo(), "class": _add_class,
})  # fmt: skip
