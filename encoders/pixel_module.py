"""Encoders as one module of torch from bytes to vectors, for whoever puts them into another format."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .checkpoint_network import checkpoint_module
from .errors import EncoderError
from .normalise import normalise
from .spec import EncoderSpec
from .timm_models import timm_network

if TYPE_CHECKING:
    import torch


def _of_timm(spec: EncoderSpec) -> tuple[Any, str]:
    module, _, digest = timm_network(spec)
    return module, digest


#: By the source of an encoder, or what stands before its colon.
MODULES: dict[str, Callable[[EncoderSpec], tuple[Any, str]]] = {
    "timm": _of_timm, "hf-hub": _of_timm, "file": _of_timm, "checkpoint:network": checkpoint_module,
}  # fmt: skip


def why_no_module(spec: EncoderSpec) -> str:
    """Return why an encoder is no single module, "" where it is one. Imports no torch."""
    if _maker(spec) is None:
        return "it is no network that timm builds"
    if spec.precision != "float32" or spec.backend != "torch":
        return "its vectors are those of another precision or another library (precision=, backend=)"
    if spec.orient8 != "off":
        return "it looks at every image eight times (orient8=)"
    if spec.preprocess.channels.startswith("each"):
        return "it looks at every channel by itself (channels=each)"
    if spec.preprocess.intervene != "none":
        return f"it is a diagnostic, from whose images something is taken away (intervene={spec.preprocess.intervene})"
    return ""


def pixel_module(spec: EncoderSpec) -> tuple[torch.nn.Module, str]:
    """Return (the module uint8 (B, S, S, 3) to float32 (B, d), in evaluation mode; the digest of its weights).

    It normalises by itself. Raises EncoderError where there is no such module or no weights.
    """
    import torch

    if why := why_no_module(spec):
        raise EncoderError(f"Got encoder '{spec.name}', which is no single network from pixels to vectors: {why}.")
    maker = _maker(spec)
    assert maker is not None  # why_no_module has asked
    network, digest = maker(spec)

    class FromPixels(torch.nn.Module):  # defined here, as importing this file must not import torch
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            vectors: torch.Tensor = self.network(normalise(pixels, spec.preprocess))
            return vectors

    return FromPixels().eval(), digest


def _maker(spec: EncoderSpec) -> Callable[[EncoderSpec], tuple[Any, str]] | None:
    return MODULES.get(spec.source) or MODULES.get(spec.source.partition(":")[0])
