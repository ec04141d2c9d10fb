"""From a declared network and a user's options to a spec: `timm_spec` and `open_clip_spec`.

Dimension and preprocessing are declared by the entry, not asked of the library, so that naming and comparing
encoders needs neither torch nor timm; a test holds each declaration against the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .errors import EncoderError
from .open_clip_models import build_open_clip
from .options import IMAGE_READERS, Reader, image_defaults, one_of, read_options, whole
from .spec import EncoderSpec, Preprocess
from .timm_models import build_timm
from .weights import local_weights

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

#: The poolings offered: of a convolutional network's map, of a transformer's tokens, of a projected tower.
POOLS = {"cnn": ("default", "avg", "max"), "vit": ("default", "cls", "mean"), "clip": ("default",)}


def imagenet_input(size: int, crop_fraction: float, interpolation: str = "bicubic") -> Preprocess:
    """Return the most common input of timm's networks: centre crop, ImageNet mean and standard deviation."""
    return Preprocess(size, "crop", crop_fraction, interpolation, IMAGENET_MEAN, IMAGENET_STD)


def timm_spec(
    model_id: str, *, name: str, family: str, dim: int, preprocess: Preprocess, licence: str,
    pretraining: str, options: Mapping[str, object], kind: str = "cnn", patch: int = 1, gated: bool = False,
    control: bool = False, source: str = "timm", hub: str | None = None,
) -> EncoderSpec:  # fmt: skip
    """Return the spec of a timm network.

    model_id: timm's name with its weights tag. kind: "cnn" or "vit", for the poolings offered.
    patch: what the input size has to be a multiple of. control: weights are drawn, never loaded.
    source: "timm" or "hf-hub". hub: Hugging Face repository of the weights, by default timm's own.
    """
    declared = EncoderSpec(
        name=name, family=family, source=f"{source}:{model_id}", dim=dim, preprocess=preprocess,
        licence=licence, weights="random:0" if control else "pretrained",
        pretraining=pretraining, gated=gated,
        hub=f"timm/{model_id}" if hub is None else hub, build=build_timm,
    )  # fmt: skip
    return _variant(declared, options, kind, patch, control)


def open_clip_spec(
    model_and_tag: str, *, name: str, dim: int, preprocess: Preprocess, licence: str, pretraining: str,
    hub: str, options: Mapping[str, object], patch: int = 1,
) -> EncoderSpec:  # fmt: skip
    """Return the spec of the image tower of an open_clip model, "MODEL/TAG", after its projection."""
    declared = EncoderSpec(
        name=name, family="clip", source=f"open_clip:{model_and_tag}", dim=dim, preprocess=preprocess,
        weights="pretrained", licence=licence, pretraining=pretraining, hub=hub, build=build_open_clip,
    )  # fmt: skip
    return _variant(declared, options, "clip", patch)


def _variant(
    declared: EncoderSpec, given: Mapping[str, object], kind: str, patch: int, control: bool = False
) -> EncoderSpec:
    pre = declared.preprocess
    defaults = {
        "size": pre.size, "pool": "default", "weights": "random" if control else "pretrained", "seed": 0,
        **image_defaults(pre, given),
    }  # fmt: skip
    readers: dict[str, Reader] = {
        "size": whole(32, 4096, patch), "pool": one_of(*POOLS[kind]), "seed": whole(0, 2**32 - 1),
        **IMAGE_READERS,
    }  # fmt: skip
    if not control:
        readers["weights"] = str
    values, name = read_options(declared.name, given, readers, defaults)
    chosen: dict[str, Any] = {key: values[key] for key in ("size", *IMAGE_READERS)}
    spec = replace(declared, name=name, pool=str(values["pool"]), preprocess=replace(pre, **chosen))
    return _weighted(spec, str(values["weights"]), values["seed"], "seed" in given)


def _weighted(spec: EncoderSpec, weights: str, seed: object, seed_given: bool) -> EncoderSpec:
    if weights == "random":
        return replace(
            spec, weights=f"random:{seed}", family="control", trivial=True,
            pretraining="none (random weights)", hub="", gated=False,
        )  # fmt: skip
    if seed_given:
        raise EncoderError(f"Got a seed for encoder '{spec.name}'; it belongs to weights=random.")
    if weights == "pretrained":
        return spec
    path, digest = local_weights(weights)
    return replace(
        spec,
        weights=digest,
        file=path,
        licence="unknown (local file)",
        pretraining="unknown (local file)",
        gated=False,
    )
