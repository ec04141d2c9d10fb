"""From embeddings and labels to what a classifier is made of: choose, fit on all rows, remember."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bench.fitting.scaling import Scaling, scaling_of
from bench.heads.contract import Head
from bench.heads.left_out import groups_of_classes
from bench.heads.state import Fitted
from bench.heads.support import Support
from bench.studies.classifier.choice import Choice, choose, judges
from bench.studies.classifier.left_out import Labelled, deal_folds, leave_out
from bench.studies.classifier.model import About, Model
from bench.studies.classifier.reference import Reference, remember

OnStep = Callable[[str, int, int], None]  # what, done, total


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Rows to learn from. embedded: encoder -> X (n, d) as it gives them; scaling: encoder -> what heads want done to
    it. y int (n,) in [0, K); group int (n,): codes from 0; names: what a user finds a row by. tested bool (n,): rows
    that scores rest on; the others are learned from alone, as labels that were picked and not drawn at random.
    """

    embedded: Mapping[str, np.ndarray]
    scaling: Mapping[str, str]
    y: np.ndarray
    group: np.ndarray
    n_classes: int
    names: tuple[str, ...]
    tested: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What was chosen, and what answers new rows."""

    choice: Choice
    scale: Scaling
    fitted: Fitted
    reference: Reference


def learn(rows: LabelledRows, heads: Sequence[Head], on_step: OnStep | None = None) -> Learned:
    """Choose an encoder and head by left-out groups, and fit them on all rows."""
    fold = deal_folds(rows.y, rows.group, rows.n_classes)
    left, total = {}, len(rows.embedded) * len(heads)
    for name, X in rows.embedded.items():
        labelled = Labelled(
            X=X, y=rows.y, group=rows.group, fold=fold, n_classes=rows.n_classes, scaling=rows.scaling[name]
        )
        support = labelled.support()
        for head in heads:
            left[name, head.name] = leave_out(labelled, head, support)
            if on_step:
                on_step("leave groups out", len(left), total)
    told = judges(groups_of_classes(rows.y, rows.group, rows.n_classes)[rows.y] > 1, rows.tested, rows.y)
    choice = choose(left, rows.y, fold, told)
    [head] = [one for one in heads if one.name == choice.head]
    X = rows.embedded[choice.encoder]
    scale = scaling_of(X, np.arange(len(X)), rows.group, rows.scaling[choice.encoder])
    scaled = scale.of(X)
    support = Support(scaled, scaled[:0], rows.group)
    return Learned(
        choice=choice, scale=scale, fitted=head.fit_support(support, rows.y, rows.n_classes, choice.setting),
        reference=remember(scaled, rows.y, rows.group, rows.names),
    )  # fmt: skip


class Labels(Protocol):
    """What has labels, rows or images: y int (n,), codes of their groups (n,), and which are tested, bool (n,)."""

    @property
    def y(self) -> np.ndarray:
        """The labels."""
        ...

    @property
    def group(self) -> np.ndarray:
        """The groups."""
        ...

    @property
    def tested(self) -> np.ndarray:
        """Those that scores rest on."""
        ...


def model_of(labels: Labels, learned: Learned, about: About) -> Model:
    """Return the classifier of what was learned. about: what it is called and was made for."""
    tested = labels.tested
    return Model(
        about=about, scale=learned.scale, fitted=learned.fitted, left_out=learned.choice.P[tested].astype(np.float32),
        y=labels.y[tested], group=labels.group[tested], reference=learned.reference,
    )  # fmt: skip
