"""Predictions of a block of fits, a file each, named by the block:

    predictions/<block>.safetensors   images (S, B, K), cells (S, n, K): what `Predictions` says

Probabilities keep the type that the head gave them in, float32 or float64, so that every figure made of them is the one
that the fit would give. The header holds what the block's numbers depend on and a seal (`bench.storage.verified`): a
file that is damaged, or is another block's, is set aside and counts as missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from bench.storage.atomic import write_atomically
from bench.storage.verified import EMPTY_SEAL, KEY, read_sealed, seal


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Class probabilities of everything tested, in S draws: of B images, (S, B, K), and of n cells, (S, n, K).

    Of either, what the splits of a draw test, split after split in the order of `SplitPlan.splits`. Where cells can be
    none of these, that is the last class; an image is never of it, though a head may give it a probability.
    """

    images: np.ndarray
    cells: np.ndarray


def join_draws(parts: Sequence[Predictions]) -> Predictions:
    """Return the draws of all, in that order."""
    return Predictions(
        images=np.concatenate([part.images for part in parts]), cells=np.concatenate([part.cells for part in parts])
    )


def write_predictions(path: Path, predictions: Predictions, identity: Mapping[str, Any]) -> None:
    """Write a file that is whole or absent. identity: what the numbers depend on, JSON-able."""
    tensors = {name: np.ascontiguousarray(array) for name, array in vars(predictions).items()}
    # One entry: safetensors writes several in an order that changes from run to run.
    about = json.dumps({"identity": identity, KEY: EMPTY_SEAL}, sort_keys=True)
    write_atomically(path, seal(save(tensors, metadata={"block": about}), path.name))


def read_predictions(path: Path) -> Predictions | None:
    """Return what was written there; None where nothing can be read, or it is damaged and then set aside."""
    data = read_sealed(path, path.name)
    return None if data is None else Predictions(**load(data))
