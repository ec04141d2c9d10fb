"""How the image towers of open_clip are built and given their weights (source "open_clip:MODEL/TAG")."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .encode import batched_encode
from .errors import EncoderError, did_you_mean
from .hub import WEIGHT_FILES, hub_file
from .spec import EncoderSpec, LoadedEncoder, Preprocess
from .timm_models import wrong_keys
from .weights import mismatch, quiet, state_digest, unchanged, unreadable


@dataclass(frozen=True)
class OpenClipFacts:
    """What open_clip itself says about a model and weights tag."""

    dim: int
    patch: int
    preprocess: Preprocess
    hub: str


def build_open_clip(spec: EncoderSpec) -> LoadedEncoder:
    """Build the image tower of a spec with its projection; features are not normalised."""
    visual = load_model(spec).visual.eval().requires_grad_(False)
    return LoadedEncoder(spec, batched_encode(spec, visual), state_digest(visual.state_dict()))


def load_model(spec: EncoderSpec) -> Any:
    """Return open_clip's model of a spec, both towers, with its weights loaded or drawn."""
    model_name = spec.source.removeprefix("open_clip:").partition("/")[0]
    if spec.weights.startswith("random:"):
        return _create(model_name, spec, int(spec.weights.removeprefix("random:")))
    path = (
        unchanged(spec.file, spec.weights, spec.name)
        if spec.file
        else hub_file(spec.hub, WEIGHT_FILES["open_clip"], spec.name, getattr(spec, "revision", ""))
    )
    model = _create(model_name, spec, seed=0)
    _load(model, path, spec)
    return model


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
