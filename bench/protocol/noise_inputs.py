"""What noise knows of a table besides names: the slides, which class is taken for which, and what items look like.

The last two come from cheap descriptors that no encoder under test competes with, by name SPACES for 'resemblance',
'instance-dependent' and `--confusable auto`. Partners, and what the classes look like, are found on the training side
of every split by itself; what items look like uses no label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from bench.errors import BenchError
from bench.protocol.confusion_targets import SPACES, Confusable, confused_targets, confusion_targets, descriptors_in
from bench.protocol.noise import KINDS
from bench.protocol.resemblance_noise import ClassFeatures, class_features
from bench.protocol.slide_noise import Slides, slides_of
from bench.protocol.splits import SplitPlan


class Space(Protocol):
    """One descriptor's view of the instance table."""

    @property
    def key(self) -> str:
        """What names it by content."""

    @property
    def width(self) -> int:
        """Columns d."""

    def scaled(self, train: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return the rows as heads see them, (N, d)."""


@dataclass(frozen=True)
class NoiseInputs:
    """targets: split to the class that each is taken for, int (K,). features: space to the rows of all items, (N, d).

    keys: space to what names it by content. slides: split to those of its training side. classes: split to what the
    classes look like, by space, where a kind of noise asks for it.
    """

    targets: Mapping[str, np.ndarray]
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    slides: Mapping[str, Slides] = field(default_factory=dict)
    classes: Mapping[str, Mapping[str, ClassFeatures]] = field(default_factory=dict)

    def identity(self, kind: str, rates: Sequence[float]) -> list[Any]:
        """Return what names a kind of noise at some rates by content."""
        more: list[Any] = []
        if kind == "asymmetric":
            own = {split: target.tolist() for split, target in self.targets.items()}
            alike = len({tuple(target) for target in own.values()}) == 1
            more = [next(iter(own.values())) if alike else own]
        if KINDS[kind].needs_features:
            more = [[[space, self.keys[space]] for space in self.features]]
        return [kind, list(rates), *more]


def spaces_of(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the descriptors that say what noise of these kinds sees of an item."""
    return SPACES if any(KINDS[kind].needs_features for kind in kinds) else ()


def check_spaces(needed: Sequence[str], trivial: Sequence[str]) -> None:
    """Raise BenchError unless the descriptors that noise looks at take part. trivial: those that do."""
    missing = [name for name in needed if name not in trivial]
    if missing:
        need_all = " and ".join(kind for kind, known in KINDS.items() if known.needs_features)
        raise BenchError(
            f"Got noise that looks at {', '.join(needed)}, of which {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} no descriptor or control of this run; expected some of: "
            f"{', '.join(trivial) or 'none, so run without --no-baselines'}. An encoder that competes must not "
            "shape the noise. --confusable takes such names, auto, or pairs of classes such as 'rbc>phloem'; "
            f"--noise-kind {need_all} need {', '.join(SPACES)}, which take part unless --no-baselines is given."
        )


def find_noise_inputs(
    plan: SplitPlan,
    y: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[str],
    *,
    confusable: Confusable = (),
    kinds: Sequence[str] = (),
    spaces: Mapping[str, Space] = MappingProxyType({}),
) -> NoiseInputs:
    """Return what noise of these kinds knows of a table with classes y (N,), -1 for none, and groups (N,).

    confusable: pairs of classes, or the names of the spaces by whose confusion targets are found. spaces: those, and
    the ones of `spaces_of`, each of which is scaled over all rows, a feature to a variance of about 1.
    """
    splits = {split.name: split for repeat in plan.repeats for split in repeat}
    by = descriptors_in(confusable)
    if by:
        targets = {
            name: confused_targets(
                (spaces[space].scaled(split.train, groups)[split.train] for space in by),
                y[split.train], groups[split.train], len(classes),
            )
            for name, split in splits.items()
        }  # fmt: skip
    else:
        pairs = [pair for pair in confusable if not isinstance(pair, str)]
        targets = dict.fromkeys(splits, confusion_targets(classes, pairs))
    everything = np.arange(len(y))
    features = {
        name: spaces[name].scaled(everything, groups) * np.float32(np.sqrt(spaces[name].width))
        for name in spaces_of(kinds)
    }
    slides, likeness = {}, {}
    for name, split in splits.items():
        train = split.train
        if any(KINDS[kind].by_slide for kind in kinds):
            slides[name] = slides_of(groups[train], y[train], len(classes))
        if any(KINDS[kind].needs_class_features for kind in kinds):
            likeness[name] = {space: class_features(X[train], y[train], len(classes)) for space, X in features.items()}
    return NoiseInputs(targets, features, {name: spaces[name].key for name in features}, slides, likeness)
