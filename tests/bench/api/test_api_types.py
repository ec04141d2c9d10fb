"""What a type checker makes of a user's script."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
from pathlib import Path
from typing import assert_type
import numpy as np
import pandas as pd
import bench

data = bench.load_data(Path("Data"), group_pattern="a", leave_out=["x"])
assert_type(data, bench.Data)
assert_type(data.check(), bench.DataCheck)
assert_type(data.classes, tuple[str, ...])
emb = bench.embed(data, "dino@size=448")
assert_type(emb.X, np.ndarray)
assert_type(emb.instances, pd.DataFrame)
run = bench.run(data, encoders=["dino"], heads="knn", shots=[1, 5], noise=[0, 0.2], draws=None)
assert_type(run, bench.RunResult)
assert_type(run.leaderboard, pd.DataFrame)
assert_type(run.folder, Path)
assert_type(bench.HeadClassifier("logreg").fit(emb.X, emb.y), bench.HeadClassifier)
assert_type(bench.load_run("x").verdict, str)
error: type[ValueError] = bench.BenchError
bench.run(data, shots="5")
bench.run(data, encoder="dino")
bench.embed(data)
bench.lod_data("x")
"""
WRONG = ("arg-type", "call-arg", "call-arg", "attr-defined")  # of the last lines, in order


@pytest.mark.slow
def test_a_typed_script_is_checked_line_by_line(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--follow-imports=silent", "script.py"],
        cwd=tmp_path, env=os.environ | {"MYPYPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = SCRIPT.count("\n")
    found = [line for line in done.stdout.splitlines() if ": error:" in line]
    wanted = [(lines - len(WRONG) + 1 + at, code) for at, code in enumerate(WRONG)]
    assert [(int(line.split(":")[1]), line.rpartition("[")[2].rstrip("]")) for line in found] == wanted, done.stdout


@pytest.mark.parametrize("package", ["bench", "encoders"])
def test_the_wheel_says_that_it_is_typed(package):
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "py.typed" in built[package] and (ROOT / package / "py.typed").is_file()
