"""Every press as one line of a file that only grows, so that a kill at any moment loses no more than the last press.

    {"n": 0, "labels": 1, "data": "raw", "instances": "whole"}      what the labels are of
    {"n": 1, "items": [["a.png"]], "label": "neuron"}               a press: one image, or several at once
    {"n": 2, "items": [["b.png", 0, 0, 64, 64]], "unsure": true}    a region of an image, of which one is not sure
    {"n": 3, "undo": 2}                                             press 2 never was
    {"n": 4, "class": "glia"}                                       a class that was typed
    {"n": 5, "table": "9f86d0..."}                                  the SHA-256 of the label table that comes next

n counts the lines. A line counts once it is whole, with its line break; what a kill leaves of one at the end is cut
off.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from bench.errors import BenchError
from bench.storage.atomic import refusal, sync

VERSION = 1
#: Path of an image below the data folder, and the box of a region, x0, y0, x1, y1: what names an item at every start.
Key = tuple[str | int, ...]
Label = str | None  # None: unsure
Entry = dict[str, Any]
Change = dict[Key, list[Label]]  # the label of each item as a list of one, or of none where it has none


@dataclass(kw_only=True)
class State:
    """What the lines so far say. labels: of the items that have one. pressed: (n, labels before) of each press that
    was not undone. tables: digests of all tables that were written."""

    n: int = -1
    labels: dict[Key, Label] = field(default_factory=dict)
    pressed: list[tuple[int, Change]] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)
    about: dict[str, Any] = field(default_factory=dict)

    def apply(self, entry: Entry) -> Change:
        """Take a line in and return the labels that it changed, as they are now. Raises ValueError for no next line."""
        if entry.get("n") != self.n + 1 or type(entry["n"]) is not int:
            raise ValueError(f"number {entry.get('n')!r} follows {self.n}")
        kind = next((name for name in KINDS if name in entry), None)
        if kind is None or (kind == "labels") != (self.n == -1):
            raise ValueError("it says nothing that is known")
        changed = KINDS[kind](self, entry)
        self.n += 1
        return {key: self.label_of(key) for key in changed}

    def label_of(self, key: Key) -> list[Label]:
        """Return the label of an item as a list of one, none where it has none."""
        return [self.labels[key]] if key in self.labels else []


def _begin(state: State, entry: Entry) -> Sequence[Key]:
    if entry["labels"] != VERSION:
        raise ValueError(f"it is of form {entry['labels']!r}, and {VERSION} is known")
    state.about = {name: value for name, value in entry.items() if name not in ("n", "labels")}
    return ()


def _press(state: State, entry: Entry) -> Sequence[Key]:
    keys = [tuple(item) for item in entry["items"]]
    label = None if entry.get("unsure") is True else entry["label"]
    if not (label is None or isinstance(label, str)) or not all(key and isinstance(key[0], str) for key in keys):
        raise ValueError("it is no label of an image")
    state.pressed.append((entry["n"], {key: state.label_of(key) for key in keys}))
    state.labels |= dict.fromkeys(keys, label)
    return keys


def _undo(state: State, entry: Entry) -> Sequence[Key]:
    if not state.pressed or state.pressed[-1][0] != entry["undo"]:
        raise ValueError(f"press {entry['undo']!r} is not the last one")
    _, before = state.pressed.pop()
    for key, label in before.items():
        if label:
            state.labels[key] = label[0]
        else:
            state.labels.pop(key, None)
    return list(before)


def _class(state: State, entry: Entry) -> Sequence[Key]:
    if not isinstance(entry["class"], str):
        raise ValueError("it is no name of a class")
    state.classes.append(entry["class"])
    return ()


def _table(state: State, entry: Entry) -> Sequence[Key]:
    state.tables.add(str(entry["table"]))
    return ()


#: By the word that a line has, what it does to the state; it returns the items whose labels it changed.
KINDS: Mapping[str, Callable[[State, Entry], Sequence[Key]]] = MappingProxyType(
    {"labels": _begin, "items": _press, "undo": _undo, "class": _class, "table": _table}
)


def replay(data: bytes, name: str = "the journal") -> tuple[State, int]:
    """Return what the whole lines of a journal say, and how many bytes they are. Raises BenchError for damage.

    A last line that is not whole is what a kill or a power cut left, and is not counted.
    """
    state, size = State(), 0
    lines = io.BytesIO(data).readlines()
    for number, line in enumerate(lines, start=1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("it is not whole")
            entry = json.loads(line)
            if not isinstance(entry, dict):
                raise ValueError("it is no object")
            state.apply(entry)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if number == len(lines):
                break
            raise BenchError(
                f"Got {name}, whose line {number} cannot be read ({error}); expected it as it was written. Put it "
                "aside with its label table, and begin a new one by another --to."
            ) from None
        size += len(line)
    return state, size


class Journal:
    """A journal that is open to be added to. One process at a time has it, see `bench.studies.label.table`."""

    def __init__(self, path: Path, state: State, handle: int) -> None:
        self.path, self.state, self._handle = path, state, handle

    @classmethod
    def open(cls, path: Path, about: Mapping[str, Any]) -> Self:
        """Open a journal, or begin one of labels of `about`; BenchError where it is of something else."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            with os.fdopen(os.dup(handle), "rb") as file:
                data = file.read()
            state, size = replay(data, path.name)
            if state.n == 0 and any(state.about.get(name) != value for name, value in about.items()):
                state, size = State(), 0  # it was begun for others, and nothing was labelled
            if size < len(data):
                os.ftruncate(handle, size)
            os.lseek(handle, size, os.SEEK_SET)
        except OSError as error:
            raise refusal(path, error) from error
        made = cls(path, state, handle)
        if state.n < 0:
            made.add(labels=VERSION, **about)
        for name, value in about.items():
            if state.about.get(name) != value:
                made.close()
                raise BenchError(
                    f"Got --{name} {value}, where {path.name} has labels of --{name} {state.about.get(name)}; expected "
                    "the same. Say that, or begin another table by another --to."
                )
        return made

    def add(self, **entry: Any) -> Change:
        """Add a line, on the disk before this returns, and return the labels that it changed.

        Raises BenchError where it cannot be written; the journal then is as it was.
        """
        line = {"n": self.state.n + 1, **entry}
        size = os.lseek(self._handle, 0, os.SEEK_CUR)
        try:
            data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
            if os.write(self._handle, data) != len(data):
                raise OSError(28, "No space left on device")
            sync(self._handle)
        except OSError as error:
            os.ftruncate(self._handle, size)
            os.lseek(self._handle, size, os.SEEK_SET)
            raise refusal(self.path, error) from error
        return self.state.apply(line)

    def press(self, keys: Sequence[Key], label: Label) -> Change:
        """Label items; None is unsure."""
        said = {"unsure": True} if label is None else {"label": label}
        return self.add(items=[list(key) for key in keys], **said)

    def undo(self) -> Change:
        """Take the last press back, nothing where there is none."""
        return self.add(undo=self.state.pressed[-1][0]) if self.state.pressed else {}

    def close(self) -> None:
        """Close it."""
        os.close(self._handle)
