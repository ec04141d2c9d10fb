"""Extraction: each image decoded once, each row in its place, whatever fails or is there already."""

from __future__ import annotations

import time
import weakref
from collections import Counter

import numpy as np
import pytest
from joblib import cpu_count
from PIL import Image

import bench.embeddings.inputs
from bench.data.datasets import load_dataset
from bench.embeddings.extract import BLOCK, extract, in_order
from bench.embeddings.store import EmbeddingStore
from bench.instances.cut import make_instances
from encoders import EncoderError, LoadedEncoder, resolve
from encoders.spec import EncoderSpec


@pytest.fixture
def data(tmp_path, save_png):
    for i in range(4):
        save_png(tmp_path / "raw" / ("neuron", "rbc")[i % 2] / f"{i // 2}.png", seed=i, size=(130, 140))
    return load_dataset(tmp_path / "raw")


def test_an_image_of_many_tiles_is_opened_once_for_all_encoders_and_every_tile_gets_its_own_vector(data, tmp_path, monkeypatch):
    opened = Counter()
    whole = bench.embeddings.inputs.open_views
    monkeypatch.setattr(bench.embeddings.inputs, "open_views", lambda path, *how: opened.update([path]) or whole(path, *how))
    table = make_instances(data, "tiles:10")
    assert len(table) == 4 * 13 * 14 > BLOCK
    store, specs = EmbeddingStore(tmp_path / "store"), [resolve("thumbnail"), resolve("color-stats")]
    report = extract(table, data.root, specs, store)
    assert set(opened.values()) == {1} and len(opened) == 4
    assert report.made == {"thumbnail": len(table), "color-stats": len(table)}
    means = store.read(specs[1].key, table["instance"])[:, :3]
    for i in (0, 300, len(table) - 1):
        row = table.iloc[i]
        pixels = np.asarray(Image.open(data.root / row["path"]))[row["y0"] : row["y1"], row["x0"] : row["x1"]]
        np.testing.assert_allclose(means[i], pixels.mean((0, 1)) / 255, atol=1e-6)


def test_what_lacks_in_one_encoder_alone_is_made_for_it_alone(data, tmp_path):
    table, store = make_instances(data, "tiles:10"), EmbeddingStore(tmp_path / "store")
    first, second = resolve("thumbnail"), resolve("color-stats")
    extract(table.iloc[:100], data.root, [first], store)
    report = extract(table, data.root, [first, second], store)
    assert report.reused == {"thumbnail": 100, "color-stats": 0}
    assert report.made == {"thumbnail": len(table) - 100, "color-stats": len(table)}
    other = EmbeddingStore(tmp_path / "other")
    extract(table, data.root, [first], other)
    assert store.read(first.key, table["instance"]).tobytes() == other.read(first.key, table["instance"]).tobytes()


def test_what_an_encoder_has_stored_counts_as_reused_where_it_cannot_be_loaded_again(data, tmp_path, monkeypatch):
    table, store = make_instances(data, "whole"), EmbeddingStore(tmp_path / "store")
    first, second = resolve("thumbnail"), resolve("color-stats")
    extract(table.iloc[:3], data.root, [first], store)

    whole = EncoderSpec.load

    def load(spec, placement):
        if spec.name == first.name:
            raise EncoderError("it is lost")
        return whole(spec, placement)

    monkeypatch.setattr(EncoderSpec, "load", load)
    report = extract(table, data.root, [first, second], store)
    assert report.failed == {"thumbnail": "it is lost"}
    assert report.reused == {"thumbnail": 3, "color-stats": 0} and report.made == {"thumbnail": 0, "color-stats": 4}


def test_an_encoder_that_workers_must_not_share_is_run_by_one_thread_with_the_same_rows_and_its_cost_is_told(data, tmp_path):
    import threading
    from dataclasses import replace

    spec, threads = resolve("color-stats"), set()
    loaded = spec.load()

    def encode(images):
        threads.add(threading.current_thread())
        return loaded.encode(images)

    alone = replace(spec, build=lambda s, placement: LoadedEncoder(s, encode, "", parallel=False))
    table = make_instances(data, "tiles:10")
    stores = [EmbeddingStore(tmp_path / name) for name in ("a", "b")]
    for store, one in zip(stores, (spec, alone), strict=True):
        started = time.perf_counter()
        extract(table, data.root, [one], store)
        assert 0 < store.cost(spec.key) * len(table) < 1000 * cpu_count() * (time.perf_counter() - started)
    assert threads == {threading.main_thread()}
    a, b = (store.read(spec.key, table["instance"]) for store in stores)
    assert a.tobytes() == b.tobytes()


def test_an_image_that_cannot_be_decoded_is_told_and_the_rows_of_the_others_stay_in_place(data, tmp_path):
    (data.root / "rbc" / "0.png").write_bytes((data.root / "rbc" / "1.png").read_bytes()[:2000])
    data = load_dataset(data.root)
    table, store = make_instances(data, "tiles:10"), EmbeddingStore(tmp_path / "store")
    spec = resolve("color-stats")
    report = extract(table, data.root, [spec], store)
    assert list(report.problems) == ["rbc/0.png"] and "truncated" in report.problems["rbc/0.png"]
    good = table[table["path"] != "rbc/0.png"]
    assert report.made[spec.name] == len(good) and report.reused[spec.name] == 0
    row = good.iloc[-1]
    pixels = np.asarray(Image.open(data.root / row["path"]))[row["y0"] : row["y1"], row["x0"] : row["x1"]]
    np.testing.assert_allclose(store.read(spec.key, [row["instance"]])[0, :3], pixels.mean((0, 1)) / 255, atol=1e-6)


def test_a_wrong_device_is_told_where_nothing_would_run_on_it(data, tmp_path):
    with pytest.raises(EncoderError, match="Got device 'tpu'"):
        extract(make_instances(data, "whole"), data.root, [resolve("color-stats")], EmbeddingStore(tmp_path), device="tpu")


def test_what_another_process_holds_is_left_to_it_and_counted_as_reused(data, tmp_path):
    import threading
    import time

    table, spec = make_instances(data, "tiles:10"), resolve("color-stats")
    theirs, ours = EmbeddingStore(tmp_path / "store"), EmbeddingStore(tmp_path / "store")
    whole = EmbeddingStore(tmp_path / "whole")
    extract(table, data.root, [spec], whole)
    shards = sorted((tmp_path / "whole" / spec.key).glob("*.safetensors"))
    assert len(shards) == 2
    from bench.embeddings.store import to_rows
    from bench.storage.shards import shard_name

    names = in_order(table)["instance"].to_numpy(str)[:BLOCK]
    with theirs.claims() as claims:
        assert claims.take(f"{spec.key}-{shard_name(to_rows(names))}")
        reports = []
        thread = threading.Thread(target=lambda: reports.append(extract(table, data.root, [spec], ours)))
        thread.start()
        deadline = time.monotonic() + 60
        while not list((tmp_path / "store" / spec.key).glob("*.safetensors")):
            assert time.monotonic() < deadline and thread.is_alive()
            time.sleep(0.01)
        assert thread.is_alive(), "it waits for the block that is held"
        theirs.write(spec.key, names, whole.read(spec.key, names))
    thread.join(60)
    [report] = reports
    assert report.made[spec.name] == len(table) - BLOCK and report.reused[spec.name] == BLOCK
    assert {p.name for p in shards} == {p.name for p in (tmp_path / "store" / spec.key).glob("*.safetensors")}


def test_few_images_are_open_at_a_time_and_each_is_opened_once_for_two_inputs(tmp_path, save_png, monkeypatch):
    for i in range(50):
        save_png(tmp_path / "raw" / ("neuron", "rbc")[i % 2] / f"{i}.png", seed=i)
    data, opened, alive = load_dataset(tmp_path / "raw"), Counter(), weakref.WeakSet()

    class Seen:
        def __init__(self, views):
            self.crops = views.crops

    def watched(path, *how):
        opened.update([path])
        most.append(len(alive))
        views = Seen(whole(path, *how))
        alive.add(views)
        return views

    whole, most = bench.embeddings.inputs.open_views, []
    monkeypatch.setattr(bench.embeddings.inputs, "open_views", watched)
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    specs = [resolve("thumbnail"), resolve("raw-pixels"), resolve("color-stats")]
    report = extract(make_instances(data), data.root, specs, EmbeddingStore(tmp_path / "store"))
    assert sum(report.made.values()) == 150 and set(opened.values()) == {1}
    assert max(most) <= 6


def test_an_image_that_changed_after_it_was_listed_is_named_and_never_stored_under_its_old_name(data, tmp_path, save_png):
    table, store, spec = make_instances(data), EmbeddingStore(tmp_path / "store"), resolve("color-stats")
    changed = table["path"].iloc[1]
    before = (data.root / changed).read_bytes()
    save_png(data.root / changed, seed=77, size=(130, 140))
    report = extract(table, data.root, [spec], store)
    assert list(report.problems) == [changed] and "changed after it was listed" in report.problems[changed]
    assert report.made == {spec.name: 3}
    (data.root / changed).write_bytes(before)
    again = extract(table, data.root, [spec], store)
    assert (again.reused, again.made, dict(again.problems)) == ({spec.name: 3}, {spec.name: 1}, {})
    assert store.has(spec.key, table["instance"].to_numpy(str)).all()


def test_images_larger_than_is_held_at_once_go_one_after_the_other_with_the_same_vectors(data, tmp_path, monkeypatch):
    table, specs = make_instances(data), [resolve("color-stats"), resolve("thumbnail"), resolve("texture")]
    whole, little = EmbeddingStore(tmp_path / "whole"), EmbeddingStore(tmp_path / "little")
    extract(table, data.root, specs, whole)
    monkeypatch.setattr(bench.embeddings.inputs, "HELD", 1)
    most, get = [], bench.embeddings.inputs.Inputs.get

    def watched(self, wanted):
        prepared, problems = get(self, wanted)
        most.append(max(map(len, prepared.values())))
        return prepared, problems

    monkeypatch.setattr(bench.embeddings.inputs.Inputs, "get", watched)
    extract(table, data.root, specs, little)
    assert max(most) == 1 and len(most) == 4
    for spec in specs:
        assert (whole.read(spec.key, table["instance"]) == little.read(spec.key, table["instance"])).all()


@pytest.mark.parametrize("lacks", ["cut", "encode"])
def test_an_image_for_which_there_is_too_little_memory_is_named_and_the_others_are_embedded(data, tmp_path, monkeypatch, lacks):
    from dataclasses import replace

    table, store, spec = make_instances(data), EmbeddingStore(tmp_path / "store"), resolve("color-stats")
    victim = np.asarray(Image.open(data.root / table["path"].iloc[2]))

    def refuse(pixels):
        if (pixels.reshape(-1)[:300] == victim.reshape(-1)[:300]).all():
            raise MemoryError
        return pixels

    if lacks == "cut":
        cut = bench.embeddings.inputs.cut
        monkeypatch.setattr(bench.embeddings.inputs, "cut", lambda *how: refuse(cut(*how)))
    else:
        load = type(spec).load

        def loaded(self, placement):
            encoder = load(self, placement)
            return replace(encoder, encode=lambda views: encoder.encode([refuse(view) for view in views]))

        monkeypatch.setattr(type(spec), "load", loaded)
    report = extract(table, data.root, [spec], store)
    assert list(report.problems) == [table["path"].iloc[2]] and report.made == {spec.name: 3}
    assert "not enough memory" in report.problems[table["path"].iloc[2]]
    expected = in_order(table)["path"] != table["path"].iloc[2]
    assert (store.has(spec.key, in_order(table)["instance"].to_numpy(str)) == expected.to_numpy()).all()
