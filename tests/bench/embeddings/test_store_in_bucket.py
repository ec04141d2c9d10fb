import numpy as np
import pytest

from bench.embeddings.store import EmbeddingStore
from bench.storage.buckets.client import Client
from bench.storage.buckets.mirror import open_results
from tests.bench.buckets import Bucket, another_machine

KEY = "ab" * 16


def names(first: int, count: int) -> list[str]:
    return [f"{first + i:032x}" for i in range(count)]


def store_of(bucket: Bucket) -> EmbeddingStore:
    store = EmbeddingStore(open_results(bucket.out) / "store")
    store.declare(KEY, {"source": "x"}, "weights", "x")
    return store


def rows(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + 3 * count, dtype=np.float32).reshape(count, 3)


def test_shards_of_another_machine_are_brought_by_their_names_without_a_list(bucket: Bucket, tmp_path, monkeypatch):
    store_of(bucket).write(KEY, names(0, 4), rows(0, 4))
    monkeypatch.setattr(Client, "listed", lambda *_: pytest.fail("a list was asked for"))
    with another_machine(tmp_path, "two", monkeypatch):
        store = store_of(bucket)
        store.bring([KEY], [np.array(names(0, 4))])
        assert np.array_equal(store.read(KEY, names(0, 4)), rows(0, 4))


def test_rows_in_other_blocks_are_found_where_a_list_shows_their_shards_and_nothing_else_is_fetched(
    bucket: Bucket, tmp_path, monkeypatch
):
    store_of(bucket).write(KEY, names(0, 4), rows(0, 4))
    bucket.put(f"out/store/{KEY}/..evil.safetensors", b"x")
    bucket.put(f"out/store/{KEY}/notes.txt", b"x")
    with another_machine(tmp_path, "two", monkeypatch):
        store = store_of(bucket)
        store.bring([KEY], [np.array(names(2, 4))])
        assert store.has(KEY, names(2, 4)).tolist() == [True, True, False, False]
        assert {path.suffix for path in store.folder(KEY).iterdir()} == {".json", ".safetensors"}
        assert not list(store.folder(KEY).glob("*evil*"))


def test_of_two_that_embed_the_same_the_first_one_counts(bucket: Bucket, tmp_path, monkeypatch):
    store_of(bucket).write(KEY, names(0, 4), rows(0, 4))
    with another_machine(tmp_path, "two", monkeypatch):
        store = store_of(bucket)
        store.write(KEY, names(0, 4), rows(0, 4) + 1e-6)
        assert np.array_equal(store.read(KEY, names(0, 4)), rows(0, 4))


def test_a_damaged_shard_of_the_bucket_is_made_again_and_replaced(bucket: Bucket, tmp_path, monkeypatch):
    path = store_of(bucket).write(KEY, names(0, 4), rows(0, 4))
    key, sound = f"out/store/{KEY}/{path.name}", path.read_bytes()
    bucket.put(key, sound[:-5] + b"xxxxx")
    with another_machine(tmp_path, "two", monkeypatch):
        store = store_of(bucket)
        store.bring([KEY], [np.array(names(0, 4))])
        assert not store.has(KEY, names(0, 4)).any() and store.set_aside
        store.write(KEY, names(0, 4), rows(0, 4))
    assert bucket.stored()[key] == sound


def test_other_weights_under_a_name_are_refused_on_another_machine_as_well(bucket: Bucket, tmp_path, monkeypatch):
    from bench.errors import BenchError

    store_of(bucket)
    with another_machine(tmp_path, "two", monkeypatch):
        store = EmbeddingStore(open_results(bucket.out) / "store")
        with pytest.raises(BenchError, match="weights behind that name have changed"):
            store.declare(KEY, {"source": "x"}, "other weights", "x")
        assert store.variants() == {KEY: "x"}
