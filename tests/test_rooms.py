"""The house rules: imports go down, encoders know nothing of bench, heavy libraries wait."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from bench import products

ROOT = Path(__file__).resolve().parents[1]
# A room imports from its own floor and from those before it.
FLOORS = (
    "errors", "seeds", "text", "shown", "progress", "statistics", "storage", "interop", "work", "images", "loops", "products", "solvers", "active", "data", "demo", "instances",
    "protocol", "embeddings", "heads", "runs", "fitting", "report", "request", "pipeline", "studies", "doctor", "api", "__init__",
    "cli", "__main__",
)  # fmt: skip
MAY_IMPORT_ENCODERS = {"embeddings", "request", "pipeline", "studies", "doctor", "api", "cli"}
BUT_NOT = {"store", "export", "inventory"}  # what lies between encoders and heads is plain data
HEAVY = {"torch", "timm", "open_clip", "torchvision", "xgboost", "faiss", "optuna", "lightly"}


def rooms(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def floor_of(path: Path) -> str:
    return path.relative_to(ROOT / "bench").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", rooms("bench"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_room_imports_only_from_floors_below(path):
    own = floor_of(path)
    assert own in FLOORS, f"{own} is no floor; give it a place in FLOORS"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "bench" and len(parts) > 1 and parts[1] in FLOORS:
            assert FLOORS.index(parts[1]) <= FLOORS.index(own), f"{own} imports {name}"


def test_no_two_rooms_import_each_other():
    known = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in rooms("bench")}
    graph = defaultdict(set)
    for name, path in known.items():
        graph[name] = {other for other in imports(path) if other in known and other != name}
        graph[name] -= {name.rpartition(".")[0]}  # of a package, whose __init__ gathers its rooms
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", rooms("bench"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_only_the_floors_that_extract_know_encoders(path):
    if floor_of(path) not in MAY_IMPORT_ENCODERS or (floor_of(path) == "embeddings" and path.stem in BUT_NOT):
        assert not {name for name in imports(path) if name.split(".")[0] == "encoders"}


def test_other_rooms_use_no_more_of_products_than_it_lists():
    for path in rooms("bench"):
        used = {name.split(".")[2] for name in imports(path) if name.startswith("bench.products.")}
        assert floor_of(path) == "products" or used <= set(products.__all__), path


@pytest.mark.parametrize("path", rooms("encoders"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_encoders_never_import_bench(path):
    assert not {name for name in imports(path) if name.split(".")[0] == "bench"}


@pytest.mark.parametrize("path", rooms("bench") + rooms("encoders"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_heavy_libraries_are_imported_where_they_are_used(path):
    assert not {name.split(".")[0] for name in imports(path, top_only=True)} & HEAVY


@pytest.mark.parametrize("module", ["bench.cli.app", "encoders", "bench.report.tables.leaderboard", "bench.report.html.report"])
def test_importing_a_front_door_loads_no_deep_learning_library(module):
    code = f"import sys, {module}; print(sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


MARKUP_OF_OURS = {"words.py:words_html", "charts.py:symbols", "render.py:render", "render.py:look", "confusion.py:_box", "audit.py:_box"}


def test_html_is_made_of_constants_and_what_they_are_formatted_with():
    """`Markup` trusts what it is given, so it is given literals; elsewhere only what was escaped or made here."""
    found = set()
    for path in (ROOT / "bench" / "report" / "html").rglob("*.py"):
        for function in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)):
            for node in ast.walk(function):
                called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Markup"
                if called and not all(isinstance(one, ast.Constant) for one in node.args):
                    found.add(f"{path.name}:{function.name}")
    assert found == MARKUP_OF_OURS


LOOPS = ("products", "solvers", "heads", "demo", "images")  # inner loops, whose functions pass arrays and numbers on
MANY = 13  # functions elsewhere with six positional parameters; not to grow


def positional(node: ast.FunctionDef) -> int:
    names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


@pytest.mark.parametrize("path", rooms("bench") + rooms("encoders"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_room_has_at_most_300_lines(path):
    assert len(path.read_text().splitlines()) <= 300


def named_by_recipes() -> list[str]:
    """Return the files to which CONTRIBUTING.md has something added."""
    named = re.findall(r"`((?:bench|encoders)/[\w/]+\.py)`", (ROOT / "CONTRIBUTING.md").read_text())
    return sorted({name for name in named if not name.endswith("/NAME.py")})


@pytest.mark.parametrize("name", named_by_recipes())
def test_a_file_that_a_recipe_adds_to_has_place_for_one_more(name):
    assert len((ROOT / name).read_text().splitlines()) <= 300 - 25


def test_functions_take_at_most_five_positional_arguments():
    many = [
        (positional(node), f"{path.relative_to(ROOT)}:{node.name}")
        for path in rooms("bench")
        if floor_of(path) not in (*LOOPS, "cli")  # a parameter of a command is an option
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and positional(node) > 5
    ]
    assert max(many, default=(0, ""))[0] <= 6 and len(many) <= MANY, many
