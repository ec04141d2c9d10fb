"""Heads of other packages: entry points in group `cell_classifier.heads`, each of which names a `Head`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import entry_points

from bench.errors import BenchError
from bench.heads.checked import checked
from bench.heads.contract import Head

GROUP = "cell_classifier.heads"


@dataclass(frozen=True, kw_only=True)
class Plugins:
    """What entry points give: heads by name, and by the name of the entry point why others cannot be used."""

    heads: dict[str, Head]
    problems: dict[str, str]


def load_plugins(taken: Collection[str]) -> Plugins:
    """Import every entry point. taken: the names of our own heads, which none of them replaces."""
    found = Plugins(heads={}, problems={})
    for point in entry_points(group=GROUP):
        try:
            head = checked(point.load())
            if head.name in taken or head.name in found.heads:
                raise BenchError(f"another head has the name '{head.name}'")
        except (Exception, SystemExit) as error:
            why = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
            found.problems[point.name] = f"The plug-in of head '{point.name}' ({point.value}) cannot be used: {why}"
        else:
            found.heads[head.name] = head
    return found
