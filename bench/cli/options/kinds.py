"""Help that lists the kinds of something: their table, which takes long to import, is asked where help is shown."""

from __future__ import annotations

import re
from importlib import import_module

#: What stands in a help text for a list of kinds, and where their table is: names to entries that have `brief`.
TABLES = {
    "noise kinds": ("bench.protocol.noise", "KINDS"),
    "split kinds": ("bench.protocol.split_kinds", "SPLIT_KINDS"),
    "selection kinds": ("bench.fitting.selection", "WAYS"),
}
_LIST = re.compile(rf"{{({'|'.join(TABLES)})}}")


def with_kinds(text: str) -> str:
    """Return a help text with its lists of kinds, each as `name (what it is)`."""
    return _LIST.sub(lambda found: _listed(found[1]), text)


def without_kinds(text: str) -> str:
    """Return what a help text says before its list of kinds, for where there is no time to look them up."""
    return _LIST.split(text)[0].rstrip(": ")


def _listed(name: str) -> str:
    module, table = TABLES[name]
    return ", ".join(f"{kind} ({known.brief})" for kind, known in getattr(import_module(module), table).items())
