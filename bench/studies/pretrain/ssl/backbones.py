"""A network that can be learned: its architecture, how it is made to take an input, what its vectors are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, did_you_mean
from encoders.checkpoint_network import empty_network, vectors_of
from encoders.networks import HALF

if TYPE_CHECKING:
    import torch

ACROSS = 8  # patches of a transformer along a side at least, so that there is something to hide
Arguments = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A network and where it starts.

    model: timm's module without classifier. pool: of `encoders.checkpoint_network`. dim: of its vectors. start: what
    its weights are, in words. weights: their identity. mean, std: of its input. fresh: nothing was learned yet.
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
    """What was asked for. architecture: timm's name or ""; default, arguments: the method's own; size in pixels."""

    architecture: str
    default: str
    arguments: Arguments
    size: int
    seed: int


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


def cannot(architecture: str, size: int, error: Exception) -> BenchError:
    """Return the error for a network that cannot be built or run at a size."""
    return BenchError(
        f"Got --backbone timm:{architecture} at --size {size}, which timm cannot run ({type(error).__name__}: "
        f"{str(error)[:150]}); expected a network that takes such an input. Give another --size or --backbone."
    )
