"""How a network runs: on the CPU by torch or OpenVINO, on a GPU by torch. One `Runner` each.

Every batch has the same shape, the last one filled up by the caller. Kernels are chosen by shape, so a fixed
shape is what makes a vector independent of the batching. Measured with oneDNN on a 2-core AVX-512 CPU (fp32,
224 px): 32 and 16 give the same bits for 1 and 2 threads with mobilenetv2, resnet18, resnet50, ViT-S and
ConvNeXt-T; 8 and 1 do not with mobilenetv2 (up to 3e-6 apart).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import EncoderError
from .folding import folded
from .gpu import gpu_run
from .normalise import normalise
from .spec import EncoderSpec, Placement
from .weights import quiet

CPU_BATCH = 32
GPU_BATCH = 256


@dataclass(frozen=True)
class Runner:
    """A network ready to run: batches of uint8 (batch, S, S, 3) to as many float32 (batch, d), in order.

    parallel: may be called from several threads at once, each of which then keeps one core busy.
    """

    run: Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]
    batch: int
    parallel: bool


def make_runner(module: Any, spec: EncoderSpec, placement: Placement) -> Runner:
    """Return the runner of a network in evaluation mode: normalised float32 (B, 3, S, S) to (B, d)."""
    if placement.device != "cpu":
        if spec.backend != "torch":
            raise EncoderError(f"Got backend={spec.backend} for '{spec.name}' on {placement.device}; it runs on cpu.")
        return Runner(gpu_run(module, spec, placement), GPU_BATCH, parallel=False)
    with quiet():
        forward = CPU_BACKENDS[spec.backend](module, spec, placement)
    return Runner(lambda batches: map(forward, batches), CPU_BATCH, parallel=True)


def _torch_on_cpu(module: Any, spec: EncoderSpec, placement: Placement) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    size = spec.preprocess.size or 0
    with torch.no_grad():
        module = folded(module, normalise(torch.full((1, size, size, 3), 128, dtype=torch.uint8), spec.preprocess))
        module = module.to(memory_format=torch.channels_last)
    reduced = spec.precision == "bfloat16"
    # torch takes a slow path of attention under autocast unless gradients could be asked for: 8 against 22
    # images/s with open_clip's ViT-B/32.
    module.requires_grad_(reduced)
    mode = torch.no_grad if reduced else torch.inference_mode

    def forward(pixels: np.ndarray) -> np.ndarray:
        with ExitStack() as stack:
            stack.enter_context(mode())
            stack.enter_context(_fast_matmul())
            if reduced:
                stack.enter_context(torch.autocast("cpu", torch.bfloat16))
            return module(normalise(torch.from_numpy(pixels), spec.preprocess)).float().numpy()

    return forward


def _openvino_on_cpu(module: Any, spec: EncoderSpec, placement: Placement) -> Callable[[np.ndarray], np.ndarray]:
    try:
        import openvino as ov
        from openvino.preprocess import PrePostProcessor
    except ImportError:
        raise EncoderError(
            f"Encoder '{spec.name}' asks for backend=openvino, which is not installed; "
            "pip install 'cell-classifier[openvino]', or leave the option out."
        ) from None
    import torch

    size = spec.preprocess.size or 0
    with torch.no_grad():
        graph = ov.convert_model(module, example_input=torch.zeros(2, 3, size, size))
    graph.reshape([CPU_BATCH, 3, size, size])
    steps = PrePostProcessor(graph)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    mean, std = ([255 * value for value in values] for values in (spec.preprocess.mean, spec.preprocess.std))
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(mean).scale(std)
    compiled = ov.Core().compile_model(
        steps.build(), "CPU",
        {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[spec.precision],
            # One stream of one thread a worker: the same kernels, and so the same bits, for any number of them.
            "NUM_STREAMS": placement.workers, "INFERENCE_NUM_THREADS": placement.workers, "ENABLE_CPU_PINNING": False,
        },
    )  # fmt: skip
    idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for _ in range(placement.workers):
        idle.put(compiled.create_infer_request())

    def forward(pixels: np.ndarray) -> np.ndarray:
        request = idle.get()
        try:
            return request.infer({0: pixels})[0].astype(np.float32, copy=True)
        finally:
            idle.put(request)

    return forward


CPU_BACKENDS = {"torch": _torch_on_cpu, "openvino": _openvino_on_cpu}

_matmul_lock = threading.Lock()
_matmul_users: list[str] = []  # the precision to go back to, once for each thread inside


@contextmanager
def _fast_matmul() -> Iterator[None]:
    """Let torch take oneDNN's matrix products, up to 1.7 times faster than its default and off by 1e-6.

    The setting is the process's, so it is set by the first thread to enter and set back by the last to leave. Where
    the CPU has AMX it would mean bfloat16, which is another precision: there nothing is changed.
    """
    import torch

    if torch.cpu.get_capabilities().get("amx_tile"):
        yield
        return
    with _matmul_lock:
        before = _matmul_users[0] if _matmul_users else torch.get_float32_matmul_precision()
        _matmul_users.append(before)
        torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        with _matmul_lock:
            _matmul_users.pop()
            if not _matmul_users:
                torch.set_float32_matmul_precision(before)
