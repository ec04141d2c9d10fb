"""Bag heads: classical models that learn from labels of images and answer for images and for cells.

One file is one family; the folder is the registry, as in `bench.heads`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import chain
from pkgutil import iter_modules

from bench.errors import BenchError, did_you_mean
from bench.heads import get_heads
from bench.studies.granularity.heads.contract import BagHead, BagScored, Draw

ALL = "all"
__all__ = ["BagHead", "BagScored", "Draw", "all_bag_heads", "get_bag_heads"]


@cache
def all_bag_heads() -> Mapping[str, BagHead]:
    """Return every bag head by name, sorted."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    heads = [head for module in modules for head in getattr(module, "HEADS", ())]
    return {head.name: head for head in sorted(heads, key=lambda head: head.name)}


def get_bag_heads(names: Sequence[str]) -> list[BagHead]:
    """Return the named bag heads in the order given, each once; NAME:HEAD rests NAME on a head of `bench.heads`, and
    `all` stands for every one.

    BenchError names the unknown one and the nearest known.
    """
    known = all_bag_heads()
    found = {}
    for text in chain.from_iterable(known if name == ALL else (name,) for name in names):
        name, _, base = text.partition(":")
        if name not in known:
            hint = did_you_mean(name, known) or "."
            raise BenchError(f"Got bag head '{name}'{hint} Expected some of: {', '.join(known)}, or {ALL}.")
        head = known[name]
        if base:
            if "base" not in head.settings:
                able = ", ".join(other for other, its in known.items() if "base" in its.settings)
                raise BenchError(f"Got bag head '{text}', which rests on no other head; expected {name}, or {able}.")
            head = head.with_base(get_heads([base])[0].name)
        found[head.name] = head
    return list(found.values())
