"""A run's tables on disk: its leaderboard, what it was made of, and the overview of all runs beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.atomic import replacing, write_atomically
from bench.leaderboard import Leaderboard, RunFacts, build_leaderboard
from bench.markdown import render_markdown, render_overview
from bench.robustness import robustness
from bench.seeds import content_name
from bench.sources import RANDOM
from bench.sweep import Sweep

FORMAT = 4  # raised when the same predictions would be written up differently


def write_up(
    folder: Path, out: Path, sweep: Sweep, facts: RunFacts, refused: Sequence[str], command: str
) -> tuple[Leaderboard, bool]:
    """Write the run's tables unless they are there for these very units; returns (leaderboard, whether written)."""
    signature = content_name([FORMAT, [unit.name for unit in sweep.units], list(refused), list(facts.warnings)])
    record = folder / "run.json"
    if record.exists() and json.loads(record.read_text()).get("signature") == signature:
        table = pd.read_csv(folder / "leaderboard.csv")
        return Leaderboard(table), False
    board = build_leaderboard(folder, sweep.units, sweep.table, sweep.plan.test_rows(), facts)
    with replacing(folder / "instances.parquet") as path:
        sweep.table.to_parquet(path, index=False)
    write_atomically(folder / "leaderboard.csv", board.table.to_csv(index=False, float_format="%.6g").encode())
    hurt = robustness(board.table, 1 / len(facts.classes))
    if len(hurt):
        write_atomically(folder / "robustness.csv", hurt.to_csv(index=False, float_format="%.6g").encode())
    else:
        (folder / "robustness.csv").unlink(missing_ok=True)  # of an earlier run at more rates
    write_atomically(folder / "leaderboard.md", render_markdown(board, facts, refused, command, hurt).encode())
    about = {
        "signature": signature, "command": command, "dataset": facts.dataset, "instances": facts.instances,
        "classes": facts.classes, "tier": facts.tier, "split": facts.split_rule, "refused": list(refused),
        "warnings": list(facts.warnings), "empty_fields": dict(board.empty), "units": len(sweep.units),
        "prompts": dict(facts.prompts), "noise": dict(facts.noise),
    }  # fmt: skip
    write_atomically(record, json.dumps(about, indent=1).encode())  # last: it says that the rest is there
    refresh_overview(out)
    return board, True


def refresh_overview(out: Path) -> None:
    """Rewrite <out>/leaderboard.csv and .md from the leaderboards of all runs below it."""
    boards = [pd.read_csv(path) for path in sorted((out / "runs").glob("*/leaderboard.csv"))]
    merged = pd.concat(boards, ignore_index=True)
    merged["series"] = merged["series"].fillna("balanced") if "series" in merged else "balanced"  # of older runs
    write_atomically(out / "leaderboard.csv", merged.to_csv(index=False, float_format="%.6g").encode())
    write_atomically(out / "leaderboard.md", render_overview(merged[merged["split"] != RANDOM]).encode())
