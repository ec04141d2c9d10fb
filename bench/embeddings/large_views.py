"""The views of parts of a picture that is too large to be read at once: each part is read when it is asked for."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from contextlib import ExitStack

import numpy as np

from bench.images import ImageError, Picture, sample, sample_step
from encoders import EncoderError, Preprocess
from encoders.preprocess import as_views, looks_at_all

Box = tuple[int, int, int, int] | None  # x0, y0, x1, y1 in pixels, the ends excluded; None for the whole image
AHEAD = 48 << 20  # bytes that a thread reads in one go
SAMPLE = 4_000_000  # pixels by which a window in percentiles, or a mean, of the whole picture is taken


class LargeViews:
    """As `bench.embeddings.prepare.WholeViews`, of a picture that stays open as long as this is used.

    Safe for several threads, of which one reads at a time. What is a property of the whole picture, its percentiles or
    its mean, is that of every n-th pixel along both axes, SAMPLE of them at most.
    """

    def __init__(self, picture: Picture, opened: ExitStack) -> None:
        self._picture = picture
        self._lock = threading.Lock()
        self._samples: dict[str, np.ndarray] = {}
        self._ahead = threading.local()
        weakref.finalize(self, opened.close)  # not before the last thread is done with it

    def read_ahead(self, stacks: Iterable[str], boxes: Iterable[Box]) -> None:
        """Read the first of some parts in one go, for this thread, unless the first has been read.

        Threads that take turns part by part would make a format that is read from the top, PNG, start anew each time.
        """
        boxes, stacks = list(boxes), list(stacks)
        if not boxes or any((stack, boxes[0]) in self._mine() for stack in stacks):
            return
        self._mine().clear()
        size = 0
        with self._lock:
            for box in boxes:
                if size > AHEAD:
                    break
                for stack in stacks:
                    try:
                        part = self._picture.project(stack, _region(box))
                    except ImageError:  # told to who asks for that part
                        continue
                    self._mine()[stack, box] = part
                    size += part.nbytes

    def crops(self, policy: Preprocess, box: Box) -> list[np.ndarray]:
        """Return the V views uint8 (h, w, 3) of a part. Raises ImageError, also where that is too large."""
        info = self._picture.info
        part = self._part(policy.stack, box)
        with self._lock:
            whole = self._sample(policy.stack) if looks_at_all(np.dtype(info.dtype), policy) else None
        try:
            return as_views(part, policy, info.names, whole)
        except EncoderError as error:
            raise ImageError(str(error)) from None

    def known(self, policy: Preprocess, box: Box) -> np.ndarray | None:
        """Return where the pixels of a part are finite, bool (h, w), None where all of them are."""
        return known_of(self._part(policy.stack, box))

    def _mine(self) -> dict[tuple[str, Box], np.ndarray]:
        """Return what this thread has read ahead."""
        if not hasattr(self._ahead, "parts"):
            self._ahead.parts = {}
        parts: dict[tuple[str, Box], np.ndarray] = self._ahead.parts
        return parts

    def _part(self, stack: str, box: Box) -> np.ndarray:
        kept = self._mine().get((stack, box))
        if kept is not None:
            return kept
        with self._lock:
            return self._picture.project(stack, _region(box))

    def _sample(self, stack: str) -> np.ndarray:
        if stack not in self._samples:
            self._samples[stack] = sample(self._picture, stack, sample_step(self._picture, SAMPLE))
        return self._samples[stack]


def known_of(pixels: np.ndarray) -> np.ndarray | None:
    """Return where pixels (H, W, C) are finite in every channel, bool (H, W), None where all are."""
    finite = None if pixels.dtype.kind != "f" else np.isfinite(pixels).all(2)
    return None if finite is None or finite.all() else finite


def _region(box: Box) -> tuple[int, int, int, int] | None:
    return None if box is None else (box[1], box[0], box[3], box[2])
