"""The benchmarks run, from their command lines to their tables; what they measure is not asserted."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "performance"
Table = list[list[str]]
TINY = "--shots 1,2 --noise 0,0.4 --draws 1 --memory= --wide 2 --vectors 1,2 --points 1,2"


@pytest.fixture
def printed(capsys, monkeypatch) -> Callable[[str, str], list[Table]]:
    """Return a function (script, arguments) -> every Markdown table it prints, as the cells of its lines."""
    monkeypatch.syspath_prepend(FOLDER)

    def run(script: str, arguments: str) -> list[Table]:
        importlib.import_module(script).main(arguments.split())
        blocks = [block.strip().splitlines() for block in capsys.readouterr().out.split("\n\n")]
        return [
            [[cell.strip() for cell in line.strip("| ").split("|")] for line in block]
            for block in blocks
            if block and block[0].startswith("|")
        ]

    return run


def test_the_sweep_is_measured_on_rows_made_up(printed):
    *by_head, totals, settings, growth, widths = printed(
        "sweep", f"--classes 2,3 --dims 8 --heads logreg,xgboost {TINY}"
    )
    assert len(by_head) == 2 * 2 and all(len(table) == 2 + 2 for table in by_head)
    assert len(totals) == 2 + 2 * 2 and len(settings) == 2 + 2
    assert {line[1] for line in growth[2:]} == {"shots", "K"} and {line[1] for line in widths[2:]} == {"m", "L"}


def test_the_sweep_is_measured_on_rows_exported(printed, tmp_path):
    y = np.arange(60) % 3
    path = np.array([f"c{k}/image{i // 6}__{i}.png" for i, k in enumerate(y)])
    X = np.random.default_rng(0).normal(size=(60, 5)) + np.eye(5)[y]
    np.savez(tmp_path / "cells.npz", embedding=X.astype(np.float32), label=y.astype(str), path=path)
    *_, totals, _, _, _ = printed("sweep", f"--heads knn,ridge,lda {TINY} --embeddings {tmp_path / 'cells.npz'}")
    assert [line[:4] for line in totals[2:]] == [["cells", "3", "5", head] for head in ("knn", "ridge", "lda")]


@pytest.mark.parametrize("way", ["here", "scikit-learn, float64"])
def test_the_peak_memory_of_a_process_is_told(way, capsys, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(FOLDER)
    y = np.arange(40) % 2
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    np.savez(tmp_path / "draw.npz", X=X, y=y, test=np.arange(20), rows=np.arange(20, 40), Y=y[None, 20:])
    importlib.import_module("memory").main([str(tmp_path / "draw.npz"), "knn", way])
    assert float(capsys.readouterr().out) >= 0


@pytest.mark.slow
def test_peak_memory_is_measured_in_processes_of_their_own(printed):
    tiny = "--classes 2 --dims 4 --shots 2 --noise 0 --heads centroid --draws 1 --memory 2 --wide 0"
    [head, mb, *loops] = printed("sweep", tiny)[-1][-1][4:]
    assert head == "centroid" and len(loops) == 2 and all(float(value) >= 0 for value in (mb, *loops))


def test_a_whole_sweep_is_measured(printed):
    tiny = "--classes 2 --dims 6 --shots 1,2 --noise 0,0.4 --seeds 2 --loop-seeds 1 --workers 1"
    sweeps, heads = printed("whole_sweep", tiny)
    assert [line[0] for line in sweeps[2:]] == ["grids", "fixed"] and all(float(line[4]) > 0 for line in sweeps[2:])
    assert [line[0] for line in heads[2:]] == [
        "logreg",
        "knn",
        "ridge",
        "centroid",
        "xgboost",
        "sum",
        "all in one sweep",
    ]
