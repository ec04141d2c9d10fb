"""Answers for images beside those for their cells, by a classifier that learned from labels of images.

Blocks of answered cells come in, and rows of images go out. Cells of an image may lie in several blocks: what its
answer needs is held until the next image begins, and of no other image. It is answered by at most as many of its cells
as images had when it learned, drawn as they were drawn then, since a head that counts cells would take a crowded image
for another kind of image; the shares are of all its cells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from bench.instances.cut import places_in_draw
from bench.studies.classifier.from_images import NONE, UNLIKE
from bench.studies.classifier.model import Asked, Model
from bench.studies.classifier.predict import Answered
from bench.studies.classifier.table import set_text, writing

MOSTLY = 0.5  # share of cells unlike all that is known, above which an image is not answered
MOST_UNLIKE = "most of its cells are unlike all training images"


class ImageRows:
    """Blocks of answers to rows of images. classes: class -> images, of those that are answered; refused: reason ->
    images without an answer.
    """

    def __init__(self, model: Model, asked: Asked, write: Callable[[pd.DataFrame], None]) -> None:
        self.model, self.asked, self.write = model, asked, write
        self.classes, self.refused = Counter[str](), Counter[str]()
        self._path: str | None = None
        self._forget()

    def _forget(self) -> None:
        self._X: list[np.ndarray] = []
        self._last: str | None = None
        self._place: list[np.ndarray] = []
        self._answers, self._cells = Counter[str](), 0

    def take(self, block: Answered) -> None:
        """Take the next block; its cells are in the order of their images."""
        self._give([row for own in _images_of(block) for row in self._begin(own.start, own.stop, block)])

    def end(self) -> None:
        """Answer the last image."""
        self._give(self._answered())

    def _begin(self, start: int, stop: int, block: Answered) -> list[dict[str, object]]:
        """Take cells of one image; returns the row of the image before, where another one begins."""
        path, rows = str(block.instances["path"].iloc[start]), block.rows.iloc[start:stop]
        done = self._answered() if path != self._path else []
        self._path = path
        self._cells += stop - start
        self._answers.update(rows["answer"].dropna())
        names = block.instances["instance"].iloc[start:stop].tolist()
        # Cells of one window come one after another, and it counts once, as when the classifier learned.
        first = [i for i, name in enumerate(names) if name != (names[i - 1] if i else self._last)]
        self._last = names[-1]
        self._X.append(block.X[start:stop][first])
        self._place.append(places_in_draw([names[i] for i in first]))
        most = self.model.about.most
        if most and sum(map(len, self._X)) > most:
            X, place = np.concatenate(self._X), np.concatenate(self._place)
            kept = np.sort(np.argsort(place, kind="stable")[:most])
            self._X, self._place = [X[kept]], [place[kept]]
        return done

    def _answered(self) -> list[dict[str, object]]:
        """Return the row of the image that is held, and forget it."""
        if not self._cells:
            return []
        names = self.model.about.classes
        found = self.model.answer_images(np.concatenate(self._X), np.zeros(1, np.int64), self.asked)
        top, shares = int(found.P[0].argmax()), {name: self._answers[name] / self._cells for name in (*names, NONE)}
        unlike = 1 - sum(self._answers.values()) / self._cells
        why = MOST_UNLIKE if unlike > MOSTLY else "" if found.sure[0] else "not sure enough"
        self.refused.update([why] if why else [])
        self.classes.update([] if why else [names[top]])
        row: dict[str, object] = {"path": self._path, "cells": self._cells, "class": names[top]}
        row |= {"probability": float(found.P[0, top])}
        row |= {f"p_{name}": float(found.P[0, k]) for k, name in enumerate(names)}
        row |= {"set": set_text(name for name, member in zip(names, found.members[0], strict=True) if member)}
        row |= {"answer": None if why else names[top], "why_no_answer": why or None}
        row |= {f"cells_{name}": share for name, share in shares.items()} | {f"cells_{UNLIKE}": max(unlike, 0.0)}
        self._forget()
        return [row]

    def _give(self, rows: list[dict[str, object]]) -> None:
        if rows:
            self.write(pd.DataFrame(rows))


def _images_of(block: Answered) -> Iterator[slice]:
    """Yield which rows of a block are of one image, those of the images after it next."""
    paths = block.instances["path"].to_numpy(object)
    starts = np.flatnonzero(np.append(True, paths[1:] != paths[:-1]))
    yield from (slice(int(a), int(b)) for a, b in zip(starts, [*starts[1:], len(paths)], strict=True))


def images_beside(to: Path) -> Path:
    """Return where the table of images lies beside that of cells."""
    return to.with_name(f"{to.stem}-images{to.suffix}")


@contextmanager
def writing_images(model: Model, asked: Asked, to: Path) -> Iterator[ImageRows | None]:
    """Yield what blocks of answers are given to, which writes a row per image; None where images get no answer."""
    if not model.about.bag_head:
        yield None
        return
    with writing(to) as write:
        rows = ImageRows(model, asked, write)
        yield rows
        rows.end()
