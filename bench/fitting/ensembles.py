"""Several encoders as one: their vectors side by side, or the mean of their heads' log-probabilities.

    concat:a,b   a variant that heads learn from: the rows of each, scaled by itself to length 1, one after the other
    mean:a,b     rows made from the stored predictions of a's and b's units; nothing is fitted for them
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.fitting.sweep import Embedded, Sweep
from bench.heads.contract import softmax
from bench.runs.ledger import FitBlock, Predictions, read_unit, write_unit
from bench.seeds import content_name
from bench.statistics.metrics import EPS

KINDS = ("concat", "mean")


@dataclass(frozen=True)
class Ensemble:
    """What is asked for: 'concat' or 'mean' of these encoders."""

    kind: str
    members: tuple[str, ...]

    def __post_init__(self) -> None:
        text = f"{self.kind}:{','.join(self.members)}"
        if self.kind not in KINDS or len(set(self.members)) < 2:
            raise BenchError(
                f"Got --ensemble '{text}'; expected concat or mean of at least two encoders, e.g. concat:dino,dinov2."
            )

    @property
    def name(self) -> str:
        """What its rows are called: "concat(a, b)"."""
        return f"{self.kind}({', '.join(self.members)})"


@dataclass(frozen=True)
class Concat:
    """The embeddings of several encoders side by side; a `bench.fitting.sweep.View`."""

    name: str
    parts: tuple[Embedded, ...]
    scaling: str = "blocks"

    @property
    def key(self) -> str:
        """What names it by content, as a variant's key does."""
        return content_name(["concat", [[part.key, part.scaling] for part in self.parts]])

    @property
    def width(self) -> int:
        """Columns of all parts."""
        return sum(part.width for part in self.parts)

    def scaled(self, train: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return (N, d): every part scaled by itself, then divided by the root of their number: rows of length 1."""
        return self._joined(len(self.parts[0].X), (part.scaled(train, groups) for part in self.parts))

    def take(self, rows: np.ndarray, by: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return some rows (p,) scaled by the rows `by` (n,), whose groups are (n,): (p, d)."""
        return self._joined(len(rows), (part.take(rows, by, groups) for part in self.parts))

    def _joined(self, count: int, blocks: Iterable[np.ndarray]) -> np.ndarray:
        out = np.empty((count, self.width), np.result_type(*(part.X for part in self.parts)))
        start = 0
        for block in blocks:
            out[:, start : start + block.shape[1]] = block
            start += block.shape[1]
        out /= np.sqrt(len(self.parts)).astype(out.dtype)
        return out

    def broken(self) -> int:
        """Return how many rows hold a number that is not finite, counted in every part."""
        return sum(part.broken() for part in self.parts)


def mean_probabilities(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return exp of the mean log-probability, normalised; parts: arrays (..., K), clipped below at `metrics.EPS`."""
    logs = np.zeros(parts[0].shape)
    for P in parts:
        logs += np.log(np.maximum(P.astype(np.float64), EPS))
    return softmax(logs / len(parts))


def plan_means(sweep: Sweep, ensembles: Sequence[Ensemble]) -> tuple[tuple[FitBlock, tuple[FitBlock, ...]], ...]:
    """Return the units of the 'mean' ensembles, each with the units it is made from."""
    found = []
    for ensemble in ensembles:
        if ensemble.kind != "mean":
            continue
        own = [unit for unit in sweep.units if unit.encoder == ensemble.members[0]]
        for first in own:
            alike = {
                unit.encoder: unit
                for unit in sweep.units
                if (unit.head, unit.series, unit.shots, unit.selection, unit.noise_kind)
                == (first.head, first.series, first.shots, first.selection, first.noise_kind)
            }
            members = tuple(alike[name] for name in ensemble.members)
            identity = {"mean": [unit.name for unit in members], "head": [first.head], "selection": first.selection}
            shared = ("shot unit", "scale by", "way")
            identity |= {name: first.identity[name] for name in shared if name in first.identity}
            unit = FitBlock(
                ensemble.name, first.head, first.shots, first.seeds, first.rates, first.noise_kind, identity,
                first.series,
            )  # fmt: skip
            found.append((unit, members))
    return tuple(found)


def run_means(planned: Sequence[tuple[FitBlock, tuple[FitBlock, ...]]], run: Path) -> tuple[int, int]:
    """Make the units that have no output yet from those of their members; returns (reused, made)."""
    made = 0
    for unit, members in planned:
        if read_unit(run, unit) is not None:
            continue
        stored = [read_unit(run, member) for member in members]
        there = [one for one in stored if one is not None]
        if len(there) < len(stored):
            raise BenchError(f"Predictions of {unit.encoder} are missing in {run}; run the same command again.")
        first = there[0]
        P = mean_probabilities([one.P for one in there]).astype(np.float16)
        known = Predictions(
            P, first.realised, first.groups, labels=first.labels, wrong=first.wrong, support=first.support
        )
        write_unit(run, unit, known)
        made += 1
    return len(planned) - made, made
