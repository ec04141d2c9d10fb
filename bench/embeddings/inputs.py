"""Rows of the instance table to what encoders take, from any thread; an image is opened once for all its rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from itertools import takewhile
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.datasets import BOX
from bench.embeddings.large_views import Box, LargeViews
from bench.embeddings.pixels import PixelCache
from bench.embeddings.prepare import Views, cut, open_views
from bench.images import NO_MEMORY, ImageError
from bench.instances.blank import Blank, read_labels
from encoders import Preprocess

HELD = 400_000_000  # bytes of inputs that are given at once, and one row more: images may be as large as they are
Prepared = dict[Preprocess, dict[int, np.ndarray]]  # policy -> row -> uint8 (V, S, S, 3)


class Inputs:
    """The inputs of the rows of an instance table, which has the columns instance, path, digest, BOX and blank.

    Rows of one image should be asked for close together: only the last `keep` images are kept open, one for each
    thread that asks, so that memory does not grow with the number of images. found: the root of what
    `bench.instances.cell_cache` keeps, for instances of which a part is blanked.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        root: Path,
        policies: Sequence[Preprocess],
        cache: PixelCache,
        keep: int = 1,
        found: Path | None = None,
    ) -> None:
        self.root = root
        self.policies = tuple(policies)
        self.cache = cache
        self._names = table["instance"].to_numpy(str)
        self._paths = table["path"].to_numpy(str)
        self._digests = dict(zip(self._paths.tolist(), table["digest"].to_numpy(str).tolist(), strict=True))
        boxes = table[BOX].to_numpy(dtype=np.int64, na_value=-1)
        self._boxes: list[Box] = [None if x0 < 0 else (x0, y0, x1, y1) for x0, y0, x1, y1 in boxes.tolist()]
        self._blanks = [Blank.parse(text) if isinstance(text, str) else None for text in table["blank"].tolist()]
        self._found = found
        self._keep = keep
        self._open: OrderedDict[tuple[str, str | None], Future[tuple[Views, np.ndarray | None]]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, wanted: Mapping[Preprocess, Sequence[int]]) -> tuple[Prepared, dict[str, str]]:
        """Return the inputs of some rows for each policy, and path -> reason of images that cannot be read.

        Of inputs larger than HELD only the first rows are given, one at least, see `left_of`.
        """
        prepared = {policy: self._kept(policy, rows) for policy, rows in wanted.items()}
        lacking = {policy: set(rows) - prepared[policy].keys() for policy, rows in wanted.items()}
        problems: dict[str, str] = {}
        seen: tuple[object, Views, np.ndarray | None] | None = None  # of the row before: mostly of the same image
        rows_left = sorted(set().union(*lacking.values()))
        held = 0
        for at, row in enumerate(rows_left):
            path, blank = self._paths[row], self._blanks[row]
            what = path, blank.labels if blank else None
            try:
                if seen is None or seen[0] != what:
                    seen = what, *self._views(what)
                _, views, labels = seen
                if isinstance(views, LargeViews):
                    following = takewhile(lambda one: self._paths[one] == path, rows_left[at:])  # noqa: B023 used at once
                    views.read_ahead({policy.stack for policy in lacking}, (self._boxes[one] for one in following))
                hidden = None if blank is None or labels is None else (blank, labels)
                for policy in (policy for policy, rows in lacking.items() if row in rows):
                    prepared[policy][row] = cut(views, self._boxes[row], policy, hidden)
                    held += prepared[policy][row].nbytes
            except ImageError as error:
                problems[path] = str(error)
            except MemoryError:
                problems[path] = NO_MEMORY
            if held > HELD:
                break
        for policy, rows in wanted.items():
            if lacking[policy]:
                made = {str(self._names[row]): prepared[policy][row] for row in rows if row in prepared[policy]}
                self.cache.write(policy, [str(self._names[row]) for row in rows], made)
        return prepared, problems

    def left_of(
        self, wanted: Mapping[Preprocess, Sequence[int]], prepared: Prepared, problems: Mapping[str, str]
    ) -> dict[Preprocess, list[int]]:
        """Return the rows that were wanted and are neither prepared nor of an image that cannot be read."""
        return {
            policy: [row for row in rows if row not in prepared[policy] and self.path(row) not in problems]
            for policy, rows in wanted.items()
        }

    def path(self, row: int) -> str:
        """Return the path of the image of a row."""
        return str(self._paths[row])

    def _kept(self, policy: Preprocess, rows: Sequence[int]) -> dict[int, np.ndarray]:
        names = [str(self._names[row]) for row in rows]
        kept = self.cache.read(policy, names) if names else {}
        return {row: kept[name] for row, name in zip(rows, names, strict=True) if name in kept}

    def _views(self, what: tuple[str, str | None]) -> tuple[Views, np.ndarray | None]:
        """Return the views of an image, and the label image of that name if one is asked for."""
        with self._lock:
            mine = what not in self._open
            future = self._open.setdefault(what, Future())
            self._open.move_to_end(what)
            while len(self._open) > self._keep:
                self._open.popitem(last=False)
        if mine:
            path, labels = what
            try:
                kept = read_labels(self._found, labels) if labels else None
                future.set_result((open_views(self.root / path, self.policies, self._digests[path]), kept))
            except BaseException as error:
                future.set_exception(error)
            self._close_large_but(what)
        return future.result()

    def _close_large_but(self, last: tuple[str, str | None]) -> None:
        """Let go of other large images than this one, which each hold decoded parts, or all of a JPEG."""
        with self._lock:
            if last not in self._open or not _is_large(self._open[last]):
                return
            for what in [what for what, future in self._open.items() if what != last and _is_large(future)]:
                del self._open[what]


def _is_large(future: Future[tuple[Views, np.ndarray | None]]) -> bool:
    return future.done() and future.exception() is None and isinstance(future.result()[0], LargeViews)
