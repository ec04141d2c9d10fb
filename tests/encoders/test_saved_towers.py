"""Image towers that open_clip saved in a hub repository: loaded without their text, refused where they are others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders import EncoderError
from encoders.networks import HALF, Network, clip_input, network_spec
from encoders.open_clip_models import told_activation

OWN = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32}
TRUNK = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "", "timm_proj": "linear", "image_size": 224}


def tower_row(vision: dict[str, Any], size: int) -> Network:
    architecture = json.dumps({"embed_dim": 24, "vision_cfg": vision})
    return Network("tiny", "open_clip-hub:some/tiny", 24, 1, clip_input(size), "x", "x", "x", "fixed", 16,
                   architecture=architecture)  # fmt: skip


def saved_tower(folder: Path, vision: dict[str, Any], **config: Any) -> Any:
    """Save what open_clip saves of a model, its text tower included, and return the image tower."""
    import torch
    from open_clip.model import _build_vision_tower

    torch.manual_seed(0)
    tower = _build_vision_tower(24, vision, config.get("quick_gelu", False)).eval()
    state = {f"visual.{key}": value for key, value in tower.state_dict().items()}
    folder.mkdir(exist_ok=True)
    torch.save({**state, "text.transformer.x": torch.zeros(3), "logit_scale": torch.ones(())}, folder / "model.bin")
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": {"embed_dim": 24, "vision_cfg": vision, **config}, "preprocess_cfg": {}})
    )
    return tower


@pytest.mark.parametrize(("vision", "size"), [(OWN, 32), (TRUNK, 224)], ids=["own", "timm"])
def test_a_tower_saved_by_open_clip_is_loaded_without_its_text_and_gives_the_same(
    vision: dict[str, Any], size: int, tmp_path: Path
) -> None:
    import torch

    tower = saved_tower(tmp_path, vision)
    spec = network_spec(tower_row(vision, size), {"weights": str(tmp_path / "model.bin")})
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    mean, std = (np.array(v, np.float32) for v in (spec.preprocess.mean, spec.preprocess.std))
    with torch.inference_mode():
        x = torch.from_numpy(((image / np.float32(255) - mean) / std).transpose(2, 0, 1)[None])
        assert np.allclose(spec.load().encode([image]), tower(x).numpy(), atol=1e-4)
    other = network_spec(tower_row(vision, size), {"weights": str(tmp_path / "model.bin"), "size": 64})
    assert other.load().encode([np.zeros((64, 64, 3), np.uint8)]).shape == (1, 24)


def test_the_activation_of_a_saved_tower_is_the_one_its_configuration_tells(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    vectors = []
    for quick in (False, True):
        saved_tower(tmp_path / str(quick), OWN, quick_gelu=quick)
        options = {"weights": str(tmp_path / str(quick) / "model.bin")}
        vectors.append(network_spec(tower_row(OWN, 32), options).load().encode([image]))
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"model_cfg": {"vision_cfg": {**OWN, "layers": 3}}}, "vision_cfg"),
        ({"model_cfg": {"vision_cfg": {**OWN, "new_layer": True}}}, "vision_cfg"),
        ({"model_cfg": {"embed_dim": 25}}, "embed_dim=25"),
        ({"preprocess_cfg": {"mean": list(HALF)}}, "mean="),
        ({"preprocess_cfg": {"resize_mode": "squash"}}, "resize_mode=squash"),
    ],
)
def test_a_repository_that_tells_of_another_network_or_input_is_refused(told: dict[str, Any], expected: str) -> None:
    spec = network_spec(tower_row(OWN, 32), {})
    config = {"embed_dim": 24, "vision_cfg": {**OWN, "mlp_ratio": 4.0}}  # a default, spelt out
    whole = {"model_cfg": config, "preprocess_cfg": {"resize_mode": "shortest"}}
    assert told_activation(whole, spec) is False
    with pytest.raises(EncoderError, match=expected):
        told_activation({key: {**whole[key], **told.get(key, {})} for key in whole}, spec)
