"""A folder of images, two encoders that need no weights, and commands to start, finish and kill in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = """
import time
from encoders import descriptor

@descriptor("slow-mean", dim=3)
def slow_mean(image):
    time.sleep(0.0005)
    return image.mean((0, 1))
"""


@dataclass(frozen=True)
class Place:
    """raw/<class>/<i>.png of 160 x 160 pixels, and mine.py with the encoder slow-mean."""

    folder: Path

    def command(self, out: str, verb: str, *more: str) -> list[str]:
        base = [sys.executable, "-m", "bench", verb, "--data", "raw", "--instances", "tiles:10",
                "--encoder", "mine.py:slow-mean,thumbnail", "--out", out]  # fmt: skip
        sweep = [
            "--shots",
            "1,2,5",
            "--noise",
            "0,0.4",
            "--draws",
            "6",
            "--head",
            "knn,centroid,logreg",
            "--workers",
            "2",
            "--no-baselines",
        ]
        return [*base, *(sweep if verb == "run" else []), *more]

    def start(self, out: str, verb: str, *more: str, **options: object) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            self.command(out, verb, *more), cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **options,
        )  # fmt: skip

    def finish(self, out: str, verb: str, *more: str, code: int = 0, **options: object) -> str:
        process = self.start(out, verb, *more, **options)
        text, _ = process.communicate(timeout=300)
        assert process.returncode == code, text
        return " ".join(text.split())

    def kill_when(self, out: str, verb: str, pattern: str, count: int) -> int:
        """Start the command, kill -9 its processes once `count` files match, and return how many there are."""
        process = self.start(out, verb)
        deadline = time.monotonic() + 120
        while len(list((self.folder / out).rglob(pattern))) < count and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert process.poll() is None, "it finished before it could be killed; give it more work"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return len(list((self.folder / out).rglob(pattern)))

    def bits(self, out: str) -> dict[str, bytes]:
        shards = sorted((self.folder / out).rglob("*.safetensors"))
        return {path.relative_to(self.folder / out).as_posix(): path.read_bytes() for path in shards}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("faults")
    rng = np.random.default_rng(0)
    for label in ("neuron", "rbc", "xylem"):
        for i in range(3):
            path = folder / "raw" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (160, 160, 3), dtype=np.uint8)).save(path)
    (folder / "mine.py").write_text(PLUGIN)
    return Place(folder)
