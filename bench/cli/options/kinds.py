"""Help that lists the kinds of something: their table is read and not imported, which would bring libraries along."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

#: What stands in a help text for a list of kinds, and where their table is: names to entries with `brief="..."`.
TABLES = {
    "noise kinds": ("bench.protocol.noise", "KINDS"),
    "split kinds": ("bench.protocol.split_kinds", "SPLIT_KINDS"),
    "selection kinds": ("bench.fitting.selection", "WAYS"),
    "maps": ("bench.report.html.embedding_map", "WAYS"),
    "engines": ("bench.work.engines", "ENGINES"),
    "orders": ("bench.studies.label.orders", "ORDERS"),
    "strategies": ("bench.active.strategies", "STRATEGIES"),
}
_LIST = re.compile(rf"{{({'|'.join(TABLES)})}}")


def with_kinds(text: str) -> str:
    """Return a help text with its lists of kinds, each as `name (what it is)`."""
    return _LIST.sub(lambda found: ", ".join(f"{kind} ({brief})" for kind, brief in kinds_of(found[1]).items()), text)


def without_kinds(text: str) -> str:
    """Return what a help text says before its list of kinds."""
    return _LIST.split(text)[0].rstrip(": ")


def kinds_of(name: str) -> dict[str, str]:
    """Return kind -> what it is in a few words, of one of TABLES."""
    module, table = TABLES[name]
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    [value] = [
        node.value for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == table
    ]  # fmt: skip
    entries = next(node for node in ast.walk(value or tree) if isinstance(node, ast.Dict))  # the outermost comes first
    found: dict[str, str] = {}
    for key, entry in zip(entries.keys, entries.values, strict=True):
        assert isinstance(key, ast.Constant) and isinstance(entry, ast.Call)
        [brief] = [one.value for one in entry.keywords if one.arg == "brief"]
        found[str(key.value)] = ast.literal_eval(brief)
    return found
