"""A folder with a network as an encoder: that it gives what timm gives, and that nothing wrong in it is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from encoders import EncoderError, Preprocess, as_rgb, fit_input, resolve
from encoders.checkpoint import Checkpoint, write_checkpoint
from encoders.checkpoint_network import empty_network
from encoders.normalise import normalise

pytestmark = pytest.mark.usefixtures("one_thread")
S = 32
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
POLICY = Preprocess(S, "squash", 1.0, "bilinear", MEAN, STD)
CNN = {"architecture": "test_efficientnet", "arguments": {}, "pool": "default", "dim": 256}
VIT = {
    "architecture": "test_vit", "arguments": {"img_size": S, "patch_size": 8, "depth": 2}, "pool": "mean", "dim": 64,
}  # fmt: skip


def network(settings: dict[str, Any]) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model(settings["architecture"], num_classes=0, **settings["arguments"]).eval()


def write(folder: Path, settings: dict[str, Any] = CNN, **changed: np.ndarray) -> Path:
    tensors = {name: tensor.numpy() for name, tensor in network(settings).state_dict().items()}
    made = Checkpoint(kind="network", preprocess=POLICY, settings=settings, licence="MIT")
    write_checkpoint(folder, made, {**tensors, **changed}, "# A card\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "mine")


def inputs(policy: Preprocess = POLICY) -> list[np.ndarray]:
    draw = np.random.default_rng(1).integers
    images = [draw(0, 256, shape, dtype=np.uint8) for shape in ((S, S, 3), (40, 31, 3), (7, 90, 3))]
    return [fit_input(as_rgb(image, policy), policy) for image in images]


def by_timm(settings: dict[str, Any], images: list[np.ndarray]) -> np.ndarray:
    model, x = network(settings), normalise(torch.from_numpy(np.stack(images)), POLICY)
    with torch.inference_mode():
        if settings["pool"] == "default":
            return model(x).numpy()
        if settings["pool"] == "layers":
            maps = model.forward_intermediates(x, intermediates_only=True)
            return np.concatenate([layer.mean((2, 3)).numpy() for layer in maps], 1)
        features = model.forward_features(x)
        return (features.mean((2, 3)) if settings["pool"] == "map" else features[:, 1:].mean(1)).numpy()


LAYERED = {**CNN, "pool": "layers", "dim": 16 + 24 + 32 + 48 + 64}


@pytest.mark.parametrize("settings", [CNN, {**CNN, "pool": "map", "dim": 256}, LAYERED, VIT])
def test_a_vector_is_what_timm_gives_and_depends_on_its_image_alone(tmp_path: Path, settings: dict[str, Any]) -> None:
    encoder = resolve(str(write(tmp_path / "mine", settings))).load()
    vectors = encoder.encode(inputs())
    assert vectors.dtype == np.float32 and vectors.shape == (3, encoder.spec.dim)
    np.testing.assert_allclose(vectors, by_timm(settings, inputs()), atol=2e-4, rtol=2e-3)
    assert (encoder.encode(inputs()[1:2]) == vectors[1:2]).all()


def test_what_was_learned_can_be_read_at_every_resolution(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", CNN)
    spec = resolve(f"{folder}@pool=layers")
    assert spec.name.endswith("mine@pool=layers") and spec.dim == LAYERED["dim"] and spec.key != resolve(str(folder)).key
    np.testing.assert_allclose(spec.load().encode(inputs()), by_timm(LAYERED, inputs()), atol=2e-4, rtol=2e-3)
    assert spec.scaling == resolve("efficientnet-lite0@pool=layers").scaling == "standard"
    assert resolve(f"{folder}@pool=default").key == resolve(str(folder)).key
    with pytest.raises(EncoderError, match=r"Got pool=max for .*expected one of default, layers"):
        resolve(f"{folder}@pool=max")
    with pytest.raises(EncoderError, match="whose layers timm does not list"):
        resolve(f"{write(tmp_path / 'vit', VIT)}@pool=layers")


@pytest.mark.parametrize("settings", [CNN, VIT])
def test_variants_of_size_colour_and_orientation_can_be_had(tmp_path: Path, settings: dict[str, Any]) -> None:
    folder = write(tmp_path / "mine", settings)
    spec = resolve(str(folder))
    larger = resolve(f"{folder}@size=64")
    assert larger.preprocess.size == 64 and larger.dim == spec.dim and larger.key != spec.key
    for variant in (larger, resolve(f"{folder}@orient8=mean"), resolve(f"{folder}@color=grey")):
        vectors = variant.load().encode(inputs(variant.preprocess))
        assert vectors.shape == (3, spec.dim) and np.isfinite(vectors).all() and variant.key != spec.key


def test_a_size_that_patches_do_not_divide_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", VIT)
    with pytest.raises(EncoderError, match="multiple of 8"):
        resolve(f"{folder}@size=60")


WRONG: dict[str, dict[str, Any]] = {
    "an address for an architecture": {"architecture": "hf-hub:someone/model"},
    "a folder for an architecture": {"architecture": "local-dir:/tmp/model"},
    "an unknown argument": {"arguments": {"pretrained": 1}},
    "an argument that is no number": {"arguments": {"img_size": "64"}},
    "an argument that is true": {"arguments": {"depth": True}},
    "a huge argument": {"arguments": {"embed_dim": 10**9}},
    "arguments that are a list": {"arguments": ["depth"]},
    "another pool": {"pool": "attention"},
    "no dimension": {"dim": 0},
    "half a dimension": {"dim": 2.5},
    "a size between patches": {"arguments": {"img_size": S, "patch_size": 7}},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_settings_that_are_wrong_are_refused_before_torch_is_asked(folder: Path, wrong: str) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "settings": {**CNN, **WRONG[wrong]}}))
    with pytest.raises(EncoderError, match=r"encoder\.json, which cannot be used: it says"):
        resolve(str(folder))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"architecture": "test_efficientnet_evil"}, "did you mean 'test_efficientnet"),
        ({"architecture": "test_vit"}, "do not fit encoder"),
        ({"arguments": {"depth": 3}}, "timm cannot build"),
        ({"dim": 255}, "declares dim=255"),
    ],
)
def test_settings_that_do_not_fit_the_weights_are_refused_when_loaded(folder: Path, changed: Any, said: str) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "settings": {**CNN, **changed}}))
    with pytest.raises(EncoderError, match=said):
        resolve(str(folder)).load().encode(inputs())


def test_weights_of_other_shapes_types_and_names_are_refused(tmp_path: Path) -> None:
    name = "conv_stem.weight"
    shape = tuple(empty_network("test_efficientnet", {}, "mine")[name].shape)
    for other, said in (
        ({name: np.zeros((*shape[:-1], shape[-1] + 2), np.float32)}, f"shape of {name}"),
        ({name: np.zeros(shape, np.float16)}, "expected float32"), ({"more": np.zeros(1, np.float32)}, "unexpected more"),
    ):  # fmt: skip
        folder = write(tmp_path / "mine", CNN, **other)
        with pytest.raises(EncoderError, match=said):
            resolve(str(folder)).load()


def test_a_large_architecture_with_small_weights_is_refused_before_it_takes_memory(folder: Path, monkeypatch) -> None:
    path = folder / "encoder.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "settings": {**CNN, "architecture": "vit_giant_patch14_224"}})
    )
    real = torch.empty

    def watched(*shape: Any, **how: Any) -> torch.Tensor:
        made = real(*shape, **how)
        assert made.device.type == "meta" or made.numel() < 10**6
        return made

    monkeypatch.setattr(torch, "empty", watched)
    with pytest.raises(EncoderError, match="do not fit encoder"):
        resolve(str(folder)).load()


def test_weights_that_changed_are_refused(folder: Path, refuses_changed_weights: Callable[[Path], None]) -> None:
    refuses_changed_weights(folder)
