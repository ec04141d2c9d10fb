"""Stations of other machines leave the shards of this one, wherever images are decoded and whoever else is at work."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bench.embeddings import station
from bench.embeddings.embed import DataSpec, prepare
from bench.embeddings.extract import extract, in_order
from bench.embeddings.store import EmbeddingStore, to_rows
from bench.errors import BenchError
from bench.storage.shards import shard_name
from bench.work.local import LocalEngine
from encoders import resolve

SPECS = [resolve("color-stats"), resolve("thumbnail")]


class Fake(LocalEngine):
    """An engine of two stations that get everything as messages, in turn; gpu: decoding is sent elsewhere."""

    def __init__(self, *, gpu: bool) -> None:
        self.gpu, self.sent = gpu, []

    def stations(self, build, shared, device):
        def submit(do, *args):
            self.sent.append(do.__name__)
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(do, *pickle.loads(pickle.dumps(args)))

        made = [build(*pickle.loads(pickle.dumps(tuple(shared))), 2, submit if self.gpu else None) for _ in range(2)]
        return Stations(made)


class Stations:
    def __init__(self, made) -> None:
        self.made, self.calls = made, []

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def count(self) -> int:
        return 2

    def each(self, calls):
        for i, call in enumerate(calls):
            self.calls.append(call.name)
            yield pickle.loads(pickle.dumps(call.do(self.made[i % 2], *call.own)))


@pytest.fixture
def prepared(tmp_path, save_png, monkeypatch):
    monkeypatch.setattr("bench.embeddings.station.BLOCK", 8)
    monkeypatch.setattr("bench.embeddings.spread.WAIT_S", 0.01)
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(20):
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=100 * k + i)
    return prepare(DataSpec(tmp_path / "raw"), tmp_path / "out")


def shards(store: EmbeddingStore) -> dict[str, bytes]:
    return {str(path.relative_to(store.root)): path.read_bytes() for path in store.root.glob("*/*.safetensors")}


def embed(prepared, to, engine, **how):
    store = EmbeddingStore(to)
    return store, extract(prepared.instances, prepared.dataset.root, SPECS, store, engine=engine, **how)


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("parallel", [True, False])
def test_stations_write_the_shards_of_this_machine(prepared, tmp_path, monkeypatch, gpu, parallel):
    here, report = embed(prepared, tmp_path / "here", LocalEngine())
    load = station._load

    def as_on_gpu(*args):
        loaded, failed = load(*args)
        return [replace(one, parallel=parallel) for one in loaded], failed

    monkeypatch.setattr(station, "_load", as_on_gpu)
    engine = Fake(gpu=gpu)
    there, other = embed(prepared, tmp_path / "there", engine)
    assert shards(there) == shards(here) and len(shards(here)) == 10
    assert (other.made, other.reused, other.problems) == (report.made, report.reused, report.problems)
    assert set(engine.sent) == ({"prepare_lot"} if gpu else set())
    assert there.cost(SPECS[0].key) >= 0


def test_what_cannot_be_decoded_is_told_and_asked_for_once(prepared, tmp_path):
    (tmp_path / "raw" / "rbc" / "3.png").write_bytes(b"no image")
    bad = [path for path in prepared.instances["path"] if path.endswith("rbc/3.png")]
    _, report = embed(prepared, tmp_path / "there", Fake(gpu=True))
    assert list(report.problems) == bad and report.made == {"color-stats": 39, "thumbnail": 39}


def test_what_another_command_holds_is_waited_for(prepared, tmp_path):
    store = EmbeddingStore(tmp_path / "there")
    other = store.claims()
    real = Stations.each
    rounds = []

    def each(self, calls):
        rounds.append(len(rounds))
        if len(rounds) == 4:  # the third time that the spans are gone through
            other.release_all()
        return real(self, calls)

    first = in_order(prepared.instances)["instance"].to_numpy(str)[:8]
    assert other.take(f"{SPECS[0].key}-{shard_name(to_rows(first))}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stations, "each", each)
        _, report = embed(prepared, tmp_path / "there", Fake(gpu=False))
    assert report.made == {"color-stats": 40, "thumbnail": 40} and len(rounds) >= 4


def test_an_encoder_that_one_station_alone_cannot_load_ends_the_command(prepared, tmp_path, monkeypatch):
    load, count = station._load, []

    def sometimes(*args):
        count.append(1)
        loaded, failed = load(*args)
        return (loaded, failed) if len(count) == 1 else (loaded[1:], {loaded[0].spec.name: "no weights on node 2"})

    monkeypatch.setattr(station, "_load", sometimes)
    with pytest.raises(BenchError, match=r"a node on which an encoder cannot be loaded.*\nno weights on node 2"):
        embed(prepared, tmp_path / "there", Fake(gpu=False))
