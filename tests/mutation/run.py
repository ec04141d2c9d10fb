"""Does the suite see small faults? Puts them into a copy of the source one at a time and runs the tests. Markdown.

    python tests/mutation/run.py --faults 120 --workers 1      an hour of one core
    python tests/mutation/run.py --faults 20 --rooms protocol,heads --seed 3

A fault is another operator, comparison, constant, or function (`faults.py`), at places drawn by --seed, as many in every
room. It is seen when a test fails that passes without it, or when tests do not end. A survivor is either no fault (the
numbers are the same) or a test that is missing. Results are appended to --to, and what is there is not run again.

The fast tests of a room and of `MORE` run once without a fault, which tells the tests that reach each. Of these run those
named after its file first, and then all tests of their files. They run in processes that are forked from one that has the
libraries loaded, and every copy keeps its compiled loops, so that only a fault in `bench/solvers` compiles them again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from queue import Queue

import numpy as np
from faults import Fault, faults_of
from reached import Reached, outcome, put, reached

ROOT = Path(__file__).parents[2]
COPIED = ("bench", "encoders", "tests", "pyproject.toml", "README.md")
ROOMS = ("statistics", "runs", "report", "data", "embeddings", "fitting", "heads", "protocol")
SMALL_RUN = "tests/frozen"
MORE = {  # tests of other rooms that look at what a room makes
    "protocol": ("tests/bench/fitting/test_sweep.py", SMALL_RUN),
    "fitting": ("tests/bench/runs", SMALL_RUN),
    "report": ("tests/bench/cli/test_leaderboard_cli.py", SMALL_RUN),
    "heads": ("tests/conformance/test_heads.py", "tests/conformance/test_heads_bits.py",
              "tests/conformance/test_heads_edge_cases.py", "tests/conformance/test_heads_fitted.py",
              "tests/conformance/test_published_settings.py", "tests/bench/fitting/test_selection.py"),
    "embeddings": ("tests/bench/cli/test_next_step.py", SMALL_RUN),
    "data": ("tests/bench/cli/test_user_errors.py", "tests/bench/protocol/test_split_kinds.py"),
    "statistics": ("tests/bench/report/tables", SMALL_RUN),
    "runs": ("tests/bench/fitting/test_sweep.py", SMALL_RUN),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the tests said of a fault: by which of them it was seen, "" where by none."""

    fault: str
    room: str
    seen_by: str


def drawn(rooms: Sequence[str], count: int, seed: int) -> list[tuple[str, Fault]]:
    """Return (room, fault), as many of every room, no two on one line; those of a room whatever the others."""
    chosen = []
    for i, room in enumerate(rooms):
        rng = np.random.default_rng([seed, *room.encode()])
        files = sorted(path.relative_to(ROOT) for path in (ROOT / "bench" / room).rglob("*.py"))
        every = [fault for path in files for fault in faults_of(ROOT, path)]
        lines: set[tuple[Path, int]] = set()
        wanted = count // len(rooms) + (i < count % len(rooms))
        for at in rng.permutation(len(every)):
            fault = every[at]
            if len(lines) < wanted and (fault.path, fault.start[0]) not in lines and fault.is_source(ROOT):
                lines.add((fault.path, fault.start[0]))
                chosen.append((room, fault))
    return chosen


def tests_of(room: str) -> tuple[str, ...]:
    """Return the files of tests that look at what a room makes."""
    places = [ROOT / place for place in (f"tests/bench/{room}", *MORE.get(room, ()))]
    files = (sorted(place.rglob("test_*.py")) if place.is_dir() else [place] for place in places)
    return tuple(dict.fromkeys(file.relative_to(ROOT).as_posix() for file in chain(*files)))


def judge(place: Path, room: str, fault: Fault, stages: Sequence[list[str]]) -> Told:
    """Run tests on a copy with the fault in it; the copy is as before afterwards. What fails without it too is left out."""
    path = place / fault.path
    source, times = path.read_text(), path.stat()
    for tests in stages:
        left = tests
        while left:
            path.write_text(fault.applied(source))
            try:
                failed, _ = outcome(place, ["-x", *left])
            finally:
                put(path, source, times)
            if not failed:
                break
            again, _ = outcome(place, ["-x", *([failed[0]] if failed[0] in left else left)])
            if not again:
                return Told(fault=str(fault), room=room, seen_by=failed[0])
            print(f"fails without a fault: {again[0]}", file=sys.stderr, flush=True)
            left = [test for test in left if test != again[0]] if again[0] in left else []
    return Told(fault=str(fault), room=room, seen_by="")


def copied(place: Path) -> Path:
    """Copy what tests need to a folder; returns it. Loops that it has compiled stay."""
    place.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, dirs_exist_ok=True)
        else:
            shutil.copy2(ROOT / name, place / name)
    return place


def main() -> None:
    """Draw faults, run the tests on each, print what was seen and what survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", default=",".join(ROOMS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--places", type=Path, help="a folder for the copies, which then stay there with their compiled loops"
    )
    parser.add_argument(
        "--tests", default="", help="files of tests to run, quicker than all of a room, and fewer faults are seen"
    )
    parser.add_argument("--to", type=Path, help="a file that results are appended to, a line each")
    asked = parser.parse_args()
    stored = asked.to.read_text().splitlines() if asked.to and asked.to.exists() else []
    known = {one["fault"]: Told(**one) for one in map(json.loads, stored)}
    rooms = asked.rooms.split(",")
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.environ.pop("NUMBA_CACHE_DIR", None)  # compiled loops lie in the copies
    files = tuple(filter(None, asked.tests.split(",")))
    wanted = drawn(rooms, asked.faults, asked.seed)
    tests = {room: files or tests_of(room) for room in rooms}  # now: of what is copied, whatever is added meanwhile
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(asked.workers) as pool:
        places: Queue[Path] = Queue()
        for i in range(asked.workers):
            places.put(copied((asked.places or Path(root)) / str(i)))

        def one(number: int, bare: Reached) -> None:
            (room, fault), place = wanted[number], places.get()
            try:
                told = judge(place, room, fault, bare.of(number, fault, tests[room]))
            finally:
                places.put(place)
            print(f"{'seen' if told.seen_by else 'SURVIVED'}: {fault} ({told.seen_by})", file=sys.stderr, flush=True)
            known[str(fault)] = told
            if asked.to:
                with asked.to.open("a") as file:
                    file.write(json.dumps(vars(told)) + "\n")

        for room in rooms:
            todo = [i for i, (own, fault) in enumerate(wanted) if own == room and str(fault) not in known]
            if todo:
                place = places.get()
                bare = reached(place, [fault for _, fault in wanted], tests[room])
                places.put(place)
                print(
                    f"{room}: {sum(bare.seconds.values()):.0f} s of tests without a fault", file=sys.stderr, flush=True
                )
                print(*(f"left out: {test}" for test in bare.broken), sep="\n", file=sys.stderr, flush=True)
                list(pool.map(partial(one, bare=bare), todo))
    found = [known[str(fault)] for _, fault in wanted]
    print("| room | faults | seen | survived |\n|---|---|---|---|")
    for room in rooms:
        of_room = [told for told in found if told.room == room]
        seen = sum(bool(told.seen_by) for told in of_room)
        print(f"| {room} | {len(of_room)} | {seen} | {len(of_room) - seen} |")
    seen = sum(bool(told.seen_by) for told in found)
    print(f"| all | {len(found)} | {seen} ({seen / len(found):.1%}) | {len(found) - seen} |\n\nSurvivors:\n")
    print("\n".join(f"- {told.fault}" for told in found if not told.seen_by))


if __name__ == "__main__":
    main()
