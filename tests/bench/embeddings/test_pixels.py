"""Kept pixels are the bytes that decoding gives, or they are not used."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

import bench.embeddings.inputs
from bench.data.datasets import load_dataset
from bench.embeddings.extract import extract
from bench.embeddings.pixels import PixelCache
from bench.embeddings.store import EmbeddingStore
from bench.instances.cut import make_instances
from encoders import resolve
from encoders.spec import Preprocess


@pytest.fixture
def data(tmp_path, save_png):
    for i in range(60):
        save_png(tmp_path / "raw" / ("neuron", "rbc")[i % 2] / f"{i}.png", seed=i, size=(40, 40))
    return load_dataset(tmp_path / "raw")


def embed(data, root, name, **options):
    store, spec, table = EmbeddingStore(root), resolve(name), make_instances(data)
    report = extract(table, data.root, [spec], store, device="cpu", **options)
    assert report.made[spec.name] == 60
    return store.read(spec.key, table["instance"]).tobytes()


def test_a_second_encoder_of_the_same_input_opens_no_image_and_gets_the_same_bits(data, tmp_path, monkeypatch):
    first, second = "random-resnet18@size=32", "random-resnet18@size=32,seed=1"
    plain = embed(data, tmp_path / "plain", second)
    embed(data, tmp_path / "kept", first, keep_pixels=True)
    assert len(list((tmp_path / "kept" / "pixels").rglob("*.safetensors"))) == 2
    with monkeypatch.context() as patch:
        patch.setattr(bench.embeddings.inputs, "open_views", lambda *_: pytest.fail("an image was opened"))
        assert embed(data, tmp_path / "kept", second) == plain
    assert embed(data, tmp_path / "kept", "random-resnet18@size=64") != plain, "another input is another policy"


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:], lambda b: b"", lambda b: b"x" * 99])
def test_a_damaged_chunk_is_decoded_again(data, tmp_path, damage):
    plain = embed(data, tmp_path / "plain", "random-resnet18@size=32,seed=1")
    embed(data, tmp_path / "kept", "random-resnet18@size=32", keep_pixels=True)
    for path in (tmp_path / "kept" / "pixels").rglob("*.safetensors"):
        path.write_bytes(damage(path.read_bytes()))
    assert embed(data, tmp_path / "kept", "random-resnet18@size=32,seed=1", keep_pixels=True) == plain


def test_nothing_is_kept_unasked(data, tmp_path):
    embed(data, tmp_path / "store", "random-resnet18@size=32")
    assert not (tmp_path / "store" / "pixels").exists()


POLICY = Preprocess(32)
OTHER = {
    "size": 64, "resize": "squash", "crop_fraction": 0.5, "interpolation": "bicubic", "color": "grey", "channels": "each",
    "window": "range", "stack": "max", "intervene": "shuffle",
}  # fmt: skip


def test_every_field_of_an_input_is_in_the_name_of_its_pixels_but_what_is_applied_to_them_later(tmp_path):
    cache, prepared = PixelCache(tmp_path, keep=True), {"a" * 32: np.zeros((1, 32, 32, 3), np.uint8)}
    cache.write(POLICY, list(prepared), prepared)
    assert set(cache.read(POLICY, list(prepared))) == set(prepared)
    for field in fields(Preprocess):
        if field.name in ("mean", "std"):
            assert cache.read(replace(POLICY, **{field.name: (0.5, 0.5, 0.5)}), list(prepared))
        else:
            assert not cache.read(replace(POLICY, **{field.name: OTHER[field.name]}), list(prepared)), field.name
