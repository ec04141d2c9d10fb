"""A classifier as one ONNX graph, for programs without Python: bytes of a prepared image to probabilities.

    pixels uint8 (N, S, S, 3) -> mean and std -> network -> scaled as in training -> linear head -> softmax(. / T)

How an image becomes pixels (which part of it, channels, size) is not in the graph: it is written into the metadata of
the file and, the same, into NAME.onnx.json beside it, with the classes, the licence and what it was made of.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import BenchError
from bench.fitting.scaling import ROUNDING
from bench.heads import all_heads, linear_fit
from bench.heads.linear_fit import LinearFit
from bench.storage.atomic import write_beside
from bench.studies.classifier.encoder import encoder_of, is_outside
from bench.studies.classifier.model import About, Model
from encoders import EncoderSpec
from encoders.pixel_module import pixel_module, why_no_module
from encoders.weights import quiet

if TYPE_CHECKING:
    import torch

FORMAT = "cell-classifier onnx 1"
OPSET = 17
INPUT, OUTPUT = "pixels", "probabilities"
LARGEST = 1_900_000_000  # bytes of weights; a file of ONNX holds 2 GB
NEVER = -1e30  # the logit of a class without labels; some programs cannot do with infinity

Facts = dict[str, Any]


def export_onnx(model: Model, to: Path, encoder: str | None = None) -> Facts:
    """Write a classifier as ONNX, and what is to be known of it as JSON beside; returns the latter.

    encoder: the classifier's encoder as the user types it, where its own name is not enough. Raises BenchError for a
    head or an encoder that cannot become a graph, and where onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise BenchError(
            "Got --to for ONNX, which needs onnx, and that is not installed: pip install 'cell-classifier[onnx]'."
        ) from None
    if not isinstance(model.fitted, LinearFit):
        able = ", ".join(head.name for head in all_heads().values() if head.load is linear_fit.load)
        raise BenchError(
            f"Got a classifier with the head {model.about.learner}; expected one of {able}, which are linear and so "
            f"fit into ONNX. Make it again by `bench fit --head {able.replace(' ', '')}`."
        )
    spec = _network_of(model.about, encoder)
    facts = _facts(model.about, spec) | {"expected_on_new_slides": _expected(model)}
    proto = onnx.load_from_string(_graph(model, model.fitted, spec))
    proto.producer_name, proto.doc_string = "cell-classifier", " ".join(facts["steps"])
    onnx.helper.set_model_props(
        proto, {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
    )
    onnx.checker.check_model(proto)
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    write_beside({beside(to): text.encode(), to: proto.SerializeToString(deterministic=True)})
    return facts


def _network_of(about: About, typed: str | None) -> EncoderSpec:
    spec = None if is_outside(about) else encoder_of(about, typed)
    why = "its vectors are from another program" if spec is None else why_no_module(spec)
    if spec is None or why:
        raise BenchError(
            f"Got a classifier with the encoder {about.encoder}, which cannot become ONNX: {why}. Expected one network "
            "of timm that sees an image once, such as efficientnet-lite0 or lite0-cells."
        )
    return spec


def beside(to: Path) -> Path:
    """Return where the facts lie beside an ONNX file."""
    return to.with_name(f"{to.name}.json")


def _graph(model: Model, fitted: LinearFit, spec: EncoderSpec) -> bytes:
    import torch

    network, digest = pixel_module(spec)
    if digest != model.about.weights:
        raise BenchError(
            f"Got weights {digest[:12]} for encoder {spec.full_name}; expected {model.about.weights[:12]}, which the "
            "classifier was made with. Get the same version of the package or file that they are from."
        )
    size = sum(4 * one.numel() for one in network.state_dict().values())
    if size > LARGEST:
        raise BenchError(
            f"Got a network of {size / 1e9:.1f} GB; expected at most {LARGEST / 1e9:.1f}, which a file of ONNX holds."
        )
    side = spec.preprocess.size or 0
    example = torch.full((2, side, side, 3), 128, dtype=torch.uint8)
    out: Any = io.BytesIO()
    with quiet(), torch.no_grad():
        torch.onnx.export(
            _with_head(network, model, fitted), (example,), out, dynamo=False, opset_version=OPSET, input_names=[INPUT],
            output_names=[OUTPUT], dynamic_axes={INPUT: {0: "N"}, OUTPUT: {0: "N"}},
        )  # fmt: skip
    return out.getvalue()


def _with_head(network: torch.nn.Module, model: Model, fitted: LinearFit) -> torch.nn.Module:
    """Return the module uint8 (N, S, S, 3) to probabilities float32 (N, K); in single precision throughout."""
    import torch

    scale, unit, scaled = model.scale, fitted.unit, model.scale.divisor is not None
    least = ROUNDING * float(np.linalg.norm(scale.mean))

    def constant(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.asarray(values, np.float32))

    class Classifier(torch.nn.Module):  # defined here, as importing this file must not import torch
        mean: torch.Tensor
        factor: torch.Tensor
        weight: torch.Tensor
        offset: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("mean", constant(scale.mean))
            self.register_buffer("factor", constant(np.ones(1) if scale.divisor is None else 1 / scale.divisor))
            self.register_buffer("weight", constant(fitted.W.T / model.about.temperature))
            self.register_buffer("offset", constant(np.maximum(fitted.b / model.about.temperature, NEVER)))

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            rows = self.network(pixels) - self.mean
            rows = rows * self.factor if scaled else _to_unit(rows, least)
            return torch.softmax((_to_unit(rows, 0.0) if unit else rows) @ self.weight + self.offset, dim=1)

    return Classifier().eval()


def _to_unit(rows: torch.Tensor, least: float) -> torch.Tensor:
    """Return rows (N, d) at length 1; those not longer than `least` become 0."""
    import torch

    length = (rows * rows).sum(dim=1, keepdim=True).sqrt()
    return torch.where(length > least, rows / length.clamp_min(torch.finfo(torch.float32).tiny), torch.zeros_like(rows))


def _facts(about: About, spec: EncoderSpec) -> Facts:
    """Return what is to be known of the graph; JSON."""
    side = spec.preprocess.size
    kept = asdict(spec.preprocess)
    return {
        "format": FORMAT,
        "classes": list(about.classes),
        "input": {"name": INPUT, "type": "uint8", "shape": ["N", side, side, 3], "order": "rows, columns, RGB"},
        "output": {"name": OUTPUT, "type": "float32", "shape": ["N", len(about.classes)], "order": "as in classes"},
        "steps": list(_steps(about, spec)),
        "preprocess": {name: kept[name] for name in kept if name not in ("mean", "std", "intervene")},
        "licence": about.licence,
        "use": _USE.get(about.licence_class, "read the licence of the encoder before using this commercially"),
        "encoder": about.encoder, "encoder_key": about.encoder_key, "weights": about.weights, "head": about.head,
        "setting": dict(about.setting), "temperature": about.temperature, "instances": about.instances,
        "channels": list(about.channels), "um_per_px": about.um_per_px, "data": about.data,
        "not_in_this_file": "sets of classes, unlike_p, answers and nearest images, which `bench predict` gives",
    }  # fmt: skip


_USE = {
    "open": "may be used commercially, as far as the licence of the encoder's weights goes",
    "non-commercial": "may not be used commercially: the encoder's weights are non-commercial, and so is this",
}


def _steps(about: About, spec: EncoderSpec) -> Iterator[str]:
    """Yield how an image becomes the input, in sentences."""
    how, side = spec.preprocess, spec.preprocess.size or 0
    whole = about.instances == "whole"
    yield f"Take {'the whole image' if whole else f'a window around each instance (--instances {about.instances})'}."
    yield (
        f"Make it RGB bytes (channels {how.channels}, window {how.window}, stack {how.stack}, color {how.color}); an "
        "image of 8 bits and three channels is that already, and one channel is repeated three times."
    )
    larger = math.floor(side / how.crop_fraction)
    if how.resize == "squash":
        yield f"Resize it to {larger} x {larger} px, {how.interpolation} and antialiased, as Pillow does."
    else:
        yield (
            f"Resize it so that the shorter side has {larger} px and its shape stays, {how.interpolation} and "
            "antialiased, as Pillow does."
        )
    yield f"Cut the {side} x {side} px out of the middle. Do not take mean or standard deviation away: the graph does."


def _expected(model: Model) -> dict[str, float | None]:
    promise = model.promise
    values = {"balanced_accuracy": promise.balanced_accuracy, "low": promise.low, "high": promise.high}
    return {name: None if math.isnan(value) else round(float(value), 4) for name, value in values.items()}
