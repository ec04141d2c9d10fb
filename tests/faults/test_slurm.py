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


def half_killed(script: str, place: Path, rng: np.random.Generator) -> list[int]:
    """Run the whole array, kill half of its tasks at random times, and return the code with which each ended."""
    [last] = re.findall(r"^#SBATCH --array=0-(\d+)%", script, re.MULTILINE)
    tasks = [start(script, task, place) for task in range(int(last) + 1)]
    assert len(tasks) == WORKERS
    when_there(place / "out", "store/*/*.safetensors", 1)
    victims = rng.permutation(WORKERS)[: WORKERS // 2]
    for victim in victims:
        tasks[victim].kill()
        time.sleep(rng.uniform(0, 4))
    codes = [task.wait() for task in tasks]
    assert [code for i, code in enumerate(codes) if i not in victims] == [0] * (WORKERS - WORKERS // 2), codes
    return codes


@pytest.mark.parametrize("seed", [0, 1])
def test_half_of_the_array_killed_and_the_dependent_job_leave_the_bytes_of_a_single_process(tmp_path, seed):
    rng = np.random.default_rng(seed)
    for attempt in range(5):  # on a busy machine all may have ended before the first is killed
        array = tmp_path / f"array{attempt}" / "cells"  # the name of a folder is in the tables
        make_images(array)
        script = script_of(array)
        codes = half_killed(script, array, rng)
        if -9 in codes:
            break
    assert -9 in codes and set(codes) <= {0, -9}, codes
    single = tmp_path / "single" / "cells"
    make_images(single)
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
