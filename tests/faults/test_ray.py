"""A Ray cluster gives the bits of one machine, whatever of it dies, and loses and does twice nothing."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.errors import BenchError
from bench.work.calls import Asked, Call, Processes
from bench.work.engines import open_engine

pytestmark = pytest.mark.slow
RUN = ("run", "--data", "raw", "--group-pattern", "([^/]+)__", "--encoder", "color-stats,texture", "--head",
       "centroid,ridge", "--shots", "1,2,5", "--noise", "0,0.2", "--draws", "40", "--no-baselines", "--no-report", "--name", "r")  # fmt: skip
PATIENCE_S = 300.0


def make_images(place: Path) -> None:
    """Write raw/<class>/<image>.png of two classes: 3 blocks of 512."""
    rng = np.random.default_rng(0)
    for k, label in enumerate(("neuron", "rbc")):
        (place / "raw" / label).mkdir(parents=True)
        for i in range(650):
            pixels = rng.normal(100 + 9 * k, 30, (40, 40, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / "raw" / label / f"{label}{i // 20}__{i}.png")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with images."""
    place = tmp_path_factory.mktemp("ray")
    make_images(place)
    return place


@pytest.fixture
def cluster(place, monkeypatch):
    """A cluster of three nodes of one processor each, of which the first cannot be lost."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # where workers find this module
    monkeypatch.chdir(place)
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.others = [made.add_node(num_cpus=1) for _ in range(2)]
    yield made
    made.shutdown()


def command(*words: str, out: str, address: str = "") -> list[str]:
    engine = ("--engine", "ray", "--address", address) if address else ()
    return [sys.executable, "-m", "bench", *words, "--out", out, *engine]


def finish(*words: str, place: Path, out: str, address: str = "") -> str:
    done = subprocess.run(command(*words, out=out, address=address), cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def local(place) -> Path:
    """The results of one machine."""
    finish(*RUN, place=place, out="local")
    return place / "local"


def products(out: Path) -> dict[str, bytes]:
    """Return the embeddings, predictions and ledger of a results folder, by name."""
    kinds = ("store/*/*.safetensors", "runs/*/predictions/[!.]*", "runs/*/ledger/*")
    return {str(path.relative_to(out)): path.read_bytes() for kind in kinds for path in sorted(out.glob(kind))}


def same(out: Path, local: Path) -> None:
    """Assert that two results folders hold the same, once, and nothing that is left over."""
    assert products(out) == products(local) and len(products(local)) > 20
    tables = [pd.read_csv(one / "runs" / "r" / "leaderboard.csv") for one in (out, local)]
    measured = [name for name in tables[0] if name.startswith("ms_per")]
    pd.testing.assert_frame_equal(*(table.drop(columns=measured) for table in tables), check_exact=True)
    assert not [*out.rglob("*.claim"), *out.rglob("*.tmp")]


def when_there(out: Path, pattern: str, count: int) -> None:
    """Wait until so many files are there."""
    deadline = time.monotonic() + PATIENCE_S
    while len(list(out.glob(pattern))) < count:
        assert time.monotonic() < deadline, f"{pattern} did not come"
        time.sleep(0.02)


def test_several_nodes_give_the_bits_of_one_machine_for_extract_run_and_predict(place, local, cluster):
    said = finish(*RUN, place=place, out="several", address=cluster.address)
    assert "pieces of work on 3 nodes" in said
    same(place / "several", local)
    fit = ("fit", "--data", "raw", "--group-pattern", "([^/]+)__", "--encoder", "texture", "--head", "centroid")
    finish(*fit, "--save", "cells.model", place=place, out="local")
    predict = ("predict", "cells.model", "raw/rbc", "--to")
    finish(*predict, "one.csv", place=place, out="of-one")
    finish(*predict, "several.csv", place=place, out="of-several", address=cluster.address)
    assert (place / "one.csv").read_bytes() == (place / "several.csv").read_bytes()


STUDIES = {
    "audit": ("--encoder", "color-stats,texture", "--head", "knn,ridge", "--draws", "2", "--name", "s"),
    "granularity": ("--encoder", "color-stats", "--instances", "tiles:20", "--pure", "--image-labels", "0,2",
                    "--cell-labels", "0,2", "--draws", "3", "--name", "s"),
    "tune": ("--encoder", "texture", "--shots", "2", "--draws", "3", "--trials", "6", "--name", "s"),
}  # fmt: skip
MADE = {"audit": "audit.csv", "granularity": "predictions/*", "tune": "trials.csv"}


@pytest.mark.parametrize("study", STUDIES)
def test_several_nodes_give_the_bits_of_one_machine_for_other_studies(place, cluster, study):
    words = (study, "--data", "few", "--group-pattern", "([^/]+)__", *STUDIES[study])
    for path in sorted((place / "raw").rglob("*__[0-9].png")) + sorted((place / "raw").rglob("*__[1-9][0-9].png")):
        few = place / "few" / path.relative_to(place / "raw")
        few.parent.mkdir(parents=True, exist_ok=True)
        few.write_bytes(path.read_bytes())
    found = {}
    for out, address in (("of-one", ""), ("of-several", cluster.address)):
        said = finish(*words, place=place, out=f"{study}-{out}", address=address)
        files = sorted((place / f"{study}-{out}" / study / "s").glob(MADE[study]))
        found[out] = {path.name: path.read_bytes() for path in files}
    assert re.search(r"Ray: \d+ pieces of work on [23] nodes", said)
    if study == "tune":  # which setting is tried next depends on which trials have ended; what a setting scores does not
        tables = [pd.read_csv(io.BytesIO(files["trials.csv"])).set_index("trial") for files in found.values()]
        assert [len(table) for table in tables] == [6, 6]
        default = [table[table["default"]].drop(columns="seconds").reset_index(drop=True) for table in tables]
        pd.testing.assert_frame_equal(*default, check_exact=True)
    else:
        assert found["of-one"] == found["of-several"] and found["of-one"]


def test_where_a_node_has_a_gpu_all_processors_decode_for_it_and_the_shards_are_those_of_one_machine(
    place, local, cluster
):
    cluster.add_node(num_cpus=1, num_gpus=1)  # as Ray is told; encoders that need no GPU run on processors
    extract = ("extract", "--data", "raw", "--group-pattern", "([^/]+)__", "--encoder", "color-stats,texture")
    said = finish(*extract, place=place, out="gpu", address=cluster.address)
    assert re.search(r"Ray: \d+ pieces of work on 1 node", said)
    shards = {name: data for name, data in products(local).items() if name.startswith("store")}
    assert products(place / "gpu") == shards and len(shards) == 6


def test_nodes_killed_while_they_embed_and_fit_cost_nothing_but_time(place, local, cluster):
    out = place / "killed-nodes"

    def kill() -> None:
        when_there(out, "store/*/*.safetensors", 1)
        cluster.remove_node(cluster.others[0], allow_graceful=False)
        when_there(out, "runs/*/predictions/[!.]*", 2)
        cluster.remove_node(cluster.others[1], allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    finish(*RUN, place=place, out=out.name, address=cluster.address)
    killer.join()
    assert not cluster.others[0].any_processes_alive() and not cluster.others[1].any_processes_alive()
    same(out, local)


@pytest.mark.parametrize(("pattern", "count"), [("store/*/*.safetensors", 2), ("runs/*/predictions/[!.]*", 3)])
def test_a_command_that_is_killed_goes_on_where_it_was(place, local, cluster, pattern, count):
    out = place / f"killed-{count}"
    driver = subprocess.Popen(
        command(*RUN, out=out.name, address=cluster.address), cwd=place, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    when_there(out, pattern, count)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = {path: path.stat().st_mtime_ns for path in out.glob(pattern)}
    finish(*RUN, place=place, out=out.name, address=cluster.address)
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in before.items())  # not made a second time
    same(out, local)


def test_ctrl_c_ends_a_command_and_what_it_had_sent(place, cluster):
    out = place / "cancelled"
    driver = subprocess.Popen(
        command(*RUN, out=out.name, address=cluster.address), cwd=place, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    when_there(out, "store/*/*.safetensors", 1)
    driver.send_signal(signal.SIGINT)
    said, _ = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 130 and "Interrupted. What was finished is kept" in said, said
    time.sleep(3)  # for what was being written
    seen = sorted(out.rglob("*"))
    time.sleep(3)
    assert sorted(out.rglob("*")) == seen


def die_or_write(number: int, folder: str, bad: int) -> int:
    with open(f"{folder}/{number}-{os.getpid()}-{time.monotonic_ns()}", "w"):
        if number == bad:
            os._exit(1)
    return number


def test_what_kills_its_worker_three_times_is_named_and_all_else_is_made_once(place, cluster):
    folder = place / "tries"
    folder.mkdir()
    found = []
    with open_engine(Asked(name="ray", address=cluster.address, out=place / "out")) as engine:
        calls = [Call(name=f"number {i}", do=die_or_write, own=(i,), shared=(str(folder), 4)) for i in range(10)]
        with pytest.raises(BenchError, match="Got 1 piece of work whose worker died 3 times: number 4;"):
            found += engine.each(calls, Processes())
            raise AssertionError
        with pytest.raises(BenchError, match="Got big, which takes about 90000.0 GB; the largest node has"):
            list(engine.each([Call(name="big", do=die_or_write, bytes=9e13)], Processes()))
    tries = Counter(int(path.name.partition("-")[0]) for path in folder.iterdir())
    assert tries == {i: 3 if i == 4 else 1 for i in range(10)}


def test_a_node_that_does_not_see_the_images_is_named(place, cluster, monkeypatch):
    monkeypatch.setattr(
        "bench.work.on_ray.cluster.look_around", lambda paths: (__import__("bench").__version__, paths[-1:])
    )
    asked = Asked(name="ray", address=cluster.address, out=place / "out", sees=[place / "raw"])
    with (
        pytest.raises(BenchError, match="does not see .*raw; expected images and --out on .* that all nodes share"),
        open_engine(asked),
    ):
        pass


def test_a_node_on_which_no_worker_starts_is_named(place, cluster, monkeypatch):
    monkeypatch.setattr("bench.work.on_ray.cluster.look_around", lambda paths: os._exit(1))
    asked = Asked(name="ray", address=cluster.address, out=place / "out")
    with pytest.raises(BenchError, match="Got node .*, on which no worker could be started .*Crashed"), open_engine(asked):
        pass


def test_a_cluster_that_is_started_here_cannot_be_reached_from_elsewhere(tmp_path):
    pytest.importorskip("ray")
    code = ("from bench.work.calls import Asked; from bench.work.engines import open_engine\n"
            "with open_engine(Asked(name='ray', workers=1)):\n"
            "    import ray; print([node['NodeManagerAddress'] for node in ray.nodes()])")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['127.0.0.1']"
