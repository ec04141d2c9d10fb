"""Networks as something to be trained further: which encoders are one, their layers, and how pixels become an input.

An encoder is frozen (`EncoderSpec.load`); here is the same network, with the same weights and the same preparation of
images, for whoever trains a copy of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .errors import EncoderError
from .normalise import normalise
from .spec import EncoderSpec

if TYPE_CHECKING:
    import torch

SOURCES = ("timm", "hf-hub", "file")
LAST = 0.25  # of the layers, the share that counts as the last ones


@dataclass(frozen=True, kw_only=True)
class Trainable:
    """A network in evaluation mode whose parameters ask for no gradients; train a copy.

    module: float32 (B, 3, S, S) to (B, d). prepare: uint8 (B, S, S, 3) to its input. layers: the names of the
    parameters of each layer, as timm groups them, the first layer first. weights_digest: as that of the frozen encoder.
    """

    name: str
    module: Any
    prepare: Callable[[torch.Tensor], torch.Tensor]
    layers: tuple[tuple[str, ...], ...]
    weights_digest: str

    @property
    def last(self) -> frozenset[str]:
        """The names of the parameters of the last quarter of the layers, rounded up."""
        count = math.ceil(LAST * len(self.layers))
        return frozenset(name for layer in self.layers[-count:] for name in layer)


def why_not_trainable(spec: EncoderSpec) -> str:
    """Return why the network of an encoder cannot be trained here, "" where it can. Imports no torch."""
    if spec.weights == "none":
        return "it is a descriptor, which has no weights"
    if spec.source == "checkpoint:network":
        return "it is a folder of `bench pretrain`, and only networks that are named by timm are trained further"
    if spec.source.partition(":")[0] not in SOURCES:
        return "it is no network that timm builds"
    if spec.precision != "float32" or spec.backend != "torch":
        return "networks are trained in float32 by torch; name it without precision= and backend="
    if spec.orient8 != "off":
        return "training turns and mirrors images by itself; name it without orient8="
    if spec.preprocess.channels.startswith("each"):
        return "its vector is of several views, one of each channel; name three channels at most, as channels=A+B+C"
    return ""


def load_trainable(spec: EncoderSpec) -> Trainable:
    """Build the network of a spec with its weights; EncoderError where these, or its layers, cannot be had."""
    from .timm_models import timm_network

    if why := why_not_trainable(spec):
        raise EncoderError(f"Got encoder '{spec.name}' to be fine-tuned; {why}.")
    module, model, digest = timm_network(spec)
    return Trainable(
        name=spec.name, module=module, prepare=partial(normalise, policy=spec.preprocess),
        layers=_layers(module, model, spec.name), weights_digest=digest,
    )  # fmt: skip


def _layers(module: Any, model: Any, name: str) -> tuple[tuple[str, ...], ...]:
    """Return the names of the parameters of `module`, in which `model` is all or a part, by layer of the model."""
    from timm.models import group_parameters

    matcher = getattr(model, "group_matcher", None)
    if matcher is None:
        raise EncoderError(
            f"Got encoder '{name}' to be fine-tuned; expected a network whose layers timm lists. Leave it out, or name "
            "another one."
        )
    grouped = group_parameters(model, matcher(coarse=False))
    called = {id(parameter): key for key, parameter in module.named_parameters()}
    own = dict(model.named_parameters())
    layers = (tuple(called[id(own[key])] for key in grouped[at] if key in own) for at in sorted(grouped))
    return tuple(layer for layer in layers if layer)
