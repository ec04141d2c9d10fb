"""What noise knows of a table besides names: which class is taken for which, and what items look like.

Both come from cheap descriptors that no encoder under test competes with, by name SPACES for 'instance-dependent' and
`--confusable auto`. Partners are found on the training side of every split by itself; looks use no label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from bench.draws.episodes import SplitPlan
from bench.draws.noise import KINDS
from bench.draws.partners import SPACES, Confusable, confused_partners, describe_partners, descriptors_in, partners
from bench.errors import BenchError


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
class Mistakes:
    """partner: split to the class that each is taken for, int (K,). looks: space to the rows of all items, (N, d)."""

    partner: Mapping[str, np.ndarray]
    looks: Mapping[str, np.ndarray] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)  # space -> what names it by content

    def identity(self, kind: str, rates: Sequence[float]) -> list[Any]:
        """Return what names a kind of noise at some rates by content."""
        more: list[Any] = []
        if kind == "asymmetric":
            own = {split: partner.tolist() for split, partner in self.partner.items()}
            alike = len({tuple(partner) for partner in own.values()}) == 1
            more = [next(iter(own.values())) if alike else own]
        if KINDS[kind].looks:
            more = [[[space, self.keys[space]] for space in self.looks]]
        return [kind, list(rates), *more]


def looked_at(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the descriptors that say what noise of these kinds sees of an item."""
    return SPACES if any(KINDS[kind].looks for kind in kinds) else ()


def check_spaces(needed: Sequence[str], trivial: Sequence[str]) -> None:
    """Raise BenchError unless the descriptors that noise looks at take part. trivial: those that do."""
    missing = [name for name in needed if name not in trivial]
    if missing:
        raise BenchError(
            f"Got noise that looks at {', '.join(needed)}, of which {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} no descriptor or control of this run; expected some of: "
            f"{', '.join(trivial) or 'none, so run without --no-trivial'}. An encoder that competes must not shape the "
            "noise. --confusable takes such names, auto, or pairs of classes such as 'rbc>phloem'; --noise-kind "
            f"instance-dependent needs {', '.join(SPACES)}, which take part unless --no-trivial is given."
        )


def find_mistakes(
    plan: SplitPlan,
    y: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[str],
    confusable: Confusable,
    spaces: Mapping[str, Space],
    seen: Sequence[str],
) -> Mistakes:
    """Return what noise knows of a table with classes y (N,) and groups (N,).

    confusable: pairs of classes, or the names of the spaces by whose confusion partners are found. seen: see
    `looked_at`; each is scaled over all rows, a feature to a variance of about 1.
    """
    names = [split.name for repeat in plan.repeats for split in repeat]
    by = descriptors_in(confusable)
    if by:
        own = {
            split.name: confused_partners(
                (spaces[name].scaled(split.train, groups)[split.train] for name in by),
                y[split.train], groups[split.train], len(classes),
            )
            for repeat in plan.repeats for split in repeat
        }  # fmt: skip
    else:
        pairs = [pair for pair in confusable if not isinstance(pair, str)]
        own = dict.fromkeys(names, partners(classes, pairs))
    everything = np.arange(len(y))
    looks = {name: spaces[name].scaled(everything, groups) * np.float32(np.sqrt(spaces[name].width)) for name in seen}
    return Mistakes(own, looks, {name: spaces[name].key for name in looks})


def describe_noise(
    kinds: Iterable[str], classes: Sequence[str], mistakes: Mistakes, confusable: Confusable
) -> dict[str, str]:
    """Return kind -> how labels go wrong in this data, in words."""
    said = {kind: known.says for kind, known in KINDS.items() if kind in kinds}
    if "asymmetric" in said:
        by = descriptors_in(confusable)
        whence = " (no pairs were given: each for the next in alphabetical order)" * (not confusable)
        if by:
            whence = (
                f" (as the nearest centroid in {', '.join(by)} confuses them on the training side of the split, every "
                "example held against centroids without its group)"
            )
        said["asymmetric"] += f": {describe_partners(mistakes.partner, classes, whence)}"
    for kind in (kind for kind in said if KINDS[kind].looks):
        said[kind] += f", in the mean over {', '.join(mistakes.looks)}"
    return said
