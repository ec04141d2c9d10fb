"""A network as one row of plain data, and from a row and a user's options to a spec: `Network`, `network_spec`.

Dimension and preprocessing are declared by the row, not asked of the library, so that naming and comparing
encoders needs neither torch nor timm; a test holds each declaration against the library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .errors import EncoderError
from .open_clip_models import CLIP_MEAN, CLIP_STD, build_open_clip, build_open_clip_tower
from .options import COMMON_READERS, IMAGE_READERS, Reader, common_defaults, one_of, read_options, whole
from .spec import BACKENDS, PRECISIONS, EncoderSpec, Preprocess
from .timm_facts import LAYERS, layers_dim
from .timm_models import build_timm
from .weights import local_weights

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

#: The poolings offered, the first by default: of a map, of tokens with and without a class token, none to choose.
POOLS = {
    "cnn": ("default", "avg", "max", LAYERS),
    "vit": ("default", "cls", "mean", "cls+mean"),
    "vit-both": ("cls+mean", "cls", "mean"),
    "tokens": ("default", "mean"),
    "layers": (LAYERS,),
    "fixed": ("default",),
}
BUILDERS = {
    "timm": build_timm, "hf-hub": build_timm, "file": build_timm,
    "open_clip": build_open_clip, "open_clip-hub": build_open_clip_tower,
}  # fmt: skip


def imagenet_input(size: int, crop_fraction: float, interpolation: str = "bicubic") -> Preprocess:
    """Return the most common input of timm's networks: centre crop, ImageNet mean and standard deviation."""
    return Preprocess(size, "crop", crop_fraction, interpolation, IMAGENET_MEAN, IMAGENET_STD)


def clip_input(size: int, interpolation: str = "bicubic") -> Preprocess:
    """Return the most common input of open_clip's towers: shorter side to the size, centre crop."""
    return Preprocess(size, "crop", 1.0, interpolation, CLIP_MEAN, CLIP_STD)


def declared_architecture(name: str, **arguments: object) -> str:
    """Return timm's name of an architecture and the arguments that make it another, as one canonical text."""
    return f"{name} {json.dumps(arguments, sort_keys=True)}"


@dataclass(frozen=True)
class Network:
    """What is declared of a pretrained network; the fields that `EncoderSpec` has too are explained there.

    source: "timm:MODEL.TAG"; "hf-hub:REPOSITORY" (saved by timm); "open_clip:MODEL/TAG"; "open_clip-hub:REPOSITORY"
        (saved by open_clip); or "file:ADDRESS", weights that the user fetches and gives as NAME@weights=FILE.
    dim: of the default pooling. params: millions of parameters of what is run, the classifier left out.
    hub: Hugging Face repository of the weights; None for the one that the source names, or timm's own.
    kind: what pooling there is to choose, a key of POOLS. patch: what the input size has to be a multiple of.
    control: weights are drawn, never loaded. package, weights: the installed package that has them, and "sha256:...".
    delta: see `EncoderSpec`.
    """

    name: str
    source: str
    dim: int
    params: float
    preprocess: Preprocess
    licence: str
    pretraining: str
    about: str
    kind: str = "cnn"
    patch: int = 1
    hub: str | None = None
    gated: bool = False
    architecture: str = ""
    checked: str = "library"
    revision: str = ""
    family: str = "other"
    control: bool = False
    package: str = ""
    weights: str = "pretrained"
    delta: str = ""


def network_spec(row: Network, options: Mapping[str, object]) -> EncoderSpec:
    """Return the spec of a declared network under a user's options."""
    library, _, model_id = row.source.partition(":")
    hubs = {"timm": f"timm/{model_id}", "hf-hub": model_id, "open_clip-hub": model_id}
    declared = EncoderSpec(
        name=row.name, family=row.family, source=row.source, dim=row.dim, preprocess=row.preprocess,
        weights="random:0" if row.control else row.weights, pool=POOLS[row.kind][0], licence=row.licence,
        pretraining=row.pretraining, gated=row.gated, hub=hubs.get(library, "") if row.hub is None else row.hub,
        revision=row.revision, architecture=row.architecture, params=row.params, checked=row.checked,
        about=row.about, package=row.package, delta=row.delta, build=BUILDERS[library],
        scaling="standard" if POOLS[row.kind][0] == LAYERS else "unit",
    )  # fmt: skip
    return _variant(declared, options, row.kind, row.patch, row.control)


def _variant(
    declared: EncoderSpec, given: Mapping[str, object], kind: str, patch: int, control: bool = False
) -> EncoderSpec:
    pre = declared.preprocess
    defaults = {
        "size": pre.size, "pool": declared.pool, "weights": "random" if control else "pretrained", "seed": 0,
        "precision": declared.precision, "backend": declared.backend,
        **common_defaults(pre, given),
    }  # fmt: skip
    readers: dict[str, Reader] = {
        "size": whole(32, 4096, patch), "pool": one_of(*POOLS[kind]), "seed": whole(0, 2**32 - 1),
        "precision": one_of(*PRECISIONS), "backend": one_of(*BACKENDS),
        **COMMON_READERS,
    }  # fmt: skip
    if not control:
        readers["weights"] = str
    values, name = read_options(declared.name, given, readers, defaults)
    chosen: dict[str, Any] = {key: values[key] for key in ("size", *IMAGE_READERS)}
    how: dict[str, Any] = {key: values[key] for key in ("precision", "backend", "orient8")}
    pool = str(values["pool"])
    if pool == LAYERS != declared.pool:
        # Some layers have larger numbers than others, which a row's length would follow.
        how |= {"dim": layers_dim(declared.source, declared.name), "scaling": "standard"}
    else:
        how["dim"] = declared.dim // _tokens(declared.pool) * _tokens(pool)
    spec = replace(declared, name=name, pool=pool, preprocess=replace(pre, **chosen), **how)
    return _weighted(spec, str(values["weights"]), values["seed"], "seed" in given)


def _tokens(pool: str) -> int:
    return pool.count("+") + 1


def _weighted(spec: EncoderSpec, weights: str, seed: object, seed_given: bool) -> EncoderSpec:
    if weights == "random":
        return replace(
            spec, weights=f"random:{seed}", family="control", trivial=True,
            pretraining="none (random weights)", hub="", package="", delta="", revision="", gated=False,
        )  # fmt: skip
    if seed_given:
        raise EncoderError(f"Got a seed for encoder '{spec.name}'; it belongs to weights=random.")
    if weights == "pretrained":
        return spec
    path, digest = local_weights(weights)
    spec = replace(spec, weights=digest, file=path, package="", delta="", revision="", gated=False)
    if spec.source.startswith("file:"):  # such a file is how this entry is used
        return spec
    return replace(spec, licence="unknown (local file)", pretraining="unknown (local file)")
