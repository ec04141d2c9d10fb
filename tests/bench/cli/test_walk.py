"""How far it is from the command to a solver: the functions that a fit goes through, one by one."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path

import bench as package
from bench.fitting import fit
from bench.heads import get_heads

FARTHEST = 9


def test_a_fit_is_at_most_nine_calls_from_the_command(bench, tmp_path, save_png, monkeypatch):
    for label in "ab":
        for i in range(4):
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=i + 10 * (label == "a"), size=(8, 8))
    walks: list[list[str]] = []
    [ridge] = get_heads(["ridge"])

    def scores(*asked):
        frames = [frame.name for frame in traceback.extract_stack() if Path(package.__file__).parent in Path(frame.filename).parents]
        walks.append(frames[frames.index("run") :])
        return ridge.scores(*asked)

    monkeypatch.setattr(fit, "get_heads", lambda names: [replace(ridge, scores=scores)])
    code, said = bench("run", "--data", tmp_path / "raw", "--encoder", "color-stats", "--no-baselines", "--head", "ridge",
                       "--shots", "1", "--draws", "2", "--workers", 1)  # fmt: skip
    assert code == 0, said
    walk = [name for name in walks[0] if not name.startswith("<")]  # comprehensions and lambdas
    assert walk[:3] == ["run", "run", "make"] and walk[-1] == "choose"
    assert len(walk) + 1 <= FARTHEST, walk  # and the head
