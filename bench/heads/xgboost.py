"""Gradient-boosted trees (Chen and Guestrin 2016) at published settings that hold from 1 label a class up.

Two library defaults make a constant predictor of one label a class: min_child_weight = 1 exceeds the
whole Hessian of a leaf, and reg_lambda = 1 shrinks what is left. Both therefore grow with n here, up
to the library's values at `full_at` labels a class.

Trees are grown by the library's exact search. At few rows it takes half the time of histograms, which are made of all
features whatever is drawn, and needs no bins; in between two rows it splits in the middle. Time is then features drawn
x rows x levels x classes x rounds, with a part for every tree and every feature of a row that is predicted. With few
features and many rows, 27 and 400, histograms would be faster.

A fortieth of the features, and at least LEAST of them, is drawn for every level of a tree. With all of them every tree
asks the same question. What counts at few labels is how many features all trees ask together, not how many one chooses
from: on networks' embeddings of 1280 features a fixed 512 or 256 with 64 drawn for a split lost 1 to 3 points, and MOST
of them with 19 drawn none. For the same reason fewer rounds lose: 30 rather than 40 about half a point, 20 one.
Small steps gain at few labels and under noise. At 50 clean labels a class and more they cost up to two points on
made-up rows, which 80 rounds more than win back. Trees of one vector of all classes a leaf were slower and worse. Trees
in the coordinates of `Support.span` lost up to nine points at 5 labels a class: they start from the same few axes.
The rows are read once for all label vectors and settings, and settings that differ in rounds share their trees.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import BenchError
from bench.heads.contract import Head, Params, Range, Scored
from bench.heads.state import State, new_rows
from bench.heads.support import Support

if TYPE_CHECKING:
    import xgboost

KIND = "trees"
MOST = 768  # features used
LEAST = 5  # features drawn for a level: a fortieth of a descriptor's 27 would be none
TREE = 4  # times as many are drawn for the tree, from which those of its levels are: many draws from many take long


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return probabilities (m, L, n_test, K); see `bench.heads.contract.Scores`."""
    columns, rows = _matrix(support)
    X_test = np.ascontiguousarray(support.X_test[:, columns], dtype=np.float32)
    P = np.zeros((len(Y), len(grid), len(X_test), n_classes))
    for m, y in enumerate(Y):
        present, target = np.unique(y, return_inverse=True)
        if len(present) == 1:
            P[m, :, :, present] = 1.0
            continue
        rows.set_label(target)
        for setting, alike in _by_trees(grid):
            rounds = {at: int(grid[at]["rounds"]) for at in alike}
            model = _grow(rows, len(present), setting, max(rounds.values()))
            for at, count in rounds.items():
                P[m, at][:, present] = _predict(model, X_test, count)
    return Scored(P / P.sum(-1, keepdims=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """The head that has learned: the library's own bytes of a model, uint8, empty where there was one class alone.

    columns int64: the positions of the features that are used, of d. present int64: the classes that have labels.
    """

    model: np.ndarray
    columns: np.ndarray
    present: np.ndarray
    d: int
    n_classes: int

    def scores(self, X: Any) -> np.ndarray:
        """Return probabilities float64 (N, K); see `bench.heads.state.Fitted`."""
        rows = new_rows(X, self.d)
        P = np.zeros((len(rows), self.n_classes))
        P[:, self.present] = 1.0
        if len(self.model) and len(rows):
            used = np.ascontiguousarray(rows[:, self.columns], dtype=np.float32)
            P[:, self.present] = _predict(self._booster, used, 0)  # 0: all rounds
        return P / P.sum(-1, keepdims=True)

    @cached_property
    def _booster(self) -> xgboost.Booster:
        import xgboost

        booster = xgboost.Booster({"nthread": 1, "verbosity": 0})
        try:
            booster.load_model(bytearray(self.model.tobytes()))
            booster.set_param({"nthread": 1, "verbosity": 0})
            used, classes = booster.num_features(), self._classes(booster)
        except (xgboost.core.XGBoostError, ValueError, LookupError) as error:
            why = str(error).strip().partition("\n")[0]
            raise BenchError(
                "Got a state of trees that this xgboost cannot read; expected what it wrote itself, in the same "
                f"version or an older one ({why}). Fit the head again."
            ) from None
        if (used, classes) != (len(self.columns), len(self.present)):
            raise BenchError(
                f"Got trees of {used} features and {classes} classes in a state; expected {len(self.columns)} and "
                f"{len(self.present)}, as the rest of it says. Fit the head again."
            )
        return booster

    @staticmethod
    def _classes(booster: xgboost.Booster) -> int:
        learner = json.loads(booster.save_config())["learner"]
        return max(int(learner["learner_model_param"]["num_class"]), 2)  # 0 of two classes, which share their trees

    def state(self) -> State:
        """Return the bytes and what they are of."""
        arrays = {"model": self.model, "columns": self.columns, "present": self.present}
        return State(arrays=arrays, about={"kind": KIND, "d": self.d, "n_classes": self.n_classes})


def learn(support: Support, y: np.ndarray, n_classes: int, setting: Params) -> Trees:
    """Return the head fitted to labels y (n,); see `bench.heads.contract.Head`."""
    d, (present, target) = support.shape[1], np.unique(y, return_inverse=True)
    columns, model = np.arange(d)[_columns(d)], np.zeros(0, np.uint8)
    if len(present) > 1:
        _, rows = _matrix(support)
        rows.set_label(target)
        grown = _grow(rows, len(present), setting, int(setting["rounds"]))
        model = np.frombuffer(bytes(grown.save_raw("ubj")), np.uint8)
    return Trees(model=model, columns=columns, present=present.astype(np.int64), d=d, n_classes=n_classes)


def load(state: State) -> Trees:
    """Return the fitted head that a state describes; BenchError for a state of anything else."""
    state.check_kind(KIND)
    d, K, model = state.number("d"), state.number("n_classes"), state.array("model", "u", (None,))
    columns, present = state.array("columns", "i", (None,)), state.array("present", "i", (None,))
    for what, places, most in (("columns", columns, d), ("present", present, K)):
        if not len(places) or (np.diff(places) <= 0).any() or places[0] < 0 or places[-1] >= most:
            raise BenchError(f"Got '{what}' in a state that are not rising numbers from 0 to {most - 1}; fit it again.")
    trees = Trees(model=model.astype(np.uint8), columns=columns, present=present, d=d, n_classes=K)
    if len(present) > 1:
        _ = trees._booster  # to refuse what cannot be read before anything is scored
    return trees


def _matrix(support: Support) -> tuple[np.ndarray | slice, xgboost.DMatrix]:
    """Return which features are used, and those of the rows."""
    import xgboost

    columns = _columns(support.X.shape[1])
    return columns, xgboost.DMatrix(np.asarray(support.X, np.float32)[:, columns], nthread=1)


def _columns(d: int) -> np.ndarray | slice:
    """Return the positions of the features that are used, in order."""
    if d <= MOST:
        return slice(None)
    return np.sort(np.random.default_rng(0).permutation(d)[:MOST])


def _by_trees(grid: Sequence[Params]) -> list[tuple[Params, list[int]]]:
    """Return the settings without their rounds, each with the grid points that share it."""
    found: list[tuple[Params, list[int]]] = []
    for at, setting in enumerate(grid):
        rest = {name: value for name, value in setting.items() if name != "rounds"}
        alike = next((points for other, points in found if other == rest), None)
        if alike is None:
            found.append((rest, [at]))
        else:
            alike.append(at)
    return found


def _grow(rows: xgboost.DMatrix, n_classes: int, setting: Params, rounds: int) -> xgboost.Booster:
    import xgboost

    n, d = rows.num_row(), rows.num_col()
    share = min(1.0, n / (n_classes * float(setting["full_at"])))
    of_level = min(d, max(int(float(setting["colsample_bylevel"]) * d), LEAST))
    of_tree = min(d, TREE * of_level)
    objective: dict[str, Any] = {"objective": "multi:softprob", "num_class": n_classes}
    if n_classes == 2:
        objective = {"objective": "binary:logistic"}  # one tree a round, not two
    options = {
        **objective,
        "base_score": 0.5,
        "tree_method": "exact",
        "max_depth": int(setting["max_depth"]),
        "eta": float(setting["eta"]),
        "colsample_bytree": min(1.0, (of_tree + 0.5) / d),  # the library rounds down
        "colsample_bylevel": min(1.0, (of_level + 0.5) / of_tree),
        "min_child_weight": share,
        "reg_lambda": share,
        "nthread": 1,
        "seed": 0,
        "verbosity": 0,
    }
    model = xgboost.Booster(options, [rows])
    for i in range(rounds):  # xgboost.train copies the model at the end, a third of the time at one label a class
        model.update(rows, i)
    return model


def _predict(model: xgboost.Booster, X_test: np.ndarray, rounds: int) -> np.ndarray:
    P = model.inplace_predict(X_test, iteration_range=(0, rounds)).astype(np.float64)
    return np.stack([1 - P, P], 1) if P.ndim == 1 else P


DEFAULT: Params = {"rounds": 40, "max_depth": 3, "eta": 0.1, "colsample_bylevel": 0.025, "full_at": 50}
HEAD = Head(
    "xgboost",
    "gradient-boosted trees",
    scores,
    DEFAULT,
    version=4,
    learn=learn,
    load=load,
    grid=tuple(
        {**DEFAULT, "eta": eta, "full_at": full_at, "rounds": rounds}
        for eta in (0.1, 0.2)
        for full_at in (10, 50)
        for rounds in (20, 40)
    ),
    space={
        "rounds": Range(5, 100, log=True),
        "max_depth": Range(1, 5),
        "eta": Range(0.05, 0.6, log=True),
        "colsample_bylevel": Range(0.01, 1.0, log=True),
        "full_at": Range(5, 500, log=True),
    },
    papers=("Chen and Guestrin 2016",),
)
