"""What a fitted head is kept as: plain arrays and JSON, which can be written, read and compared, and never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from bench.errors import BenchError

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
KINDS = "biuf"  # of numbers: bool, int, unsigned, float
LARGEST = 1e15  # number in a row


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything that a fitted head needs to score new rows.

    arrays: of numbers or truth values, by name; BenchError for any other. about: the rest; its "kind" says which
    class reads it.
    """

    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, JSON]

    def __post_init__(self) -> None:
        for name, array in self.arrays.items():
            if array.dtype.kind not in KINDS:
                raise BenchError(f"Got array '{name}' of type {array.dtype}; expected numbers or truth values.")

    def array(self, name: str, kind: str, shape: Sequence[int | None]) -> np.ndarray:
        """Return an array of a kind of numbers ("f", "i", "u") and a shape, None for any length; else BenchError."""
        if name not in self.arrays:
            raise BenchError(f"Got a state without the array '{name}'; expected that of a fitted head. Fit it again.")
        array = self.arrays[name]
        fits = len(shape) == array.ndim and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if array.dtype.kind != kind or not fits:
            wanted = ", ".join("any" if length is None else str(length) for length in shape)
            raise BenchError(
                f"Got the array '{name}' of type {array.dtype} and shape {array.shape} in a state; expected type "
                f"'{kind}' and shape ({wanted}). Fit the head again."
            )
        return array

    def number(self, name: str) -> int:
        """Return a whole number of `about`, 1 or more; else BenchError."""
        value = self.about.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BenchError(f"Got {name}={value!r} in a state; expected a whole number above 0. Fit the head again.")
        return value

    def check_kind(self, kind: str) -> None:
        """Raise BenchError for the state of another kind of fitted head."""
        if self.about.get("kind") != kind:
            raise BenchError(
                f"Got a state of kind {self.about.get('kind')!r}; expected '{kind}'. Restore it with the head that it "
                "was fitted with."
            )


class Fitted(Protocol):
    """A head that has learned."""

    def scores(self, X: Any) -> np.ndarray:
        """Return class probabilities float (N, K) of rows X (N, d), before any temperature; each row sums to 1.

        A class without a label in what was learned from has probability 0. What a row gets depends on the other rows
        by rounding alone. BenchError for rows of other than d columns, or numbers that are not finite.
        """
        ...

    def state(self) -> State:
        """Return what `Head.restore` makes the same fitted head of; BenchError where it cannot be kept."""
        ...


def new_rows(X: Any, d: int) -> np.ndarray:
    """Return X as an array of rows (N, d), of its type where that is a float; BenchError for anything else."""
    rows = _numbers(X)
    if rows.ndim != 2 or rows.shape[1] != d:
        raise BenchError(f"Got rows of shape {rows.shape}; expected (N, {d}), as many columns as were learned from.")
    return rows


def learning_rows(X: Any, y: Any, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X as rows (n, d) and y as int64 (n,) in [0, n_classes), n and d above 0; BenchError for anything else."""
    rows, labels = _numbers(X), np.asarray(y)
    if rows.ndim != 2 or 0 in rows.shape:
        raise BenchError(f"Got rows of shape {rows.shape}; expected (n, d) with at least one row and one column.")
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iu":
        raise BenchError(
            f"Got labels of type {labels.dtype} and shape {labels.shape}; expected whole numbers, one for each of the "
            f"{len(rows)} rows."
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        raise BenchError(
            f"Got labels from {labels.min()} to {labels.max()}; expected 0 to {n_classes - 1}, as there are "
            f"{n_classes} classes."
        )
    return rows, labels.astype(np.int64)


def _numbers(X: Any) -> np.ndarray:
    """Return X as an array of finite float32 or float64."""
    rows = np.asarray(X)
    if rows.dtype.kind not in KINDS:
        raise BenchError(f"Got rows of type {rows.dtype}; expected numbers.")
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    if not np.isfinite(rows).all():
        raise BenchError("Got rows that hold NaN or infinity; expected finite numbers. Leave those rows out.")
    check_size(rows)
    return rows


def check_size(rows: np.ndarray) -> None:
    """Raise BenchError for finite numbers whose squares single precision does not hold."""
    if rows.size and (largest := np.abs(rows).max()) > LARGEST:
        raise BenchError(f"Got rows with numbers up to {largest:.0e}; expected at most {LARGEST:.0e}. Scale them.")
