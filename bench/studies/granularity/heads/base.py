"""The head of `bench.heads` that a bag head rests on, with its settings chosen as `bench run` chooses them by default.

Labels of images are wrong for many of their cells, and how strong a penalty has to be depends on that more than on the
number of labels: the published rules are for right ones. Left-out images have the same errors, so that they tell. Where
all cells of the images are rows, some of every image are enough to choose by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from zlib import crc32

import numpy as np

from bench.errors import BenchError
from bench.fitting.episode import Episode
from bench.fitting.selection import choose
from bench.fitting.selection_plan import settings_of, way_of
from bench.heads import Params, all_heads, get_heads
from bench.heads.choice import may_leave_out
from bench.heads.state import Fitted, State
from bench.heads.support import Support
from bench.heads.temperature import soften

USUAL = "auto"  # see `bench.fitting.selection`
MOST = 400  # rows that settings are chosen by


class Base(Protocol):
    """The head below a bag head, after it has learned."""

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Return class probabilities (N, K) of rows X (N, d), softened."""
        ...

    def state(self) -> State:
        """Return what `restore_base` makes one of that scores the same to rounding."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class LearnedBase:
    """A head that learned from a support. score: of a support, the probabilities of its test rows, (n_test, K), before
    any temperature; learn: of a support, the head fitted to it once. temperature (1,): of the probabilities.
    """

    name: str
    support: Support
    score: Callable[[Support], np.ndarray]
    learn: Callable[[Support], Fitted]
    temperature: np.ndarray

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities (N, K); see `Base`."""
        P = self.score(Support(self.support.X, X, self.support.groups))
        return soften(P[None], self.temperature)[0]

    def state(self) -> State:
        """Return the state of the head fitted once, with the temperature."""
        known = all_heads()
        if self.name not in known:
            raise BenchError(
                f"Got the head {self.name}, which is code in a file, so that what rests on it cannot be kept; expected "
                f"one of {', '.join(known)}."
            )
        return _state(self.name, self.learn(self.support), float(self.temperature[0]))


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptBase:
    """The same made of its state."""

    name: str
    fitted: Fitted
    temperature: float

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities (N, K); see `Base`."""
        return soften(self.fitted.scores(X), self.temperature)

    def state(self) -> State:
        """Return the state that it was made of."""
        return _state(self.name, self.fitted, self.temperature)


def _state(name: str, fitted: Fitted, temperature: float) -> State:
    state = fitted.state()
    about: dict[str, Any] = {
        "kind": "base", "head": name, "version": str(all_heads()[name].version), "temperature": temperature,
        "state": dict(state.about),
    }  # fmt: skip
    return State(arrays=state.arrays, about=about)


def restore_base(state: State) -> KeptBase:
    """Return what learned of its state; BenchError for anything else, and for a head that is code in a file."""
    state.check_kind("base")
    name, temperature, own = (state.about.get(key) for key in ("head", "temperature", "state"))
    known = all_heads()
    if not isinstance(name, str) or name not in known:
        raise BenchError(f"Got a state of the head {name!r}; expected one of {', '.join(known)}.")
    if state.about.get("version") != str(known[name].version):
        raise BenchError(
            f"Got a state of version {state.about.get('version')!r} of the head {name}; expected "
            f"{known[name].version}. Fit it again."
        )
    if type(temperature) is not float or not 0 < temperature < 1e6 or not isinstance(own, dict):
        raise BenchError("Got a state without a temperature or a head; expected both. Fit it again.")
    fitted = known[name].restore(State(arrays=state.arrays, about=own))
    return KeptBase(name=name, fitted=fitted, temperature=temperature)


def learn_base(name: str, support: Support, y: np.ndarray, n_classes: int) -> LearnedBase:
    """Return the head, with its setting chosen, for a support with labels y (n,); its test rows play no part."""
    setting, temperature = choose_base(name, support, y, n_classes)
    [head] = get_heads([name])
    return LearnedBase(
        name=name, support=support, temperature=temperature,
        score=lambda tested: head.scores(tested, y[None], n_classes, [setting]).P[0, 0],
        learn=lambda tested: head.fit_support(tested, y, n_classes, setting),
    )  # fmt: skip


def choose_base(name: str, support: Support, y: np.ndarray, n_classes: int) -> tuple[Params, np.ndarray]:
    """Return the setting of the head for a support with labels y (n,), and the temperature (1,) of its probabilities.

    Chosen by rows left out with their group (`Support.groups`) where every class has two groups, else by rule.
    """
    [head] = get_heads([name])
    way = way_of(USUAL, head, may_leave_out(support.groups, y, n_classes))
    kept = some_of_each(support.X, support.groups) if way == USUAL else np.arange(len(y))
    thinned = Support(support.X[kept], support.X[:1], support.groups[kept])
    settings = settings_of(way, head)
    episode = Episode(thinned, y[kept][None], n_classes, thinned.groups, drawn=y[kept])
    choice = choose(way, head, settings, episode)
    return settings[choice.chosen[0]], choice.temperature


def some_of_each(X: np.ndarray, groups: np.ndarray, most: int = MOST) -> np.ndarray:
    """Return positions of rows X (n, d), rising: as many of each of the groups (n,) as make about `most`, 1 at least.

    Which rows does not depend on their order.
    """
    if len(X) <= most:
        return np.arange(len(X))
    order = np.lexsort((np.array([crc32(row.tobytes()) for row in X]), groups))
    size = np.bincount(groups)
    rank = np.arange(len(X)) - np.repeat(np.cumsum(size) - size, size)  # of a row within its group
    return np.sort(order[rank < max(1, most // len(size))])
