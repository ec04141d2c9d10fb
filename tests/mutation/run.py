"""Does the suite see small faults? Puts them into a copy of the source one at a time and runs the tests. Markdown.

    python tests/mutation/run.py --faults 120                  some hours on two cores
    python tests/mutation/run.py --faults 20 --rooms draws,heads --seed 3

A fault is another operator, comparison, constant, or function (`faults.py`), at places drawn by --seed, as many in every
room. It is seen when a test fails, or takes several times as long as without the fault: first those of its own file and
room; with --whole then all fast ones. A survivor is either no fault (the numbers are the same) or a test that is missing.
Results are appended to --to, and what is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import numpy as np
from faults import Fault, faults_of

ROOT = Path(__file__).parents[2]
COPIED = ("bench", "encoders", "tests", "pyproject.toml", "README.md")
ROOMS = ("draws", "fitting", "report", "heads", "embeddings", "data")
MORE = {  # tests of other rooms that look at a room's numbers
    "draws": ("tests/bench/fitting/test_sweep.py",),
    "heads": ("tests/conformance/test_heads.py", "tests/bench/fitting/test_selection.py"),
    "data": ("tests/bench/cli",),
}
ALL = ("tests/bench", "tests/conformance", "tests/encoders")
PATIENCE, LEAST_S = 5, 60  # tests hang when they take so many times as long as without a fault, and at least so long


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the tests said of a fault: by which of them it was seen, "" where by none."""

    fault: str
    room: str
    seen_by: str


def drawn(rooms: Sequence[str], count: int, seed: int) -> list[tuple[str, Fault]]:
    """Return (room, fault), as many of every room, no two on one line."""
    rng, chosen = np.random.default_rng(seed), []
    for i, room in enumerate(rooms):
        files = sorted(path.relative_to(ROOT) for path in (ROOT / "bench" / room).rglob("*.py"))
        every = [fault for path in files for fault in faults_of(ROOT, path)]
        lines: set[tuple[Path, int]] = set()
        wanted = count // len(rooms) + (i < count % len(rooms))
        for at in rng.permutation(len(every)):
            fault = every[at]
            if len(lines) < wanted and (fault.path, fault.start[0]) not in lines:
                lines.add((fault.path, fault.start[0]))
                chosen.append((room, fault))
    return chosen


def tests_of_room(room: str) -> tuple[str, ...]:
    """Return the tests that look at a room's numbers."""
    return (f"tests/bench/{room}", *MORE.get(room, ()))


def tests_of_file(room: str, path: Path) -> tuple[str, ...]:
    """Return the tests that are named after a file, maybe none."""
    named = sorted((ROOT / "tests" / "bench" / room).glob(f"test_{path.stem}*.py"))
    return tuple(str(test.relative_to(ROOT)) for test in named)


def failing(place: Path, tests: Sequence[str], limit: float | None) -> str:
    """Return the first test that fails or "time" where they take more than `limit` seconds, "" where all pass."""
    options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-m", "not slow"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    environment = {**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return "time"
    if done.returncode == 0:
        return ""
    names = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return names[0] if names else "import"


def time_of(place: Path, tests: Sequence[str]) -> float:
    """Return the seconds that tests take without a fault; ends the program where one fails."""
    start = time.perf_counter()
    if failed := failing(place, tests, None):
        sys.exit(f"Got {failed}, which fails without a fault; expected a suite that passes.")
    return time.perf_counter() - start


def judge(place: Path, room: str, fault: Fault, stages: Mapping[tuple[str, ...], float]) -> Told:
    """Run the stages (tests -> limit in seconds) on a copy with the fault in it; the copy is as before afterwards."""
    path = place / fault.path
    source = path.read_text()
    path.write_text(fault.applied(source))
    try:
        seen = next(filter(None, (failing(place, tests, limit) for tests, limit in stages.items() if tests)), "")
    finally:
        path.write_text(source)
    return Told(fault=str(fault), room=room, seen_by=seen)


def main() -> None:
    """Draw faults, run the tests on each, print what was seen and what survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", default=",".join(ROOMS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--whole", action="store_true", help="let all fast tests look at what the room's do not see")
    parser.add_argument("--to", type=Path, help="a file that results are appended to, a line each")
    asked = parser.parse_args()
    known = {one["fault"]: Told(**one) for one in map(json.loads, asked.to.read_text().splitlines())} if (
        asked.to and asked.to.exists()
    ) else {}  # fmt: skip
    rooms = asked.rooms.split(",")
    wanted = drawn(rooms, asked.faults, asked.seed)
    with tempfile.TemporaryDirectory() as root:
        places: Queue[Path] = Queue()
        for i in range(asked.workers):
            place = Path(root) / str(i)
            for name in COPIED:
                source = ROOT / name
                copied = shutil.copytree if source.is_dir() else shutil.copy
                place.mkdir(exist_ok=True)
                copied(source, place / name)
            places.put(place)
        groups = [*map(tests_of_room, rooms), *([ALL] if asked.whole else [])]
        limits = {tests: max(PATIENCE * time_of(place, tests), LEAST_S) for tests in groups}

        def one(room: str, fault: Fault) -> Told:
            if str(fault) in known:
                return known[str(fault)]
            place = places.get()
            try:
                near = {tests_of_file(room, fault.path): limits[tests_of_room(room)]}
                far = {ALL: limits[ALL]} if asked.whole else {}
                told = judge(place, room, fault, {**near, tests_of_room(room): limits[tests_of_room(room)], **far})
            finally:
                places.put(place)
            print(f"{'seen' if told.seen_by else 'SURVIVED'}: {fault} ({told.seen_by})", file=sys.stderr, flush=True)
            if asked.to:
                with asked.to.open("a") as file:
                    file.write(json.dumps(vars(told)) + "\n")
            return told

        with ThreadPoolExecutor(asked.workers) as pool:
            found = list(pool.map(lambda pair: one(*pair), wanted))
    print("| room | faults | seen | survived |\n|---|---|---|---|")
    for room in rooms:
        own = [told for told in found if told.room == room]
        seen = sum(bool(told.seen_by) for told in own)
        print(f"| {room} | {len(own)} | {seen} | {len(own) - seen} |")
    seen = sum(bool(told.seen_by) for told in found)
    print(f"| all | {len(found)} | {seen} ({seen / len(found):.1%}) | {len(found) - seen} |\n\nSurvivors:\n")
    print("\n".join(f"- {told.fault}" for told in found if not told.seen_by))


if __name__ == "__main__":
    main()
