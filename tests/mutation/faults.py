"""Small faults that could be made by hand, one at a time, in the source of the packages."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Pow: ast.Mult,
}  # fmt: skip
JOINED = {ast.And: ast.Or, ast.Or: ast.And}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
ATTRIBUTES = {
    **FUNCTIONS, "argmin": "argmax", "argmax": "argmin", "sum": "mean", "mean": "sum", "floor": "ceil", "ceil": "floor",
    "minimum": "maximum", "maximum": "minimum", "nanmean": "nanmax", "cumsum": "cumprod", "train": "test", "test": "train",
    "union1d": "intersect1d", "startswith": "endswith", "nlargest": "nsmallest",
}  # fmt: skip
UNSEEN = {"VERSION", "FORMAT", "LEDGER_FORMAT", "version"}  # numbers that say that something changed, and sizes of work
WORK = {"BLOCK", "BUDGET", "CHUNK", "STEP", "PROCESS", "SHARE"}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A piece of source from (line, column) to (line, column), counted from 1 and in bytes from 0, and what replaces it.

    called: whether it is part of a function that Python runs, and not of what is done at import or compiled.
    """

    path: Path
    start: tuple[int, int]
    end: tuple[int, int]
    was: str
    now: str
    called: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.start[0]}: `{self.was}` becomes `{self.now}`"

    def applied(self, source: str) -> str:
        """Return the source with the fault in it."""
        lines = source.encode().splitlines(keepends=True)
        first, last = self.start[0] - 1, self.end[0] - 1
        changed = lines[first][: self.start[1]] + f"({self.now})".encode() + lines[last][self.end[1] :]
        return b"".join([*lines[:first], changed, *lines[last + 1 :]]).decode()

    def is_source(self, root: Path) -> bool:
        """Return whether the file can still be read with the fault in it: not where the piece is part of a text."""
        try:
            ast.parse(self.applied((root / self.path).read_text()))
        except SyntaxError:
            return False
        return True


def faults_of(root: Path, path: Path) -> Iterator[Fault]:
    """Yield the faults of one file below `root`, in the order of the source."""
    source = (root / path).read_text()
    tree = ast.parse(source)
    bodies = [(node.body[0].lineno, node.end_lineno or 0) for node in ast.walk(tree) if _runs(node)]
    for node, changed in _changes(tree):
        was = ast.get_source_segment(source, node)
        now = ast.unparse(changed)
        if was is None or node.end_lineno is None or node.end_col_offset is None:
            continue
        place = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
        called = any(first <= node.lineno <= last for first, last in bodies)
        yield Fault(path=path, start=place[0], end=place[1], was=" ".join(was.split()), now=now, called=called)


def _runs(node: ast.AST) -> TypeGuard[ast.FunctionDef]:
    """Return whether a node is a function that Python runs."""
    return isinstance(node, ast.FunctionDef) and not any(
        "compiled" in ast.unparse(name) for name in node.decorator_list
    )


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield (expression, the same with a fault) of everything below a node that computes."""
    if isinstance(node, ast.expr):
        yield from _faulty(node)
    for name, value in ast.iter_fields(node):
        if _idle(node, name):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _quiet(child):
                yield from _changes(child)


def _idle(node: ast.AST, name: str) -> bool:
    """Return whether a field is an annotation or a decorator, where no number is made."""
    return name in ("annotation", "returns", "decorator_list", "type_params")


def _quiet(node: ast.AST) -> bool:
    """Return whether a node is a message, an import, a text, or a number that only says what changed or how much at once."""
    if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Assert):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.keyword):
        return node.arg in UNSEEN
    names = {target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)}
    return bool(names & (UNSEEN | WORK))


def _faulty(node: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    def other(**fields: object) -> ast.expr:
        changed = copy.deepcopy(node)
        for name, value in fields.items():
            setattr(changed, name, value)
        return changed

    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        yield node, other(ops=[COMPARED[type(node.ops[0])](), *node.ops[1:]])
    elif isinstance(node, ast.BinOp) and type(node.op) in COMPUTED and not _of_text(node):
        yield node, other(op=COMPUTED[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield node, other(op=JOINED[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node, node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield node, ast.Constant(node.value + 1 if isinstance(node.value, int) else 2 * node.value + 0.1)
    elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
        yield node, other(attr=ATTRIBUTES[node.attr])
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in FUNCTIONS:
        yield node, other(id=FUNCTIONS[node.id])
    elif isinstance(node, ast.IfExp):
        yield node, other(body=node.orelse, orelse=node.body)


def _of_text(node: ast.BinOp) -> bool:
    """Return whether an operand is a text, as of paths and messages."""
    return any(
        isinstance(side, ast.JoinedStr | ast.List | ast.Tuple)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes))
        for side in (node.left, node.right)
    )
