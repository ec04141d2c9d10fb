"""A head of another package, held to the contract as it is used: what breaks it is a BenchError that names the head."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.heads.contract import Head, Learn, Load, Params, Range, Scored, Scores
from bench.heads.state import Fitted, State, new_rows
from bench.heads.support import Support

ROUNDING = 1e-4  # of a probability: more than another order of sums costs in single precision
AGREE = 0.01  # of a probability: what a solver may stop short of
PROBES = 8  # rows by which a fitted head is compared with what its state makes
SIZES = ((6, 3, 8), (60, 3, 8))  # labels, classes, dimensions for which a rule is asked before it is needed


def checked(head: object) -> Head:
    """Return a head whose functions are checked as they are called; BenchError for what is none, or cannot be one.

    What they give has to be probabilities of the promised shape and type that do not depend on the other label vectors
    and settings, nor change from call to call, which is looked at once. Rows that are given are not to be changed.
    """
    if not isinstance(head, Head):
        raise BenchError(f"Got an object of type {type(head).__name__}; expected a bench.heads.Head.")
    _check_fields(head)
    scores = _scores(head.name, head.scores, loo=False)
    return replace(
        head, scores=scores, loo=head.loo and _scores(head.name, head.loo, loo=True),
        learn=head.learn and _learn(head, scores), load=head.load and _load(head.name, head.load),
    )  # fmt: skip


def _check_fields(head: Head) -> None:
    """Raise BenchError for a field of a head that cannot be what it is."""
    functions = ("loo", "rule", "place", "temperature", "learn", "load")
    wrong = {
        "name": not isinstance(head.name, str) or not head.name.isprintable() or not set(head.name).isdisjoint(" ,:="),
        "version": not isinstance(head.version, int | str),
        "default": not isinstance(head.default, Mapping),
        "grid": not all(isinstance(one, Mapping) and set(one) == set(head.default) for one in head.grid),
        "space": not all(name in head.default and isinstance(over, Range) for name, over in head.space.items()),
        "scores": not callable(head.scores),
        **{name: getattr(head, name) is not None and not callable(getattr(head, name)) for name in functions},
        "load": (head.learn is None) != (head.load is None),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise BenchError(
                f"Got {name}={getattr(head, name)!r} for head {head.name!r}; expected what `bench.heads.contract.Head` "
                "says of it: a name without blank, comma, colon and '='; settings with the same hyper-parameters as "
                "`default`; `learn` and `load` both or neither."
            )
    for setting in head.grid:
        head.check(setting)
    for size in SIZES:
        n, K, d = size
        with _blamed(head.name, f"when its published setting for {n} labels of {K} classes was asked"):
            published, temperature = head.published(n, K, d), head.published_temperature(n, K, d)
        if not isinstance(published, Mapping) or set(published) != set(head.default) or not 0 < temperature < inf:
            raise BenchError(
                f"Got the published setting {published!r} and temperature {temperature!r} of head '{head.name}' for "
                f"{n} labels of {K} classes; expected values of {', '.join(head.default) or 'nothing'}, and a "
                "temperature above 0."
            )


def _scores(name: str, function: Scores, *, loo: bool) -> Scores:
    """Return a batched function that is checked. loo: it scores the rows of the support, not the test rows."""
    asked_again = False

    def scored(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
        """Score as `function` does; BenchError for what are no probabilities."""
        said = f"for {len(Y)} label vectors of {support.shape[0]} rows at {len(grid)} settings"
        with _blamed(name, said), _kept(support.X, support.X_test):
            given = function(support, Y.copy(), n_classes, grid)
        if not isinstance(given, Scored):
            raise BenchError(
                f"Head '{name}' gave an object of type {type(given).__name__}; expected a bench.heads.contract.Scored."
            )
        rows = len(support.X if loo else support.X_test)
        _check_probabilities(given.P, (len(Y), len(grid), rows, n_classes), name)
        for part in ("gap", "iterations"):
            if (values := getattr(given, part)) is not None and np.shape(values) != (len(Y), len(grid)):
                raise BenchError(
                    f"Head '{name}' gave {part} of shape {np.shape(values)}; expected {(len(Y), len(grid))}, or None."
                )
        return given

    def scored_and_compared(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
        nonlocal asked_again
        given = scored(support, Y, n_classes, grid)
        if not asked_again and len(Y) and len(grid):
            asked_again = len(Y) * len(grid) > 1
            alone = scored(support, Y[-1:], n_classes, grid[-1:]).P[0, 0]
            if (np.abs(alone - given.P[-1, -1]) > ROUNDING).any():
                raise BenchError(
                    f"Head '{name}' gave other probabilities for a label vector by itself than beside others; expected "
                    "what depends on its labels and setting alone. Set the seed of what is drawn at random in every "
                    "call, and treat every label vector by itself."
                )
        return given

    return scored_and_compared


def _learn(head: Head, scores: Scores) -> Learn:
    """Return a function that learns and is checked. scores: the batched way, which it is held against once."""
    compared = False

    def learned(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> Fitted:
        """Learn as `head.learn` does; BenchError for what is no fitted head, or another than the batched way's."""
        nonlocal compared
        assert head.learn is not None
        said = f"when it learned from {support.shape[0]} labels in {support.shape[1]} dimensions"
        with _blamed(head.name, said), _kept(support.X):
            fitted = head.learn(support, y.copy(), n_classes, setting)
        if not all(callable(getattr(fitted, method, None)) for method in ("scores", "state")):
            raise BenchError(
                f"Head '{head.name}' learned an object of type {type(fitted).__name__}; expected one with the methods "
                "`scores` and `state`."
            )
        probes = support.X[:PROBES].copy()
        own = CheckedFit(head.name, fitted, n_classes, support.shape[1], probes, head.load)
        P = own.scores(probes)
        if not compared:
            batched = scores(Support(support.X, probes), y[None], n_classes, [setting]).P[0, 0]
            if (np.abs(P - batched) > AGREE).any():
                raise BenchError(
                    f"Head '{head.name}' gives other probabilities once it is fitted than in a run: `learn` and "
                    "`scores` differ; expected the same but for rounding, or the run would not tell what the fitted "
                    "head is worth."
                )
            compared = True
        return fitted if _is_ours(type(fitted)) else own

    return learned


def _load(name: str, function: Load) -> Load:
    if _is_ours(function):
        return function

    def loaded(state: State) -> Fitted:
        """Load as `function` does; BenchError where that fails."""
        with _blamed(name, "when it was made of what was stored"):
            return function(state)

    return loaded


@dataclass(frozen=True, eq=False)
class CheckedFit:
    """A fitted head of another package. probes (PROBES, d): rows that it learned from, or fewer."""

    name: str
    fitted: Fitted
    n_classes: int
    d: int
    probes: np.ndarray
    load: Load | None

    def scores(self, X: Any) -> np.ndarray:
        """Return probabilities (N, K); see `bench.heads.state.Fitted`."""
        rows = new_rows(X, self.d)
        with _blamed(self.name, f"when it was given {len(rows)} rows"), _kept(rows):
            P = self.fitted.scores(rows)
        _check_probabilities(P, (len(rows), self.n_classes), self.name)
        return P

    def state(self) -> State:
        """Return what the head says it can be made of again, after a look that this is so."""
        with _blamed(self.name, "when its state was asked"):
            state = self.fitted.state()
            if not isinstance(state, State) or self.load is None:
                raise BenchError(
                    f"Head '{self.name}' gave a state of type {type(state).__name__}; expected a "
                    "bench.heads.state.State."
                )
            again = self.load(state)
        other = replace(self, fitted=again)
        if (np.abs(other.scores(self.probes) - self.scores(self.probes)) > ROUNDING).any():
            raise BenchError(
                f"Head '{self.name}', made again of its state, gives other probabilities than before; expected the "
                "same. Its `state` lacks something that its `load` needs: it cannot be kept."
            )
        return state


def _check_probabilities(P: Any, shape: tuple[int, ...], name: str) -> None:
    """Raise BenchError for what are no class probabilities of this shape."""
    kind = P.dtype if isinstance(P, np.ndarray) else type(P).__name__
    if kind not in (np.float32, np.float64) or np.shape(P) != shape:
        raise BenchError(
            f"Head '{name}' gave probabilities of type {kind} and shape {np.shape(P)}; expected float32 or float64 and "
            f"{shape}."
        )
    if not np.isfinite(P).all() or (P < 0).any() or (np.abs(P.sum(-1) - 1) > ROUNDING).any():
        raise BenchError(
            f"Head '{name}' gave probabilities that are negative, not finite, or do not sum to 1 over the classes."
        )


@contextmanager
def _kept(*arrays: np.ndarray) -> Iterator[None]:
    """Have arrays read-only inside: other heads are given the same."""
    could_be_written = [array for array in arrays if array.flags.writeable]
    for array in could_be_written:
        array.flags.writeable = False
    try:
        yield
    finally:
        for array in could_be_written:
            array.flags.writeable = True


@contextmanager
def _blamed(name: str, doing: str) -> Iterator[None]:
    """Turn an error that arises inside into a BenchError that names the head and the line."""
    try:
        yield
    except (BenchError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise BenchError(
            f"Got an error in head '{name}', {Path(last.filename).name} line {last.lineno}, {doing}: "
            f"{type(error).__name__}: {error}. Correct the head, or leave it out."
        ) from error


def _is_ours(value: Callable[..., Any] | type) -> bool:
    return value.__module__.partition(".")[0] == __name__.partition(".")[0]
