"""Where encoders run: a device that is there, and how threads share the cores."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import EncoderError
from .spec import Placement


def find_placement(device: str, workers: int, images: int = 0) -> Placement:
    """Return the placement for "auto" (a GPU that torch can use, else the CPU), "cpu", "cuda" or "cuda:N".

    workers, images: as in `Placement`. Raises EncoderError for a device that is not there.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise EncoderError(f"Got device '{device}'; expected auto, cpu, cuda, or cuda:N.")
    if device == "cpu":
        return Placement("cpu", workers, images)
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        device = "cuda" if count else "cpu"
    elif int(device.partition(":")[2] or 0) >= count:
        raise EncoderError(f"Got device '{device}', and torch finds {count} GPUs here; use cpu.")
    return Placement(device, workers, images)


def hardware(placement: Placement) -> str:
    """Return what a measured time was measured on, e.g. "cpu, AVX512, 2 workers" or a GPU's name."""
    torch = sys.modules.get("torch")
    if placement.device != "cpu" and torch is not None:
        return str(torch.cuda.get_device_name(placement.device))
    level = f", {torch.backends.cpu.get_cpu_capability()}" if torch is not None else ""
    return f"cpu{level}, {placement.workers} workers"


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Give every thread that computes one core: N threads of one core each are faster than one thread of N.

    The setting is torch's and the process's; it is set back at the end. Nothing happens where torch is not in use.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
