"""Predictions of blocks of fits, a file each, named by the block:

    predictions/<block>.safetensors   `Predictions`; of P the float16 nearest to what the head gave

A block is complete when its predictions have their name, so a sweep that was killed goes on where it stopped. Files are
never changed, so runs of several machines are merged by copying their folders into one. Each is checked against its
checksum and its name when it is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bench.runs.blocks import FORMAT, FitBlock
from bench.seeds import content_name
from bench.storage.buckets.mirror import commit, present
from bench.storage.shards import checksum, header
from bench.storage.verified import set_aside

DAMAGED = (SafetensorError, LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
LONGEST_HEADER = 100_000_000  # bytes, the limit of safetensors itself


@dataclass(frozen=True)
class Predictions:
    """The stored output of one unit: S seeds, R noise rates, F splits a seed, N tested rows, K classes, L settings.

    The optional ones are None of units that nothing was fitted for.
    """

    P: np.ndarray  # float16 (S, R, N, K)
    realised: np.ndarray  # float32 (S, R, K): share of the support labels of each class really flipped
    groups: np.ndarray  # float32 (S,): groups the support was drawn from, mean over splits
    gap: np.ndarray | None = None  # float32 (S, R, F): see `bench.heads.contract.Scored`; NaN where there is none
    iterations: np.ndarray | None = None  # int32 (S, R, F); -1 where there are none
    chosen: np.ndarray | None = None  # int16 (S, R, F): which of the unit's settings
    losses: np.ndarray | None = None  # float32 (S, R, L): the losses it was chosen by, mean over splits
    temperature: np.ndarray | None = None  # float32 (S, R, F): see `bench.heads.temperature`
    labels: np.ndarray | None = None  # float32 (S, K): labels of each class, mean over splits; None: equally many
    wrong: np.ndarray | None = None  # float32 (S, R): share of all labels really flipped; None: the mean of `realised`
    support: np.ndarray | None = None  # int32 (S, F, n): the rows drawn, of the table; -1 where fewer
    seconds: np.ndarray | None = None  # float32 (S, R): that a fit and its answers took, mean over splits, if measured


def as_stored(P: np.ndarray) -> np.ndarray:
    """Return P (..., K) in float16 with the same class in front: one step up where rounding makes it tie."""
    out = P.astype(np.float16)
    first = P.argmax(-1)[..., None]
    lost = out.argmax(-1)[..., None] != first
    if lost.any():
        top = np.nextafter(out.max(-1, keepdims=True), np.float16(2))
        np.put_along_axis(out, first, np.where(lost, top, np.take_along_axis(out, first, -1)), -1)
    return out


def write_unit(run: Path, unit: FitBlock, predictions: Predictions) -> Predictions:
    """Commit a unit's predictions under its name; returns those that count, in a bucket the ones that came first."""
    tensors = {name: np.ascontiguousarray(array) for name, array in vars(predictions).items() if array is not None}
    about = {"format": FORMAT, "identity": unit.identity, "sha256": checksum(tensors)}
    data = save(tensors, metadata={"unit": json.dumps(about, sort_keys=True)})
    if commit(unit.path(run), data, is_sound=lambda _: read_unit(run, unit) is not None):
        return predictions
    return read_unit(run, unit) or predictions


def read_unit(run: Path, unit: FitBlock) -> Predictions | None:
    """Return a unit's predictions, or None when it is missing; a damaged file is set aside first."""
    path = unit.path(run)
    present(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        identity, written = _about(data)
        tensors = load(data)
        if content_name([FORMAT, identity]) == unit.name and written == checksum(tensors):
            return Predictions(**tensors)
    except DAMAGED:
        pass  # in a way the checksum does not even get to see
    set_aside(path, data)
    return None


def read_identity(run: Path, unit: str) -> dict[str, Any] | None:
    """Return what a unit's numbers depend on, by its name, from its predictions; None where these do not say it."""
    path = run / "predictions" / f"{unit}.safetensors"
    present(path)
    try:
        with path.open("rb") as file:
            length = file.read(8)
            size = int.from_bytes(length, "little")
            identity, _ = _about(length + file.read(size)) if size < LONGEST_HEADER else ({}, "")
        return identity if content_name([FORMAT, identity]) == unit else None
    except (OSError, *DAMAGED):
        return None


def _about(data: bytes) -> tuple[dict[str, Any], str]:
    """Return (identity, checksum of the tensors) from the header of a file of predictions."""
    about = json.loads(header(data)["unit"])
    return about["identity"], about["sha256"]
