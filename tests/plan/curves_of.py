"""Curves of real sets, out of the leaderboards of runs, and what is done with them: fit the prior, hold it to account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report.tables.plan import LEAST_POINTS, curves_of
from bench.statistics.learning_curve import Curve

AHEAD, MOST_AHEAD = 4, 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """A curve of a set, whole. method: encoder, head and noise in words."""

    dataset: str
    method: str
    curve: Curve

    @property
    def pair(self) -> tuple[str, str]:
        """The set, and encoder and head in words."""
        return self.dataset, self.method.rsplit(" at ", 1)[0]


def read_curves(boards: Sequence[Path]) -> list[Known]:
    """Return the curves of leaderboards, each of one set or several."""
    found = []
    for place in boards:
        for name, board in pd.read_csv(place).groupby("dataset", sort=True):
            for method, curve in curves_of(board):
                if len(curve.n) > 1:
                    called = f"{method.encoder} x {method.head} at {curve.noise:g}"
                    found.append(Known(dataset=str(name), method=called, curve=curve))
    return found


def slide_curves(place: Path) -> list[Known]:
    """Return the points of every method in a table of `slides.py`: numbers of labels from numbers of slides."""
    found = []
    for key, own in pd.read_csv(place).groupby(["dataset", "encoder", "head"], sort=True):
        own = own.sort_values(["n", "of_slides"])
        curve = Curve(
            n=own["n"].to_numpy(float), per_slide=own["per_slide"].to_numpy(float), score=own["score"].to_numpy(float),
            luck=(own["spread"] ** 2 / own["draws"]).to_numpy(float), classes=int(own["classes"].iloc[0]),
        )  # fmt: skip
        found.append(Known(dataset=str(key[0]), method=f"{key[1]} x {key[2]} at 0", curve=curve))
    return found


@dataclass(frozen=True, kw_only=True)
class Task:
    """A curve known up to a quarter of the labels s, and its score there. beside: curves of fewer wrong labels of the
    same encoder and head, up to the same labels."""

    known: Known
    seen: Curve
    at: int
    beside: tuple[Curve, ...] = ()

    @property
    def slides(self) -> float:
        """The slides of a class that the labels asked for come from."""
        return float(round(self.known.curve.n[self.at] / self.known.curve.per_slide[self.at]))

    def seen_alone(self) -> Curve:
        """Return what was seen as if every label were of a slide by itself: labels and slides are not told apart."""
        return replace(self.seen, per_slide=np.ones_like(self.seen.per_slide))

    @property
    def n(self) -> float:
        """The labels that are asked for."""
        return float(self.known.curve.n[self.at])

    @property
    def score(self) -> float:
        """The score there."""
        return float(self.known.curve.score[self.at])


def tasks_of(known: Sequence[Known], ahead: float = AHEAD, least: int = LEAST_POINTS) -> list[Task]:
    """Return a task for every point of every curve that has `least` points or more up to a quarter of its labels."""
    found = []
    for curves in by_pair(known):
        for one in curves:
            cleaner = [other.curve for other in curves if other.curve.noise < one.curve.noise]
            for at, n in enumerate(one.curve.n):
                points = int((one.curve.n * ahead <= n).sum())
                if points >= least and n <= MOST_AHEAD * one.curve.n[points - 1]:
                    beside = tuple(other.where(other.n * ahead <= n) for other in cleaner)
                    found.append(Task(known=one, seen=one.curve.first(points), at=at, beside=beside))
    return found


def by_pair(known: Sequence[Known]) -> list[tuple[Known, ...]]:
    """Return the curves of every encoder and head of a set, of all shares of wrong labels."""
    found: dict[tuple[str, str], list[Known]] = {}
    for one in known:
        found.setdefault(one.pair, []).append(one)
    return [tuple(curves) for curves in found.values()]


def slide_tasks(known: Sequence[Known], ahead: float = AHEAD) -> list[Task]:
    """Return a task for every point of four slides or more, known from the points of up to a quarter of its slides."""
    found = []
    for one in known:
        curve = one.curve
        slides = np.round(curve.n / curve.per_slide)
        for at in np.flatnonzero(slides >= ahead):
            near = slides * ahead <= slides[at]
            seen = Curve(
                n=curve.n[near], per_slide=curve.per_slide[near], score=curve.score[near], luck=curve.luck[near],
                classes=curve.classes, noise=curve.noise,
            )  # fmt: skip
            if near.sum() >= LEAST_POINTS and curve.n[at] <= seen.n.max():
                found.append(Task(known=one, seen=seen, at=int(at)))
    return found


def sets_of(known: Sequence[Known]) -> list[str]:
    """Return the names of the sets."""
    return sorted({one.dataset for one in known})
