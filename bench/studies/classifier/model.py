"""A classifier for images that nobody has labelled: an encoder's name, a fitted head, and what is known of both.

    embedding X (N, d) -> scaled as in training -> head -> probabilities, softened by the temperature
                       -> distance to the rows that were learned from -> like them or not

It holds the predictions of its own training rows without their group, and everything that it promises is computed of
them when it is asked for: the accuracy on new slides, the sets, from which confidence on it answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.fitting.scaling import Scaling
from bench.heads.left_out import groups_of_classes
from bench.heads.state import Fitted
from bench.heads.temperature import soften
from bench.statistics.conformal import least_groups, limit
from bench.statistics.selective import answer_from
from bench.studies.classifier.from_images import FromImages
from bench.studies.classifier.promise import Promise, make_promise
from bench.studies.classifier.reference import Reference

BLOCK = 4096  # rows that are answered at once


@dataclass(frozen=True, kw_only=True)
class About:
    """What a classifier is, apart from its numbers; JSON.

    encoder: its full name; encoder_key and weights: what makes its embeddings what they are, see `EncoderSpec.key`.
    head, head_version; setting, temperature; chosen_by: "left-out groups" or "rule". instances: what of an image is
    classified, as in --instances. channels: numbers of channels that images had; dtypes: types of their pixels, none
    where that was not kept yet. sides: the least and the most pixels along the longer side of what is classified whole,
    0 where that is not known; regions: whether all of these were parts of images. um_per_px: (least, most) micrometres
    per pixel, None where it is not known of all. licence: of the encoder's weights; licence_class: what it allows.
    data: what the labelled images are called; rows, images, groups: how many. classes: sorted. candidates: (encoder,
    head, balanced accuracy, folds that chose it), best first; folds: of how many. warnings: what to know before
    believing it. versions: of the libraries it was made with.

    Where it learned from labels of images, of which `rows` cells were cut: bag_head, bag_head_version; head and
    head_version are those that it rests on, "" and 0 where there is none. none_level: probability of the likeliest
    class below which a cell is none of them, 0 where no cell is; none_share: how many of the cells of left-out images
    are called so. most: cells of an image that were learned from, the most, 0 where there was no limit.
    """

    classes: tuple[str, ...]
    encoder: str
    encoder_key: str
    weights: str
    licence: str
    licence_class: str
    scaling: str
    head: str
    head_version: int | str
    setting: Mapping[str, Any]
    temperature: float
    chosen_by: str
    instances: str
    channels: tuple[int, ...]
    um_per_px: tuple[float, float] | None
    data: str
    rows: int
    images: int
    groups: int
    candidates: tuple[tuple[str, str, float, int], ...]
    folds: int
    warnings: tuple[str, ...]
    versions: Mapping[str, str]
    bag_head: str = ""
    bag_head_version: int = 0
    none_level: float = 0.0
    none_share: float = 0.0
    most: int = 0
    dtypes: tuple[str, ...] = ()
    sides: tuple[int, int] = (0, 0)
    regions: bool = False

    @property
    def learner(self) -> str:
        """The head as it is typed: in --bag-head where it learned from labels of images, else in --head."""
        return self.bag_head or self.head

    @property
    def unit(self) -> str:
        """What its labels, and so its promises, are of."""
        return "image" if self.bag_head else "instance"

    @property
    def part(self) -> str:
        """What of an image gets an answer: tile or cell."""
        return "tile" if self.instances.startswith("tiles") else "cell"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of answers. sets: how often a set is to hold the truth. errors: how many of the answers may be
    wrong, None to answer whatever the confidence. unlike: p-value up to which an item counts as unlike all that is
    known, and is not answered; 0 answers all.
    """

    sets: float = 0.9
    errors: float | None = None
    unlike: float = 0.05

    def __post_init__(self) -> None:
        for name, value, least in (("--sets", self.sets, 0.0), ("--errors", self.errors, 0.0)):
            if value is not None and not least < value < 1:
                raise BenchError(f"Got {name} {value}; expected a share between 0 and 1, such as 0.9 or 0.05.")
        if not 0 <= self.unlike < 1:
            raise BenchError(f"Got --unlike {self.unlike}; expected a p-value from 0 (answer all) to below 1.")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Of N rows. P float (N, K): probabilities; members bool (N, K): the set; unlike (N,): p-value; nearest int
    (N, 3): rows of the reference; seen bool (N,): rows that it learned from, as far as it remembers them; why: "" where
    a row is answered, else why it is not. none bool (N,): rows that are none of the classes, None where the classifier
    cannot say so. Of cells that have no label where it learned from images, nothing is promised: their sets are empty.
    """

    P: np.ndarray
    members: np.ndarray
    unlike: np.ndarray
    nearest: np.ndarray
    seen: np.ndarray
    why: tuple[str, ...]
    none: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class ImageAnswers:
    """Of B images, as sets of cells. P float (B, K); members bool (B, K): the set; sure bool (B,): whether the answer
    is sure enough for the rate of errors that was asked for.
    """

    P: np.ndarray
    members: np.ndarray
    sure: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The whole of it. left_out float32 (n, K): probabilities of the training rows that scores rest on
    without their group, softened, by what other groups chose; y int (n,): their labels; group int (n,): codes. Rows
    are what has labels: `About.unit`.
    """

    about: About
    scale: Scaling
    fitted: Fitted
    left_out: np.ndarray
    y: np.ndarray
    group: np.ndarray
    reference: Reference = field(repr=False)

    @cached_property
    def promise(self) -> Promise:
        """What to expect on new slides."""
        return make_promise(self.left_out, self.y, self.group, self.about.classes)

    @cached_property
    def known(self) -> np.ndarray:
        """Which training rows tell of new groups, bool (n,): those of classes in two groups or more."""
        return np.asarray(groups_of_classes(self.y, self.group, len(self.about.classes))[self.y] > 1)

    @property
    def one_group(self) -> tuple[str, ...]:
        """The classes that lie in a single group, of which nothing is known in others."""
        return tuple(self.about.classes[k] for k in np.unique(self.y[~self.known]))

    def set_limit(self, rate: float) -> float:
        """Return the least probability of a member of a set that holds the truth at a rate; 0 where groups are few."""
        rows = self.known
        if not rows.any():
            return 0.0
        missed = 1 - self.left_out[rows, self.y[rows]].astype(np.float64)
        found = limit(missed, self.group[rows], rate)
        return 0.0 if math.isinf(found) else 1 - found

    def sets_hold(self, rate: float) -> dict[str, float]:
        """Return class -> the share of its left-out rows whose set at a rate holds it, NaN of a class of one group.

        The rate is that of all classes together: it is kept although a class that is hard is in its sets less often.
        """
        members, _ = self._promised(self.left_out.astype(np.float64), Asked(sets=rate))
        held = members[np.arange(len(self.y)), self.y]
        own = {k: held[self.known & (self.y == k)] for k in range(len(self.about.classes))}
        return {name: float(own[k].mean()) if len(own[k]) else math.nan for k, name in enumerate(self.about.classes)}

    def answer_from(self, errors: float) -> float:
        """Return the confidence from which answers may be given so that at most that share of them is wrong."""
        rows = self.known
        P = self.left_out[rows].astype(np.float64)
        return answer_from(P.max(1), P.argmax(1) != self.y[rows], self.group[rows], errors) if rows.any() else math.inf

    def too_few_for(self, rate: float) -> str:
        """Return why sets at a rate hold every class, "" where they need not."""
        groups, least = len(np.unique(self.group[self.known])), least_groups(rate)
        if groups >= least:
            return ""
        return f"a set that holds the truth at a rate of {rate:g} needs {least} slides, and this rests on {groups}"

    def answer(self, X: np.ndarray, asked: Asked = Asked()) -> Answers:
        """Answer embeddings X (N, d) as the encoder gives them. What a row gets does not depend on the others."""
        rows = self.scale.of(X)
        P = soften(self.fitted.scores(rows), self.about.temperature)
        nearest, unlike = self.reference.nearest(rows)
        if isinstance(self.fitted, FromImages):
            members, sure = np.zeros(P.shape, bool), np.ones(len(P), bool)
        else:
            members, sure = self._promised(P, asked)
        why = tuple(
            "unlike all training images" if p <= asked.unlike else "" if enough else "not sure enough"
            for p, enough in zip(unlike, sure, strict=True)
        )
        none = P.max(1) < self.about.none_level if self.about.none_level else None
        return Answers(
            P=P, members=members, unlike=unlike, nearest=nearest, seen=self.reference.holds(rows, nearest), why=why,
            none=none,
        )  # fmt: skip

    def answer_images(self, X: np.ndarray, start: np.ndarray, asked: Asked = Asked()) -> ImageAnswers:
        """Answer images whose cells are rows of X (M, d), image by image, from `start` int (B,) on.

        Only where it learned from labels of images (`About.bag_head`).
        """
        assert isinstance(self.fitted, FromImages)
        P = soften(self.fitted.images(self.scale.of(X), start), self.about.temperature)
        members, sure = self._promised(P, asked)
        return ImageAnswers(P=P, members=members, sure=sure)

    def _promised(self, P: np.ndarray, asked: Asked) -> tuple[np.ndarray, np.ndarray]:
        """Return the sets of P (n, K), bool (n, K), and which of the n are sure enough for the rate of errors."""
        members = self.set_limit(asked.sets) <= P
        members[np.arange(len(P)), P.argmax(1)] = True
        return members, P.max(1) >= (0 if asked.errors is None else self.answer_from(asked.errors))
