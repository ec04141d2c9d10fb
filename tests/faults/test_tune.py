"""kill -9 in the middle of tuning: the same command goes on, and ends with the trials of an uninterrupted one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
from PIL import Image

from tests.faults.conftest import ROOT


def test_a_killed_study_goes_on_and_is_the_one_that_was_not_killed(tmp_path):
    rng = np.random.default_rng(0)
    for k, label in enumerate(("neuron", "rbc")):
        for slide in range(6):
            for i in range(3):
                path = tmp_path / "raw" / label / f"{label}{slide}__{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray((rng.integers(0, 200, (16, 16, 3)) + 20 * k).astype(np.uint8)).save(path)

    def start(out: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "bench", "tune", "--data", "raw", "--group-pattern", r"([^/]+)__",
                   "--encoder", "thumbnail", "--out", out, "--shots", "2", "--draws", "4", "--trials", "9",
                   "--workers", "1", "--name", "study"]  # fmt: skip
        return subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    process = start("cut")
    while not list(tmp_path.glob("cut/tune/study/trial-[2-5].lock")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    trials = []
    for out in ("cut", "whole"):
        process = start(out)
        text, _ = process.communicate(timeout=300)
        assert process.returncode == 0, text
        made = "0 trials reused, 9 made" in " ".join(text.split())
        assert made == (out == "whole")
        trials.append(pd.read_csv(tmp_path / out / "tune" / "study" / "trials.csv").drop(columns=["seconds", "trial"]))
    pd.testing.assert_frame_equal(*trials)
