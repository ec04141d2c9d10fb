"""What timm itself says of a network: its dimension, input, licence and layers, asked once and kept on disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import EncoderError, did_you_mean
from .facts import remembered
from .spec import Preprocess
from .weights import quiet

#: The pooling that reads a network at every resolution, not at its end alone.
LAYERS = "layers"


@dataclass(frozen=True)
class TimmFacts:
    """What timm itself says about a model: canonical id, output length, millions of parameters, kind, input, origin.

    layers: channels of the maps that pool=layers reads, together; 0 where there are none.
    """

    model_id: str
    dim: int
    params: float
    kind: str
    patch: int
    preprocess: Preprocess
    hub: str
    licence: str
    tag: str
    layers: int


def timm_facts(model_id: str, folder: str = "") -> TimmFacts:
    """Read what timm says about a model, from a network built without memory for its weights.

    model_id: as in timm ("vit_small_patch16_224.dino"); folder: of a hub model's config.json, or "".
    """
    config = (Path(folder) / "config.json").read_bytes() if folder else b""
    return _ask_timm(model_id, folder, hashlib.sha256(config).hexdigest())


@remembered(TimmFacts, "timm")
def _ask_timm(model_id: str, folder: str, config_digest: str) -> TimmFacts:
    import timm
    import torch
    from timm.data import resolve_model_data_config

    with quiet():
        if not folder:
            _check_known(model_id)
        try:
            with torch.device("meta"):
                model: Any = timm.create_model(f"local-dir:{folder}" if folder else model_id, num_classes=0).eval()
                config = resolve_model_data_config(model)
                dim = model(torch.empty(1, *config["input_size"])).shape[-1]
        except Exception as error:
            raise EncoderError(
                f"timm cannot build '{model_id}' ({type(error).__name__}: {str(error)[:200]})."
            ) from None
    cfg = model.pretrained_cfg
    prefix = getattr(model, "num_prefix_tokens", None)
    vit = prefix is not None and hasattr(model, "fc_norm")
    kind = "vit" if getattr(model, "has_class_token", prefix) else "tokens"
    patch = model.patch_embed.patch_size[0] if vit and cfg.get("fixed_input_size") else 1
    return TimmFacts(
        model_id=model_id if folder else ".".join(part for part in (cfg["architecture"], cfg.get("tag")) if part),
        dim=dim,
        params=round(sum(p.numel() for p in model.parameters()) / 1e6, 1),
        kind=kind if vit else "cnn",
        patch=patch,
        preprocess=_preprocess(config, model_id),
        hub="" if folder else cfg.get("hf_hub_id") or "",
        licence=cfg.get("license") or "unknown",
        tag=cfg.get("tag") or "",
        layers=0 if vit else _channels(model),
    )


def layers_dim(source: str, name: str) -> int:
    """Return the length of a vector under pool=layers (asks timm, which imports torch)."""
    library, _, model_id = source.partition(":")
    found = timm_facts(model_id).layers if library == "timm" else 0
    if not found:
        raise EncoderError(f"Got pool={LAYERS} for '{name}', whose layers timm does not list; use pool=default.")
    return found


def has_layers(model: Any) -> bool:
    """Return whether timm lists the maps of a network at several resolutions."""
    info = getattr(model, "feature_info", None)
    return bool(info) and hasattr(model, "forward_intermediates") and getattr(model, "num_prefix_tokens", None) is None


def _channels(model: Any) -> int:
    """Return the channels of the maps at every resolution, together; 0 where timm does not list them."""
    return sum(level["num_chs"] for level in model.feature_info) if has_layers(model) else 0


def _preprocess(config: dict[str, Any], model_id: str) -> Preprocess:
    channels, height, width = config["input_size"]
    mode = {"center": "crop", "squash": "squash"}.get(config["crop_mode"])
    if channels != 3 or height != width or mode is None or config["interpolation"] not in ("bicubic", "bilinear"):
        raise EncoderError(
            f"The input of '{model_id}' is not supported: {channels} x {height} x {width}, "
            f"{config['crop_mode']}, {config['interpolation']}; expected 3 channels, a square, "
            "center or squash, bicubic or bilinear."
        )
    return Preprocess(
        height, mode, config["crop_pct"], config["interpolation"], tuple(config["mean"]), tuple(config["std"])
    )


def _check_known(model_id: str) -> None:
    import timm

    name, _, tag = model_id.partition(".")
    if not timm.is_model(name):
        raise EncoderError(f"Got timm model '{name}'{did_you_mean(name, timm.list_models()) or ', unknown to timm.'}")
    tags = [m.partition(".")[2] for m in timm.list_models(f"{name}.*", pretrained=True)]
    if tag and tag not in tags:
        raise EncoderError(
            f"Got weights tag '{tag}' of timm model '{name}'{did_you_mean(tag, tags) or '.'} It has: {', '.join(tags)}."
        )
    # timm keeps weights trained with QuickGELU also under an architecture with plain GELU: silently other.
    twin = f"{name.replace('_clip_', '_clip_quickgelu_')}.{tag}"
    if tag and twin != model_id and twin in timm.list_models("*_clip_quickgelu_*", pretrained=True):
        raise EncoderError(f"'{model_id}' runs GELU on weights that need QuickGELU; use timm:{twin}.")
