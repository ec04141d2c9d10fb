"""What a kind of noise may know of a draw of labelled examples, and the random numbers that kinds share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bench.protocol.open_set import deal_foreign
from bench.protocol.resemblance_noise import ClassFeatures, resemblance
from bench.protocol.slide_noise import Slides
from bench.seeds import keyed_uniform


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The rows of a table with N rows that may take the place of a draw's examples, for kinds that replace items.

    split: what the draw's split is called. names, y: of all N rows, what they are called and their classes, -1 for
    none. train: the rows of the training side, foreign: those of no class that may be learned from.
    """

    split: str
    names: np.ndarray
    y: np.ndarray
    train: np.ndarray
    foreign: np.ndarray


@dataclass(frozen=True)
class NoiseContext:
    """A draw of n labelled examples, and all that a kind of noise may know of it.

    y: int (n,) in [0, K), the true classes. items, groups: what the examples and their groups are called, n each.
    targets: int (K,), the class that each is mistaken for, itself where it is mistaken for none; see
    `bench.protocol.confusion_targets`. features: name of a space of cheap descriptors to the examples' rows in it,
    (n, d); see `bench.protocol.instance_noise`. slides: all those of the training side. classes: what the classes look
    like there, by space. rows: where the examples are in the table, (n,); candidates: what may take their place.
    """

    y: np.ndarray
    items: Sequence[str]
    groups: np.ndarray
    n_classes: int
    seed: int
    targets: np.ndarray
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    slides: Slides | None = None
    classes: Mapping[str, ClassFeatures] = field(default_factory=dict)
    rows: np.ndarray | None = None
    candidates: Candidates | None = None

    @cached_property
    def flips(self) -> np.ndarray:
        """One uniform number per example, (n,): where labels go wrong one by one, it is those below the rate."""
        return flip_draws(self.items, self.seed)

    @cached_property
    def any_other(self) -> np.ndarray:
        """Another class for each label, each as likely, (n,); the same at all rates."""
        return _other_class(self.y, keyed_uniform(("symmetric", "target", self.seed), self.items), self.n_classes)

    @cached_property
    def resembled(self) -> np.ndarray:
        """How likely each class is to be named for an example by what it looks like, (n, K); the same at all rates."""
        return resemblance(self.features, self.classes, self.y)

    @cached_property
    def dealt(self) -> np.ndarray:
        """The foreign rows in the order in which the draw takes them, (F,); the same at all rates."""
        rows, others = self.replaced_from()
        foreign = others.foreign
        return deal_foreign(foreign, others.names[foreign].tolist(), others.split, self.seed)

    def replaced_from(self) -> tuple[np.ndarray, Candidates]:
        """Return the rows of the examples (n,), and what may take their place."""
        if self.rows is None or self.candidates is None:
            raise ValueError("noise that replaces items needs NoiseContext.rows and NoiseContext.candidates")
        return self.rows, self.candidates


def flip_draws(items: Sequence[str], seed: int) -> np.ndarray:
    """Return one uniform number per item, (n,): where labels go wrong one by one, it is those below the rate."""
    return keyed_uniform(("symmetric", "flip", seed), items)


def _other_class(y: np.ndarray, u: np.ndarray, n_classes: int) -> np.ndarray:
    """Return for each class in y the one of the others that u in [0, 1) points to."""
    return (y + 1 + np.floor(u * (n_classes - 1)).astype(y.dtype)) % n_classes
