"""Ways in which tools of this kind were seen to fail, each replayed on this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bench.cli.app import app
from bench.embeddings.embed import DataSpec, extract_encoders, prepare
from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.pipeline import run
from bench.protocol.protocol import Protocol
from bench.request import Request
from bench.work.claims import Claims
from encoders import EncoderSpec, resolve

PLUGIN = """
import time
from encoders import descriptor

@descriptor("slow", dim=3)
def slow(image):
    time.sleep(0.001)
    return image.mean((0, 1))
"""


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    rng = np.random.default_rng(0)
    for label in ("neuron", "rbc"):
        for i in range(6):
            path = tmp_path / "raw" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    (tmp_path / "mine.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spec(name: str) -> EncoderSpec:
    return resolve(f"mine.py:{name}" if name == "slow" else name)


def small_run(encoders: list[str], **more: object):
    return run(
        Request(
            source=DataSpec(Path("raw"), "tiles:8"),
            protocol=Protocol(shots=(1,), draws=2),
            encoders=encoders,
            heads=["knn"],
            baselines=False,
            **more,
        )
    )


def extract(*names: str):
    return extract_encoders(prepare(DataSpec(Path("raw"), "tiles:8")), [spec(name) for name in names])[1]


def killed_while_extracting(store: Path) -> int:
    """Extract with the slow encoder in another process, kill -9 it after its first shard; returns the rows left."""
    process = multiprocessing.get_context("fork").Process(target=extract, args=("slow",))
    process.start()
    key, deadline = spec("slow").key, time.monotonic() + 60
    while not list((store / key).glob("*.safetensors")):
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.join()
    return len(EmbeddingStore(store).index(key).rows)


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_1_a_kill_during_extraction_neither_poisons_the_next_command_nor_costs_earlier_results(data):
    small_run(["color-stats"], name="earlier")
    earlier = files(data / "results" / "runs" / "earlier")
    left = killed_while_extracting(data / "results" / "store")
    assert 0 < left < 12 * 64
    result = small_run(["color-stats", "mine.py:slow"], name="later")
    assert result.extracted.reused == {"color-stats": 768, "mine.py:slow": left}
    assert set(result.leaderboard.table["encoder"]) == {"color-stats", "mine.py:slow"}
    assert files(data / "results" / "runs" / "earlier") == earlier


def test_2_the_same_command_after_a_kill_goes_on_and_refuses_nothing(data):
    left = killed_while_extracting(data / "results" / "store")
    report = extract("slow")
    assert (report.reused["mine.py:slow"], report.made["mine.py:slow"]) == (left, 12 * 64 - left)


def test_3_a_cleaner_leaves_the_claim_of_a_living_process_and_a_partial_file_is_never_taken_for_done(data):
    extract("color-stats")
    store = EmbeddingStore(data / "results" / "store")
    holder = multiprocessing.get_context("fork").Process(target=hold, args=(store.root / "claims",), daemon=True)
    holder.start()
    while not (store.root / "claims" / "block.claim").exists():
        time.sleep(0.002)
    os.kill(holder.pid, signal.SIGSTOP)  # alive, though it does nothing
    time.sleep(0.05)
    result = CliRunner().invoke(app, ["store", "clean", "--out", "results", "--yes"])
    assert result.exit_code == 0
    assert (store.root / "claims" / "block.claim").exists()
    assert not Claims(store.root / "claims").take("block")
    holder.kill()
    holder.join()
    key = spec("color-stats").key
    shard = next(store.folder(key).glob("*.safetensors"))
    index = store.index(key)
    rows = int(index.stat[index.names == shard.stem, 2][0])
    shard.write_bytes(shard.read_bytes()[:-1000])
    assert extract("color-stats").made == {"color-stats": rows}


def hold(folder: Path) -> None:
    claims = Claims(folder)
    claims.take("block")
    time.sleep(600)


CHANGES = {
    "color": {"preprocess": {"color": "grey"}},
    "size": {"preprocess": {"size": 448}},
    "resize": {"preprocess": {"resize": "squash"}},
    "interpolation": {"preprocess": {"interpolation": "bicubic"}},
    "normalisation": {"preprocess": {"mean": (0.1, 0.2, 0.3)}},
    "deviation": {"preprocess": {"std": (0.1, 0.2, 0.3)}},
    "window": {"preprocess": {"window": "range"}},
    "precision": {"precision": "bfloat16"},
    "pool": {"pool": "mean"},
    "weights": {"weights": "random:1"},
    "code": {"code": "2"},
}


def test_4_whatever_changes_an_embedding_changes_its_key():
    plain = resolve("color-stats")
    changed = [
        replace(plain, **{k: replace(plain.preprocess, **v) if k == "preprocess" else v for k, v in change.items()}).key
        for change in CHANGES.values()
    ]
    assert len({plain.key, *changed}) == len(CHANGES) + 1


def test_4_a_crash_between_two_parts_of_the_data_leaves_the_first_done_and_the_second_to_do(data):
    prepared = prepare(DataSpec(Path("raw"), "tiles:8"))
    train = prepared.instances[prepared.instances["label"] == "neuron"]
    extract_encoders(replace(prepared, instances=train), [spec("color-stats")])
    with pytest.raises(BenchError, match="384 of 768 instances without an embedding"):
        prepared.store.read(spec("color-stats").key, prepared.instances["instance"])
    report = extract("color-stats")
    assert (report.reused["color-stats"], report.made["color-stats"]) == (384, 384)


def test_5_encoders_share_no_rows_even_of_one_width_and_one_data_set(data):
    extract("color-stats", "thumbnail")
    report = extract("color-stats@color=grey")
    assert report.made == {"color-stats@color=grey": 768}
    keys = [spec(name).key for name in ("color-stats", "color-stats@color=grey")]
    store = EmbeddingStore(data / "results" / "store")
    names = prepare(DataSpec(Path("raw"), "tiles:8")).instances["instance"]
    one, two = (store.read(key, names) for key in keys)
    assert one.shape == two.shape
    assert not np.array_equal(one, two)


def test_5_duplicates_and_bad_files_shift_no_row(data):
    source = DataSpec(Path("raw"))
    before = prepare(source)
    extract_encoders(before, [spec("color-stats")])
    key = spec("color-stats").key
    own = dict(zip(before.instances["path"], before.store.read(key, before.instances["instance"]), strict=True))
    for copy in ("neuron/0a.png", "rbc/9.png"):
        (data / "raw" / copy).write_bytes((data / "raw" / copy[: copy.index("/")] / "0.png").read_bytes())
    (data / "raw" / "neuron" / "0b.png").write_bytes(b"not an image")
    after, _ = extract_encoders(prepare(source), [spec("color-stats")])
    X = after.store.read(key, after.instances["instance"])
    assert len(X) == 14
    for path, row in zip(after.instances["path"], X, strict=True):
        original = path.replace("0a.png", "0.png").replace("9.png", "0.png")
        np.testing.assert_array_equal(row, own[original])


def test_5_draws_of_few_labels_differ_by_seed(data):
    from bench.protocol.splits import plan_splits
    from bench.protocol.supports import draw_supports

    table = prepare(DataSpec(Path("raw"))).instances
    plan = plan_splits(table, ("neuron", "rbc"))
    supports = draw_supports(table, ("neuron", "rbc"), plan, (1,), draws=8).supports
    assert len({tuple(rows.tolist()) for rows in supports.values()}) > 1


def test_9_a_truncated_image_is_named_and_the_run_goes_on(data):
    path = data / "raw" / "neuron" / "2.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = small_run(["color-stats"])
    assert "neuron/2.png" in " ".join(prepare(DataSpec(Path("raw"), "tiles:8")).dataset.problems["path"])
    assert len(result.leaderboard.table) > 0
    assert small_run(["color-stats"]).up_to_date
