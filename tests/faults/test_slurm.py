"""The array that `bench run --slurm` prints, run by a stand-in for Slurm, half of whose tasks are killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.faults.aftermath import tree
from tests.faults.test_ray import RUN, make_images, when_there

pytestmark = pytest.mark.slow
WORKERS = 6


def start(script: str, task: int, place: Path) -> subprocess.Popen[bytes]:
    """Start a task of the array as Slurm does: the script by bash, with its variables. It becomes the command."""
    slurm = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_CPUS_PER_TASK": "1", "SLURM_MEM_PER_NODE": "8192"}
    (place / "job.sh").write_text(script)
    with (place / f"said-{task}.txt").open("ab") as said:
        return subprocess.Popen(["bash", "job.sh"], cwd=place, env={**os.environ, **slurm}, stdout=said, stderr=said)


def script_of(place: Path) -> str:
    """Return what the command prints in a folder."""
    asked = (*RUN, "--out", "out", "--slurm", f"{WORKERS}%{WORKERS}", "--slurm-set", "mem=8G")
    return subprocess.run(
        [sys.executable, "-m", "bench", *asked], cwd=place, capture_output=True, text=True, check=True
    ).stdout


def about(record: bytes) -> dict[str, object]:
    """Return what a run.json says, without its seal and the folder of the images."""
    known = json.loads(record)
    del known["seal"], known["facts"]["place"]
    return known


@pytest.mark.parametrize("seed", [0, 1])
def test_half_of_the_array_killed_and_the_dependent_job_leave_the_bytes_of_a_single_process(tmp_path, seed):
    array, single = tmp_path / "array" / "cells", tmp_path / "single" / "cells"  # the name of a folder is in the tables
    make_images(array)
    shutil.copytree(array, single)
    script = script_of(array)
    [last] = re.findall(r"^#SBATCH --array=0-(\d+)%", script, re.MULTILINE)
    tasks = [start(script, task, array) for task in range(int(last) + 1)]
    rng = np.random.default_rng(seed)
    victims = rng.permutation(WORKERS)[: WORKERS // 2]
    when_there(array / "out", "store/*/*.safetensors", 1)
    for victim in victims:
        tasks[victim].kill()
        time.sleep(rng.uniform(0, 4))
    codes = [task.wait() for task in tasks]
    assert [code for i, code in enumerate(codes) if i not in victims] == [0] * (WORKERS - WORKERS // 2)
    assert sum(code == -9 for code in codes) >= 1
    assert start(script, 0, array).wait() == 0  # sbatch --dependency=afterany --array=0
    for cost in (array / "out" / "store").glob("*/cost.json"):  # measured, and kept by who is first
        copied = single / cost.relative_to(array)
        copied.parent.mkdir(parents=True)
        shutil.copy(cost, copied)
    assert start(script_of(single), 0, single).wait() == 0, (single / "said-0.txt").read_text()
    kept = {name: data for name, data in tree(array / "out").items() if not name.endswith("index.npz")}
    alone = {name: data for name, data in tree(single / "out").items() if not name.endswith("index.npz")}
    assert {name for name in kept.keys() ^ alone.keys() if not name.endswith(".claim")} == set()
    assert [name for name in alone if kept[name] != alone[name]] == [
        "runs/r/run.json"
    ]  # which says where the images are
    assert about(kept["runs/r/run.json"]) == about(alone["runs/r/run.json"])
    assert not [name for name in kept if name.endswith((".claim", ".tmp"))]


def test_all_of_the_array_killed_leaves_everything_to_the_dependent_job(tmp_path):
    make_images(tmp_path)
    script = script_of(tmp_path)
    tasks = [start(script, task, tmp_path) for task in range(2)]
    when_there(tmp_path / "out", "runs/*/predictions/[!.]*", 1)
    for task in tasks:
        task.kill()
        task.wait()
    assert start(script, 0, tmp_path).wait() == 0
    assert (tmp_path / "out" / "runs" / "r" / "leaderboard.csv").exists()
