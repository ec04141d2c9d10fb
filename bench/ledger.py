"""The ledger of fits and their stored predictions.

The unit of work is (dataset, split plan, encoder variant, head, shots, noise): all its draws. Its
output is one file named by the content of that description:

    predictions/<unit>.safetensors   P float16 (S, R, N, K): seeds, noise rates, tested rows, classes
                                     realised float32 (S, R): share of support labels really flipped
                                     groups int32 (S,): groups the support was drawn from (mean over splits)

A unit is complete when its file has its name, so a sweep that was killed goes on where it stopped.
The ledger is a pure function of the units and the tested rows: one row per (unit, seed, rate).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bench.atomic import write_atomically
from bench.metrics import METRICS, recalls
from bench.seeds import content_name
from bench.shards import checksum, header

FORMAT = "cell-classifier predictions 1"


@dataclass(frozen=True)
class Unit:
    """One block of fits. `identity` is everything the numbers depend on; the rest is for display."""

    encoder: str
    head: str
    shots: int
    seeds: int
    rates: tuple[float, ...]
    noise_kind: str
    identity: Mapping[str, Any]

    @property
    def name(self) -> str:
        """32 hex characters naming the unit by content."""
        return content_name([FORMAT, self.identity])

    def path(self, run: Path) -> Path:
        """Return where the unit's output lies in a run's folder."""
        return run / "predictions" / f"{self.name}.safetensors"


@dataclass(frozen=True)
class Predictions:
    """The stored output of one unit."""

    P: np.ndarray  # float16 (S, R, N, K)
    realised: np.ndarray  # float32 (S, R)
    groups: np.ndarray  # float32 (S,)


def write_unit(run: Path, unit: Unit, predictions: Predictions) -> None:
    """Commit a unit's predictions under its name."""
    tensors = {name: np.ascontiguousarray(array) for name, array in vars(predictions).items()}
    about = {"format": FORMAT, "identity": unit.identity, "sha256": checksum(tensors)}
    write_atomically(unit.path(run), save(tensors, metadata={"unit": json.dumps(about, sort_keys=True)}))


def read_unit(run: Path, unit: Unit) -> Predictions | None:
    """Return a unit's predictions, or None when it is missing; a damaged file is set aside first."""
    path = unit.path(run)
    try:
        data = path.read_bytes()
        tensors = load(data)
        if json.loads(header(data)["unit"])["sha256"] == checksum(tensors):
            return Predictions(**tensors)
    except FileNotFoundError:
        return None
    except (SafetensorError, KeyError, ValueError, TypeError):
        pass  # damaged in a way the checksum does not even get to see
    path.replace(path.with_suffix(".corrupt"))
    return None


@dataclass(frozen=True)
class Tested:
    """What the predictions are scored on: images when tiles inherit an image's label, else instances.

    item (N,): which scored item each tested row belongs to, in [0, n_items). y, group: per item.
    level: 'image' or 'instance'.
    """

    level: str
    item: np.ndarray
    y: np.ndarray
    group: np.ndarray

    def pool(self, P: np.ndarray) -> np.ndarray:
        """Return the mean probability per scored item, float64 (..., n_items, K)."""
        if len(self.item) == len(self.y):
            return P.astype(np.float64)
        out = np.zeros((*P.shape[:-2], len(self.y), P.shape[-1]))
        count = np.bincount(self.item, minlength=len(self.y))
        np.add.at(np.moveaxis(out, -2, 0), self.item, np.moveaxis(P.astype(np.float64), -2, 0))
        return out / count[:, None]


def tested_items(table: pd.DataFrame, rows: np.ndarray, classes: Sequence[str]) -> Tested:
    """Describe the scored items of the tested rows (positions into the instance table)."""
    part = table.iloc[rows]
    codes = pd.Categorical(part["label"], categories=list(classes)).codes.astype(np.int64)
    group = part["group"].to_numpy(str)
    if not (part["level"] == "inherited").any():
        return Tested("instance", np.arange(len(part)), codes, group)
    _, first, item = np.unique(part["image"].to_numpy(str), return_index=True, return_inverse=True)
    return Tested("image", item, codes[first], group[first])


def ledger_rows(unit: Unit, predictions: Predictions, tested: Tested, classes: Sequence[str]) -> pd.DataFrame:
    """Return one row per fit (seed, rate) with its metrics and per-class recalls."""
    P = tested.pool(predictions.P)
    S, R = P.shape[:2]
    seed, rate = np.meshgrid(np.arange(S), np.arange(R), indexing="ij")
    frame = pd.DataFrame(
        {
            "unit": unit.name,
            "encoder": unit.encoder,
            "head": unit.head,
            "shots": unit.shots,
            "noise_kind": unit.noise_kind,
        },
        index=range(S * R),
    )
    frame["noise"] = np.asarray(unit.rates)[rate.ravel()]
    frame["noise_realised"] = predictions.realised.ravel()
    frame["seed"] = seed.ravel()
    frame["support_groups"] = predictions.groups[seed.ravel()]
    for name, metric in METRICS.items():
        frame[name] = metric(P, tested.y).ravel()
    recall = recalls(P, tested.y).reshape(S * R, -1)
    for k, name in enumerate(classes):
        frame[f"recall:{name}"] = recall[:, k]
    return frame
