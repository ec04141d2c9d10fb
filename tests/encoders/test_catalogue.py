"""The catalogue: every row is what timm and open_clip say, or says that it could not be compared; known traps stay shut.

Networks are built on torch's meta device, without memory for their weights, so that the largest take no longer.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders import EncoderError, EncoderSpec, fit_input, names, resolve
from encoders.networks import Network, declared_architecture, imagenet_input, network_spec
from encoders.open_clip_models import open_clip_facts
from encoders.spec import FAMILIES, LICENCE_CLASSES
from encoders.timm_facts import timm_facts
from encoders.timm_models import _architecture, pooled
from encoders.weights import state_digest

SPECS = {name: resolve(name) for name in names()}
BY_LIBRARY: dict[str, list[str]] = {}
for _name, _spec in SPECS.items():
    BY_LIBRARY.setdefault(_spec.source.partition(":")[0], []).append(_name)
OF_TIMM = [*BY_LIBRARY["timm"], *BY_LIBRARY["hf-hub"], *BY_LIBRARY["file"]]
#: Rows whose input size is a choice of ours; all else is the library's.
OTHER_SIZE = {name: 518 for name in ("dinov2-small", "dinov2-base", "dinov2-large", "dinov2-giant")}
#: What timm gives by default, of those that do not give the class token.
MEAN_BY_DEFAULT = {"dinov3-small", "dinov3-base", "dinov3-large", "eva02-base", "aimv2-large"}


def pools(name: str) -> list[str]:
    with pytest.raises(EncoderError) as caught:
        resolve(f"{name}@pool=nonsense")
    return str(caught.value).rpartition("one of ")[2].rstrip(".").split(", ")


TRANSFORMERS = [name for name in OF_TIMM if "mean" in pools(name)]


def millions(model: Any) -> float:
    return round(sum(p.numel() for p in model.parameters()) / 1e6, 1)


def timm_network(spec: EncoderSpec, device: str = "meta", **more: Any) -> Any:
    """Build the network of a spec without weights, as it is built with them."""
    import timm
    import torch

    architecture, config, kwargs = _architecture(spec)
    if config.get("fixed_input_size"):
        kwargs["img_size"] = spec.preprocess.size
    with torch.device(device):
        return timm.create_model(architecture, num_classes=0, **{**kwargs, **more}).eval()


def answer(model: Any, spec: EncoderSpec, pool: str = "default") -> tuple[int, ...]:
    """Return the shape of what a network on the meta device gives for one image."""
    import torch

    side = spec.preprocess.size
    assert side is not None
    return tuple(pooled(model, pool, spec.name)(torch.empty(1, 3, side, side, device="meta")).shape)


# What is registered


def test_five_families_of_pretrained_encoders_are_registered_and_no_claim_is_unchecked() -> None:
    count = Counter(spec.family for spec in SPECS.values())
    assert set(count) == set(FAMILIES) - {"other"}
    assert sum(count[family] for family in FAMILIES[:5]) >= 60
    for spec in SPECS.values():
        library = spec.source.partition(":")[0]
        expected = {"timm": "library", "open_clip": "library", "descriptor": "code"}.get(library, "declared: ")
        assert spec.checked.startswith(expected) and len(spec.checked) > len("declared: ") * (expected[-1] == " ")
        assert bool(spec.architecture) == (expected == "declared: ")
        assert spec.about and spec.licence_class in LICENCE_CLASSES
        assert (spec.params > 0) == (library != "descriptor")


def test_an_unknown_licence_is_never_called_open() -> None:
    said = {spec.licence: spec.licence_class for spec in SPECS.values()}
    assert {licence for licence, what in said.items() if what == "unknown"} == {"unknown", "Apache-2.0 or CC-BY-NC-4.0"}
    assert all("nc" not in licence.lower().split("-") for licence, what in said.items() if what == "open")
    assert replace(SPECS["dino"], licence="my own").licence_class == "unknown"
    assert resolve("dino").licence_class == "open" and resolve("mae-base").licence_class == "non-commercial"


@pytest.mark.parametrize("name", [n for n in SPECS if SPECS[n].weights != "none"])
def test_a_key_holds_what_changes_a_vector_and_nothing_that_is_only_said(name: str) -> None:
    spec = SPECS[name]
    said = replace(spec, name="x", licence="x", params=1, about="x", checked="x", hub="x", pretraining="x", gated=True)
    assert said.key == spec.key
    others = [replace(spec, architecture=spec.architecture + " "), replace(spec, revision="0" * 40)]
    assert len({spec.key, *(other.key for other in others)}) == 3


# What the libraries say


@pytest.mark.parametrize("name", [name for name in BY_LIBRARY["timm"] if not SPECS[name].delta])
def test_what_a_timm_row_declares_is_what_timm_says(name: str) -> None:
    spec = SPECS[name]
    facts = timm_facts(spec.source.removeprefix("timm:"))
    assert spec.preprocess == replace(facts.preprocess, size=spec.preprocess.size)
    assert facts.preprocess.size == OTHER_SIZE.get(name, spec.preprocess.size)
    assert spec.dim == facts.dim
    assert spec.params == facts.params or name in OTHER_SIZE  # whose position grid is smaller
    assert ("cls" in pools(name)) == (facts.kind == "vit")
    assert ("mean" in pools(name)) == (facts.kind in ("vit", "tokens"))
    if spec.weights == "pretrained":
        assert facts.model_id == spec.source.removeprefix("timm:") and facts.hub == spec.hub
        assert facts.licence == spec.licence.lower()


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_transformer_has_the_declared_size_patches_and_dimensions(name: str) -> None:
    spec = SPECS[name]
    model = timm_network(spec)
    assert millions(model) == spec.params
    patch, side = model.patch_embed.patch_size[0], spec.preprocess.size or 0
    with pytest.raises(EncoderError, match=f"multiple of {patch}"):
        resolve(f"{name}@size={patch * 8 + 1}")
    assert model.patch_embed.num_patches == (side // patch) ** 2
    for pool in pools(name):
        assert answer(model, spec, pool) == (1, resolve(f"{name}@pool={pool}").dim)


@pytest.mark.parametrize("name", [n for n in OF_TIMM if SPECS[n].params < 100])
def test_a_timm_network_takes_the_other_input_sizes_it_offers(name: str) -> None:
    smaller = next(size for size in range(96, 160) if _takes(name, size))
    spec = resolve(f"{name}@size={smaller}")
    assert answer(timm_network(spec), spec, spec.pool if spec.delta else "default") == (1, spec.dim)


def _takes(name: str, size: int) -> bool:
    try:
        return resolve(f"{name}@size={size}").preprocess.size == size
    except EncoderError:
        return False


@pytest.mark.parametrize("name", BY_LIBRARY["open_clip"])
def test_what_an_open_clip_row_declares_is_what_open_clip_says(name: str) -> None:
    import open_clip

    spec = SPECS[name]
    model_name, tag = spec.source.removeprefix("open_clip:").split("/")
    facts = open_clip_facts(model_name, tag)  # which refuses a network with another activation than its weights
    assert (spec.dim, spec.preprocess, spec.hub) == (facts.dim, facts.preprocess, facts.hub)
    _check_tower(spec, open_clip.get_model_config(model_name))


@pytest.mark.parametrize("name", BY_LIBRARY["open_clip-hub"])
def test_a_tower_declared_for_a_repository_of_open_clip_has_the_declared_size_and_dimension(name: str) -> None:
    _check_tower(SPECS[name], json.loads(SPECS[name].architecture))


def _check_tower(spec: EncoderSpec, config: dict[str, Any]) -> None:
    import torch
    from open_clip.model import _build_vision_tower

    with torch.device("meta"):
        tower = _build_vision_tower(config["embed_dim"], config["vision_cfg"], config.get("quick_gelu", False)).eval()
    assert millions(tower) == spec.params
    assert answer(tower, spec) == (1, spec.dim)
    assert pools(spec.name) == ["default"]
    patch = config["vision_cfg"].get("patch_size") or 16
    assert not _takes(spec.name, patch * 8 + 1)


def test_the_licences_of_open_clip_rows_are_of_the_class_that_timm_gives_the_same_weights() -> None:
    import timm

    twins = {
        "clip-vit-b16": "vit_base_patch16_clip_quickgelu_224.openai",
        "clip-vit-l14": "vit_large_patch14_clip_quickgelu_224.openai",
        "clip-vit-b16-laion2b": "vit_base_patch16_clip_224.laion2b",
        "clip-vit-b16-datacomp": "vit_base_patch16_clip_224.datacompxl",
        "clip-vit-b16-metaclip": "vit_base_patch16_clip_quickgelu_224.metaclip_2pt5b",
        "clip-vit-b16-dfn2b": "vit_base_patch16_clip_224.dfn2b",
        "clip-vit-h14-laion2b": "vit_huge_patch14_clip_224.laion2b",
        "siglip2-b16": "vit_base_patch16_siglip_224.v2_webli",
        "siglip2-so400m": "vit_so400m_patch14_siglip_224.v2_webli",
        "mobileclip2-s0": "fastvit_mci0.apple_mclip2_dfndr2b",
        "mobileclip2-s2": "fastvit_mci2.apple_mclip2_dfndr2b",
        "pe-core-b16": "vit_pe_core_base_patch16_224.fb",
    }
    assert set(twins) == set(BY_LIBRARY["open_clip"])
    for name, twin in twins.items():
        licence = timm.get_pretrained_cfg(twin).license
        assert SPECS[name].licence_class == replace(SPECS[name], licence=licence).licence_class != "unknown"


# Traps


@pytest.mark.parametrize("tag", ["openai", "metaclip_fullcc", "dfn2b"])
def test_weights_that_need_quickgelu_are_refused_in_a_network_without_it(tag: str) -> None:
    with pytest.raises(EncoderError, match=f"use open_clip:ViT-B-16-quickgelu/{tag}"):
        resolve(f"open_clip:ViT-B-16/{tag}")


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_the_default_of_a_transformer_is_the_token_that_its_row_tells_of(name: str) -> None:
    import torch

    spec = SPECS[name]
    side = 4 * next(p for p in (8, 14, 16) if _takes(name, p * 8) and not _takes(name, p * 8 + p // 2))
    torch.manual_seed(0)
    model = timm_network(spec, "cpu", depth=1, img_size=side)
    with torch.inference_mode():
        x = torch.rand(1, 3, side, side)
        offered = [pool for pool in pools(name) if pool in ("cls", "mean", "cls+mean")]
        vectors = {pool: pooled(model, pool, name)(x) for pool in offered}
        default = vectors[pools(name)[0]] if pools(name)[0] in vectors else model(x)
    if "cls+mean" in vectors and spec.pool == "cls+mean":
        expected = torch.cat([vectors["cls"], vectors["mean"]], dim=1)
    else:
        expected = vectors["mean" if name in MEAN_BY_DEFAULT else "cls"]
        assert ("mean of the patches" in spec.about) == (name in MEAN_BY_DEFAULT)
    assert torch.allclose(default, expected, atol=1e-5)
    if "cls" in vectors:
        assert not torch.allclose(vectors["cls"], vectors["mean"], atol=1e-3)


def test_some_towers_squash_and_others_cut_what_is_not_square() -> None:
    squashing = {n for n, spec in SPECS.items() if spec.preprocess.resize == "squash" and spec.weights != "none"}
    assert squashing == {"siglip2-b16", "siglip2-so400m", "pe-core-b16", "lite0-cells"}
    stripe = np.zeros((50, 200, 3), np.uint8)
    stripe[:, :40] = 255  # at the left end, which a centre crop cuts away
    assert fit_input(stripe, SPECS["siglip2-b16"].preprocess).any()
    assert not fit_input(stripe, SPECS["clip-vit-b16"].preprocess).any()


def test_input_sizes_and_widths_that_are_easily_mistaken() -> None:
    assert {SPECS[name].preprocess.size for name in OTHER_SIZE} == {224}
    assert SPECS["resnet50-tv2"].preprocess.size == 176
    mobile = timm_network(SPECS["mobilenetv3-large"])
    assert (mobile.num_features, mobile.head_hidden_size, SPECS["mobilenetv3-large"].dim) == (960, 1280, 1280)


def test_networks_that_come_from_tensorflow_pad_as_there() -> None:
    from timm.layers import Conv2dSame

    converted = [n for n in BY_LIBRARY["timm"] if ":tf_" in SPECS[n].source]
    assert converted
    assert all(isinstance(timm_network(SPECS[name]).conv_stem, Conv2dSame) for name in converted)


def test_virchow_gives_the_class_token_and_the_mean_and_either_alone() -> None:
    assert SPECS["virchow2"].dim == 2560 and SPECS["virchow2"].pool == "cls+mean"
    assert resolve("virchow2@pool=cls").dim == 1280
    assert resolve("dino@pool=cls+mean").dim == 768
    assert timm_network(SPECS["virchow2"]).num_prefix_tokens == 5
    assert timm_network(SPECS["uni2-h"]).num_prefix_tokens == 9


# Weights that no library knows


def test_a_checkpoint_of_dinov2s_trainer_becomes_the_same_weights_of_timm(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(1)
    expected = timm_network(SPECS["dinobloom-s"], "cpu")
    teacher = {f"backbone.{key}": value for key, value in expected.state_dict().items()}
    teacher |= {"backbone.mask_token": torch.zeros(1, 384), "dino_head.mlp.0.weight": torch.zeros(2, 2)}
    torch.save({"teacher": teacher}, tmp_path / "bloom.pth")
    with pytest.raises(EncoderError, match=r"from https://zenodo.org.*DinoBloom-S.pth.*dinobloom-s@weights=FILE"):
        resolve("dinobloom-s").load()
    spec = resolve(f"dinobloom-s@weights={tmp_path / 'bloom.pth'}")
    assert (spec.pretraining, spec.licence) == (SPECS["dinobloom-s"].pretraining, SPECS["dinobloom-s"].licence)
    assert spec.load().weights_digest == state_digest(expected.state_dict())


@pytest.mark.parametrize("where", ["file", "hub"])
def test_weights_with_a_layer_that_the_row_does_not_declare_are_refused(
    where: str, tmp_path: Path, empty_cache: Path
) -> None:
    from safetensors.torch import save_file

    row = Network("tiny", "hf-hub:some/tiny", 192, 5.5, imagenet_input(32, 1.0), "x", "x", "x", "vit", 16,
                  architecture=declared_architecture("vit_tiny_patch16_224"))  # fmt: skip
    scaled = replace(row, architecture=declared_architecture("vit_tiny_patch16_224", init_values=1e-5))
    folder = empty_cache / "models--some--tiny" / "snapshots" / "1" if where == "hub" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    save_file(timm_network(network_spec(scaled, {}), "cpu").state_dict(), folder / "model.safetensors")
    options = {} if where == "hub" else {"weights": str(folder / "model.safetensors")}
    with pytest.raises(EncoderError, match=r"unexpected blocks.0.ls1.gamma"):
        network_spec(row, options).load()
    assert network_spec(scaled, options).load().encode([np.zeros((32, 32, 3), np.uint8)]).shape == (1, 192)
