"""Labelling as it goes on: what a press does to the journal and, a moment later, to the label table.

The page knows items by their number and labels by a code: the number of a class, or UNSURE, or None for no label.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.chosen_by import CHOSEN_BY
from bench.data.table_place import folder_before
from bench.errors import BenchError
from bench.report.html.words import shown_text
from bench.studies.label.items import Task, checked_class
from bench.studies.label.journal import Change, Journal, Key, Label
from bench.studies.label.marks import marks_of
from bench.studies.label.table import EXAMPLE, table_bytes, write_table

UNSURE = -1
RECENT = 24  # presses that the page is told of when it opens
SOON = 1.0  # seconds until the table is written after a press; the journal has it at once
Code = int | None


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What came out. labels: class -> how many have it by now; given: those of them that the data had before. groups:
    class that has labels -> in how many groups they are, where none were given in how many images."""

    labels: dict[str, int]
    groups: dict[str, int]
    unsure: int
    pressed: int
    left: int
    given: int


class Labelling:
    """The items of a task and their labels, for several threads; `close` writes the table for the last time."""

    def __init__(self, task: Task, journal: Journal, to: Path) -> None:
        self.task, self.to = task, to
        self._journal, self._before = journal, folder_before(task.root, to, EXAMPLE)
        self._at = {key: i for i, key in enumerate(task.keys)}
        marks = marks_of({*task.keys, *journal.state.labels}, to, self._before)  # those of `bench next` before this one
        self._about = {
            **task.about, **{key: {CHOSEN_BY: mark, **task.about.get(key, {})} for key, mark in marks.items()}
        }  # fmt: skip
        self.classes = list(task.classes)
        for name in (*journal.state.classes, *(label for label in journal.state.labels.values() if label is not None)):
            if name not in self.classes:
                self.classes.append(name)
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._problem, self._closed = "", False
        self.deeds = 0  # presses, undos and new classes, by which a page knows that another page did something
        self._save()

    def state(self) -> dict[str, Any]:
        """Return all that the page shows, as JSON has it."""
        with self._lock:
            task, labels = self.task, self._journal.state.labels
            numbers = {name: k for k, name in enumerate(self.classes)}
            shown = [shown_text(name) for name in task.shown]
            return {
                "title": shown_text(task.name), "classes": [shown_text(name) for name in self.classes],
                "names": shown, "regions": task.regions, "boxes": self._boxes(),
                "given": [None if label is None else numbers[label] for label in task.given] if task.keeps else [],
                "why": {str(i): shown_text(f"{task.lead}: {why}.") for i, why in enumerate(task.why) if why},
                "labels": {str(self._at[key]): self._code(label) for key, label in labels.items() if key in self._at},
                "recent": self._recent(RECENT), "table": shown_text(self.to), "problem": shown_text(self._problem),
                "deeds": self.deeds,
            }  # fmt: skip

    def press(self, items: Sequence[int], code: int) -> dict[str, Any]:
        """Label items by the number of a class, or UNSURE. The answer comes once the journal is on the disk."""
        with self._lock:
            self._check_open()
            if not items or not all(0 <= i < len(self.task.keys) for i in items):
                raise BenchError("Got an image that is not here; expected one of this page. Load the page again.")
            if not UNSURE <= code < len(self.classes):
                raise BenchError("Got a class that is not here; expected one of this page. Load the page again.")
            label = None if code == UNSURE else self.classes[code]
            return self._changed(self._journal.press([self.task.keys[i] for i in dict.fromkeys(items)], label))

    def undo(self) -> dict[str, Any]:
        """Take the last press back."""
        with self._lock:
            self._check_open()
            return self._changed(self._journal.undo())

    def add_class(self, name: str) -> dict[str, Any]:
        """Add a class that was typed."""
        with self._lock:
            self._check_open()
            text = checked_class(name, self.classes)
            self._journal.add(**{"class": text})
            self.classes.append(text)
            self.deeds += 1
            return {"classes": [shown_text(one) for one in self.classes], "deeds": self.deeds}

    def tally(self) -> Tally:
        """Return how many labels there are of each class."""
        with self._lock:
            pressed, all_of_them = self._journal.state.labels, self._labels()
            counts = Counter(label for label in all_of_them.values() if label is not None)
            group = {key: self._about.get(key, {}).get("group") or key[0] for key in all_of_them}
            groups = Counter(label for label, _ in {(label, group[key]) for key, label in all_of_them.items()})
            return Tally(
                labels={name: counts[name] for name in self.classes},
                groups={name: groups[name] for name in self.classes if groups[name]},
                unsure=sum(label is None for label in pressed.values()), pressed=len(pressed),
                left=sum(key not in pressed for key in self.task.keys), given=len(all_of_them) - len(pressed),
            )  # fmt: skip

    def table_bytes(self) -> bytes:
        """Return the label table as it is now, as CSV."""
        with self._lock:
            return table_bytes(self._labels(), self._about, self._before)

    def close(self) -> None:
        """Write the table. Raises BenchError where that cannot be done; the journal has all labels."""
        with self._lock:
            self._closed = True
            if self._timer:
                self._timer.cancel()
            self._save()

    def _check_open(self) -> None:
        if self._closed:
            raise BenchError("Got a label after the end; expected none. Type the same command again to go on.")

    def _changed(self, change: Change) -> dict[str, Any]:
        """Return what a press changed, and see to it that the table follows."""
        if change and self._timer is None:
            self._timer = threading.Timer(SOON, self._save_soon)
            self._timer.daemon = True
            self._timer.start()
        changed = [
            [self._at[key], self._code(*label) if label else None] for key, label in change.items() if key in self._at
        ]
        self.deeds += 1
        return {
            "changed": changed, "recent": self._recent(RECENT), "problem": shown_text(self._problem),
            "deeds": self.deeds,
        }  # fmt: skip

    def _save_soon(self) -> None:
        with self._lock:
            self._timer = None
            if self._closed:
                return
            try:
                self._save()
                self._problem = ""
            except BenchError as error:  # the page says so, and the labels are in the journal
                self._problem = f"The label table cannot be written now; no label is lost. {error}"

    def _save(self) -> None:
        there = self.to.read_bytes() if self.to.exists() else None
        data = self.table_bytes()
        if data != there and (self._labels() or there is not None):
            write_table(self.to, data, self._journal)

    def _labels(self) -> dict[Key, Label]:
        given = {key: label for key, label in zip(self.task.keys, self.task.given, strict=True) if label is not None}
        return {**given, **self._journal.state.labels}

    def _recent(self, most: int) -> list[int]:
        """Return the items of the last presses, the last one last."""
        found: dict[int, None] = {}
        for _, before in reversed(self._journal.state.pressed):
            for key in reversed(before):
                if key in self._at:
                    found.setdefault(self._at[key])
            if len(found) >= most:
                break
        return list(found)[:most][::-1]

    def _code(self, label: Label) -> Code:
        return UNSURE if label is None else self.classes.index(label)

    def _boxes(self) -> list[list[float] | None]:
        """Return each item's box as shares of its image: left, top, width, height; None for a whole image."""
        if not self.task.regions:
            return []
        boxes: list[list[float] | None] = []
        sizes = self.task.rows[["width", "height"]].to_numpy(float).tolist()
        for key, (w, h) in zip(self.task.keys, sizes, strict=True):
            x0, y0, x1, y1 = map(float, key[1:] or (0, 0, w, h))
            shares = [x0 / w, y0 / h, (x1 - x0) / w, (y1 - y0) / h]
            boxes.append([round(share, 5) for share in shares] if len(key) > 1 else None)
        return boxes
