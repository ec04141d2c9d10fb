"""From --backbone and --init to a network that can be learned: its architecture, and the weights that it starts from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, did_you_mean
from encoders import EncoderError, EncoderSpec, names, resolve
from encoders.checkpoint import checkpoint_spec, is_checkpoint, read_checkpoint
from encoders.checkpoint_network import empty_network, loaded_network, vectors_of
from encoders.networks import HALF
from encoders.timm_models import timm_network, with_weights
from encoders.weights import SUFFIXES, local_weights, quiet, read_state_dict, unchanged

if TYPE_CHECKING:
    import torch

ACROSS = 8  # patches of a transformer along a side at least, so that there is something to hide
Arguments = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A network and where it starts.

    model: timm's module without classifier. pool: of `encoders.checkpoint_network`. dim: of its vectors. start: what its
    weights are, in words. weights: their identity. mean, std: of its input. fresh: nothing was learned yet.
    """

    architecture: str
    arguments: Arguments
    model: Any
    start: str
    weights: str
    mean: tuple[float, ...] = HALF
    std: tuple[float, ...] = HALF
    fresh: bool = False
    pool: str = "default"
    dim: int = 0

    @property
    def is_transformer(self) -> bool:
        """Whether it is one whose patches can be left out: timm's VisionTransformer."""
        from timm.models.vision_transformer import VisionTransformer

        return isinstance(self.model, VisionTransformer)

    def vectors(self) -> torch.nn.Module:
        """Return the module (B, 3, S, S) to (B, dim)."""
        return vectors_of(self.model, self.pool, self.architecture)

    def settings(self) -> dict[str, object]:
        """Return what a checkpoint of kind network says."""
        return {
            "architecture": self.architecture, "arguments": dict(self.arguments), "pool": self.pool, "dim": self.dim,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for. architecture: timm's name, "" for none; default, arguments: the method's own; size in pixels."""

    architecture: str
    default: str
    arguments: Arguments
    size: int
    seed: int


def find_backbone(init: str, wanted: Wanted) -> Backbone:
    """Return the network that --init and --backbone name; BenchError for what is none."""
    try:
        found = next(start for fits, start in STARTS if fits(init))(init, wanted)
        return measured(found, wanted.size)
    except EncoderError as error:
        raise BenchError(str(error)) from error


def with_pool(backbone: Backbone, pool: str, size: int) -> Backbone:
    """Return the network with another way from its output to a vector."""
    return measured(replace(backbone, pool=pool), size)


def measured(backbone: Backbone, size: int) -> Backbone:
    """Return a backbone with the dimension of its vectors; BenchError where it gives none for such an input."""
    import torch

    vectors = backbone.vectors().eval()
    try:
        with torch.inference_mode():
            shape = tuple(vectors(torch.zeros(2, 3, size, size)).shape)
    except Exception as error:
        raise cannot(backbone.architecture, size, error) from None
    if len(shape) != 2:
        raise cannot(backbone.architecture, size, ValueError(f"it gives shape {shape} and no vectors"))
    return replace(backbone, dim=shape[1])


def architecture_of(backbone: str) -> str:
    """Return timm's name of --backbone, "" where none was given."""
    import timm

    prefix, colon, name = backbone.partition(":")
    if not backbone:
        return ""
    if prefix != "timm" or not colon:
        raise BenchError(
            f"Got --backbone {backbone}; expected timm:NAME, as timm:resnet10t. Weights are chosen by --init."
        )
    if "." in name:
        raise BenchError(
            f"Got --backbone {backbone}, with the name of weights; expected timm:{name.partition('.')[0]}. Weights are "
            f"chosen by --init, as --init {backbone}."
        )
    if not timm.is_model(name):
        hint = did_you_mean(name, timm.list_models()) or "."
        raise BenchError(f"Got --backbone {backbone}, which timm does not know{hint} Expected a name of timm's.")
    return name


# --- the ways to start ---------------------------------------------------------------------------------------------


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
        for spec in map(resolve, names()) if spec.family == "imagenet" and spec.source.startswith("timm:")
    }  # fmt: skip
    if wanted.architecture not in known:
        raise BenchError(
            f"Got --init imagenet with --backbone timm:{wanted.architecture}, of which no ImageNet weights are known here; "
            f"expected one of {', '.join(sorted(known))}. Give a file of weights with --init FILE, or --init random."
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
    spec = resolve(init)
    check_encoder(spec, init)
    architecture = spec.source.removeprefix("timm:").partition(".")[0]
    check_same(init, architecture, wanted)
    arguments = arguments_of(architecture, {}, wanted.size, native=True)
    check_patches(init, wanted.size, arguments.get("patch_size", 1))
    model = timm_network(replace(spec, preprocess=replace(spec.preprocess, size=wanted.size)))
    return Backbone(
        architecture=architecture, arguments=arguments, model=model, weights=spec.weights,
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


# --- what they share -----------------------------------------------------------------------------------------------


def arguments_of(architecture: str, own: Arguments, size: int, *, native: bool = False) -> dict[str, int]:
    """Return the arguments that make an architecture take inputs of so many pixels.

    native: keep the patches that weights were learned with. Else those of a transformer are small enough that there
    are `ACROSS` along a side.
    """
    import timm

    config = timm.get_pretrained_cfg(architecture)
    if not (config and config.fixed_input_size):
        return dict(own)
    shape = empty_network(architecture, {}, architecture).get("patch_embed.proj.weight")
    patch = None if shape is None or re.match("swin|maxvit|hiera", architecture) else int(shape.shape[-1])
    if patch is None:
        return {**own, "img_size": size}
    if not native and (size % patch or size // patch < ACROSS):
        patch = max(p for p in range(1, max(2, size // ACROSS + 1)) if size % p == 0)
    return {**own, "img_size": size, "patch_size": patch}


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
            f"Got --backbone timm:{wanted.architecture} with --init {init}, which is a {architecture}; expected the same. "
            "Leave --backbone out."
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
            f"Got --init {init}, with options; expected {spec.full_name.partition('@')[0]}. Size and colour are chosen by "
            "--size and --colour."
        )


def cannot(architecture: str, size: int, error: Exception) -> BenchError:
    """Return the error for a network that cannot be built or run at a size."""
    return BenchError(
        f"Got --backbone timm:{architecture} at --size {size}, which timm cannot run ({type(error).__name__}: "
        f"{str(error)[:150]}); expected a network that takes such an input. Give another --size or --backbone."
    )
