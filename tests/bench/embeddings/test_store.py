"""The store never serves a wrong row and never loses a committed one."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.embeddings.store import DamagedRows, EmbeddingStore, to_names, to_rows
from bench.errors import BenchError
from bench.storage import shard_index, shards

ROOT = Path(__file__).resolve().parents[3]
KEY = "k" * 32


def names(*numbers: int) -> list[str]:
    return [hashlib.sha256(str(n).encode()).hexdigest()[:32] for n in numbers]


def rows(*numbers: int) -> np.ndarray:
    return np.array([[n, n + 0.5, -n] for n in numbers], np.float32)


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=20))
def test_names_survive_the_way_to_bytes_and_back(raw):
    assert to_names(to_rows([b.hex() for b in raw])) == [b.hex() for b in raw]


@settings(max_examples=30)
@given(order=st.permutations(range(9)), cut=st.integers(1, 8))
def test_a_row_comes_back_under_its_own_name_whatever_the_shards_and_the_order(tmp_path_factory, order, cut):
    store = EmbeddingStore(tmp_path_factory.mktemp("store"))
    store.write(KEY, names(*order[:cut]), rows(*order[:cut]))
    store.write(KEY, names(*order[cut:]), rows(*order[cut:]))
    wanted = list(range(8, -1, -2))
    np.testing.assert_array_equal(store.read(KEY, names(*wanted)), rows(*wanted))
    assert store.has(KEY, names(*range(9), 99)).tolist() == [True] * 9 + [False]


def test_missing_rows_are_an_error_that_says_what_to_run(tmp_path):
    store = EmbeddingStore(tmp_path)
    store.write(KEY, names(1), rows(1))
    with pytest.raises(BenchError, match="1 of 2 instances without an embedding.*bench extract"):
        store.read(KEY, names(1, 2))


DAMAGE = {
    "truncated": lambda data: data[:-5],
    "cut to its header": lambda data: data[:20],
    "longer": lambda data: data + b"x",
    "empty": lambda data: b"",
    "length of the header": lambda data: flip(data, 3),
    "header": lambda data: flip(data, data.index(b"shape") + 8),
    "instance": lambda data: flip(data, len(data) - 2),
}


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_outside_the_embeddings_is_seen_without_reading_them(tmp_path, damage):
    store = EmbeddingStore(tmp_path)
    path = store.write(KEY, names(1, 2), rows(1, 2))
    store.write(KEY, names(3), rows(3))
    assert store.has(KEY, names(1, 2, 3)).all()
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert store.has(KEY, names(1, 2, 3)).tolist() == [False, False, True]
    assert not path.exists()
    assert [aside.exists() for aside in store.set_aside] == [True]
    store.write(KEY, names(1, 2), rows(1, 2))
    np.testing.assert_array_equal(store.read(KEY, names(2)), rows(2))


@pytest.mark.parametrize("place", ["embedding", "checksum"])
def test_a_flipped_embedding_is_never_served_and_can_be_made_again(tmp_path, place):
    store = EmbeddingStore(tmp_path)
    path = store.write(KEY, names(1, 2), rows(1, 2))
    store.write(KEY, names(3), rows(3))
    data = path.read_bytes()
    at = len(data) - 2 * 16 - 5 if place == "embedding" else data.index(b"emb") + 12
    stat = path.stat()
    path.write_bytes(flip(data, at))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a disk does it: no trace outside
    np.testing.assert_array_equal(store.read(KEY, names(3)), rows(3))
    with pytest.raises(DamagedRows, match="1 damaged shard .* set aside .*bench extract"):
        store.read(KEY, names(2, 3))
    assert store.has(KEY, names(1, 2, 3)).tolist() == [False, False, True]
    store.write(KEY, names(1, 2), rows(1, 2))
    np.testing.assert_array_equal(store.read(KEY, names(2, 3)), rows(2, 3))


def test_verifying_reads_every_embedding(tmp_path):
    store = EmbeddingStore(tmp_path)
    paths = [store.write(KEY, names(n), rows(n)) for n in range(3)]
    assert store.verify(KEY) == []
    data = paths[1].read_bytes()
    paths[1].write_bytes(flip(data, len(data) - 16 - 5))
    assert store.verify(KEY) == [paths[1].with_suffix(".corrupt")]
    assert store.verify(KEY) == []
    assert store.has(KEY, names(0, 1, 2)).tolist() == [True, False, True]


@settings(max_examples=60)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_whichever_bit_flips_no_wrong_row_is_served(tmp_path_factory, at, bit):
    store = EmbeddingStore(tmp_path_factory.mktemp("store"))
    path = store.write(KEY, names(1, 2), rows(1, 2))
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 1 << bit
    path.write_bytes(bytes(data))
    try:
        np.testing.assert_array_equal(EmbeddingStore(store.root).read(KEY, names(2, 1)), rows(2, 1))
    except BenchError:
        assert not EmbeddingStore(store.root).has(KEY, names(1, 2)).any()


def test_a_shard_made_again_by_another_process_is_not_set_aside(tmp_path):
    store = EmbeddingStore(tmp_path)
    path = store.write(KEY, names(1), rows(1))
    store._put_aside([path])  # judged on what it was before
    assert path.exists()
    assert store.set_aside == []


def test_a_shard_copied_into_another_variant_or_renamed_is_not_served(tmp_path):
    store = EmbeddingStore(tmp_path)
    path = store.write(KEY, names(1), rows(1))
    other = store.folder("o" * 32)
    other.mkdir()
    (other / path.name).write_bytes(path.read_bytes())
    assert not store.has("o" * 32, names(1)).any()
    path.rename(path.with_name("0" * 32 + ".safetensors"))
    assert not store.has(KEY, names(1)).any()
    assert len(store.set_aside) == 2


def test_shards_of_an_older_format_are_made_again_in_their_place(tmp_path, monkeypatch):
    store = EmbeddingStore(tmp_path)
    monkeypatch.setattr(shards, "FORMAT", "cell-classifier embeddings 1")
    path = store.write(KEY, names(1), rows(1))
    monkeypatch.undo()
    assert not store.has(KEY, names(1)).any()
    assert store.set_aside == []
    assert store.write(KEY, names(1), rows(1)) == path
    assert store.has(KEY, names(1)).all()


def test_a_variant_has_one_width(tmp_path):
    store = EmbeddingStore(tmp_path)
    store.write(KEY, names(1), rows(1))
    with pytest.raises(BenchError, match="of 2 columns .* have 3"):
        store.write(KEY, names(2), np.zeros((1, 2)))
    with pytest.raises(BenchError, match="of 2 columns .* have 3"):
        EmbeddingStore(tmp_path).write(KEY, names(2), np.zeros((1, 2)))
    blind = EmbeddingStore(tmp_path)
    blind._widths[KEY] = 2  # as if both had been first
    blind.write(KEY, names(2), np.zeros((1, 2)))
    with pytest.raises(BenchError, match="shards of 2 and 3 columns"):
        blind.read(KEY, names(1, 2))


@settings(max_examples=40)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "remove"]), st.sets(st.integers(0, 20), min_size=1, max_size=6)),
        max_size=12,
    )
)
def test_an_index_that_grew_shard_by_shard_knows_what_one_made_at_once_knows(tmp_path_factory, steps):
    store = EmbeddingStore(tmp_path_factory.mktemp("store"))
    everything = names(*range(22))
    for action, numbers in steps:
        if action == "write":
            store.write(KEY, names(*numbers), rows(*numbers))
        else:
            store.shard_path(KEY, names(*numbers)).unlink(missing_ok=True)
        there = store.has(KEY, everything)
        assert there.tolist() == EmbeddingStore(store.root).has(KEY, everything).tolist()
        kept = np.flatnonzero(there).tolist()
        np.testing.assert_array_equal(store.read(KEY, names(*kept)), rows(*kept) if kept else np.zeros((0, 0)))


def many(store: EmbeddingStore, count: int) -> None:
    for n in range(count):
        store.write(KEY, names(n), rows(n))


def test_the_index_saves_opening_shards_and_is_never_believed_over_them(tmp_path, monkeypatch):
    opened = []
    real = shard_index.read_rows
    monkeypatch.setattr(shard_index, "read_rows", lambda path, key: opened.append(path) or real(path, key))
    monkeypatch.setattr(shard_index, "WORTH_WRITING", 4)
    many(EmbeddingStore(tmp_path), 6)
    opened.clear()
    assert EmbeddingStore(tmp_path).has(KEY, names(*range(6))).all()
    assert len(opened) == 6
    opened.clear()
    assert EmbeddingStore(tmp_path).has(KEY, names(*range(6))).all()
    assert opened == []
    store = EmbeddingStore(tmp_path)
    store.shard_path(KEY, names(3)).unlink()
    store.write(KEY, names(7), rows(7))
    assert store.has(KEY, names(*range(8))).tolist() == [True] * 3 + [False] + [True] * 2 + [False, True]
    assert len(opened) == 1


@pytest.mark.parametrize("content", [b"", b"PK but not really", None])
def test_an_index_that_cannot_be_read_or_lies_is_made_again(tmp_path, monkeypatch, content):
    monkeypatch.setattr(shard_index, "WORTH_WRITING", 1)
    store = EmbeddingStore(tmp_path)
    many(store, 3)
    assert store.has(KEY, names(0, 1, 2)).all()
    place = store.folder(KEY) / shard_index.FILE
    if content is None:
        index = store.index(KEY)
        with place.open("wb") as file:
            np.savez(file, names=index.names, stat=index.stat, rows=index.rows[::-1])
    else:
        place.write_bytes(content)
    np.testing.assert_array_equal(EmbeddingStore(tmp_path).read(KEY, names(2, 0)), rows(2, 0))
    assert EmbeddingStore(tmp_path).has(KEY, names(0, 1, 2)).all()


def test_a_store_that_cannot_be_written_still_serves(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_index, "WORTH_WRITING", 1)
    many(EmbeddingStore(tmp_path), 2)

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("bench.storage.atomic.os.fsync", refuse)
    np.testing.assert_array_equal(EmbeddingStore(tmp_path).read(KEY, names(1, 0)), rows(1, 0))


LIMITED = """
import resource, sys
import numpy as np
from bench.storage.shards import pack, shard_name
from bench.embeddings.store import EmbeddingStore, to_names
store, key = EmbeddingStore(sys.argv[1]), "k" * 32
rng = np.random.default_rng(0)
N, n, d = 1_000_000, 20_000, 256
folder = store.folder(key)
folder.mkdir(parents=True)
digests = rng.integers(0, 256, (N, 16), dtype=np.uint8)
for start in range(0, N, n):
    part = digests[start : start + n]
    emb = np.repeat(part[:, :1].astype(np.float32), d, 1)
    (folder / f"{shard_name(part)}.safetensors").write_bytes(pack(key, part, emb))
del emb, part
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000, -1))  # the embeddings are 1024 MB
for store in (EmbeddingStore(sys.argv[1]), EmbeddingStore(sys.argv[1])):
    some = digests[rng.permutation(N)[:20_000]]
    assert store.index(key).find(digests).min() >= 0
    assert store.has(key, to_names(some)).all()
    assert not store.has(key, to_names(some ^ 255)).any()
    X = store.read(key, to_names(some))
    assert (X == some[:, :1]).all()
print("bounded")
"""


@pytest.mark.slow
def test_a_million_rows_are_looked_up_and_read_in_bounded_memory(tmp_path):
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "bounded\n", done.stderr


def test_values_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(BenchError, match="1 embeddings that are not finite"):
        EmbeddingStore(tmp_path).write(KEY, names(1, 2), np.array([[1, 2], [np.nan, 1]]))


def test_other_weights_behind_the_same_name_are_refused(tmp_path):
    store = EmbeddingStore(tmp_path)
    store.declare(KEY, {"source": "timm:x"}, "a" * 64, "x")
    store.declare(KEY, {"source": "timm:x"}, "a" * 64, "x")
    with pytest.raises(BenchError, match="weights behind that name have changed"):
        store.declare(KEY, {"source": "timm:x"}, "b" * 64, "x")


@pytest.mark.parametrize("name", ["spec.json", "cost.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_record_is_written_again(tmp_path, name, content):
    store = EmbeddingStore(tmp_path)
    for _ in range(2):
        store.declare(KEY, {"source": "timm:x"}, "a" * 64, "x")
        store.note_cost(KEY, 2.5, "cpu")
        assert (store.variants(), store.describe(KEY), store.cost(KEY)) == ({KEY: "x"}, "timm:x", 2.5)
        (store.folder(KEY) / name).write_bytes(content)
    assert store.variants() == {} or np.isnan(store.cost(KEY))
