"""What is stored is told, and only what serves nobody is ever removed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.data.manifest import scan
from bench.embeddings.inventory import find_leftovers, list_variants, pixel_bytes, remove
from bench.embeddings.store import EmbeddingStore
from bench.errors import BenchError
from bench.storage import shards
from bench.storage.owner import temporary
from bench.work.claims import Claims

KEY = "k" * 32
HOURS = time.time() - 2 * 3600


def names(*numbers: int) -> list[str]:
    return [hashlib.sha256(str(n).encode()).hexdigest()[:32] for n in numbers]


def rows(*numbers: int) -> np.ndarray:
    return np.array([[n, n + 0.5, -n] for n in numbers], np.float32)


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.fixture
def store(tmp_path):
    store = EmbeddingStore(tmp_path / "store")
    store.declare(KEY, {"source": "timm:x"}, "a", "x")
    store.write(KEY, names(1, 2), rows(1, 2))
    store.write(KEY, names(3), rows(3))
    store.note_cost(KEY, 2.5, "cpu")
    return store


def bench(*words: object) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)
    return result.exit_code, " ".join(result.output.split()), result.exception


def test_a_variant_is_told_by_rows_width_size_and_cost(store, tmp_path):
    store.write(KEY, names(2, 3), rows(2, 3))
    [one] = list_variants(EmbeddingStore(store.root))
    assert (one.name, one.source, one.rows, one.width, one.shards, one.ms) == ("x", "timm:x", 3, 3, 3, 2.5)
    assert one.bytes == sum(path.stat().st_size for path in store.folder(KEY).iterdir())
    code, text, _ = bench("store", "--out", tmp_path)
    assert code == 0
    assert "x kkkkkkkk timm:x 3 3 3" in text and "2.50" in text and "1 variant" in text and "1 variants" not in text
    assert isinstance(bench("store", "--out", tmp_path / "no")[2], BenchError)


def test_checking_sets_aside_what_is_damaged_and_says_so(store, tmp_path):
    assert "2 shards are sound" in bench("store", "check", "--out", tmp_path)[1]
    path = store.shard_path(KEY, names(3))
    path.write_bytes(flip(path.read_bytes(), path.stat().st_size - 20))
    code, text, error = bench("store", "check", "--out", tmp_path)
    assert code == 1 and "damaged, set aside as" in text
    assert "Got 1 damaged of 2 shards" in str(error)
    assert "1 shards are sound" in bench("store", "--out", tmp_path, "check")[1]


def leave(out, store) -> dict[str, str]:
    """Leave one of each kind of leftover; returns name -> a word of its reason."""
    (out / "runs" / "a").mkdir(parents=True)
    for folder in (store.folder(KEY), out / "runs" / "a"):
        (folder / ".old.7.ab.tmp").write_bytes(b"half")
        os.utime(folder / ".old.7.ab.tmp", (HOURS, HOURS))
        (folder / "x.corrupt").write_bytes(b"bad")
    (store.folder(KEY) / ".young.7.ab.tmp").write_bytes(b"being written")
    dead, living = Claims(store.root / "claims"), Claims(store.root / "claims")
    dead.take("dead")
    os.utime(store.root / "claims" / "dead.claim", (HOURS, HOURS))
    living.take("living")
    for name in ("here", "gone"):
        (out / name).mkdir()
        scan(out / name, ["a.png"], store.root)
    shutil.rmtree(out / "gone")
    store.write(KEY, names(1, 3), rows(1, 3))
    store.write(KEY, names(1, 2, 3), rows(1, 2, 3))
    return {".old.7.ab.tmp": "never finished", "x.corrupt": "damaged", "dead.claim": "dead"}


def test_cleaning_lists_first_and_removes_only_what_serves_nobody(store, tmp_path):
    expected = leave(tmp_path, store)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    found = find_leftovers(tmp_path)
    for name, why in expected.items():
        assert all(why in one.why for one in found if one.path.name == name)
    kinds = sorted(one.path.name if one.path.name in expected else one.path.suffix for one in found)
    assert kinds == sorted(
        [".old.7.ab.tmp"] * 2 + ["x.corrupt"] * 2 + ["dead.claim", ".parquet"] + [".safetensors"] * 3
    )
    code, text, _ = bench("store", "clean", "--out", tmp_path)
    assert code == 0 and "nothing was removed. Give --yes" in text
    assert {path for path in tmp_path.rglob("*") if path.is_file()} - before <= {store.root / "claims" / "clock"}
    assert "freed" in bench("store", "clean", "--out", tmp_path, "--yes")[1]
    removed = before - {path for path in tmp_path.rglob("*") if path.is_file()}
    assert removed == {one.path for one in found}
    fresh = EmbeddingStore(store.root)
    np.testing.assert_array_equal(fresh.read(KEY, names(3, 2, 1)), rows(3, 2, 1))
    assert (store.root / "claims" / "living.claim").exists()
    assert find_leftovers(tmp_path) == []
    assert "Nothing to remove" in bench("store", "clean", "--out", tmp_path)[1]


def test_a_shard_stays_when_the_others_that_hold_its_rows_are_damaged(store, tmp_path):
    large = store.write(KEY, names(1, 2, 3), rows(1, 2, 3))
    data = large.read_bytes()
    large.write_bytes(flip(data, len(data) - 3 * 16 - 4))
    assert [one.path for one in find_leftovers(tmp_path)] == [large]


def test_shards_of_an_older_format_can_go(store, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "FORMAT", "cell-classifier embeddings 1")
    old = store.write(KEY, names(9), rows(9))
    monkeypatch.undo()
    assert [one.path for one in find_leftovers(tmp_path)] == [old]


def test_a_variant_is_removed_by_name_and_whole(store, tmp_path):
    with pytest.raises(BenchError, match="Got --encoder xx, of which nothing is stored, did you mean 'x'"):
        find_leftovers(tmp_path, ["xx"])
    [one] = find_leftovers(tmp_path, ["x"])
    assert find_leftovers(tmp_path, [KEY[:8]])[0].path == one.path
    assert one.path == store.folder(KEY)
    assert remove([one]) == one.bytes
    assert list(store.root.iterdir()) == []


def test_reading_goes_on_when_shards_are_cleaned_away_underneath(store, tmp_path, monkeypatch):
    reader = EmbeddingStore(store.root)
    store.write(KEY, names(1, 2, 3), rows(1, 2, 3))
    assert reader.has(KEY, names(1, 2, 3)).all()
    looks = iter([reader.index(KEY), None])
    remove(find_leftovers(tmp_path))
    real = reader.index
    monkeypatch.setattr(reader, "index", lambda key: next(looks) or real(key))
    np.testing.assert_array_equal(reader.read(KEY, names(2, 3)), rows(2, 3))


def test_a_manifest_names_its_folder(tmp_path):
    (tmp_path / "data").mkdir()
    table = scan(tmp_path / "data", ["a.png"], tmp_path)
    [path] = (tmp_path / "manifests").iterdir()
    assert pd.read_parquet(path)["path"].tolist() == table["path"].tolist()


def test_kept_pixels_are_shown_and_go_only_when_asked_for(tmp_path):
    chunk = tmp_path / "store" / "pixels" / "a" / "b.safetensors"
    chunk.parent.mkdir(parents=True)
    chunk.write_bytes(b"12345")
    assert pixel_bytes(EmbeddingStore(tmp_path / "store")) == 5
    assert find_leftovers(tmp_path) == []
    assert remove(find_leftovers(tmp_path, pixels=True)) == 5
    assert not chunk.exists() and not list((tmp_path / "store").glob("*pixels*"))


def test_what_a_killed_run_left_is_listed_at_once_and_what_a_living_one_uses_is_not(store, tmp_path, semaphores):
    code = (
        "import sys; from pathlib import Path; from bench.work.claims import Claims; from bench.storage.owner import temporary;"
        "out = Path(sys.argv[1]); folder = temporary(out, 'scratch'); folder.mkdir(); (folder / 'x').touch();"
        "temporary(out / 'store', 'a.csv').touch(); claims = Claims(out / 'runs' / 'r' / 'claims'); claims.take('unit');"
        "import os; (Path(sys.argv[2]) / f'sem.loky-{os.getpid()}-a').touch(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path), str(semaphores)], check=False)
    (mine := temporary(tmp_path, "scratch")).mkdir()
    kinds = sorted(one.path.name.split(".")[1 if one.path.name.startswith(".") else 0] for one in find_leftovers(tmp_path))
    assert kinds == ["a", "scratch", "sem", "unit"]
    remove(find_leftovers(tmp_path))
    assert mine.exists() and not list(semaphores.iterdir()) and find_leftovers(tmp_path) == []
