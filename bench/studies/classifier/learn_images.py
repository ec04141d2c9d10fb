"""From labels of images to a classifier of images and of their cells: leave images out, choose, fit on all, remember.

Groups are dealt to folds. Of each fold every image is predicted by every bag head that learned from the other folds:
as an image, by which encoder and head are chosen and of which the promise is made, and cell by cell, which tells below
what probability a cell is none of the classes (`bench.studies.granularity.none_of_these`). No cell has a label, so
nothing can be promised of cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import BenchError
from bench.fitting.scaling import scale_rows, scaling_of
from bench.heads import all_heads
from bench.heads.contract import Params
from bench.heads.left_out import groups_of_classes
from bench.studies.classifier.choice import Name, choose, judges
from bench.studies.classifier.from_images import NONE, UNLIKE, FromImages
from bench.studies.classifier.learn import LabelledRows, Learned, OnStep
from bench.studies.classifier.left_out import deal_folds
from bench.studies.classifier.reference import remember
from bench.studies.granularity.bags import Bags, make_bags
from bench.studies.granularity.heads.contract import BagHead, Draw, no_bags
from bench.studies.granularity.none_of_these import even_weights, none_level


@dataclass(frozen=True, kw_only=True)
class LabelledImages:
    """Cells that are rows of `rows`, whose labels are those of their images. image int (n,): codes from 0 of the n
    cells' images; bags: the B images, with their labels; group (B,): codes of their groups; tested (B,): images that
    scores rest on.
    """

    rows: LabelledRows
    image: np.ndarray
    bags: Bags
    group: np.ndarray
    tested: np.ndarray

    @property
    def y(self) -> np.ndarray:
        """The labels of the images, int (B,)."""
        return self.bags.y


@dataclass(frozen=True, kw_only=True)
class ImagesLeftOut:
    """What a bag head says of what it did not learn from. P (1, B, K): of images; cells float32 (n, K): of cells.

    Its setting is that of the head, and its probabilities are as they are. chosen: whether the head that it rests on
    gets its setting from left-out images.
    """

    settings: tuple[Params, ...]
    P: np.ndarray
    cells: np.ndarray
    chosen: bool

    def settle(self, y: np.ndarray, among: np.ndarray | None = None) -> tuple[int, float]:
        """Return the one setting and the temperature 1."""
        return 0, 1.0


@dataclass(frozen=True, kw_only=True)
class NoneLevel:
    """level: probability of the likeliest class below which a cell is none of them, 0 where the images give no evidence
    of one; share: how many of the cells of left-out images are below it.
    """

    level: float
    share: float


def labelled_images(rows: LabelledRows, image: np.ndarray, names: Sequence[str]) -> LabelledImages:
    """Return rows as the cells of labelled images. image int (n,): codes from 0; names: of the images.

    Raises BenchError for an image whose cells have several labels or groups.
    """
    _, first = np.unique(image, return_index=True)
    for what, codes in (("labels", rows.y), ("groups", rows.group)):
        other = np.flatnonzero(codes != codes[first][image])
        if len(other):
            raise BenchError(
                f"Got --bag-head and cells of several {what} in the image {names[image[other[0]]]}; expected one label "
                "and one group for each image. To learn from labels of cells, leave --bag-head out."
            )
    return LabelledImages(rows=rows, image=image, bags=make_bags(image, rows.y[first]), group=rows.group[first],
                          tested=rows.tested[first])  # fmt: skip


def able(heads: Sequence[BagHead], y: np.ndarray, classes: Sequence[str]) -> tuple[list[BagHead], tuple[str, ...]]:
    """Return the heads that can learn from images of labels y (B,), and why others are not; BenchError for none."""
    counts = np.bincount(y, minlength=len(classes))
    few = int(counts.argmin())
    kept, why = [], []
    for head in heads:
        if head.least_bags > counts[few]:
            why.append(
                f"{head.name} is left out: it takes {head.least_bags} images of every class, and {classes[few]} has "
                f"{counts[few]}"
            )
        elif head.mixes and not head.mixes_none:
            why.append(f"{head.name} is left out: without labels of cells it is the same as mean-pool")
        else:
            kept.append(head)
    if not kept:
        raise BenchError(
            f"Got --bag-head {','.join(head.name for head in heads)}, of which none can be used ({'; '.join(why)}). "
            "Expected others, such as --bag-head mean-pool,inherit,noisy-or, or all for all that can."
        )
    return kept, tuple(why)


def learn_images(
    images: LabelledImages, heads: Sequence[BagHead], on_step: OnStep | None = None
) -> tuple[Learned, NoneLevel]:
    """Choose an encoder and bag head by left-out images, and fit them on all."""
    rows, bags = images.rows, images.bags
    fold = deal_folds(bags.y, images.group, rows.n_classes)
    left: dict[Name, ImagesLeftOut] = {}
    total = len(rows.embedded) * len(heads) * len(np.unique(fold))
    for encoder in rows.embedded:
        left |= _left_out(images, encoder, heads, fold, _counting(on_step, len(left) * len(np.unique(fold)), total))
    told = judges(groups_of_classes(bags.y, images.group, rows.n_classes)[bags.y] > 1, images.tested, bags.y)
    choice = choose(left, bags.y, fold, told)
    [head] = [one for one in heads if one.name == choice.head]
    X = rows.embedded[choice.encoder]
    scale = scaling_of(X, np.arange(len(X)), rows.group, rows.scaling[choice.encoder])
    scaled = scale.of(X)
    fitted = head.restore(head.fit(_draw(images, scaled, bags)).state())  # as it is kept, so that a stored one agrees
    learned = Learned(
        choice=choice, scale=scale, fitted=FromImages(bags=fitted, d=X.shape[1]),
        reference=remember(scaled, rows.y, rows.group, rows.names),
    )  # fmt: skip
    return learned, _none_level(images, left[choice.encoder, choice.head].cells, told)


def _left_out(
    images: LabelledImages, encoder: str, heads: Sequence[BagHead], fold: np.ndarray, on_fit: OnStep
) -> dict[Name, ImagesLeftOut]:
    """Return what every head says of every image and cell without its fold (B,)."""
    rows, bags, K = images.rows, images.bags, images.rows.n_classes
    X = rows.embedded[encoder]
    P = {head.name: np.zeros((1, len(bags), K)) for head in heads}
    cells = {head.name: np.zeros((len(X), K), np.float32) for head in heads}
    for one in np.unique(fold):
        learned, held = bags.take(np.flatnonzero(fold != one)), bags.take(np.flatnonzero(fold == one))
        if not len(learned):
            continue
        scaled = scale_rows(X, learned.rows, rows.group, rows.scaling[encoder])
        for head in heads:
            scored = head.fit(_draw(images, scaled, learned)).scored(scaled, held, held.rows)
            P[head.name][0, fold == one], cells[head.name][held.rows] = scored
            on_fit("leave images out", 1, 1)
    return {
        (encoder, head.name): ImagesLeftOut(
            settings=(dict(head.settings),), P=P[head.name], cells=cells[head.name], chosen=head.chosen_by == "auto"
        )
        for head in heads
    }


def _draw(images: LabelledImages, scaled: np.ndarray, bags: Bags) -> Draw:
    nothing = np.zeros(0, np.int64)
    return Draw(scaled, bags, no_bags(), images.rows.n_classes, no_bags(), nothing, group=images.rows.group)


def _none_level(images: LabelledImages, P: np.ndarray, told: np.ndarray) -> NoneLevel:
    """Return from which probability on a cell is of a class. P (n, K): of cells; told bool (B,): images that tell."""
    known = told[images.image]
    if not known.any():
        return NoneLevel(level=0.0, share=0.0)
    y = images.rows.y[known]
    weight = even_weights(y, images.rows.n_classes)
    level = none_level(P[known].astype(np.float64), y, images.image[known], weight)
    return NoneLevel(level=level, share=float((P[known].max(1) < level).mean()))


def _counting(on_step: OnStep | None, done: int, total: int) -> OnStep:
    """Return what every fit is told to, which tells of all of them."""

    def tell(what: str, _done: int, _total: int) -> None:
        nonlocal done
        done += 1
        if on_step:
            on_step(what, done, total)

    return tell


def check_asked(heads: Sequence[BagHead], instances: str, cell_column: str | None) -> None:
    """Raise BenchError for what labels of images cannot be learned from: no cells, or labels of cells beside them.

    Also for heads that rest on code in a file, which cannot be kept.
    """
    for head in heads:
        if head.base not in all_heads():
            raise BenchError(
                f"Got --bag-head {head.name}, which rests on code in a file, so that the classifier could not be kept; "
                f"expected a head of the program after the colon: {', '.join(all_heads())}."
            )
    if instances.partition(":")[0] == "whole":
        raise BenchError(
            "Got --bag-head with --instances whole, where an image is not cut into cells; expected cells or tiles, "
            "such as --instances segments or tiles:128:fg. For whole images leave --bag-head out."
        )
    if cell_column is not None:
        raise BenchError(
            f"Got --cell-column {cell_column} with --bag-head, which learns from labels of images alone; expected one "
            "of the two. Leave --cell-column out."
        )


def check_classes(classes: Sequence[str]) -> None:
    """Raise BenchError where a class is called as what is none of them, or unlike them: its column of the table of
    images would be the one that tells the share of such cells."""
    for name, what in ((NONE, "a cell of none of the classes"), (UNLIKE, "a cell unlike all training images")):
        if name in classes:
            raise BenchError(
                f"Got a class called '{name}', which is what --bag-head calls {what}; expected another name. Rename it."
            )
