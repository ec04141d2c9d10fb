"""A reduced precision is used only where it keeps what tells the images at hand apart."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from bench.data.datasets import load_dataset
from bench.embeddings.extract import extract
from bench.embeddings.precision_check import centred_cosine
from bench.embeddings.store import EmbeddingStore
from bench.instances.cut import make_instances
from encoders import resolve

REDUCED = "random-resnet18@precision=bfloat16,size=32"


def dataset(tmp_path, count):
    rng = np.random.default_rng(0)
    for label in ("neuron", "rbc"):
        for i in range(count):
            path = tmp_path / "raw" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            base = rng.integers(0, 200, 3)
            Image.fromarray((base + rng.integers(0, 55, (32, 32, 3))).astype(np.uint8)).save(path)
    return load_dataset(tmp_path / "raw")


def run(tmp_path, count, name=REDUCED):
    data, store = dataset(tmp_path, count), EmbeddingStore(tmp_path / "store")
    spec = resolve(name)
    return extract(make_instances(data), data.root, [spec], store, device="cpu"), store.folder(spec.key)


def test_the_mean_is_removed_before_the_cosine_so_that_likeness_of_all_images_hides_nothing():
    rng = np.random.default_rng(0)
    a = 100 + rng.normal(size=(50, 8))
    b = 100 + rng.normal(size=(50, 8))
    assert abs(centred_cosine(a, b).mean()) < 0.2
    plain = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert plain.min() > 0.99
    np.testing.assert_allclose(centred_cosine(a, 3 * a + 7), 1)


def test_a_variant_that_passes_is_used_and_the_measure_is_kept(tmp_path):
    report, folder = run(tmp_path, 6)
    assert report.made == {REDUCED: 12} and not report.failed
    kept = json.loads((folder / "gate.json").read_text())
    assert 0.99 <= kept["centred_cosine"] < 1 and kept["images"] == 12


def test_a_variant_that_keeps_as_much_as_is_asked_for_and_no_more_is_used(tmp_path, monkeypatch):
    _, folder = run(tmp_path / "once", 6)
    kept = json.loads((folder / "gate.json").read_text())["centred_cosine"]
    for least, made in ((kept, 12), (np.nextafter(kept, 1), 0)):
        monkeypatch.setattr("bench.embeddings.precision_check.LEAST", {"bfloat16": least})
        assert run(tmp_path / str(made), 6)[0].made == {REDUCED: made}


def test_a_variant_that_changes_its_embeddings_is_refused_with_the_measure_and_nothing_is_stored(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.embeddings.precision_check.LEAST", {"bfloat16": 0.9999999})
    report, folder = run(tmp_path, 6)
    assert report.made == {REDUCED: 0} and not list(folder.glob("*.safetensors")) and not (folder / "gate.json").exists()
    assert "mean centred cosine to float32 by torch is 0.9" in report.failed[REDUCED]
    assert report.failed[REDUCED].endswith("Leave out precision=bfloat16.")


def test_too_few_images_to_tell_are_said_to_be(tmp_path):
    report, _ = run(tmp_path, 3)
    assert "Got 6 images" in report.failed[REDUCED] and "expected at least 8" in report.failed[REDUCED]


def test_float32_by_torch_is_not_held_against_itself(tmp_path):
    report, folder = run(tmp_path, 3, "random-resnet18@size=32")
    assert sum(report.made.values()) == 6 and not (folder / "gate.json").exists()
