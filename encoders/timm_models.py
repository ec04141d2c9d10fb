"""How timm's networks are built, given their weights and pooled (sources "timm:..." and "hf-hub:...")."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .deltas import with_delta
from .encode import network_encoder
from .errors import EncoderError
from .hub import WEIGHT_FILES, hub_file
from .packaged import named_as, packaged_weights
from .spec import EncoderSpec, LoadedEncoder, Placement
from .timm_facts import LAYERS
from .weights import mismatch, quiet, read_state_dict, state_digest, unchanged

if TYPE_CHECKING:
    import torch


def build_timm(spec: EncoderSpec, placement: Placement) -> LoadedEncoder:
    """Build the network of a spec, load or draw its weights, and wrap it for `encode`."""
    module, _, digest = timm_network(spec)
    return network_encoder(spec, module, digest, placement)


def timm_network(spec: EncoderSpec) -> tuple[Any, Any, str]:
    """Return (the module (B, 3, S, S) to (B, d), timm's model in it, the digest of its weights), in evaluation mode."""
    model = timm_model(spec)
    model.eval().requires_grad_(False)
    return pooled(model, spec.pool, spec.name), model, state_digest(model.state_dict())


def timm_model(spec: EncoderSpec) -> Any:
    """Return timm's module of a spec without its classifier, (B, 3, S, S) to (B, d), its weights loaded or drawn."""
    architecture, config, kwargs = _architecture(spec)
    kwargs["num_classes"] = 0
    if config.get("fixed_input_size"):
        kwargs["img_size"] = spec.preprocess.size
    if spec.pool in ("avg", "max"):
        kwargs["global_pool"] = spec.pool
    if spec.weights.startswith("random:"):
        return _random(architecture, kwargs, int(spec.weights.removeprefix("random:")), spec.name)
    path = _weights(spec)
    # What a row declares of an architecture no library vouches for: a key in excess may be a layer it lacks.
    exact = bool(spec.file or spec.package or spec.architecture)
    state, source = read_state_dict(path), spec.file or spec.package or spec.hub
    if spec.package:
        state = named_as(state, _names(architecture), spec.name, source)
    if spec.delta:
        state = with_delta(state, spec.delta, spec.name)
    model = with_weights(architecture, kwargs, config, state, spec.name, source, exact=exact)
    if spec.file:
        unchanged(spec.file, spec.weights, spec.name)
    return model


def pooled(model: Any, pool: str, name: str) -> Any:
    """Return the module (B, 3, S, S) to (B, d).

    "cls", "mean" and "cls+mean" read a transformer's tokens. "layers" reads the maps (B, C, h, w) of a convolutional
    network at every resolution that timm lists and joins their means: what sets cells apart, texture and outlines, is
    often clearer before the end of a network, which belongs to what it was trained for (Yosinski et al. 2014).
    """
    if pool == LAYERS:
        return _layered(model)
    parts = pool.split("+")
    if not set(parts) <= {"cls", "mean"}:
        return model
    prefix = getattr(model, "num_prefix_tokens", None)
    if prefix is None or ("cls" in parts and not getattr(model, "has_class_token", prefix > 0)):
        raise EncoderError(f"Got pool={pool} for encoder '{name}', which has no such tokens; use pool=default.")
    import torch

    class Pooled(torch.nn.Module):  # defined here, as importing this file must not import torch
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = self.model.forward_features(x)  # (B, prefix + patches, d)
            read = {"cls": tokens[:, 0], "mean": tokens[:, prefix:].mean(dim=1)}
            # fc_norm is the identity where the norm came before pooling
            return torch.cat([self.model.fc_norm(read[part]) for part in parts], dim=1)

    return Pooled().eval()


def _layered(model: Any) -> Any:
    import torch

    class Layered(torch.nn.Module):  # defined here, as importing this file must not import torch
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = self.model.forward_intermediates(x, intermediates_only=True, output_fmt="NCHW")
            return torch.cat([layer.mean((2, 3)) for layer in maps], dim=1)

    return Layered().eval()


def _architecture(spec: EncoderSpec) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the name to build, what timm says of its weights, and the arguments that make it another."""
    import timm

    kind, _, model_id = spec.source.partition(":")
    if spec.architecture:
        model_id, _, text = spec.architecture.partition(" ")
        kwargs = json.loads(text)
        if "mlp_layer" in kwargs:  # timm takes the other layers by name, this one as a class
            kwargs["mlp_layer"] = getattr(timm.layers, kwargs["mlp_layer"])
        return model_id, {"fixed_input_size": True, "classifier": "head"}, kwargs
    if kind == "hf-hub":
        folder = hub_file(model_id, ("config.json",), spec.full_name, spec.revision).parent
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return f"local-dir:{folder}", config.get("pretrained_cfg", config), {}
    with quiet():
        cfg = timm.get_pretrained_cfg(model_id)
    return model_id, cfg.to_dict() if cfg else {}, {}


def _names(architecture: str) -> dict[str, torch.Size]:
    """Return the names and shapes of a network with its classifier, in their order."""
    import timm
    import torch

    with quiet(), torch.device("meta"):
        return {name: tensor.shape for name, tensor in timm.create_model(architecture).state_dict().items()}


def _weights(spec: EncoderSpec) -> Path:
    if spec.file:
        return unchanged(spec.file, spec.weights, spec.name)
    if spec.package:
        return packaged_weights(spec.package, spec.weights, spec.name)
    if not spec.hub:
        raise EncoderError(
            f"No hub holds the weights of '{spec.name}'; fetch them yourself{_address(spec.source)} and give them with "
            f"{spec.full_name.partition('@')[0]}@weights=FILE."
        )
    files = WEIGHT_FILES[spec.source.partition(":")[0]]
    return hub_file(spec.hub, files, spec.full_name, getattr(spec, "revision", ""))


def _address(source: str) -> str:
    return f" from {source.removeprefix('file:')}" if source.startswith("file:") else ""


def _random(architecture: str, kwargs: dict[str, Any], seed: int, name: str) -> Any:
    import timm
    import torch

    if _entry_module(architecture) == "timm.models.resnet":
        kwargs = {**kwargs, "zero_init_last": False}  # else residual branches are zero: depth takes no part
    with quiet(), torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = _create(timm.create_model, architecture, kwargs, name)
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.rpartition(".")[2] == "gamma":  # layer scale, which starts near zero
                parameter.fill_(1.0)
    return model


def _entry_module(architecture: str) -> str:
    import timm

    return "" if ":" in architecture else timm.model_entrypoint(architecture.partition(".")[0]).__module__


def with_weights(
    architecture: str, kwargs: dict[str, Any], config: dict[str, Any], state: dict[str, Any], name: str,
    source: str, exact: bool,
) -> Any:  # fmt: skip
    """Build a network with `state`, passed through timm so that its own conversions (position grids) happen.

    The classifier is dropped first. A key missing or of the wrong shape is an error; so is one in excess in a
    user's file (exact), while the library's own files may carry heads that it knows to ignore.
    """
    import timm

    classifier = config.get("classifier") or ()
    for head in (classifier,) if isinstance(classifier, str) else classifier:
        state.pop(f"{head}.weight", None)
        state.pop(f"{head}.bias", None)
    # Given as a state dict and without a classifier's name, timm loads it strictly and from nowhere else.
    given = {"state_dict": state, "source": None, "custom_load": False}
    strict = {**given, "classifier": None, "num_classes": 0}
    with quiet():
        try:
            model = _create(timm.create_model, architecture, {**kwargs, "pretrained": True}, name, strict)
        except RuntimeError as error:
            wrong = wrong_keys(str(error))
            if exact or not wrong or not all(key.startswith("unexpected") for key in wrong):
                raise mismatch(name, wrong or [str(error)[:300]], source) from None
            model = _create(timm.create_model, architecture, {**kwargs, "pretrained": True}, name, given)
        except EncoderError:
            raise
        except Exception as error:
            raise mismatch(name, [f"{type(error).__name__}: {str(error)[:200]}"], source) from None
    model.pretrained_cfg = model.default_cfg = {}  # lets the state dict go
    return model


def _create(
    create: Callable[..., Any],
    architecture: str,
    kwargs: dict[str, Any],
    name: str,
    overlay: dict[str, Any] | None = None,
) -> Any:
    try:
        return create(architecture, pretrained_cfg_overlay=overlay, **kwargs)
    except AssertionError as error:
        raise EncoderError(f"timm cannot build encoder '{name}': {error or 'an assertion failed'}.") from None


def wrong_keys(message: str) -> list[str]:
    """Return "missing x", "unexpected y", "shape of z" from the text of torch's load_state_dict error."""
    wrong = []
    for kind, listed in re.findall(r"(Missing|Unexpected) key\(s\) in state_dict: (.*?)\.\s*(?=\n|$)", message):
        wrong += [f"{kind.lower()} {key}" for key in re.findall(r'"([^"]+)"', listed)]
    return wrong + [f"shape of {key}" for key in re.findall(r"size mismatch for (\S+?):", message)]
