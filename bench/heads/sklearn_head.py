"""Any scikit-learn classifier as a head: `--head my.py:NAME`, NAME being a variable of the file.

NAME is a classifier, or the class of one, with `fit` and `predict_proba`, or `decision_function` (whose softmax is
taken), or `predict` alone (probability 1 for what it says). It gets float64 rows and labels from 0 to k - 1 of the k
classes that have labels. Seeds that are None become 0, so that a fit can be repeated. To name the file runs it.

    from sklearn.ensemble import RandomForestClassifier
    RF = RandomForestClassifier(200)
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bench.errors import BenchError, did_you_mean
from bench.heads.contract import Head, Params, Scored, one_hot, softmax
from bench.heads.state import State, new_rows
from bench.heads.support import Support

_USER_MODULE = "heads_user_"


def is_file(name: str) -> bool:
    """Return whether the name of a head is FILE.py:NAME."""
    path, colon, _ = name.rpartition(":")
    return bool(colon) and path.endswith(".py")


def head_of_file(text: str) -> Head:
    """Return the head FILE.py:NAME, after the file was run.

    Its version is a digest of the file and the version of scikit-learn: fits of a file that was changed are others.
    What the file imports in turn has no part in it. BenchError for a file that cannot be run, or a NAME that is no
    classifier.
    """
    if not text.isprintable():
        raise BenchError(f"Got head {text!a}; expected characters that can be seen. Rename the file or folder.")
    path, _, name = text.rpartition(":")
    file = Path(path).expanduser().absolute()
    try:
        code = file.read_bytes()  # once: what is hashed is what is run
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else str(error.strerror or error)
        raise BenchError(f"Got head '{text}', but {file} cannot be read: {why}. Check the path.") from None
    digest = hashlib.sha256(code).hexdigest()
    wrapped = Classifier(text, file, _classifier(text, name, file, _run(file, code, digest)))
    import sklearn

    return Head(
        text, f"scikit-learn {type(wrapped.model).__name__}", wrapped.batched, {},
        version=f"{digest[:32]} scikit-learn {sklearn.__version__}", learn=wrapped.learn, load=wrapped.load,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Classifier:
    """A classifier that has not learned. name: of the head; file: where it is from."""

    name: str
    file: Path
    model: Any

    def batched(self, support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
        """Return probabilities (m, L, n_test, K), alike for all settings; see `bench.heads.contract.Scores`."""
        P = np.empty((len(Y), len(grid), len(support.X_test), n_classes))
        for m, y in enumerate(Y):
            P[m] = self.learn(support, y, n_classes, {}).scores(support.X_test)
        return Scored(P)

    def learn(self, support: Support, y: np.ndarray, n_classes: int, setting: Params) -> FittedClassifier:
        """Return the classifier fitted to labels y (n,); BenchError where it cannot learn from them."""
        present, target = np.unique(y, return_inverse=True)
        model = None  # of one class there is nothing to learn
        if len(present) > 1:
            model = _fresh(self.model)
            try:
                model.fit(np.ascontiguousarray(support.X, np.float64), target)
            except Exception as error:
                n, d = support.shape
                raise BenchError(
                    f"Head '{self.name}' cannot learn from {n} labels of {len(present)} classes in {d} dimensions: "
                    f"{_reason(error, self.file)}. Change it so that it takes so few, or ask for more labels."
                ) from error
        return FittedClassifier(self, model, present, support.shape[1], n_classes)

    def load(self, state: State) -> FittedClassifier:
        """Raise BenchError: there is no state to make it of."""
        raise self.cannot_be_kept()

    def cannot_be_kept(self) -> BenchError:
        """Return why there is no state."""
        return BenchError(
            f"Got head '{self.name}', a classifier of scikit-learn, which cannot be saved without pickle, and that "
            "runs code when it is read. Take one of the heads that `bench.list_heads()` names."
        )


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """A classifier that has learned the classes `present` of n_classes, from d columns; model is None of one class."""

    unfitted: Classifier
    model: Any
    present: np.ndarray
    d: int
    n_classes: int

    def scores(self, X: Any) -> np.ndarray:
        """Return probabilities float64 (N, K), 0 for a class that was not learned; see `bench.heads.state.Fitted`."""
        rows = np.ascontiguousarray(new_rows(X, self.d), np.float64)
        P = np.zeros((len(rows), self.n_classes))
        if self.model is None:
            P[:, self.present] = 1.0
        elif len(rows):  # scikit-learn refuses none
            P[:, self.present] = self._probabilities(rows)
        return P

    def state(self) -> State:
        """Raise BenchError: such a head cannot be kept as arrays and JSON."""
        raise self.unfitted.cannot_be_kept()

    def _probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Return probabilities (N, k) of the k classes that were learned."""
        name, file, k = self.unfitted.name, self.unfitted.file, len(self.present)
        try:
            P = np.asarray(_ask(self.model, rows, k), np.float64)
            order = np.asarray(getattr(self.model, "classes_", np.arange(k)))
        except Exception as error:
            raise BenchError(
                f"Head '{name}' cannot predict rows after it learned {k} classes: {_reason(error, file)}. Change it."
            ) from error
        if P.shape != (len(rows), k) or not np.array_equal(np.sort(order), np.arange(k)):
            raise BenchError(
                f"Head '{name}' gave predictions of shape {P.shape} for classes {order.tolist()}; expected "
                f"{(len(rows), k)} for the labels 0 to {k - 1} that it was given. Change {file.name}."
            )
        if not np.isfinite(P).all() or (P < 0).any() or not (total := P.sum(1, keepdims=True)).all():
            raise BenchError(
                f"Head '{name}' gave probabilities that are negative, all 0 or not finite. Change {file.name}."
            )
        return (P / total)[:, np.argsort(order)]


def _ask(model: Any, rows: np.ndarray, k: int) -> Any:
    """Return what the model says of rows as probabilities (N, k), by the best of the ways that it has."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(rows)
    # Of three classes 'ovo' has three columns as well, one for every pair.
    if hasattr(model, "decision_function") and getattr(model, "decision_function_shape", "ovr") != "ovo":
        logits = np.asarray(model.decision_function(rows), np.float64)
        if logits.ndim == 1:
            logits = np.stack([np.zeros_like(logits), logits], 1)
        return softmax(logits)
    said = np.asarray(model.predict(rows))
    if not np.isin(said, np.arange(k)).all():
        raise ValueError(f"it predicts {np.unique(said)[:5].tolist()}, which are not the labels that it was given")
    return one_hot(said, k)


def _fresh(model: Any) -> Any:
    """Return an unfitted copy of the model, its seeds set where they are None."""
    if not hasattr(model, "get_params"):
        return deepcopy(model)
    from sklearn.base import clone

    copy = clone(model)
    seeds = [name for name, value in copy.get_params().items() if value is None and _is_seed(name)]
    return copy.set_params(**dict.fromkeys(seeds, 0)) if seeds else copy


def _is_seed(name: str) -> bool:
    return name.rpartition("__")[2] == "random_state"


def _classifier(text: str, name: str, file: Path, module: ModuleType) -> Any:
    """Return the classifier of this name in a module; BenchError if it is none."""
    if name not in vars(module):
        known = [
            other
            for other, value in vars(module).items()
            if _may_learn(value) and not _is_imported(other, value, module)
        ]
        hint = did_you_mean(name, known) or "."
        raise BenchError(
            f"Got head '{text}'{hint} The file has the classifiers: "
            f"{', '.join(sorted(known)) or 'none; bind one to a name, as RF = RandomForestClassifier()'}."
        )
    value = vars(module)[name]
    if not _may_learn(value):
        raise BenchError(
            f"Got head '{text}', which is of type {type(value).__name__}; expected a classifier of scikit-learn or its "
            "class, with the methods fit and predict."
        )
    try:
        value = value() if isinstance(value, type) else value
        _fresh(value)
    except Exception as error:
        raise BenchError(
            f"Got head '{text}', which cannot be made: {_reason(error, file)}. Bind the name to a classifier, as "
            "RF = RandomForestClassifier(200)."
        ) from error
    kind = _kind(value)
    if kind not in (None, "classifier"):
        raise BenchError(f"Got head '{text}', which is a {kind}; expected a classifier.")
    return value


def _is_imported(name: str, value: Any, module: ModuleType) -> bool:
    """Return whether a variable is a class of another module under its own name."""
    return isinstance(value, type) and value.__module__ != module.__name__ and value.__name__ == name


def _may_learn(value: Any) -> bool:
    return all(callable(getattr(value, method, None)) for method in ("fit", "predict"))


def _kind(model: Any) -> str | None:
    """Return what an estimator says it is, "classifier", "regressor" and so on; None if it does not say."""
    from sklearn.utils import get_tags

    try:
        return get_tags(model).estimator_type
    except (AttributeError, TypeError):  # of a class that keeps scikit-learn's methods and not its base
        return None


def _run(file: Path, code: bytes, digest: str) -> ModuleType:
    """Return the module that a file's code makes, which is run once in a process; BenchError where it fails."""
    name = f"{_USER_MODULE}{hashlib.sha256(str(file).encode()).hexdigest()[:8]}_{digest[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # the name ends in .py
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        exec(compile(code, str(file), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise BenchError(f"The head file {file} cannot be run: {_reason(error, file)}. Correct it.") from error
    return module


def _reason(error: BaseException, file: Path) -> str:
    """Return an error as "line 3: NameError: ...", with the last line of the file that had a part in it."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    if isinstance(error, SyntaxError) and error.filename == str(file):
        lines.append(error.lineno)
    said = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    where = f"{file.name} line {lines[-1]}: " if lines else ""
    return where + type(error).__name__ + (f": {said}".rstrip(".") if said else "")
