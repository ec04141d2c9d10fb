"""kill -9 at any moment costs at most the unit in flight: the same command finishes with the same bits."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
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


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("kill")
    rng = np.random.default_rng(0)
    for label in ("neuron", "rbc", "xylem"):
        for i in range(3):
            path = place / "raw" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (160, 160, 3), dtype=np.uint8)).save(path)
    (place / "mine.py").write_text(PLUGIN)
    return place


def command(place: Path, out: str, verb: str) -> list[str]:
    base = [sys.executable, "-m", "bench", verb, "--data", "raw", "--instances", "tiles:10",
            "--encoder", "mine.py:slow-mean,thumbnail", "--out", out]  # fmt: skip
    more = ["--shots", "1,2,5", "--noise", "0,0.4", "--seeds", "6", "--head", "knn,centroid,logreg", "--workers", "2"]
    return [*base, *(more if verb == "run" else [])]


def start(place: Path, out: str, verb: str) -> subprocess.Popen:
    import os

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command(place, out, verb), cwd=place, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def finish(place: Path, out: str, verb: str) -> str:
    process = start(place, out, verb)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    return " ".join(text.split())


def kill_when(place: Path, out: str, verb: str, pattern: str, count: int) -> int:
    """Start the command, kill -9 its processes once `count` files match, and return how many there are."""
    import os

    process = start(place, out, verb)
    deadline = time.monotonic() + 120
    while len(list((place / out).rglob(pattern))) < count and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert process.poll() is None, "it finished before it could be killed; give it more work"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return len(list((place / out).rglob(pattern)))


def bits(place: Path, out: str) -> dict[str, bytes]:
    kept = {}
    for path in sorted((place / out).rglob("*.safetensors")):
        kept[path.relative_to(place / out).as_posix()] = path.read_bytes()
    return kept


def test_killed_extract_and_killed_run_end_with_the_bits_of_an_uninterrupted_one(place):
    finish(place, "whole", "run")
    shards = kill_when(place, "cut", "extract", "*.safetensors", 2)
    assert shards < 2 * 5
    text = finish(place, "cut", "extract")
    assert "0 reused, 2,304 made" not in text
    assert "embeddings reused" in text
    assert not text.startswith("0 embeddings reused")
    kill_when(place, "cut", "run", "predictions/*.safetensors", 3)
    text = finish(place, "cut", "run")
    reused = int(text.split(" blocks of fits reused")[0].split()[-1])
    assert 3 <= reused < 18
    assert bits(place, "cut") == bits(place, "whole")
    boards = [
        pd.read_csv(next((place / out / "runs").glob("*/leaderboard.csv"))).drop(columns="ms_per_image")
        for out in ("cut", "whole")
    ]
    pd.testing.assert_frame_equal(*boards)


def test_ctrl_c_exits_with_130_says_what_is_kept_and_loses_nothing(place):
    process = start(place, "ctrl", "extract")
    while len(list((place / "ctrl").rglob("*.safetensors"))) < 2:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in " ".join(text.split())
    assert "Traceback" not in text
    assert not finish(place, "ctrl", "extract").startswith("0 embeddings reused")


def test_two_extractions_into_one_store_at_once_both_finish_with_the_same_bits(place):
    both = [start(place, "pair", "extract") for _ in range(2)]
    for process in both:
        text, _ = process.communicate(timeout=300)
        assert process.returncode == 0, text
    finish(place, "single", "extract")
    assert bits(place, "pair") == bits(place, "single")


def test_a_shard_with_a_flipped_bit_is_made_again_and_said(place):
    finish(place, "flip", "extract")
    before = bits(place, "flip")
    shard = next((place / "flip").rglob("*.safetensors"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 4
    shard.write_bytes(bytes(data))
    text = finish(place, "flip", "extract")
    assert "1 damaged shard set aside" in text
    assert bits(place, "flip") == before
