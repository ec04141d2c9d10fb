"""The ledger: one row per fit, in parts that are pure functions of stored predictions.

    ledger/<part>.parquet   one row per fit (draw, noise rate): metrics, gap, iterations, setting

A part that is missing is made again. Each is checked against its checksum and its name when it is read; see
`bench.storage.verified`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.runs.blocks import FitBlock
from bench.runs.predictions import Predictions
from bench.runs.tested import Tested
from bench.statistics.metrics import METRICS, recalls
from bench.storage.buckets.mirror import commit, present
from bench.storage.verified import parquet_bytes, read_parquet


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
            "chosen_by": unit.chosen_by,
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
    if predictions.seconds is not None:
        frame["fit_seconds"] = predictions.seconds.ravel().astype(np.float64)
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
    values = predictions.losses.reshape(fits, -1).astype(float).round(6)
    # NaN of a draw that took the published setting
    return ["" if np.isnan(own).any() else json.dumps(dict(zip(texts, own.tolist(), strict=True))) for own in values]


def write_part(
    run: Path, unit: FitBlock, predictions: Predictions, tested: Tested, classes: Sequence[str]
) -> pd.DataFrame:
    """Commit a unit's rows of the ledger and return them."""
    rows = ledger_rows(unit, predictions, tested, classes)
    path = unit.part(run)
    commit(path, parquet_bytes(pa.Table.from_pandas(rows, preserve_index=False), path.stem), is_sound=_is_sound)
    return rows


def read_part(run: Path, unit: FitBlock) -> pd.DataFrame | None:
    """Return a unit's rows of the ledger, None where they are missing, or damaged and then set aside."""
    path = unit.part(run)
    present(path)
    return _read(path)


def read_ledger(run: Path) -> pd.DataFrame:
    """Return every row of a run's ledger, those of earlier sweeps in its folder included; damaged parts are set aside.

    Whether all rows of a run are there is for the caller to ask.
    """
    parts = [part for path in sorted((run / "ledger").glob("*.parquet")) if (part := _read(path)) is not None]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _is_sound(path: Path) -> bool:
    return _read(path) is not None


def _read(path: Path) -> pd.DataFrame | None:
    table = read_parquet(path, path.stem)
    return None if table is None else table.to_pandas()
