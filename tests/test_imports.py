"""Every name that a file takes from the packages is there, also in scripts that no test runs."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for room in ("bench", "encoders", "tests") for path in (ROOT / room).rglob("*.py"))


@cache
def defined_in(module: str) -> frozenset[str]:
    """Return the names a module defines or hands on, and its submodules; none for a module that is not there."""
    base = ROOT.joinpath(*module.split("."))
    path = base.with_suffix(".py") if base.with_suffix(".py").exists() else base / "__init__.py"
    if not path.exists():
        return frozenset()
    names = {child.stem for child in base.glob("*.py")} | {child.name for child in base.glob("*/")}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return frozenset(names | {"__version__"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_file_imports_is_there(path):
    missing = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] in ("bench", "encoders")
        for alias in node.names
        if alias.name not in defined_in(node.module)
    ]
    assert not missing


def test_a_module_that_is_not_there_defines_nothing():
    assert not defined_in("bench.nowhere")
    assert importlib.util.find_spec("bench.nowhere") is None
    assert "run" in defined_in("bench.pipeline")
