"""The contract every head keeps.

A head turns one support and many label vectors into class probabilities for the test rows.
Letters: n support rows, d dimensions, m label vectors (noise rates share their rows), L grid points,
K classes. K is fixed by the dataset: a class that noise removed from a support set keeps its column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from numbers import Integral, Real
from typing import Any, NamedTuple, Protocol

import numpy as np

from bench.errors import BenchError, did_you_mean
from bench.heads.state import Fitted, State, learning_rows, new_rows
from bench.heads.support import Support

Params = Mapping[str, Any]


class Scored(NamedTuple):
    """What a head gives: class probabilities P (m, L, n_test, K), rows summing to 1, always float32 or always float64.

    gap, iterations (m, L): of heads that iterate, the relative duality or gradient gap they stopped at and after
    how many steps; None for the others.
    """

    P: np.ndarray
    gap: np.ndarray | None = None
    iterations: np.ndarray | None = None


class Scores(Protocol):
    """The batched function of a head."""

    def __call__(self, support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
        """Score the test rows for every label vector and setting.

        support: X (n, d) and X_test (n_test, d), and the products of the two that heads share. Y: int (m, n)
        in [0, K). grid: L settings, each with every hyper-parameter of the head. What one (label vector,
        setting) gives must not depend, to the bit, on the others.
        """
        ...


Learn = Callable[[Support, np.ndarray, int, Params], Fitted]  # support, y int (n,), K, a setting with every parameter
Load = Callable[[State], Fitted]


@dataclass(frozen=True)
class Range:
    """The values a hyper-parameter may be tuned over: low to high, both included, or one of `choices`.

    Whole numbers where low and high are int. log: values are tried evenly in their logarithm. A value that is given
    may lie outside of what is worth trying: any positive one where they are whole or logarithmic, else a share.
    """

    low: float = 0
    high: float = 0
    log: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def takes(self) -> str:
        """What a value has to be, in words."""
        if self.choices:
            return f"one of {', '.join(map(repr, self.choices))}"
        if self.whole:
            return "a whole number of 1 or more"
        return "a number above 0" if self.log else "a number from 0 to 1"

    @property
    def whole(self) -> bool:
        """Whether values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: object) -> bool:
        if self.choices:
            return isinstance(value, str | int | float) and value in self.choices
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            return False
        number = float(value)
        return number >= 1 if self.whole else 0 < number < inf if self.log else 0 <= number <= 1


@dataclass(frozen=True)
class Head:
    """One classical model on embeddings: one file in `bench/heads`, which binds it to the name HEAD.

    default: a value of every hyper-parameter, for those that are not given. grid: the settings that are published, and
    that selection chooses from; empty where there is nothing to choose. rule (n labels, K classes, d dimensions): which
    setting suits a support of that size, None for `default`; see `published`. place: where a setting lies on a line,
    such that a step of 1 is worth a prior of one standard deviation (of a strength: its natural logarithm).
    temperature (n, K, d): what the probabilities at that setting are softened by where no left-out row tells, see
    `bench.heads.temperature`. The rules are fitted by `tests/settings`; results/settings says what they are worth.
    space: what `bench tune` searches; parameters left out stay at their default. loo: class probabilities of every
    support row by the head learned without it and its group (`Support.groups`), P (m, L, n, K), in closed form or
    nearly, or by fits without its fold of groups; None where there is none. loo_only_chooses: it serves to choose a
    setting and does not say how good the head is, as it is that of a plainer head, or of fits without more than the
    group. version: raised when the numbers the head gives change, so that results of an older version are never
    mistaken for current ones; of a head from a file, a digest of that file. gpu: it is solved on `Support.device`.
    papers: whom to cite for it, as authors and year; () where it is common knowledge.
    learn, load: the head fitted to one label vector at one setting, which scores any rows, and the same made of its
    state; the probabilities are those of `scores` to rounding. Without them the support is kept and `scores` asked.
    """

    name: str
    summary: str
    scores: Scores
    default: Params
    version: int | str = 1
    grid: tuple[Params, ...] = ()
    loo: Scores | None = None
    loo_only_chooses: bool = False
    space: Mapping[str, Range] = field(default_factory=dict)
    rule: Callable[[int, int, int], Params] | None = None
    place: Callable[[Params], float] | None = None
    temperature: Callable[[int, int, int], float] | None = None
    gpu: bool = False
    learn: Learn | None = None
    load: Load | None = None
    papers: tuple[str, ...] = ()

    def fit(self, X: Any, y: Any, n_classes: int, setting: Params | None = None) -> Fitted:
        """Learn from rows X (n, d) of labels y int (n,) in [0, K).

        setting: hyper-parameters that differ from the default; None for the published setting. BenchError for rows or
        labels of another shape or type, and for a setting that the head has not.
        """
        rows, labels = learning_rows(X, y, n_classes)
        self.check(setting or {})
        if setting is None:
            setting = self.published(len(rows), n_classes, rows.shape[1])
        return self.fit_support(Support(rows, rows[:0]), labels, n_classes, {**self.default, **setting})

    def check(self, setting: Params) -> None:
        """Raise BenchError for a hyper-parameter that the head has not, or a value that it cannot have."""
        for name, value in setting.items() if self.default else ():
            if name not in self.default:
                hint, known = did_you_mean(str(name), self.default) or ".", ", ".join(self.default)
                raise BenchError(f"Got setting '{name}'{hint} Expected settings of {self.name}: {known}.")
            range_ = self.space.get(name)
            in_words = isinstance(value, str) and value in [one.get(name) for one in self.grid]  # such as "auto"
            if range_ and value not in range_ and not in_words:
                raise BenchError(f"Got {name}={value!r} for {self.name}; expected {range_.takes}.")

    def fit_support(self, support: Support, y: np.ndarray, n_classes: int, setting: Params) -> Fitted:
        """Learn the same from a support, whose products may be there already. setting: every hyper-parameter."""
        if self.learn is not None:
            return self.learn(support, y, n_classes, setting)
        return KeptSupport(self.scores, support.X, y, n_classes, setting)

    def restore(self, state: State) -> Fitted:
        """Return the fitted head of this state, whose scores are the same to the bit; BenchError for another's."""
        return self.load(state) if self.load is not None else KeptSupport.load(self.scores, state)

    def published(self, n: int, n_classes: int, d: int) -> Params:
        """Return the published setting for n labels of K classes in d dimensions: the grid's nearest to the rule."""
        if self.rule is None:
            return self.default
        wanted = self.rule(n, n_classes, d)
        if self.place is None or not self.grid:
            return wanted
        at = self.place(wanted)
        return min(self.grid, key=lambda setting: abs(self.place(setting) - at))  # type: ignore[misc]

    def published_temperature(self, n: int, n_classes: int, d: int) -> float:
        """Return the temperature that is published beside it; 1 where there is no rule."""
        return 1.0 if self.temperature is None else self.temperature(n, n_classes, d)


@dataclass(frozen=True, eq=False)
class KeptSupport:
    """A head without a fitted form: it keeps its rows X (n, d) and labels y (n,), and learns again for every score."""

    learn_and_score: Scores
    X: np.ndarray
    y: np.ndarray
    n_classes: int
    setting: Params

    def scores(self, X: Any) -> np.ndarray:
        """Return probabilities (N, K); see `bench.heads.state.Fitted`."""
        support = Support(self.X, new_rows(X, self.X.shape[1]))
        return self.learn_and_score(support, self.y[None], self.n_classes, [self.setting]).P[0, 0]

    def state(self) -> State:
        """Return the rows, the labels and the setting."""
        return State(
            arrays={"X": self.X, "y": self.y},
            about={"kind": "support", "n_classes": self.n_classes, "setting": dict(self.setting)},
        )

    @classmethod
    def load(cls, scores: Scores, state: State) -> KeptSupport:
        """Return the fitted head that a state describes; BenchError for a state of anything else."""
        state.check_kind("support")
        X, K, setting = state.array("X", "f", (None, None)), state.number("n_classes"), state.about.get("setting")
        if not isinstance(setting, Mapping):
            raise BenchError(f"Got the setting {setting!r} in a state; expected its hyper-parameters by name.")
        return cls(scores, *learning_rows(X, state.array("y", "i", (len(X),)), K), K, setting)


def one_hot(Y: np.ndarray, n_classes: int, axis: int = -1) -> np.ndarray:
    """Return float64 with a single 1 for every label of Y along a new axis of classes, -1 or -2 (before the rows')."""
    classes = np.arange(n_classes).reshape(-1, *[1] * (-1 - axis))
    return (np.expand_dims(Y, axis) == classes).astype(np.float64)


def softmax(scores: np.ndarray, axis: int = -1, overwrite: bool = False) -> np.ndarray:
    """Return exp(scores) normalised over an axis, computed without overflow; overwrite: in the scores' place."""
    shifted = np.subtract(scores, scores.max(axis, keepdims=True), out=scores if overwrite else None)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis, keepdims=True)
    return shifted
