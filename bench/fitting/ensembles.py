"""Several encoders as one: their vectors side by side, or the mean of their heads' log-probabilities.

concat:a,b   a variant that heads learn from: the rows of each, scaled by itself to length 1, one after the other
mean:a,b     rows made from the stored predictions of a's and b's units; nothing is fitted for them
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.fitting.plan import Sweep
from bench.fitting.views import Embedded, Scale
from bench.heads.contract import softmax
from bench.runs.blocks import FitBlock
from bench.runs.predictions import Predictions, read_unit, write_unit
from bench.seeds import content_name
from bench.statistics.metrics import EPS

KINDS = ("concat", "mean")


@dataclass(frozen=True)
class Ensemble:
    """What is asked for: 'concat' or 'mean' of these encoders."""

    kind: str
    members: tuple[str, ...]

    def __post_init__(self) -> None:
        text = f"{self.kind}:{','.join(self.members)}".removesuffix(":")
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
    """The embeddings of several encoders side by side; a `bench.fitting.views.View`."""

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

    def scaler(self, train: np.ndarray, groups: np.ndarray) -> Scale:
        """Return what gives some rows of `scaled`, to the bit."""
        scalers = [part.scaler(train, groups) for part in self.parts]
        return lambda rows: self._joined(len(rows), (scaler(rows) for scaler in scalers))

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


@dataclass(frozen=True, kw_only=True)
class Means:
    """Makes the rows of the 'mean' ensembles from the stored predictions of their members, without a fit."""

    ensembles: Sequence[Ensemble]

    def plan(self, sweep: Sweep) -> tuple[FitBlock, ...]:
        """Return a block for every block that all members of an ensemble have."""
        return tuple(block for block, _ in self._with_members(sweep))

    def make(self, sweep: Sweep, blocks: Sequence[FitBlock], run: Path) -> tuple[int, int]:
        """Make the blocks that have no output yet; returns (reused, made). BenchError where members have none."""
        members_of = {block.name: members for block, members in self._with_members(sweep)}
        todo = [block for block in blocks if read_unit(run, block) is None]
        for block in todo:
            write_unit(run, block, _mean_of([_stored(run, member) for member in members_of[block.name]]))
        return len(blocks) - len(todo), len(todo)

    def _with_members(self, sweep: Sweep) -> list[tuple[FitBlock, tuple[FitBlock, ...]]]:
        at = {(block.encoder, _what(block)): block for block in sweep.blocks if block.level}
        return [
            (_mean_block(ensemble, members), members)
            for ensemble in self.ensembles if ensemble.kind == "mean"
            for first in sweep.blocks if first.level and first.encoder == ensemble.members[0]
            for members in [tuple(at[name, _what(first)] for name in ensemble.members)]
        ]  # fmt: skip


def _what(block: FitBlock) -> tuple[object, ...]:
    """Return what blocks of several encoders have in common."""
    return block.head, block.level, block.selection, block.noise_kind


def _mean_block(ensemble: Ensemble, members: Sequence[FitBlock]) -> FitBlock:
    """Return the block of an ensemble's mean, made of its members' names."""
    first = members[0]
    made_of = {"mean": [block.name for block in members], "head": [first.head]}
    return replace(first, encoder=ensemble.name, settings=(), made_of=made_of)


def _stored(run: Path, block: FitBlock) -> Predictions:
    predictions = read_unit(run, block)
    if predictions is None:
        raise BenchError(f"Predictions of {block.encoder} are missing in {run}; run the same command again.")
    return predictions


def _mean_of(members: Sequence[Predictions]) -> Predictions:
    first = members[0]
    P = mean_probabilities([member.P for member in members]).astype(np.float16)
    return Predictions(P, first.realised, first.groups, labels=first.labels, wrong=first.wrong, support=first.support)
