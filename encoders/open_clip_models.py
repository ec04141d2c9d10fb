"""How the image towers of open_clip are built and given their weights.

Sources "open_clip:MODEL/TAG", of open_clip's own tables, and "open_clip-hub:REPOSITORY", saved by it elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .encode import network_encoder
from .errors import EncoderError, did_you_mean
from .facts import remembered
from .hub import WEIGHT_FILES, hub_file
from .spec import EncoderSpec, LoadedEncoder, Placement, Preprocess
from .timm_models import wrong_keys
from .weights import mismatch, quiet, read_state_dict, state_digest, unchanged, unreadable

CONFIG = "open_clip_config.json"
#: What open_clip takes where a configuration names none.
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class OpenClipFacts:
    """What open_clip itself says about a model and weights tag."""

    dim: int
    patch: int
    preprocess: Preprocess
    hub: str


def build_open_clip(spec: EncoderSpec, placement: Placement) -> LoadedEncoder:
    """Build the image tower of a spec with its projection; features are not normalised."""
    visual = load_model(spec).visual.eval().requires_grad_(False)
    return network_encoder(spec, visual, state_digest(visual.state_dict()), placement)


def load_model(spec: EncoderSpec) -> Any:
    """Return open_clip's model of a spec, both towers, with its weights loaded or drawn."""
    model_name = spec.source.removeprefix("open_clip:").partition("/")[0]
    if spec.weights.startswith("random:"):
        model = _create(model_name, spec, int(spec.weights.removeprefix("random:")))
    else:
        path = _weights_file(spec)
        model = _create(model_name, spec, seed=0)
        _load(model, path, spec)
        if spec.file:
            unchanged(spec.file, spec.weights, spec.name)
    _fit_trunk(model.visual, spec)
    return model


def build_open_clip_tower(spec: EncoderSpec, placement: Placement) -> LoadedEncoder:
    """Build the image tower that `spec.architecture` describes, without the text tower and what that would need.

    architecture: JSON with embed_dim and vision_cfg as in open_clip_config.json. With weights, that file of theirs,
    beside a local file of weights or on the hub, must say the same, and tells the activation (GELU or QuickGELU).
    """
    declared = json.loads(spec.architecture)
    if spec.weights.startswith("random:"):
        visual = _tower(declared, spec, int(spec.weights.removeprefix("random:")))
    else:
        visual = _tower({**declared, "quick_gelu": told_activation(_own_config(spec), spec)}, spec, seed=0)
        _load_tower(visual, _weights_file(spec), spec)
        if spec.file:
            unchanged(spec.file, spec.weights, spec.name)
    _fit_trunk(visual, spec)
    visual.eval().requires_grad_(False)
    return network_encoder(spec, visual, state_digest(visual.state_dict()), placement)


def _weights_file(spec: EncoderSpec) -> Path:
    if spec.file:
        return unchanged(spec.file, spec.weights, spec.name)
    return hub_file(spec.hub, WEIGHT_FILES[spec.source.partition(":")[0]], spec.full_name, spec.revision)


def _fit_trunk(visual: Any, spec: EncoderSpec) -> None:
    """Make a tower with a network of timm in it take the input size, which open_clip does for its own ones only."""
    fit = getattr(getattr(visual, "trunk", None), "set_input_size", None)
    if fit:
        with quiet():
            fit(img_size=spec.preprocess.size)  # its position grid is resampled


def told_activation(told: dict[str, Any], spec: EncoderSpec) -> bool:
    """Return whether open_clip_config.json asks for QuickGELU; refuse one of another network or input than declared."""
    config, pre = told.get("model_cfg", {}), told.get("preprocess_cfg", {})
    ours = json.loads(spec.architecture)
    declared = {
        "embed_dim": (ours["embed_dim"], config.get("embed_dim")),
        "vision_cfg": (_whole(ours["vision_cfg"]), _whole(config.get("vision_cfg", {}))),
        "mean": (list(spec.preprocess.mean), pre.get("mean", list(CLIP_MEAN))),
        "std": (list(spec.preprocess.std), pre.get("std", list(CLIP_STD))),
        "interpolation": (spec.preprocess.interpolation, pre.get("interpolation", "bicubic")),
        "resize_mode": (spec.preprocess.resize, {"squash": "squash"}.get(pre.get("resize_mode", ""), "crop")),
    }
    for what, (expected, found) in declared.items():
        if expected != found:
            raise EncoderError(
                f"Got {what}={found} in open_clip_config.json of {spec.hub}; expected {expected}, as encoder "
                f"'{spec.name}' declares, or its vectors would be others. Register it anew with what the file says."
            )
    return bool(config.get("quick_gelu"))


def _whole(vision: dict[str, Any]) -> dict[str, Any]:
    """Return a vision_cfg with open_clip's defaults filled in, so that equal networks compare as equal."""
    with quiet():
        from open_clip.model import CLIPVisionCfg

        known = {name for name in CLIPVisionCfg.__dataclass_fields__}
        unknown = {key: value for key, value in vision.items() if key not in known}
        return {**vars(CLIPVisionCfg(**{key: value for key, value in vision.items() if key in known})), **unknown}


def _own_config(spec: EncoderSpec) -> dict[str, Any]:
    beside = Path(spec.file).with_name(CONFIG)
    path = beside if spec.file and beside.is_file() else hub_file(spec.hub, (CONFIG,), spec.full_name, spec.revision)
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


@remembered(OpenClipFacts, "open_clip_torch")
def open_clip_facts(model_name: str, tag: str) -> OpenClipFacts:
    """Read output length, input and hub repository of a model and weights tag from open_clip's own tables."""
    with quiet():
        import open_clip

        config = open_clip.get_model_config(model_name)
        if config is None:
            near = did_you_mean(model_name, open_clip.list_models()) or ", unknown to open_clip."
            raise EncoderError(f"Got open_clip model '{model_name}'{near}")
        tags = open_clip.list_pretrained_tags_by_model(model_name)
        pretrained = open_clip.get_pretrained_cfg(model_name, tag)
    if not pretrained:
        raise EncoderError(
            f"Got weights tag '{tag}' of open_clip model '{model_name}'{did_you_mean(tag, tags) or '.'} "
            f"It has: {', '.join(tags)}."
        )
    # Weights trained with QuickGELU give other features, silently, in a network with GELU, and vice versa.
    if bool(pretrained.get("quick_gelu")) != bool(config.get("quick_gelu")):
        base = model_name.removesuffix("-quickgelu")
        right = f"{base}-quickgelu" if pretrained.get("quick_gelu") else base
        raise EncoderError(
            f"The weights '{tag}' were not trained with the activation of '{model_name}'; use open_clip:{right}/{tag}."
        )
    vision = config["vision_cfg"]
    return OpenClipFacts(
        dim=config["embed_dim"],
        patch=vision.get("patch_size", 1),
        preprocess=_preprocess(vision.get("image_size", 224), pretrained, model_name),
        hub=pretrained.get("hf_hub", "").rpartition("/")[0],
    )


def _preprocess(size: Any, pretrained: dict[str, Any], model_name: str) -> Preprocess:
    mode = {"shortest": "crop", "squash": "squash"}.get(pretrained["resize_mode"])
    if not isinstance(size, int) or mode is None:
        raise EncoderError(
            f"The input of '{model_name}' is not supported: {size}, resize mode {pretrained['resize_mode']}; "
            "expected a square, shortest or squash."
        )
    return Preprocess(size, mode, 1.0, pretrained["interpolation"], tuple(pretrained["mean"]), tuple(pretrained["std"]))


def _create(model_name: str, spec: EncoderSpec, seed: int) -> Any:
    with quiet():
        import open_clip
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                return open_clip.create_model(
                    model_name, precision="fp32", force_image_size=spec.preprocess.size, pretrained_text=False
                )
            except Exception as error:
                raise EncoderError(
                    f"open_clip cannot build encoder '{spec.name}' ({type(error).__name__}: {str(error)[:200]})."
                ) from None


def _load(model: Any, path: Path, spec: EncoderSpec) -> None:
    with quiet():
        import open_clip

        try:
            open_clip.load_checkpoint(model, str(path), strict=True, weights_only=True)
        except Exception as error:
            wrong = wrong_keys(str(error))
            if wrong:
                raise mismatch(spec.name, wrong, str(path)) from None
            raise unreadable(path, error) from None


def _tower(config: dict[str, Any], spec: EncoderSpec, seed: int) -> Any:
    with quiet():
        import torch
        from open_clip.model import _build_vision_tower

        vision = {**config["vision_cfg"], "image_size": spec.preprocess.size}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _build_vision_tower(config["embed_dim"], vision, config.get("quick_gelu", False))


def _load_tower(visual: Any, path: Path, spec: EncoderSpec) -> None:
    from types import SimpleNamespace

    with quiet():
        from open_clip.model import resize_pos_embed

        state = {key: value for key, value in read_state_dict(path).items() if key.startswith("visual.")}
        resize_pos_embed(state, SimpleNamespace(visual=visual))  # of open_clip's own transformers only
        try:
            visual.load_state_dict({key.removeprefix("visual."): value for key, value in state.items()})
        except RuntimeError as error:
            raise mismatch(spec.name, wrong_keys(str(error)) or [str(error)[:300]], str(path)) from None
