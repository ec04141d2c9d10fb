"""Trainings as pieces of work: each is named by all that its numbers depend on, and kept until its units are whole.

    trainings/<name>.safetensors   P float16 (n_test, K) of the rows of its split, seconds, and their seal

A training is one network on one draw with its labels at one noise rate. Draws in which the same labels go wrong, as at
rate 0 of all kinds of noise, share it. A sweep that was killed goes on after the last training, not the last unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from bench.fitting.finetune.recipe import identity_of
from bench.fitting.fit import SweepInputs, context_of, labelled_rows, wrong_share
from bench.fitting.plan import Sweep
from bench.runs.blocks import FitBlock
from bench.runs.predictions import Predictions
from bench.seeds import content_name
from bench.storage.atomic import write_atomically
from bench.storage.verified import EMPTY_SEAL, KEY, read_sealed, seal

FOLDER = "trainings"


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """One training. encoder, key: its name and that of its embeddings; kind: see `bench.fitting.finetune.recipe.KINDS`.

    data: what names the instances and splits. split, seed: of the draw; rows, names, y (n,): what is learned from, as
    rows of the table, names of their instances and labels; test (n_test,): the rows that are answered for.
    """

    encoder: str
    key: str
    kind: str
    data: str
    split: str
    seed: int
    rows: np.ndarray
    names: np.ndarray
    y: np.ndarray
    n_classes: int
    test: np.ndarray

    @cached_property
    def name(self) -> str:
        """32 hex characters that name it by content."""
        learned = [self.rows.tolist(), self.y.tolist()]
        return content_name([self.key, identity_of(self.kind), self.data, *self.random_key, learned])

    @property
    def random_key(self) -> tuple[object, ...]:
        """What its random numbers are keyed by: the same at every rate of noise, for every network and kind."""
        return FOLDER, self.split, self.seed, len(self.rows)

    def path(self, run: Path) -> Path:
        """Return where its answers lie in a run's folder."""
        return run / FOLDER / f"{self.name}.safetensors"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the answers of a training belong in a unit: draw, split of the draw, rate; wrong (n,): which labels are.

    at: the positions of its test rows among the tested ones. drawn (n,): the rows of the draw, before any noise.
    """

    seed: int
    split: int
    rate: int
    at: np.ndarray
    drawn: np.ndarray
    wrong: np.ndarray


def trainings_of(unit: FitBlock, sweep: Sweep, inputs: SweepInputs) -> Iterator[tuple[Place, Training]]:
    """Yield the trainings of a unit, on the very draws and labels that heads get, in their order."""
    assert unit.level is not None
    supports, names = sweep.draws_of(unit.level).supports, sweep.table["instance"].to_numpy(str)
    for seed in range(unit.draws):
        for f, split in enumerate(sweep.plan.splits(seed)):
            drawn = supports[unit.shots, seed, split.name]
            rows, Y, wrong = labelled_rows(unit, context_of(drawn, seed, split, inputs))
            at = np.searchsorted(inputs.test_rows, split.test)
            for r in range(len(unit.rates)):
                yield (
                    Place(seed=seed, split=f, rate=r, at=at, drawn=drawn, wrong=wrong[r]),
                    Training(encoder=unit.encoder, key=str(unit.made_of["encoder"]), kind=unit.head, data=sweep.data,
                             split=split.name, seed=seed, rows=rows[r], names=names[rows[r]], y=Y[r],
                             n_classes=len(sweep.classes), test=split.test),
                )  # fmt: skip


def write_answers(run: Path, training: Training, P: np.ndarray, seconds: float) -> None:
    """Keep what a training gave: P float16 (n_test, K), and how long it took."""
    tensors = {"P": np.ascontiguousarray(P), "seconds": np.array([seconds], np.float32)}
    write_atomically(training.path(run), seal(save(tensors, metadata={KEY: EMPTY_SEAL}), training.name))


def read_answers(run: Path, training: Training) -> tuple[np.ndarray, float] | None:
    """Return (P, seconds), None where there are none, or damaged ones, which are set aside."""
    data = read_sealed(training.path(run), training.name)
    if data is None:
        return None
    tensors = load(data)
    return tensors["P"], float(tensors["seconds"][0])


def assemble(unit: FitBlock, sweep: Sweep, inputs: SweepInputs, run: Path) -> Predictions | None:
    """Return a unit's predictions from those of its trainings, None where some are missing."""
    S, R, F, K = unit.draws, len(unit.rates), len(sweep.plan.repeats[0]), len(sweep.classes)
    P = np.full((S, R, len(inputs.test_rows), K), np.nan, np.float16)
    realised, wrong = np.zeros((S, R, K), np.float32), np.zeros((S, R), np.float32)
    groups, labels, seconds = np.zeros(S, np.float32), np.zeros((S, K), np.float32), np.zeros((S, R), np.float32)
    supports: dict[tuple[int, int], np.ndarray] = {}
    for place, training in trainings_of(unit, sweep, inputs):
        found = read_answers(run, training)
        if found is None:
            return None
        y, s, r = inputs.y[place.drawn], place.seed, place.rate
        P[s, r, place.at] = found[0]
        seconds[s, r] += found[1] / F
        realised[s, r] += wrong_share(y, place.wrong[None], K)[0] / F
        wrong[s, r] += place.wrong.mean() / F
        if r == 0:
            groups[s] += len(np.unique(inputs.groups[place.drawn])) / F
            labels[s] += np.bincount(y, minlength=K) / F
            supports[s, place.split] = place.drawn
    support = np.full((S, F, max(map(len, supports.values()))), -1, np.int32)
    for (s, f), rows in supports.items():
        support[s, f, : len(rows)] = rows
    budget = unit.series == "budget"
    return Predictions(
        P, realised, groups, chosen=np.zeros((S, R, F), np.int16), labels=labels if budget else None,
        wrong=wrong if budget else None, support=support, seconds=seconds,
    )  # fmt: skip


def forget(run: Path, names: set[str]) -> None:
    """Remove the trainings of these names, as the units that they were made for are whole."""
    for name in names:
        with suppress(OSError):
            (run / FOLDER / f"{name}.safetensors").unlink()
    with suppress(OSError):
        (run / FOLDER).rmdir()  # where no other is left
