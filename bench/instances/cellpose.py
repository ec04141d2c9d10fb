"""Cellpose as a segmenter, where `pip install '.[cellpose]'` was asked for; nothing is downloaded here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np

from bench.errors import BenchError
from bench.instances.contrast import filled

VERSION = 2  # raised when the same pixels would give other cells
MODEL = "--instances cellpose:model=FILE"


def read_cellpose(words: tuple[str, ...]) -> Path | None:
    """Return the model file of the words ("model=FILE",); None for other words."""
    name, _, file = words[0].partition("=") if len(words) == 1 else ("", "", "")
    return Path(file) if name == "model" and file else None


def load_cellpose(model: Path) -> tuple[list[object], Callable[[np.ndarray], np.ndarray]]:
    """Return (what its result depends on, pixels (H, W, C) to labels (H, W)).

    model: the file of a Cellpose model (Stringer et al. 2021, Nature Methods 18). Raises BenchError where the package
    or the file is absent.
    """
    import hashlib
    from importlib.metadata import version

    try:
        from cellpose.models import CellposeModel
    except ImportError:
        raise BenchError(
            "Got --instances cellpose, and the package cellpose is not installed; install it by `pip install "
            "'cell-classifier[cellpose]'`, or use --instances segments."
        ) from None
    if not model.is_file():
        raise BenchError(
            f"Got {MODEL.replace('FILE', str(model))}, which is no file; expected the weights of a Cellpose model. "
            "They are not fetched from here: get them from cellpose.org, see their licence there, and name the file."
        )
    before = _stat(model)
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    network = CellposeModel(gpu=False, pretrained_model=str(model))
    if _stat(model) != before:
        raise BenchError(f"Got {model}, which changed while it was being read; run again when nothing writes to it.")
    one_at_a_time = Lock()

    def find(pixels: np.ndarray) -> np.ndarray:
        known = np.isfinite(pixels).all(2)
        with one_at_a_time:
            labels = np.asarray(network.eval(filled(pixels, known)[..., :3])[0]).astype(np.int64)
        return np.where(known, labels, 0)

    return ["cellpose", VERSION, version("cellpose"), digest], find


def _stat(file: Path) -> tuple[int, ...]:
    stat = file.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
