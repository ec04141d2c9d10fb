"""Weights from a hub: whole and of the right digest, or not at all; resumed; every failure said in one sentence."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
REPO, FILE = "lab/net", "model.safetensors"
CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CLIENT = """
import sys
from encoders.errors import EncoderError
from encoders.hub import hub_file
try:
    print(hub_file(sys.argv[1], ("model.safetensors", "pytorch_model.bin"), "net", sys.argv[2]))
except EncoderError as error:
    sys.exit(f"Error: {error}")
"""

# By its path: the tests are no package.
_found = importlib.util.spec_from_file_location("mirror", Path(__file__).with_name("mirror.py"))
assert _found and _found.loader
mirror_of = sys.modules["mirror"] = importlib.util.module_from_spec(_found)
_found.loader.exec_module(mirror_of)

Fetch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mirror() -> Iterator[Any]:
    with mirror_of.serve({f"{REPO}/{FILE}": CONTENT}) as served:
        yield served


@pytest.fixture
def fetch(mirror: Any, tmp_path: Path) -> Fetch:
    """Ask for the weights in a process of its own: the hub's library reads its environment once."""

    def call(repo: str = REPO, revision: str = "", first: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", first + CLIENT, repo, revision], cwd=ROOT,
            env=hub_environment(mirror, tmp_path) | environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    return call


def hub_environment(mirror: Any, folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGINGFACE_"))}
    return kept | {
        "HF_ENDPOINT": mirror.url, "HF_HOME": str(folder / "hf"), "HF_HUB_DOWNLOAD_TIMEOUT": "1",
        "HF_HUB_ETAG_TIMEOUT": "1", "NO_PROXY": "127.0.0.1,localhost", "PYTHONPATH": str(ROOT),
    }  # fmt: skip


def folder_of(tmp_path: Path) -> Path:
    return tmp_path / "hf" / "hub" / "models--lab--net"


def assert_sound(done: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.read_bytes() == CONTENT
    assert path.resolve() == (folder_of(tmp_path) / "blobs" / SHA256).resolve()
    assert (folder_of(tmp_path) / "refs" / "main").read_text() == mirror_of.COMMIT


def assert_refused(done: subprocess.CompletedProcess[str], tmp_path: Path, *parts: str) -> None:
    assert done.returncode != 0 and done.stdout == ""
    said = [line for line in done.stderr.strip().splitlines() if " sends on to localhost for " not in line]
    assert len(said) == 1 and said[0].startswith("Error: ")
    for part in parts:
        assert part in done.stderr
    blobs = folder_of(tmp_path) / "blobs"
    assert not [path for path in blobs.glob("*") if path.suffix != ".part"]
    assert not list(folder_of(tmp_path).glob("snapshots/*/*"))


def test_a_file_is_fetched_once_of_one_commit_and_then_found_without_asking(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    assert_sound(fetch(HF_TOKEN="secret"), tmp_path)
    assert f"GET /{REPO}/resolve/{mirror_of.COMMIT}/{FILE}" in mirror.requests
    assert mirror.tokens == [""], "the token goes to the hub, and not to where it redirects"
    mirror.requests.clear()
    assert_sound(fetch(), tmp_path)
    assert mirror.requests == []
    from huggingface_hub import scan_cache_dir

    [repository] = scan_cache_dir(tmp_path / "hf" / "hub").repos
    assert repository.repo_id == REPO and repository.size_on_disk == len(CONTENT)


@pytest.mark.parametrize(
    ("fault", "parts"),
    [
        ("truncated", ("breaks off lab/net/model.safetensors", "at 150,000 of 300,000 bytes")),
        ("corrupt", ("is damaged: its SHA-256 is", f"announces {SHA256[:16]}", "discarded")),
        ("dropped", ("503", "run again")),
        ("stalls", ("breaks off", "ReadTimeout", "Run again")),
        ("gated", ("is gated: accept its licence at http://127.0.0.1", "HF_TOKEN")),
        ("no repository", ("has no lab/net, or hides it",)),
        ("no file", ("holds none of model.safetensors, pytorch_model.bin",)),
        ("no revision", ("lab/net has no revision ''",)),
        ("out of order", ("503", "run again")),
        ("forbidden", ("403", "check HF_TOKEN")),
        ("silent", ("ReadTimeout",)),
        ("endless", ("sends more of lab/net/model.safetensors", "than the 300,000 bytes that it announced", "discarded")),
        ("bomb", ("compressed ('gzip')", "expected the bytes as they are")),
        ("circle", ("sends on more than 5 times",)),
    ],
)  # fmt: skip
def test_a_hub_that_fails_leaves_one_sentence_and_no_file_and_the_same_command_works_once_it_is_mended(
    mirror: Any, fetch: Fetch, tmp_path: Path, fault: str, parts: tuple[str, ...]
) -> None:
    mirror.fault = fault
    assert_refused(fetch(), tmp_path, *parts)
    mirror.mend()
    assert_sound(fetch(), tmp_path)


def test_an_endless_answer_is_hung_up_on_and_leaves_nothing_on_the_disk(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    mirror.fault = "endless"
    assert_refused(fetch(), tmp_path)
    assert mirror.sent < 50 * len(CONTENT) and not list(folder_of(tmp_path).rglob("*.part"))


def test_another_host_that_the_hub_sends_on_to_is_named(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    done = fetch()
    assert_sound(done, tmp_path)
    assert "127.0.0.1 sends on to localhost for lab/net/model.safetensors" in done.stderr


def test_what_has_come_before_a_break_is_not_fetched_again(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    mirror.fault = "dropped"
    assert_refused(fetch(), tmp_path)
    assert mirror.sent == 150_000
    mirror.mend()
    assert_sound(fetch(), tmp_path)
    assert mirror.sent == 150_000
    assert f"GET /lfs/{SHA256} bytes=150000-" in mirror.requests


@pytest.mark.parametrize("fault", ["drops often", "trickles"])
def test_a_slow_or_often_broken_transfer_is_finished_in_one_call(mirror: Any, fetch: Fetch, tmp_path: Path, fault: str) -> None:
    mirror.fault = fault
    assert_sound(fetch(), tmp_path)
    assert mirror.sent == len(CONTENT)


def test_a_damaged_partial_file_is_found_out_and_replaced(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    part = folder_of(tmp_path) / "blobs" / f"{SHA256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(1000))
    assert_sound(fetch(), tmp_path)
    assert mirror.sent == 2 * len(CONTENT) - 1000


def test_a_cached_file_that_was_damaged_is_never_used(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    assert_sound(fetch(), tmp_path)
    blob = folder_of(tmp_path) / "blobs" / SHA256
    blob.write_bytes(CONTENT[:-1] + b"\0")
    done = fetch()
    assert_sound(done, tmp_path)
    assert "is damaged" in done.stderr and f"set aside as {SHA256}.corrupt" in done.stderr
    blob.write_bytes(CONTENT[:5])
    done = fetch(HF_HUB_OFFLINE="1")
    assert done.returncode != 0 and "is damaged" in done.stderr and "HF_HUB_OFFLINE is set" in done.stderr
    assert not blob.exists()
    assert_sound(fetch(), tmp_path)


def test_two_processes_that_want_the_same_file_fetch_it_once(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    mirror.fault = "trickles"
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(fetch), pool.submit(fetch)]:
            assert_sound(done.result(), tmp_path)
    assert mirror.sent == len(CONTENT)


def test_a_file_system_without_links_holds_the_file_itself(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    linkless = "import os, pathlib\ndef refuse(*args): raise OSError\npathlib.Path.symlink_to = os.symlink = refuse\n"
    for _ in range(2):
        done = fetch(first=linkless)
        assert done.returncode == 0 and Path(done.stdout.strip()).read_bytes() == CONTENT
    assert mirror.sent == len(CONTENT) and not Path(done.stdout.strip()).is_symlink()


def test_a_gated_file_is_had_with_a_token(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    mirror.token = "secret"
    assert_refused(fetch(), tmp_path, "is gated")
    assert_refused(fetch(HF_TOKEN="wrong"), tmp_path, "is gated")
    assert_sound(fetch(HF_TOKEN="secret"), tmp_path)


def test_a_pinned_revision_is_asked_for_and_found_again(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    for revision in ("v1", mirror_of.COMMIT):
        done = fetch(revision=revision)
        assert done.returncode == 0 and Path(done.stdout.strip()).read_bytes() == CONTENT
    assert f"HEAD /{REPO}/resolve/v1/{FILE}" in mirror.requests
    assert sum("HEAD /lab" in request for request in mirror.requests) == 1, "the commit is known from the first time"
    assert (folder_of(tmp_path) / "refs" / "v1").read_text() == mirror_of.COMMIT
    assert fetch(revision="v2", HF_HUB_OFFLINE="1").returncode != 0


@pytest.mark.parametrize(
    ("environment", "part"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        ({"HF_ENDPOINT": "http://hub.invalid"}, "its name cannot be looked up"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "refused"),
        ({"HF_ENDPOINT": "nonsense"}, "Cannot reach nonsense"),
        ({"HF_HOME": "/dev/null/hf"}, "Not a directory"),
    ],
)  # fmt: skip
def test_what_is_wrong_on_this_side_is_said_too(fetch: Fetch, tmp_path: Path, environment: dict[str, str], part: str) -> None:
    assert_refused(fetch(**environment), tmp_path, part)


def test_a_full_disk_is_said_and_the_rest_follows_later(mirror: Any, fetch: Fetch, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    assert_refused(fetch(first=limit), tmp_path, "File too large", "run again")
    mirror.mend()
    assert_sound(fetch(), tmp_path)
    assert mirror.sent == 200_000


def test_an_encoder_from_a_hub_gives_what_the_same_file_on_this_machine_gives(shared: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    weights = shared / "weights" / "mobilenetv2_100.safetensors"
    for i, label in enumerate(("neuron", "rbc")):
        (tmp_path / "raw" / label).mkdir(parents=True)
        pixels = np.random.default_rng(i).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "raw" / label / "a.png")
    name = "timm:mobilenetv2_100.ra_in1k"
    command = ["-m", "bench", "extract", "--data", "raw", "--encoder", f"{name}@size=64,{name}@size=64,weights={weights}"]
    with mirror_of.serve({"timm/mobilenetv2_100.ra_in1k/model.safetensors": weights.read_bytes()}) as mirror:
        environment = hub_environment(mirror, tmp_path)
        done = subprocess.run([sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shards = [load_file(path) for path in (tmp_path / "results" / "store").glob("*/*.safetensors")]
    assert len(shards) == 2 and shards[0]["emb"].shape == (2, 1280)
    assert shards[0]["emb"].tobytes() == shards[1]["emb"].tobytes()
