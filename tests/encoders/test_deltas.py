"""Weights plus what was learned on from them: small, near, checked, and of no other network."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from encoders import EncoderError, deltas, resolve
from encoders.deltas import SCALE, with_delta, write_delta
from encoders.weights import file_sha256

NAME, BASE = "lite0-cells", "efficientnet-lite0"


def cells(n: int) -> list[np.ndarray]:
    """Return rods of several lengths and lights on a dark ground, uint8 (96, 96, 3), none of them round."""
    y, x = np.mgrid[:96, :96] - 47.5
    made = []
    for i in range(n):
        rng = np.random.default_rng(i)
        angle, long, wide = rng.uniform(0, np.pi), rng.uniform(20, 40), rng.uniform(5, 12)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        inside = (abs(along) < long) & (abs(across - along / 6) < wide)
        image = rng.uniform(10, 40) + rng.uniform(80, 180) * inside[..., None] * rng.uniform(0.4, 1, 3)
        made.append((image + rng.normal(0, 5, image.shape)).clip(0, 255).astype(np.uint8))
    return made


@pytest.mark.usefixtures("one_thread")
def test_the_encoder_that_comes_along_is_its_base_and_what_it_learned_and_turning_changes_it_less():
    spec = resolve(NAME)
    base = resolve(f"{BASE}@pool=layers,size=96")
    assert spec.dim == base.dim == 512 and spec.scaling == base.scaling == "standard"
    assert spec.weights == base.weights and spec.key != base.key and spec.licence_class == "open"
    assert resolve(f"{NAME}@weights=random").delta == "" and resolve(f"{NAME}@size=64").delta == spec.delta
    changed = {}
    for one in (spec, replace(base, preprocess=spec.preprocess)):
        encoder = one.load()
        images = cells(24)
        upright, turned = encoder.encode(images), encoder.encode([np.ascontiguousarray(np.rot90(i)) for i in images])
        changed[one.name] = float((((turned - upright) / upright.std(0)) ** 2).mean())
    assert changed[NAME] < 0.8 * changed[base.name]


def test_what_comes_along_takes_less_than_3_megabytes_of_the_wheel():
    [path] = deltas.FOLDER.glob("*.safetensors")
    assert len(zlib.compress(path.read_bytes(), 6)) < 3_000_000


@pytest.fixture
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return tensors before and after, and the name of the file between them."""
    draw = torch.Generator().manual_seed(0)
    before = {
        "conv.weight": torch.randn(6, 3, 3, 3, generator=draw), "norm.weight": torch.ones(6), "norm.bias": torch.zeros(6),
        "still.weight": torch.randn(4, 2, generator=draw), "norm.count": torch.tensor(7),
    }  # fmt: skip
    after = {name: tensor.clone() for name, tensor in before.items()}
    after["conv.weight"] += torch.randn(6, 3, 3, 3, generator=draw) * torch.logspace(-3, 0, 6).view(6, 1, 1, 1)
    after["conv.weight"][2] = before["conv.weight"][2]
    after["norm.bias"] += 0.1
    monkeypatch.setattr(deltas, "FOLDER", tmp_path)
    write_delta(tmp_path / "mine.safetensors", before, after)
    return before, after, f"mine sha256:{file_sha256(tmp_path / 'mine.safetensors')}"


def test_differences_come_back_to_a_254th_of_a_channels_largest(states):
    before, after, delta = states
    found = with_delta(before, delta, "mine")
    assert found.keys() == before.keys()
    np.testing.assert_allclose(found["norm.bias"], after["norm.bias"])
    largest = (after["conv.weight"] - before["conv.weight"]).flatten(1).abs().amax(1)
    error = (found["conv.weight"] - after["conv.weight"]).flatten(1).abs().amax(1)
    assert (error <= largest / 254 + 1e-6).all() and error.max() > 0
    assert (found["conv.weight"][2] == before["conv.weight"][2]).all()
    for name in ("norm.weight", "still.weight", "norm.count"):
        assert found[name] is before[name]


def test_only_what_changed_is_in_the_file_in_eight_bits(states, tmp_path):
    held = load_file(tmp_path / "mine.safetensors")
    assert set(held) == {"conv.weight", "conv.weight" + SCALE, "norm.bias"}
    assert held["conv.weight"].dtype == torch.int8 and held["conv.weight"].abs().amax() == 127


def test_another_file_or_none_is_refused(states, tmp_path):
    before, _, delta = states
    path = tmp_path / "mine.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(EncoderError, match="is not what encoder 'mine' was made with"):
        with_delta(before, delta, "mine")
    path.unlink()
    with pytest.raises(EncoderError, match="missing"):
        with_delta(before, delta, "mine")


@pytest.mark.parametrize("other", [{}, {"conv.weight": torch.zeros(6, 3, 1, 1), "norm.bias": torch.zeros(6)}])
def test_differences_of_another_network_are_refused(states, other):
    with pytest.raises(EncoderError, match=re.escape("do not fit encoder 'mine': conv.weight")):
        with_delta(other, states[2], "mine")
