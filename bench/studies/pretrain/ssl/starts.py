"""What --init may be: random weights, those of ImageNet, a file, a folder made here, an encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean
from bench.studies.pretrain.ssl.backbones import Backbone, Wanted, arguments_of, cannot, measured
from encoders import EncoderError, EncoderSpec, names, registered, resolve
from encoders.checkpoint import checkpoint_spec, is_checkpoint, read_checkpoint
from encoders.checkpoint_network import POOLS, loaded_network
from encoders.timm_models import timm_model, with_weights
from encoders.weights import SUFFIXES, local_weights, quiet, read_state_dict, unchanged


def find_backbone(init: str, wanted: Wanted) -> Backbone:
    """Return the network that --init and --backbone name; BenchError for what is none."""
    try:
        found = next(start for fits, start in STARTS if fits(init))(init, wanted)
        return measured(found, wanted.size)
    except EncoderError as error:
        raise BenchError(str(error)) from error


def from_random(init: str, wanted: Wanted) -> Backbone:
    """Return a network with weights drawn as timm does."""
    import timm
    import torch

    architecture = wanted.architecture or wanted.default
    arguments = arguments_of(architecture, {} if wanted.architecture else wanted.arguments, wanted.size)
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(wanted.seed)
            known: dict[str, Any] = {**arguments, "num_classes": 0}
            model = timm.create_model(architecture, **known)
    except Exception as error:
        raise cannot(architecture, wanted.size, error) from None
    return Backbone(
        architecture=architecture, arguments=arguments, model=model, start="random weights",
        weights=f"random:{wanted.seed}", fresh=True,
    )  # fmt: skip


def from_imagenet(init: str, wanted: Wanted) -> Backbone:
    """Return a network with weights learned from ImageNet, of the encoder that has this architecture."""
    if not wanted.architecture:
        return from_encoder("efficientnet-lite0", wanted)
    known = {
        spec.source.removeprefix("timm:").partition(".")[0]: spec.name
        for spec in registered()[0] if spec.family == "imagenet" and spec.source.startswith("timm:")
    }  # fmt: skip
    if wanted.architecture not in known:
        raise BenchError(
            f"Got --init imagenet with --backbone timm:{wanted.architecture}, of which no ImageNet weights are "
            f"known here; expected one of {', '.join(sorted(known))}. Give a file of weights with "
            "--init FILE, or --init random."
        )
    return from_encoder(known[wanted.architecture], wanted)


def from_folder(init: str, wanted: Wanted) -> Backbone:
    """Return the network in a folder that `bench pretrain` wrote."""
    folder = Path(init).expanduser()
    found, _ = read_checkpoint(folder)
    if found.kind != "network":
        raise BenchError(
            f"Got --init {init}, a {found.kind}; expected a folder of a network, made by another --method."
        )
    spec = checkpoint_spec(init, {})
    check_same(init, str(found.settings["architecture"]), wanted)
    state = read_state_dict(unchanged(spec.file, spec.weights, spec.name))
    arguments = dict(found.settings["arguments"])
    if "img_size" in arguments:
        check_patches(init, wanted.size, arguments.get("patch_size", 1))
    model = loaded_network(found.settings, wanted.size, state, spec.name, spec.file)
    if "img_size" in arguments:
        arguments["img_size"] = wanted.size
    return Backbone(
        architecture=str(found.settings["architecture"]), arguments=arguments, model=model, weights=spec.weights,
        start=f"{init} (learned from {found.pretraining})", mean=found.preprocess.mean, std=found.preprocess.std,
        pool=str(found.settings["pool"]),
    )  # fmt: skip


def from_file(init: str, wanted: Wanted) -> Backbone:
    """Return a network with the weights of a file, which is read as weights only."""
    import timm

    path, digest = local_weights(init)
    architecture = wanted.architecture or wanted.default
    own = {} if wanted.architecture else wanted.arguments
    arguments = arguments_of(architecture, own, wanted.size, native=True)
    config = timm.get_pretrained_cfg(architecture)
    state = read_state_dict(Path(path))
    model = with_weights(
        architecture, {**arguments, "num_classes": 0}, config.to_dict() if config else {}, state,
        f"--backbone timm:{architecture}", init, exact=True,
    )  # fmt: skip
    return Backbone(
        architecture=architecture, arguments=arguments, model=model, start=f"the weights {Path(init).name}",
        weights=digest,
    )  # fmt: skip


def from_encoder(init: str, wanted: Wanted) -> Backbone:
    """Return the network of an encoder that timm has, with its weights."""
    try:
        spec = resolve(init)
    except EncoderError as error:
        hint = did_you_mean(init, ("random", "imagenet", *names())) or "."
        raise BenchError(
            f"Got --init {init}{hint} Expected random, imagenet, a file of weights, a folder made by bench pretrain, "
            f"or an encoder. {error}"
        ) from error
    check_encoder(spec, init)
    architecture = spec.source.removeprefix("timm:").partition(".")[0]
    check_same(init, architecture, wanted)
    arguments = arguments_of(architecture, {}, wanted.size, native=True)
    check_patches(init, wanted.size, arguments.get("patch_size", 1))
    model = timm_model(replace(spec, preprocess=replace(spec.preprocess, size=wanted.size)))
    return Backbone(
        architecture=architecture, arguments=arguments, model=model,
        weights=" ".join(filter(None, (spec.weights, spec.delta))),
        pool=spec.pool if spec.pool in POOLS else "default",
        start=f"{spec.full_name} ({spec.pretraining}; licence {spec.licence})",
        mean=spec.preprocess.mean, std=spec.preprocess.std,
    )  # fmt: skip


def looks_like_file(init: str) -> bool:
    """Return whether --init is the name of a file of weights."""
    return Path(init).suffix in SUFFIXES


#: What --init may be, in the order in which it is asked: whether a text is meant so, and what it then starts from.
STARTS: tuple[tuple[Callable[[str], bool], Callable[[str, Wanted], Backbone]], ...] = (
    (lambda init: init == "random", from_random),
    (lambda init: init == "imagenet", from_imagenet),
    (looks_like_file, from_file),
    (is_checkpoint, from_folder),
    (lambda init: True, from_encoder),
)


def check_patches(init: str, size: int, patch: int) -> None:
    """Refuse a size that is no multiple of the patches of weights."""
    if size % patch:
        raise BenchError(
            f"Got --size {size} with --init {init}, whose patches have {patch} px; expected a multiple of {patch}."
        )


def check_same(init: str, architecture: str, wanted: Wanted) -> None:
    """Refuse weights of another architecture than the one asked for."""
    if wanted.architecture and architecture != wanted.architecture:
        raise BenchError(
            f"Got --backbone timm:{wanted.architecture} with --init {init}, which is a {architecture}; expected the "
            "same. Leave --backbone out."
        )


def check_encoder(spec: EncoderSpec, init: str) -> None:
    """Refuse an encoder that is no network of timm as timm has it."""
    if not spec.source.startswith("timm:") or spec.architecture:
        raise BenchError(
            f"Got --init {init}, an encoder from {spec.source.partition(':')[0]}; expected random, imagenet, a file of "
            "weights, a folder made by bench pretrain, or an encoder whose network is timm's, as efficientnet-lite0."
        )
    if spec.full_name.partition("@")[2]:
        raise BenchError(
            f"Got --init {init}, with options; expected {spec.full_name.partition('@')[0]}. Size and colour are "
            "chosen by --size and --colour."
        )
