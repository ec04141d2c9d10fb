"""kill -9 at any moment costs at most the unit in flight: the same command finishes with the same bits."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.embeddings.embed import DataSpec, extract_encoders, prepare
from bench.embeddings.store import EmbeddingStore, to_names
from encoders import resolve
from tests.faults.conftest import ROOT


def test_killed_extract_and_killed_run_end_with_the_bits_of_an_uninterrupted_one(place):
    place.finish("whole", "run")
    shards = place.kill_when("cut", "extract", "*.safetensors", 2)
    assert shards < 2 * 5
    text = place.finish("cut", "extract")
    assert "0 reused, 2,304 made" not in text
    assert "embeddings reused" in text
    assert not text.startswith("0 embeddings reused")
    place.kill_when("cut", "run", "predictions/*.safetensors", 3)
    text = place.finish("cut", "run")
    reused = int(text.split(" blocks of fits reused")[0].split()[-1])
    assert 3 <= reused < 18
    assert place.bits("cut") == place.bits("whole")
    boards = [
        pd.read_csv(next((place.folder / out / "runs").glob("*/leaderboard.csv"))).drop(columns="ms_per_image")
        for out in ("cut", "whole")
    ]
    pd.testing.assert_frame_equal(*boards)


def test_ctrl_c_exits_with_130_says_what_is_kept_and_loses_nothing(place):
    process = place.start("ctrl", "extract")
    while len(list((place.folder / "ctrl").rglob("*.safetensors"))) < 2:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 130, text
    assert "the same command goes on from there" in " ".join(text.split())
    assert "Traceback" not in text
    assert not place.finish("ctrl", "extract").startswith("0 embeddings reused")


def test_ctrl_c_during_the_fits_exits_with_130_leaves_no_process_behind_and_keeps_every_finished_unit(place):
    process = place.start("stopped", "run")
    made = lambda: len(list((place.folder / "stopped").rglob("predictions/*.safetensors")))  # noqa: E731
    while made() < 3:
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the workers as well
    text, _ = process.communicate(timeout=300)  # returns when no worker holds the output open any more
    assert process.returncode == 130
    assert "the same command goes on from there" in " ".join(text.split())
    assert "Traceback" not in text
    kept = made()
    time.sleep(0.5)
    assert made() == kept < 18
    assert f"{kept} blocks of fits reused, {18 - kept} made" in place.finish("stopped", "run")


def test_a_parent_killed_alone_takes_its_workers_along_and_the_next_run_sweeps_what_it_left(place):
    process = place.start("alone", "run")
    while not list((place.folder / "alone").rglob("predictions/*.safetensors")):
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)  # returns when no worker holds the output open any more
    assert len(list((place.folder / "alone").glob(".scratch.*"))) == 1
    place.finish("alone", "run")
    assert not list((place.folder / "alone").rglob(".scratch.*"))


def kill_one_of_two(place, out, command, pattern) -> None:
    """Start a command twice in one folder, kill one when two files are there, and let the other end."""
    one, other = (place.start(out, command) for _ in range(2))
    while len(list((place.folder / out).rglob(pattern))) < 2:
        assert one.poll() is None
        time.sleep(0.005)
    os.killpg(one.pid, signal.SIGKILL)
    one.communicate()
    text, _ = other.communicate(timeout=300)
    assert other.returncode == 0, text


def test_of_two_runs_one_is_killed_and_the_other_finishes_its_units_with_the_same_bits(place):
    place.finish("alone", "run")
    kill_one_of_two(place, "together", "run", "predictions/*.safetensors")
    assert place.bits("together") == place.bits("alone")
    assert not list((place.folder / "together").rglob("*.claim"))


def test_two_extractions_into_one_store_at_once_both_finish_with_the_same_bits(place):
    both = [place.start("pair", "extract") for _ in range(2)]
    made = 0
    for process in both:
        text, _ = process.communicate(timeout=300)
        assert process.returncode == 0, text
        made += int(re.findall(r"reused, ([\d,]+) made", text)[-1].replace(",", ""))
    place.finish("single", "extract")
    assert place.bits("pair") == place.bits("single")
    total = 2 * 9 * 16**2
    assert total <= made <= 1.25 * total  # they shared the work


def test_of_two_extractions_one_is_killed_and_the_other_takes_over_what_it_had_claimed(place):
    kill_one_of_two(place, "shared", "extract", "*.safetensors")
    place.finish("single", "extract")
    assert place.bits("shared") == place.bits("single")
    assert list((place.folder / "shared" / "store" / "claims").glob("*.claim")) == []


def extract_in(folder: Path, out: str) -> None:
    os.chdir(folder)
    prepared = prepare(DataSpec(Path("raw"), "tiles:10"), out)
    extract_encoders(prepared, [resolve("mine.py:slow-mean"), resolve("thumbnail")])


def test_whatever_the_moment_of_a_kill_nothing_wrong_is_served_and_nothing_committed_is_lost(place):
    fork = multiprocessing.get_context("fork")  # what is imported already need not be again, twenty times
    started = time.perf_counter()
    undisturbed = fork.Process(target=extract_in, args=(place.folder, "calm"))
    undisturbed.start()
    undisturbed.join()
    life = time.perf_counter() - started
    calm = EmbeddingStore(place.folder / "calm" / "store")
    rng = np.random.default_rng(7)
    whole = place.bits("calm")
    before: dict[str, bytes] = {}
    left, storm = [], 0
    for _ in range(20):
        process = fork.Process(target=extract_in, args=(place.folder, f"storm{storm}"))
        process.start()
        process.join(rng.uniform(0.1, 0.9) * life)
        process.kill()
        process.join()
        store = EmbeddingStore(place.folder / f"storm{storm}" / "store")
        for key in store.variants():
            assert store.verify(key) == []
            names = to_names(store.index(key).rows)
            np.testing.assert_array_equal(store.read(key, names), calm.read(key, names))
        now = place.bits(f"storm{storm}")
        assert before.items() <= now.items() <= whole.items()
        left.append(len(now))
        before, storm = (now, storm) if now != whole else ({}, storm + 1)
    assert sum(0 < n < len(whole) for n in left) >= 3, "the kills should come while work is being done"
    place.finish(f"storm{storm}", "extract")
    assert place.bits(f"storm{storm}") == whole


def test_a_shard_with_a_flipped_bit_is_made_again_and_said(place):
    place.finish("flip", "extract")
    before = place.bits("flip")
    shard = next((place.folder / "flip").rglob("*.safetensors"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 4
    shard.write_bytes(bytes(data))
    text = place.finish("flip", "extract")
    assert "1 damaged shard set aside" in text
    assert place.bits("flip") == before


@pytest.mark.slow
def test_of_some_kills_of_every_kind_none_leaves_a_wrong_table_a_process_or_a_file():
    """`python -m tests.faults.kills` does many more of them."""
    few = ["--tables", "8", "--moments", "6", "--pairs", "3", "--parents", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.kills", *few], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
