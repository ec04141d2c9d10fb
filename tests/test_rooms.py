"""The house rules: imports go down, encoders know nothing of bench, heavy libraries wait."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEVELS = {
    0: {"errors", "seeds", "backend", "ladder", "atomic", "shards", "shard_index", "claims", "locks"},
    1: {"images", "folds", "linalg", "scaling"},
    2: {"label_csv", "label_folder", "manifest", "datasets", "instances", "check", "demo", "episodes", "budget", "halves", "noise", "partners", "instance_noise", "foreign", "mistakes", "sources", "metrics", "prompts"},
    3: {"store", "ledger", "export"},
    4: {"inventory", "heads"},
    5: {"prepare", "pixels", "inputs", "gate", "extract", "selection", "transfer", "tuned", "sweep", "fit", "schedule", "forecast", "ensembles", "zero_shot"},
    6: {"statistics", "robustness", "leak", "leaderboard", "markdown", "write_up", "console", "study", "proxies"},
    7: {"listing", "embed", "pipeline", "tune"},
    8: {"options", "run_cli", "cli", "store_cli", "tune_cli", "proxies_cli", "__main__", "__init__"},
}
LEVEL_OF = {name: level for level, names in LEVELS.items() for name in names}
# Within a level these lean on each other in one direction only.
BESIDE = {
    ("datasets", "manifest"), ("datasets", "label_csv"), ("datasets", "label_folder"),
    ("label_folder", "label_csv"), ("label_folder", "manifest"), ("instances", "datasets"), ("check", "datasets"), ("check", "manifest"),
    ("budget", "episodes"), ("sources", "episodes"), ("check", "sources"), ("noise", "partners"), ("noise", "instance_noise"), ("foreign", "noise"), ("foreign", "datasets"), ("mistakes", "noise"), ("mistakes", "partners"), ("mistakes", "episodes"),
    ("leaderboard", "statistics"), ("markdown", "leaderboard"), ("write_up", "leaderboard"), ("write_up", "robustness"), ("write_up", "markdown"), ("console", "markdown"), ("console", "leaderboard"), ("__main__", "cli"), ("cli", "store_cli"), ("cli", "run_cli"), ("cli", "options"), ("run_cli", "options"), ("cli", "tune_cli"), ("cli", "proxies_cli"), ("proxies_cli", "options"), ("tune", "embed"), ("export", "store"),
    ("atomic", "errors"), ("shard_index", "atomic"), ("shard_index", "errors"), ("shard_index", "shards"),
    ("pipeline", "embed"), ("extract", "prepare"), ("inputs", "prepare"), ("inputs", "pixels"), ("gate", "pixels"), ("extract", "pixels"), ("gate", "inputs"), ("gate", "prepare"), ("extract", "inputs"), ("extract", "gate"), ("zero_shot", "sweep"), ("sweep", "selection"), ("sweep", "transfer"), ("sweep", "tuned"), ("fit", "sweep"), ("fit", "selection"), ("schedule", "fit"), ("schedule", "sweep"), ("ensembles", "sweep"), ("forecast", "fit"), ("forecast", "schedule"), ("forecast", "selection"), ("forecast", "sweep"),
}  # fmt: skip
MAY_IMPORT_ENCODERS = {"prepare", "pixels", "inputs", "gate", "extract", "listing", "embed", "pipeline", "tune", "cli", "options", "proxies_cli"}
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


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "bench").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", rooms("bench"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_room_imports_only_downward(path):
    own = room_of(path)
    assert own in LEVEL_OF, f"{own} has no level; give it one in tests/test_rooms.py"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "bench" or len(parts) < 2:
            continue
        other = parts[1]
        below = LEVEL_OF[other] < LEVEL_OF[own] or other == own or (own, other) in BESIDE
        assert below, f"{own} (level {LEVEL_OF[own]}) imports {other} (level {LEVEL_OF[other]})"


@pytest.mark.parametrize("path", rooms("bench"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_only_the_rooms_that_extract_know_encoders(path):
    if room_of(path) not in MAY_IMPORT_ENCODERS:
        assert not {name for name in imports(path) if name.split(".")[0] == "encoders"}


@pytest.mark.parametrize("path", rooms("encoders"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_encoders_never_import_bench(path):
    assert not {name for name in imports(path) if name.split(".")[0] == "bench"}


@pytest.mark.parametrize("path", rooms("bench") + rooms("encoders"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_heavy_libraries_are_imported_where_they_are_used(path):
    assert not {name.split(".")[0] for name in imports(path, top_only=True)} & HEAVY


@pytest.mark.parametrize("module", ["bench.cli", "encoders", "bench.leaderboard"])
def test_importing_a_front_door_loads_no_deep_learning_library(module):
    code = f"import sys, {module}; print(sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
