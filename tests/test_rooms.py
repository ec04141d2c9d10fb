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
    1: {"images", "folds", "linalg", "segment", "overlap", "cellpose", "bags", "scaling"},
    2: {"label_csv", "label_folder", "manifest", "datasets", "check", "demo", "episodes", "halves", "noise", "metrics", "prompts", "instances", "budget", "partners", "instance_noise", "foreign", "mistakes", "sources"},
    3: {"store", "ledger", "export", "cells", "cell_cache", "masks", "segmented", "windows", "tiles", "instances"},
    4: {"inventory", "heads", "outlines"},
    5: {"prepare", "pixels", "inputs", "gate", "extract", "selection", "transfer", "tuned", "sweep", "fit", "schedule", "forecast", "ensembles", "zero_shot", "bag_heads", "bag_design"},
    6: {"statistics", "intervals", "chance", "compare", "flags", "rows", "robustness", "leaderboard", "markdown", "write_up", "console", "study", "proxies", "efficiency", "record", "pairs", "calibration", "merge", "across", "sections", "overview", "granularity", "exchange", "granularity_report", "leak"},
    7: {"listing", "embed", "pipeline", "tune", "granularity_run"},
    8: {"options", "run_cli", "cli", "store_cli", "tune_cli", "proxies_cli", "__main__", "__init__", "leaderboard_cli", "segment_cli", "granularity_cli"},
}
LEVEL_OF = {name: level for level, names in LEVELS.items() for name in names}
# Within a level these lean on each other in one direction only.
BESIDE = {
    ("datasets", "manifest"), ("datasets", "label_csv"), ("datasets", "label_folder"),
    ("label_folder", "label_csv"), ("label_folder", "manifest"), ("instances", "datasets"), ("check", "datasets"), ("check", "manifest"),
    ("intervals", "statistics"), ("compare", "statistics"), ("compare", "intervals"), ("compare", "chance"), ("leaderboard", "statistics"), ("leaderboard", "intervals"), ("leaderboard", "chance"), ("leaderboard", "compare"), ("leaderboard", "flags"), ("markdown", "flags"), ("markdown", "leaderboard"), ("write_up", "leaderboard"), ("write_up", "robustness"), ("write_up", "markdown"), ("console", "markdown"), ("console", "leaderboard"), ("__main__", "cli"), ("cli", "store_cli"), ("cli", "run_cli"), ("cli", "options"), ("run_cli", "options"), ("cli", "tune_cli"), ("cli", "proxies_cli"), ("proxies_cli", "options"), ("tune", "embed"), ("export", "store"),
    ("atomic", "errors"), ("shard_index", "atomic"), ("shard_index", "errors"), ("shard_index", "shards"),
    ("pipeline", "embed"), ("extract", "prepare"), ("inputs", "prepare"), ("inputs", "pixels"), ("gate", "pixels"), ("extract", "pixels"), ("gate", "inputs"), ("gate", "prepare"), ("extract", "inputs"), ("extract", "gate"), ("zero_shot", "sweep"), ("sweep", "selection"), ("sweep", "transfer"), ("sweep", "tuned"), ("fit", "sweep"), ("fit", "selection"), ("schedule", "fit"), ("schedule", "sweep"), ("ensembles", "sweep"), ("forecast", "fit"), ("forecast", "schedule"), ("forecast", "selection"), ("forecast", "sweep"),
    ("across", "pairs"), ("across", "statistics"), ("calibration", "record"), ("calibration", "statistics"), ("cli", "leaderboard_cli"), ("leaderboard_cli", "options"), ("merge", "record"), ("overview", "across"), ("overview", "leaderboard"), ("overview", "markdown"), ("overview", "sections"), ("pairs", "record"), ("pairs", "statistics"), ("pairs", "intervals"), ("record", "leaderboard"), ("sections", "markdown"), ("write_up", "across"), ("write_up", "efficiency"), ("write_up", "merge"), ("write_up", "overview"), ("write_up", "pairs"), ("write_up", "record"), ("write_up", "sections"),
    ("cli", "segment_cli"), ("instances", "cells"), ("instances", "masks"), ("instances", "segmented"), ("instances", "tiles"), ("instances", "windows"), ("masks", "cell_cache"), ("masks", "cells"), ("segment_cli", "options"), ("segmented", "cell_cache"), ("segmented", "cells"), ("segmented", "masks"), ("tiles", "windows"), ("tune_cli", "options"),
    ("cli", "granularity_cli"), ("exchange", "granularity"), ("exchange", "intervals"), ("exchange", "statistics"), ("granularity", "statistics"), ("granularity_cli", "options"), ("granularity_report", "markdown"), ("granularity_run", "embed"),
    ("budget", "episodes"), ("check", "sources"), ("foreign", "datasets"), ("foreign", "noise"), ("mistakes", "episodes"), ("mistakes", "noise"), ("mistakes", "partners"), ("noise", "instance_noise"), ("noise", "partners"), ("sources", "episodes"),
    ("leaderboard", "rows"), ("markdown", "rows"), ("flags", "rows"), ("console", "rows"), ("overview", "rows"), ("sections", "rows"),
}  # fmt: skip
MAY_IMPORT_ENCODERS = {"prepare", "pixels", "inputs", "gate", "extract", "listing", "embed", "pipeline", "tune", "cli", "options", "proxies_cli", "granularity_run"}
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
