"""The map of the embeddings of the best encoder, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.report.html.context import ReportContext


@dataclass(frozen=True, kw_only=True, eq=False)
class EncoderMap:
    """Where the instances of an encoder lie: at (n, 2) in [0, 1]; rows (n,) of the instance table; label (n,) their
    class, -1 for none. kept: what the map keeps, see `Map`; of: instances that there are."""

    encoder: str
    at: np.ndarray
    rows: np.ndarray
    label: np.ndarray
    kept: float
    of: int


def best_map(context: ReportContext) -> EncoderMap | None:
    """Return the map of the best encoder, None where its embeddings are not stored."""
    found = context.map
    if found is None:
        return None
    encoder = next(iter(found.at))
    label = [context.classes.index(name) if (name := context.labels[int(row)]) else -1 for row in found.rows]
    return EncoderMap(
        encoder=encoder, at=found.at[encoder], rows=found.rows, label=np.array(label, dtype=int),
        kept=found.kept[encoder], of=len(context.labels),
    )  # fmt: skip
