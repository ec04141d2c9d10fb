"""Print again what a command printed when it had nothing to do, if nothing that it reads has changed.

It reads what its options name, the results folder, images that a table names elsewhere, and code. Of installed packages
it is enough to see that one was installed or removed. See `bench.storage.unchanged`.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os.path import isdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli.console import console, errors, speech
from bench.storage.notices import any_notice
from bench.storage.unchanged import Fingerprint, fingerprint_of, keep_answer, key_of, recall_answer

if TYPE_CHECKING:
    from bench.data.datasets import Dataset

ENVIRONMENT = ("CELL_", "HF_", "TORCH", "XDG_", "CUDA")  # variables that encoders and caches obey
PACKAGES = ("site-packages", "dist-packages")
BETWEEN = re.compile(r"[,;=@:]")  # what separates a path from the rest of a word, as in mine=timm:NAME@weights=FILE


@dataclass(frozen=True, kw_only=True)
class Question:
    """A call of a command. fingerprint: of the folders `trees`, taken at the time `since` (s). printed: lines on
    standard error until then."""

    out: Path
    key: str
    trees: tuple[Path, ...]
    fingerprint: Fingerprint
    since: float
    printed: int

    def answer(self) -> str | None:
        """Return what the same call printed when it had nothing to do; None where something may have changed."""
        return recall_answer(self.out, self.key, self.fingerprint)

    def keep(self, text: str, dataset: Dataset) -> None:
        """Keep what this call printed; it had nothing to do. Not where it also printed warnings or errors."""
        if errors.printed > self.printed or any_notice():
            return
        files = [*_code()] if dataset.root in self.trees else [*_images(dataset), *_code()]
        keep_answer(self.out, self.key, self.fingerprint, since=self.since, files=files, text=text)


def question(out: Path) -> Question:
    """Return the question that this call of a command asks."""
    context = speech.context
    given = {name: value for name, value in context.params.items() if name != "the_call"}
    typed = {name: str(context.get_parameter_source(name)) for name in given}
    installed = [(path, os.stat(path).st_mtime_ns) for path in sys.path if path.endswith(PACKAGES) and isdir(path)]
    around = {name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT)}
    terminal = (console.width, console.is_terminal, console.encoding, console.color_system)
    key = key_of(
        context.command_path, sorted(given.items()), sorted(typed.items()), os.getcwd(), terminal,
        sorted(around.items()), sys.version, sys.executable, installed,
    )  # fmt: skip
    trees = (out, *(path for name, value in given.items() if name != "out" for path in _paths(value)))
    since = time.time()
    return Question(
        out=out, key=key, trees=trees, fingerprint=fingerprint_of(trees), since=since, printed=errors.printed
    )


def _paths(value: Any) -> Iterator[Path]:
    """Yield what of an option's value is a file or a folder."""
    if isinstance(value, Path):
        yield value.expanduser()
    elif isinstance(value, str):
        for piece in BETWEEN.split(value):
            path = os.path.expanduser(piece)
            if piece and (os.path.isfile(path) or ("/" in path and isdir(path))):
                yield Path(path)
    elif isinstance(value, Sequence):
        for one in value:
            yield from _paths(one)


def _images(dataset: Dataset) -> list[str]:
    """Return the files that a table names, and the folders that they are in, which change when a file comes or goes."""
    from bench.images import file_of

    root = os.path.abspath(dataset.root)
    named = {*dataset.table["path"], *dataset.table["mask"].dropna(), *dataset.problems["path"]}
    files = {os.path.abspath(file_of(os.path.join(root, name))[0]) for name in named}
    folders = {root}
    for path in files:
        while (path := os.path.dirname(path)) not in folders and path.startswith(root):
            folders.add(path)
    return [*sorted(folders), *sorted(files)]


def _code() -> list[str]:
    """Return the files of what was imported from outside of the installed packages and of Python itself."""
    places = (os.path.dirname(os.__file__), *(path for path in sys.path if path.endswith(PACKAGES)))
    installed = tuple(path + os.sep for path in places)
    found = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return sorted(path for path in found if path and os.path.isfile(path) and not path.startswith(installed))
