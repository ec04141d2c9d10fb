"""The ledger of fits and their stored predictions.

The unit of work is (dataset, split plan, encoder variant, head, selection, shots, noise): all its draws. Its
output is two files named by the content of that description:

    predictions/<unit>.safetensors   `Predictions`; of P the float16 nearest to what the head gave
    ledger/<part>.parquet            one row per fit (seed, noise rate): metrics, gap, iterations, setting

A unit is complete when its predictions have their name, so a sweep that was killed goes on where it stopped.
The parts of the ledger are pure functions of the units and the tested rows: one that is missing is made again.
Files are never changed, so runs of several machines are merged by copying their folders into one. Each is checked
against its checksum and its name when it is read; see `bench.storage.verified`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bench.seeds import content_name
from bench.statistics.metrics import METRICS, recalls
from bench.storage.atomic import write_atomically
from bench.storage.shards import checksum, header
from bench.storage.verified import parquet_bytes, read_parquet, set_aside

FORMAT = "cell-classifier predictions 4"
DAMAGED = (SafetensorError, LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
LONGEST_HEADER = 100_000_000  # bytes, the limit of safetensors itself
LEDGER_FORMAT = "cell-classifier ledger 6"  # changed when the same predictions would give other rows


def part_name(unit: str) -> str:
    """Return the name of the part of the ledger of a unit, by the unit's name."""
    return content_name([LEDGER_FORMAT, unit])


@dataclass(frozen=True)
class FitBlock:
    """One block of fits. `identity` is everything the numbers depend on; the rest is for display."""

    encoder: str
    head: str
    shots: int
    seeds: int
    rates: tuple[float, ...]
    noise_kind: str
    identity: Mapping[str, Any]
    series: str = "balanced"  # 'budget': `shots` counts the labels of all classes

    def labels(self, n_classes: int) -> int:
        """Return the labels of a draw."""
        return self.shots if self.series == "budget" else self.shots * n_classes

    @property
    def name(self) -> str:
        """32 hex characters naming the unit by content."""
        return content_name([FORMAT, self.identity])

    def path(self, run: Path) -> Path:
        """Return where the unit's output lies in a run's folder."""
        return run / "predictions" / f"{self.name}.safetensors"

    def part(self, run: Path) -> Path:
        """Return where the unit's rows of the ledger lie."""
        return run / "ledger" / f"{part_name(self.name)}.parquet"

    @property
    def selection(self) -> str:
        """How the settings were chosen; see `bench.fitting.selection`."""
        return str(self.identity["selection"])

    @property
    def way(self) -> str:
        """How they were really chosen: of 'auto', as 'auto' where groups were left out, else as 'fixed'."""
        return str(self.identity.get("way", self.selection))

    @property
    def shot_unit(self) -> str:
        """What its shots count; see `bench.protocol.episodes.draw_supports`."""
        return str(self.identity.get("shot unit", "instance"))

    @property
    def scale_by(self) -> str:
        """Which rows all are scaled by; see `bench.fitting.scaling`."""
        return str(self.identity.get("scale by", "pool"))

    @property
    def settings(self) -> list[dict[str, Any]]:
        """The settings there were to choose from."""
        return list(self.identity["head"][2]) if len(self.identity["head"]) > 2 else []


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


def as_stored(P: np.ndarray) -> np.ndarray:
    """Return P (..., K) in float16 with the same class in front: one step up where rounding makes it tie."""
    out = P.astype(np.float16)
    first = P.argmax(-1)[..., None]
    lost = out.argmax(-1)[..., None] != first
    if lost.any():
        top = np.nextafter(out.max(-1, keepdims=True), np.float16(2))
        np.put_along_axis(out, first, np.where(lost, top, np.take_along_axis(out, first, -1)), -1)
    return out


def write_unit(run: Path, unit: FitBlock, predictions: Predictions) -> None:
    """Commit a unit's predictions under its name."""
    tensors = {name: np.ascontiguousarray(array) for name, array in vars(predictions).items() if array is not None}
    about = {"format": FORMAT, "identity": unit.identity, "sha256": checksum(tensors)}
    write_atomically(unit.path(run), save(tensors, metadata={"unit": json.dumps(about, sort_keys=True)}))


def read_unit(run: Path, unit: FitBlock) -> Predictions | None:
    """Return a unit's predictions, or None when it is missing; a damaged file is set aside first."""
    path = unit.path(run)
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
    try:
        with (run / "predictions" / f"{unit}.safetensors").open("rb") as file:
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


def ledger_rows(unit: FitBlock, predictions: Predictions, tested: Tested, classes: Sequence[str]) -> pd.DataFrame:
    """Return one row per fit (seed, rate) with its metrics, per-class recalls and shares of wrong labels."""
    P = tested.pool(predictions.P)
    S, R = P.shape[:2]
    seed, rate = np.meshgrid(np.arange(S), np.arange(R), indexing="ij")
    frame = pd.DataFrame(
        {
            "unit": unit.name,
            "encoder": unit.encoder,
            "head": unit.head,
            "selection": unit.selection,
            "chosen_by": unit.way,
            "series": unit.series,
            "shots": unit.shots,
        },
        index=range(S * R),
    )
    frame["noise"] = np.asarray(unit.rates)[rate.ravel()]
    frame["noise_kind"] = np.where(frame["noise"] > 0, unit.noise_kind, "none")
    realised = predictions.realised.reshape(S * R, -1)
    frame["noise_realised"] = realised.mean(-1) if predictions.wrong is None else predictions.wrong.ravel()
    frame["seed"] = seed.ravel()
    frame["support_groups"] = predictions.groups[seed.ravel()]
    frame["setting"], frame["losses"] = _settings(unit, predictions, S * R), _losses(unit, predictions, S * R)
    frame["gap"], frame["iterations"], frame["temperature"] = np.nan, np.nan, np.nan
    if predictions.temperature is not None:
        frame["temperature"] = np.exp(np.log(predictions.temperature.astype(np.float64)).mean(-1)).ravel()
    if predictions.gap is not None and predictions.iterations is not None:
        frame["gap"] = predictions.gap.max(-1).ravel().astype(np.float64)  # the worst of the splits
        steps = predictions.iterations.max(-1).ravel()
        frame["iterations"] = np.where(steps >= 0, steps, np.nan)
    for name, metric in METRICS.items():
        frame[name] = metric(P, tested.y).ravel()
    recall = recalls(P, tested.y).reshape(S * R, -1)
    for k, name in enumerate(classes):
        frame[f"recall:{name}"] = recall[:, k]
    for k, name in enumerate(classes):
        frame[f"noise_realised:{name}"] = realised[:, k]
    if predictions.labels is not None:
        for k, name in enumerate(classes):
            frame[f"labels:{name}"] = predictions.labels[seed.ravel(), k]
    return frame


def _settings(unit: FitBlock, predictions: Predictions, fits: int) -> list[str]:
    """Return what was chosen in every fit as JSON; where splits differ, every setting with its number of splits."""
    if predictions.chosen is None:
        return [""] * fits
    texts = [json.dumps(setting, sort_keys=True) for setting in unit.settings]
    counts = [Counter(own.tolist()) for own in predictions.chosen.reshape(fits, -1)]
    return [
        texts[next(iter(own))] if len(own) == 1 else "; ".join(f"{texts[i]} x{n}" for i, n in sorted(own.items()))
        for own in counts
    ]


def _losses(unit: FitBlock, predictions: Predictions, fits: int) -> list[str]:
    """Return the loss of every setting that was chosen from, as JSON; see `bench.fitting.selection`."""
    if predictions.losses is None:
        return [""] * fits
    texts = [json.dumps(setting, sort_keys=True) for setting in unit.settings]
    values = predictions.losses.reshape(fits, -1).astype(float).round(6).tolist()
    return [json.dumps(dict(zip(texts, own, strict=True))) for own in values]


def write_part(
    run: Path, unit: FitBlock, predictions: Predictions, tested: Tested, classes: Sequence[str]
) -> pd.DataFrame:
    """Commit a unit's rows of the ledger and return them."""
    rows = ledger_rows(unit, predictions, tested, classes)
    path = unit.part(run)
    write_atomically(path, parquet_bytes(pa.Table.from_pandas(rows, preserve_index=False), path.stem))
    return rows


def read_part(run: Path, unit: FitBlock) -> pd.DataFrame | None:
    """Return a unit's rows of the ledger, None where they are missing, or damaged and then set aside."""
    return _read(unit.part(run))


def read_ledger(run: Path) -> pd.DataFrame:
    """Return every row of a run's ledger, those of earlier sweeps in its folder included; damaged parts are set aside.

    Whether all rows of a run are there is for the caller to ask.
    """
    parts = [part for path in sorted((run / "ledger").glob("*.parquet")) if (part := _read(path)) is not None]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _read(path: Path) -> pd.DataFrame | None:
    table = read_parquet(path, path.stem)
    return None if table is None else table.to_pandas()
