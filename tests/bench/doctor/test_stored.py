"""A look at the store: counts, damage, what can go; nothing of it changes."""

from __future__ import annotations

import numpy as np
import pytest

from bench.doctor import stored
from bench.doctor.stored import look_at_store, tally
from bench.embeddings.store import EmbeddingStore
from bench.seeds import content_name

KEY = "a" * 32


@pytest.fixture
def out(tmp_path):
    """A results folder with two shards of one variant."""
    store = EmbeddingStore(tmp_path / "results" / "store")
    store.declare(KEY, {"source": "descriptor:texture"}, "0" * 64, "texture")
    for part in range(2):
        store.write(KEY, [content_name([part, i]) for i in range(3)], np.ones((3, 4), np.float32))
    return tmp_path / "results"


def found(out) -> dict:
    return {one.what: one for one in look_at_store(out)}


def state_of(folder) -> dict:
    return {
        path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in folder.rglob("*")
    }


def test_nothing_stored_yet_is_a_note(tmp_path):
    assert found(tmp_path)["embeddings"].state == "note"


def test_what_is_stored_is_counted_and_found_sound(out):
    seen = found(out)
    assert "6 rows of 1 variant in 2 shards" in seen["embeddings"].found
    assert seen["quick check"].state == "ok" and seen["leftovers"].found == "none"


def test_a_damaged_shard_is_named_and_left_where_it_is(out):
    shard = sorted((out / "store" / KEY).glob("*.safetensors"))[0]
    shard.write_bytes(b"damaged" * 20)
    before = state_of(out)
    one = found(out)["quick check"]
    assert one.state == "problem" and not one.stops and "1 damaged" in one.found and shard.name in one.found
    assert "bench store check" in one.do and state_of(out) == before


def test_what_can_go_is_counted_and_stays(out):
    (out / "store" / KEY / "old.corrupt").write_bytes(b"x" * 1_000_000)
    before = state_of(out)
    one = found(out)["leftovers"]
    assert one.state == "note" and "1 file or folder, 1.0 MB (damaged)" in one.found and "store clean" in one.do
    assert state_of(out) == before


def test_a_store_of_very_many_files_is_not_looked_through(out, monkeypatch):
    monkeypatch.setattr(stored, "MOST", 2)
    seen = found(out)
    assert "over 2 files" in seen["embeddings"].found and "quick check" not in seen
    assert tally(out, 2)[::2] == (2, False)


def test_a_temporary_folder_in_which_no_look_is_possible_is_a_problem(out, monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    one = found(out)["embeddings"]
    assert one.state == "problem" and "temporary folder" in one.do
