"""What is wrong in a folder after a kill: tables of other requests or of half of one, and what the dead have left."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.runs.place import OF_REPORT
from tests.faults.forked import STARTED, finish

TABLES = (".csv", ".md", ".json", ".parquet")
Tree = dict[str, bytes]


@dataclass
class Count:
    """What was done and found in one way of killing. life_s: of an uninterrupted run. slowest_s: to the last process."""

    kills: int = 0
    missed: int = 0  # it had ended before
    found: Counter[str] = field(default_factory=Counter)
    where: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    seconds: float = 0.0

    def note(self, what: str, text: str) -> None:
        """Count one thing that is wrong."""
        self.found[what] += 1
        self.where.append(f"{what}: {text}")


def tree(out: Path) -> Tree:
    """Return every table below a results folder, and what is about embeddings and fits, by relative path."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(out).parts)
        and path.name != "clock" and "/manifest" not in path.as_posix()
    }  # fmt: skip


def tables(seen: Tree, folder: str) -> Tree:
    """Return the tables that lie in one folder itself."""
    own = {name.removeprefix(folder): data for name, data in seen.items() if name.startswith(folder)}
    return {
        name: data for name, data in own.items() if "/" not in name and name.endswith(TABLES) and name != "dataset.json"
    }


def look(
    seen: Tree, whole: Mapping[str, Tree], folder: str, count: Count, text: str, *, all_of_it: bool = False
) -> None:
    """Say whether the tables of a folder are those of one request. whole: request -> its tables in that folder.

    Fewer are allowed where the next reader completes them, or all_of_it is not asked for. A report and its tables may
    be missing, as none is put beside tables that another run has replaced.
    """
    own = tables(seen, folder)
    possible = {
        name for name, right in whole.items()
        if all(right.get(file) == data for file, data in own.items()) and (not all_of_it or own.keys() >= right.keys() - {*OF_REPORT})
    }  # fmt: skip
    if own and not possible:
        known = {data for right in whole.values() for data in right.values()}
        wrong = [file for file, data in own.items() if data not in known]
        count.note("wrong" if wrong else "mixed", f"{text}: {folder or 'overview'} holds {wrong or sorted(own)}")


def refuse(place: Path, count: Count, text: str) -> None:
    """Note a command that did not end well, and what it said last."""
    said = " ".join((place / "said.txt").read_text(errors="replace").split())
    count.note("refused", f"{text}: ...{said[-400:]}")


def left_in(place: Path) -> list[str]:
    """Return what only a dead process can have left; `.next` is none of it, it is what the next reader completes."""
    out = place / "out"
    names = [path for pattern in (".*.tmp", "*.claim", "*.corrupt", ".*.clock") for path in out.rglob(pattern)]
    names += list((place / "tmp").iterdir())
    from bench.storage.owner import left_semaphores

    own = [path for path in left_semaphores() if int(path.name.split("-")[1]) in STARTED]  # others may work here, too
    return [str(path) for path in (*names, *own)]


def clean(place: Path, count: Count, text: str) -> None:
    """Run `bench store clean --yes` and note what is left after it."""
    if not (place / "out" / "store").is_dir():
        return
    code = finish(("store", "clean", "--out", "out", "--yes"), place)
    if code:
        refuse(place, count, f"{text}: store clean ended with {code}")
    for name in left_in(place):
        count.note("left", f"{text}: {name}")


def new_place(root: Path, state: Path | None = None) -> Path:
    """Make the one folder that all runs are in anew, as its name is in the tables; results are a copy of `state`."""
    place = root / "cells"
    for name in ("out", "tmp"):
        shutil.rmtree(place / name, ignore_errors=True)
    (place / "tmp").mkdir(parents=True)
    (place / "said.txt").write_text("")
    if state and state.exists():
        shutil.copytree(state, place / "out", copy_function=shutil.copy2)
    return place


def kept_state(place: Path, name: str) -> Path:
    """Return a copy of the results folder, to begin with again."""
    state = place.parent / "states" / name
    shutil.rmtree(state, ignore_errors=True)
    if (place / "out").exists():
        shutil.copytree(place / "out", state, copy_function=shutil.copy2)
    return state


def same(seen: Tree, right: Tree, count: Count, text: str) -> None:
    """Note every file that is not that of an uninterrupted run. Tables that were replaced may have had no report yet."""
    differ = sorted(
        name for name in {*seen, *right}
        if seen.get(name) != right.get(name)
        and not ("-earlier-" in name and Path(name).name in OF_REPORT and (name in seen) != (name in right))
    )  # fmt: skip
    if differ:
        lacking, more = [n for n in differ if n not in seen], [n for n in differ if n not in right]
        other = sorted({*differ} - {*lacking, *more})
        count.note("wrong", f"{text}: lacking {lacking[:4]}, too many {more[:4]}, other bytes {other[:6]}")
