"""How far probabilities are from how often they come true: calibration error beside what chance makes of it.

The error (ECE, Guo et al. 2017, eq. 3) sorts items by the probability of the class they were given into BINS bins of
equal width and takes the mean over items of |mean probability - share that is right| of their bin. It is never 0: a
model whose probabilities are all true shows about .03 at 1000 items and .14 at 50. So each value has a null band, the
central 95% of what the same probabilities may show if they are true. Bins of equal width, as the probabilities of kNN
are a few values, which bins of equal size would divide.

The items of a slide are right or wrong together, so a true model errs by more than as many independent items would, and
by how much is seen only in the slides themselves. If the probabilities are true, the sum over a slide's items in a bin
of (probability - right) is above 0 as often as below. So the band comes from the same sums with the sign of every
slide chosen at random, one sign for all its bins (the wild bootstrap over clusters of Cameron, Gelbach and Miller 2008,
with no regression), times sqrt(G / (G - 1)) for G slides. Few slides tell little of how large such sums are: the upper
end is multiplied by Student's t over the normal quantile, and the lower end is divided by it. With five slides or
fewer, no error can lie above it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report.tables.fits import predictions_of
from bench.runs.record import RunRecord
from bench.runs.tested import scored_items
from bench.statistics.hits import LEVEL, percentile_interval
from bench.statistics.quantiles import normal, student

BINS = 15
RESAMPLES = 1000
COLUMNS = ["encoder", "head", "selection", "series", "shots", "noise_kind", "noise", "ece", "ece_null_low",
           "ece_null_high"]  # fmt: skip


def ece(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the expected calibration error (...) of probabilities P (..., N, K) for true classes y (N,); in [0, 1]."""
    confidence = P.max(-1).astype(np.float64)
    gaps = confidence - (P.argmax(-1) == y)
    flat, bins = gaps.reshape(-1, len(y)), _bins(confidence).reshape(-1, len(y))
    sums = np.stack([np.bincount(b, weights=a, minlength=BINS) for a, b in zip(flat, bins, strict=True)])
    return (np.abs(sums).sum(-1) / len(y)).reshape(P.shape[:-2])


def reliability(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (BINS, 3) of draws P (S, N, K): items of a bin, mean over draws, their mean probability, and the share
    that is right; NaN where a bin is empty."""
    confidence = P.max(-1).astype(np.float64).ravel()
    right = (P.argmax(-1) == y).astype(np.float64).ravel()
    b = _bins(confidence)
    count, mean, share = (np.bincount(b, weights=w, minlength=BINS) for w in (None, confidence, right))
    with np.errstate(invalid="ignore"):
        return np.stack([count / len(P), mean / count, share / count], axis=-1)


def null_band(
    P: np.ndarray, y: np.ndarray, group: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return (low, high): the central 95% of the mean ECE of draws P (S, N, K) if every probability were true.

    y, group (N,): true classes, and the slides whose items are alike. A slide has the same sign in all draws, since
    they are scored on the same items; so the band does not shrink with their count.
    """
    g = np.unique(group, return_inverse=True)[1]
    G, N = int(g.max()) + 1, len(y)
    signs = np.random.default_rng(seed).integers(0, 2, (resamples, G)) * 2.0 - 1
    total = np.zeros(resamples)
    for draw in P:
        confidence = draw.max(-1).astype(np.float64)  # (N,)
        gaps = np.bincount(g * BINS + _bins(confidence), confidence - (draw.argmax(-1) == y), G * BINS)
        total += np.abs(signs @ gaps.reshape(G, BINS)).sum(-1) / N
    df, upper = max(G - 1, 1), (1 + LEVEL) / 2
    wider = student(upper, df) / normal(upper)
    low, high = percentile_interval(total / len(P) * np.sqrt(G / df))
    return float(low / wider), float(high * wider)


def calibration(
    run: Path, record: RunRecord, on_progress: Callable[[str, int, int], None] | None = None
) -> pd.DataFrame:
    """Return COLUMNS, one row per row of a run's leaderboard: ECE, mean over draws, and its null band.

    Raises BenchError where predictions are missing in the run's folder.
    """
    tested = scored_items(record.table, record.plan.test_rows(), record.facts.classes)
    rows = []
    for i, unit in enumerate(record.units):
        if on_progress:
            on_progress(f"calibrate {record.facts.dataset}", i, len(record.units))
        predictions = predictions_of(run, unit)
        P = tested.pool(predictions.P)
        for r, rate in enumerate(unit.rates):
            kind = unit.noise_kind if rate else "none"
            error = float(ece(P[:, r], tested.y).mean())
            row = (unit.encoder, unit.head, unit.selection, unit.series, unit.shots, kind, rate)
            rows.append((*row, error, *null_band(P[:, r], tested.y, tested.group)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _bins(confidence: np.ndarray) -> np.ndarray:
    """Return the bin of a probability in [0, 1]; bin b holds (b / BINS, (b + 1) / BINS]."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
