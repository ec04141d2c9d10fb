"""A dictionary of patches: how much every small part of an image looks like each of K patches, pooled over the image.

Coates, Ng and Lee (2011), "An analysis of single-layer networks in unsupervised feature learning", with the soft
threshold of Coates and Ng (2011), "The importance of encoding versus training", section 3.2. A patch x of P x P x 3
numbers loses its mean m and is divided by s = (variance + `FLOOR`)^(1/2); it is whitened and compared with the K words:

    a = M (x - m) / s + b,    features: max(0, a - threshold) and max(0, -a - threshold), (2K,)

Their means over the cells of a grid of G x G are the vector, (2 K G^2,). All of it is one convolution: every row of M
adds up to 0, so that m drops out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .encode import network_encoder
from .errors import EncoderError
from .spec import EncoderSpec, LoadedEncoder, Placement, Preprocess
from .weights import mismatch, read_state_dict, state_digest, unchanged

if TYPE_CHECKING:
    import torch

AT_ONCE = 2**29  # numbers of a map over patches, words and images, on a CPU: 2 GB, of which a product holds a few
FLOOR = (10 / 255) ** 2  # a variance of pixels, 0 to 1, below which a patch is mostly noise
MOST = {"words": 8192, "patch": 32, "grid": 8}


def check_dictionary(settings: Mapping[str, Any], preprocess: Preprocess) -> int:
    """Return the dimension of a dictionary's vectors; ValueError for settings that are none.

    settings: words K, patch P in pixels, grid G, threshold.
    """
    if set(settings) != {*MOST, "threshold"}:
        raise ValueError(f"it has the settings {', '.join(sorted(settings))}")
    for name, most in MOST.items():
        if not (isinstance(settings[name], int) and 1 <= settings[name] <= most):
            raise ValueError(f"it says {name} {settings[name]!r}; expected a whole number from 1 to {most}")
    if not (isinstance(settings["threshold"], int | float) and 0 <= settings["threshold"] <= 100):
        raise ValueError(f"it says threshold {settings['threshold']!r}; expected a number from 0 to 100")
    across = (preprocess.size or 0) - settings["patch"] + 1
    if across < settings["grid"]:
        raise ValueError(f"it says patch {settings['patch']} and grid {settings['grid']} of {preprocess.size} px")
    return 2 * settings["words"] * settings["grid"] ** 2


def build_dictionary(spec: EncoderSpec, placement: Placement) -> LoadedEncoder:
    """Load the words of a spec and wrap them for `encode`."""
    import json

    settings = json.loads(spec.architecture)
    state = read_state_dict(unchanged(spec.file, spec.weights, spec.name))
    K, P = settings["words"], settings["patch"]
    shapes = {"weight": (K, 3, P, P), "bias": (K,)}
    wrong = [name for name, shape in shapes.items() if name not in state or tuple(state[name].shape) != shape]
    if wrong or len(state) != len(shapes):
        raise mismatch(spec.name, [f"shape of {name}" for name in wrong] or ["other tensors"], spec.file)
    for tensor in state.values():
        if str(tensor.dtype) != "torch.float32":
            raise EncoderError(f"Got {spec.file} with numbers of type {tensor.dtype}; expected float32.")
    unchanged(spec.file, spec.weights, spec.name)
    module = module_of(state, settings["grid"], settings["threshold"])
    return network_encoder(spec, module, state_digest(state), placement)


def module_of(state: Mapping[str, torch.Tensor], grid: int, threshold: float) -> torch.nn.Module:
    """Return the module (B, 3, S, S), values 0 to 1, to (B, 2 K G^2). state: weight (K, 3, P, P), whose rows add up to
    0, and bias (K,)."""  # fmt: skip
    import torch
    from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, relu

    patch = int(state["weight"].shape[2])

    class PatchDictionary(torch.nn.Module):  # defined here, as importing this file must not import torch
        weight: torch.Tensor
        bias: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", state["weight"].clone())
            self.register_buffer("bias", state["bias"].clone())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.is_cuda or torch.compiler.is_compiling() or torch.jit.is_tracing():
                return self.pooled(x, slice(None)).flatten(1)  # a GPU says when its memory is full
            at_once = AT_ONCE // (2 * x.shape[2] * x.shape[3])  # words times images
            if len(x) * len(self.weight) <= at_once:
                return self.pooled(x, slice(None)).flatten(1)
            return torch.cat([self.in_blocks(image, max(1, at_once)) for image in x.split(1)])

        def in_blocks(self, image: torch.Tensor, words: int) -> torch.Tensor:
            # The vector (1, 2 K G^2) of one image (1, 3, S, S), whose maps are made for so many words at a time.
            starts = range(0, len(self.weight), words)
            halves = [self.pooled(image, slice(start, start + words)).chunk(2, 1) for start in starts]
            return torch.cat([half[side] for side in (0, 1) for half in halves], 1).flatten(1)

        def pooled(self, x: torch.Tensor, words: slice) -> torch.Tensor:
            mean = avg_pool2d(x.mean(1, keepdim=True), patch, 1)
            square = avg_pool2d((x * x).mean(1, keepdim=True), patch, 1)
            scale = torch.rsqrt((square - mean * mean).clamp_min(0) + FLOOR)
            a = conv2d(x, self.weight[words]) * scale + self.bias[words, None, None]
            both = torch.cat([relu(a - threshold), relu(-a - threshold)], 1)
            return adaptive_avg_pool2d(both, grid)

    return PatchDictionary().eval()
