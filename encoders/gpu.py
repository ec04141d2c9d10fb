"""Networks on a GPU: pinned bytes copied beside the arithmetic, normalised there, halved where memory ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import EncoderError
from .normalise import normalise
from .spec import EncoderSpec, Placement

if TYPE_CHECKING:
    import torch

#: From so many images on, the minute or two that compiling takes is won back.
COMPILE_FROM = 50_000


def gpu_run(
    module: Any, spec: EncoderSpec, placement: Placement
) -> Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]:
    """Return a function of batches, uint8 (B, S, S, 3) to float32 (B, d), on `placement.device`.

    While one batch is computed the next is copied. precision "bfloat16" is autocast; in "float32" TF32 stays off.
    A batch that does not fit into memory is run in halves, and so are those after it.
    """
    import torch

    device = torch.device(placement.device)
    module = module.to(device, memory_format=torch.channels_last)
    if placement.images >= COMPILE_FROM:
        module = torch.compile(module)
    reduced = torch.autocast(device.type, torch.bfloat16) if spec.precision == "bfloat16" else nullcontext()

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        with reduced:
            return module(normalise(pixels, spec.preprocess)).float()

    in_parts = halving(forward, spec.name)
    on_device = _staged if device.type == "cuda" else _copied

    def run(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        with torch.inference_mode():
            ahead = on_device(batches, device)
            pixels = next(ahead, None)
            while pixels is not None:
                vectors = in_parts(pixels)
                pixels = next(ahead, None)  # its copy runs beside the arithmetic just begun
                yield vectors.cpu().numpy()

    return run


def halving(forward: Callable[[torch.Tensor], torch.Tensor], name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return `forward` (B, ...) to (B, d) that splits its batch in two each time memory does not suffice."""
    import torch

    parts = 1

    def run(batch: torch.Tensor) -> torch.Tensor:
        nonlocal parts
        while True:
            try:
                return torch.cat([forward(part) for part in batch.chunk(parts)])
            except torch.OutOfMemoryError:
                if parts >= len(batch):
                    raise EncoderError(
                        f"One image at a time does not fit into the GPU's memory with encoder '{name}'; free some, "
                        "give a smaller size=, or use --device cpu."
                    ) from None
            parts *= 2
            torch.cuda.empty_cache()

    return run


def _copied(batches: Iterable[np.ndarray], device: torch.device) -> Iterator[torch.Tensor]:
    import torch

    for batch in batches:
        yield torch.from_numpy(batch).to(device)


def _staged(batches: Iterable[np.ndarray], device: torch.device) -> Iterator[torch.Tensor]:
    """Yield each batch on the device, copied from pinned memory on a stream of its own."""
    import torch

    copying = torch.cuda.Stream(device)
    pinned: list[torch.Tensor] = []
    for number, batch in enumerate(batches):
        if len(pinned) < 2:
            pinned.append(torch.empty(batch.shape, dtype=torch.uint8, pin_memory=True))
        place = pinned[number % 2]  # the batch before last has been computed, so its bytes are free
        place.copy_(torch.from_numpy(batch))
        with torch.cuda.stream(copying):
            pixels = place.to(device, non_blocking=True)
        current = torch.cuda.current_stream(device)
        current.wait_stream(copying)
        pixels.record_stream(current)
        yield pixels
