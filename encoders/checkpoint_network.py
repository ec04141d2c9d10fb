"""A network of timm in a folder: what `bench pretrain` learned with a method for networks, as an encoder.

The settings name an architecture that timm knows, the few arguments that may change it, and how its output becomes a
vector. No hub is asked, and no name but one of timm's own list is built. Names and shapes of the tensors are compared
with the architecture before memory is taken for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .encode import network_encoder
from .errors import EncoderError, did_you_mean
from .spec import EncoderSpec, LoadedEncoder, Placement, Preprocess
from .timm_facts import LAYERS, layers_dim
from .timm_models import pooled, with_weights
from .weights import mismatch, quiet, read_state_dict, state_digest, unchanged

if TYPE_CHECKING:
    import torch

#: Arguments of an architecture that settings may hold, and the largest value of each.
ARGUMENTS = {"img_size": 4096, "patch_size": 64, "depth": 64, "embed_dim": 4096, "num_heads": 64}
#: How the output becomes a vector: as timm does; the mean of a transformer's patches; the mean of a map of features;
#: the means of the maps at every resolution.
POOLS = ("default", "mean", "map", LAYERS)
LARGEST_DIM = 65_536


def check_network(settings: Mapping[str, Any], preprocess: Preprocess) -> int:
    """Return the dimension that the settings of a network declare; ValueError for settings that are none.

    settings: architecture (a name of timm), arguments (of `ARGUMENTS`), pool (of `POOLS`), dim.
    """
    if set(settings) != {"architecture", "arguments", "pool", "dim"}:
        raise ValueError(f"it has the settings {', '.join(sorted(settings))}")
    architecture, arguments, pool, dim = (settings[name] for name in ("architecture", "arguments", "pool", "dim"))
    if not (isinstance(architecture, str) and re.fullmatch(r"[a-z0-9][a-z0-9_]{0,99}", architecture)):
        raise ValueError(f"it says architecture {architecture!r}; expected a name of timm, as resnet10t")
    if not (isinstance(arguments, Mapping) and set(arguments) <= set(ARGUMENTS)):
        raise ValueError(f"it says arguments {arguments!r}; expected some of {', '.join(ARGUMENTS)}")
    for name, value in arguments.items():
        if type(value) is not int or not 1 <= value <= ARGUMENTS[name]:
            raise ValueError(f"it says {name} {value!r}; expected a whole number from 1 to {ARGUMENTS[name]}")
    if pool not in POOLS:
        raise ValueError(f"it says pool {pool!r}; expected one of {', '.join(POOLS)}")
    if type(dim) is not int or not 1 <= dim <= LARGEST_DIM:
        raise ValueError(f"it says dim {dim!r}; expected a whole number from 1 to {LARGEST_DIM}")
    if (preprocess.size or 0) % size_multiple(settings):
        raise ValueError(f"it says size {preprocess.size} for patches of {size_multiple(settings)} px")
    return dim


def size_multiple(settings: Mapping[str, Any]) -> int:
    """Return what the side of the input has to be a multiple of: the side of a transformer's patch, where it is
    told."""
    return int(settings["arguments"].get("patch_size", 1))


def pooled_settings(settings: Mapping[str, Any], pool: str, name: str) -> dict[str, Any]:
    """Return the settings with another pool, their own or "layers"; EncoderError where there are no layers to read."""
    if pool == settings["pool"]:
        return dict(settings)
    return {**settings, "pool": pool, "dim": layers_dim(f"timm:{settings['architecture']}", name)}


def build_network(spec: EncoderSpec, placement: Placement) -> LoadedEncoder:
    """Load the network of a spec and wrap it for `encode`."""
    return network_encoder(spec, *checkpoint_module(spec), placement)


def checkpoint_module(spec: EncoderSpec) -> tuple[torch.nn.Module, str]:
    """Return (the module (B, 3, S, S) to (B, d), the digest of its weights), in evaluation mode."""
    settings = json.loads(spec.architecture)
    state = read_state_dict(unchanged(spec.file, spec.weights, spec.name))
    unchanged(spec.file, spec.weights, spec.name)
    model = loaded_network(settings, spec.preprocess.size or 0, state, spec.name, spec.file)
    model.eval().requires_grad_(False)
    return vectors_of(model, settings["pool"], spec.name), state_digest(model.state_dict())


def loaded_network(
    settings: Mapping[str, Any], size: int, state: dict[str, torch.Tensor], name: str, source: str
) -> torch.nn.Module:
    """Return the network of some settings with the given weights, for inputs of so many pixels.

    Position grids are resampled where the size is another. Raises EncoderError for weights of another architecture.
    """
    architecture, arguments = settings["architecture"], dict(settings["arguments"])
    with quiet():
        expected = {key: tuple(tensor.shape) for key, tensor in empty_network(architecture, arguments, name).items()}
    if wrong := [
        *(f"missing {key}" for key in expected.keys() - state.keys()),
        *(f"unexpected {key}" for key in state.keys() - expected.keys()),
        *(f"shape of {key}" for key in expected.keys() & state.keys() if expected[key] != tuple(state[key].shape)),
    ]:
        raise mismatch(name, sorted(wrong), source)
    for tensor in state.values():
        if tensor.is_floating_point() and str(tensor.dtype) != "torch.float32":
            raise EncoderError(f"Got {source} with numbers of type {tensor.dtype}; expected float32.")
    if "img_size" in arguments:
        arguments["img_size"] = size
    model: torch.nn.Module = with_weights(
        architecture, {**arguments, "num_classes": 0}, {}, dict(state), name, source, exact=True
    )
    return model


def empty_network(architecture: str, arguments: Mapping[str, int], name: str) -> dict[str, torch.Tensor]:
    """Return the tensors of an architecture without memory for them; EncoderError where timm cannot build it."""
    import timm
    import torch

    if not timm.is_model(architecture):
        hint = did_you_mean(architecture, timm.list_models()) or ", unknown to this version of timm."
        raise EncoderError(f"Got encoder '{name}' of architecture '{architecture}'{hint} Try `pip install -U timm`.")
    try:
        with torch.device("meta"):
            known: dict[str, Any] = {**arguments, "num_classes": 0}
            return dict(timm.create_model(architecture, **known).state_dict())
    except Exception as error:
        raise EncoderError(
            f"Got encoder '{name}', whose architecture timm cannot build as {architecture} with {dict(arguments)} "
            f"({type(error).__name__}: {str(error)[:200]}); copy the folder again, or make it again."
        ) from None


def vectors_of(model: torch.nn.Module, pool: str, name: str) -> torch.nn.Module:
    """Return the module (B, 3, S, S) to (B, d) of a network under one of `POOLS`."""
    if pool != "map":
        found: torch.nn.Module = pooled(model, pool, name)
        return found
    import torch

    class MapMean(torch.nn.Module):  # defined here, as importing this file must not import torch
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            features = self.model.forward_features(x)  # type: ignore[operator]  # (B, C, h, w)
            if features.ndim != 4:
                raise EncoderError(f"Got pool map for encoder '{name}', which has no map of features; expected a CNN.")
            return features.mean((2, 3))

    return MapMean().eval()
