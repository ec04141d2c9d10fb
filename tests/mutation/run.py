"""Does the suite see small faults? Puts them into a copy of the source one at a time and runs the tests. Markdown.

    python tests/mutation/run.py --faults 120 --workers 1      an hour of one core
    python tests/mutation/run.py --faults 20 --rooms protocol,heads --seed 3

A fault is another operator, comparison, constant, or function (`faults.py`), at places drawn by --seed, as many in every
room. It is seen when a test fails that passes without it, or when tests do not end: first the tests named after its file,
then those of its room, then `MORE`; with --whole then all fast ones. A survivor is either no fault (the numbers are the
same) or a test that is missing. Results are appended to --to, and what is there is not run again.

Tests run in processes that are forked from one that has the libraries loaded. Every copy keeps its compiled loops, as a
checkout does, so that only a fault in `bench/solvers` compiles them again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path
from queue import Queue

import numpy as np
from faults import Fault, faults_of

ROOT = Path(__file__).parents[2]
COPIED = ("bench", "encoders", "tests", "pyproject.toml", "README.md")
ROOMS = ("protocol", "fitting", "report", "heads", "embeddings", "data", "statistics", "runs")
SMALL_RUN = "tests/frozen"
MORE = {  # tests of other rooms that look at what a room makes
    "protocol": ("tests/bench/fitting/test_sweep.py", SMALL_RUN),
    "fitting": ("tests/bench/runs", SMALL_RUN),
    "report": ("tests/bench/cli/test_leaderboard_cli.py", SMALL_RUN),
    "heads": ("tests/conformance/test_heads.py", "tests/conformance/test_heads_bits.py",
              "tests/conformance/test_heads_edge_cases.py", "tests/conformance/test_heads_fitted.py",
              "tests/conformance/test_published_settings.py", "tests/bench/fitting/test_selection.py"),
    "embeddings": ("tests/bench/cli/test_next_step.py", SMALL_RUN),
    "data": ("tests/bench/cli/test_user_errors.py",),
    "statistics": ("tests/bench/report/tables", SMALL_RUN),
    "runs": ("tests/bench/fitting/test_sweep.py", SMALL_RUN),
}  # fmt: skip
ALL = ("tests/bench", "tests/conformance", "tests/encoders", SMALL_RUN)
LIBRARIES = ["numpy", "pandas", "pyarrow.parquet", "numba", "scipy.stats", "scipy.optimize", "sklearn.linear_model",
             "sklearn.discriminant_analysis", "PIL.Image", "rich.console", "typer", "pytest", "hypothesis"]  # fmt: skip
HANG_CPU_S, HANG_S = 240, 1500  # no group of tests but all of them needs so long, on a busy machine either
PROCESSES = get_context("forkserver")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the tests said of a fault: by which of them it was seen, "" where by none."""

    fault: str
    room: str
    seen_by: str


def drawn(rooms: Sequence[str], count: int, seed: int) -> list[tuple[str, Fault]]:
    """Return (room, fault), as many of every room and a room after the other, no two on one line."""
    rng, chosen = np.random.default_rng(seed), []
    for i, room in enumerate(rooms):
        files = sorted(path.relative_to(ROOT) for path in (ROOT / "bench" / room).rglob("*.py"))
        every = [fault for path in files for fault in faults_of(ROOT, path)]
        lines: set[tuple[Path, int]] = set()
        of_room: list[tuple[str, Fault]] = []
        wanted = count // len(rooms) + (i < count % len(rooms))
        for at in rng.permutation(len(every)):
            fault = every[at]
            if len(lines) < wanted and (fault.path, fault.start[0]) not in lines and fault.is_source(ROOT):
                lines.add((fault.path, fault.start[0]))
                of_room.append((room, fault))
        chosen.append(of_room)
    return [pair for turn in zip_longest(*chosen) for pair in turn if pair is not None]


def tests_of_room(room: str) -> tuple[str, ...]:
    """Return the tests that lie in a room's folder."""
    return (f"tests/bench/{room}",)


def tests_of_file(path: Path) -> tuple[str, ...]:
    """Return the tests of its room that are named after a file, maybe none."""
    named = sorted((ROOT / "tests" / "bench" / path.parts[1]).rglob(f"test_{path.stem}*.py"))
    return tuple(str(test.relative_to(ROOT)) for test in named)


class FirstFailure:
    """A plugin of pytest that keeps the name of the first test that fails, or of a file that cannot be read."""

    name = ""

    def pytest_runtest_logreport(self, report):  # type: ignore[no-untyped-def]  # noqa: D102
        self.name = self.name or (report.nodeid if report.failed else "")

    pytest_collectreport = pytest_runtest_logreport


def run_tests(place: Path, options: Sequence[str], answer: Path) -> None:
    """Run pytest in this process, which ends after it; writes the first test that fails, "" where none does."""
    import pytest

    os.chdir(place)
    sys.path.insert(0, str(place))
    os.environ["PYTHONPATH"] = str(place)  # of commands that tests start
    resource.setrlimit(resource.RLIMIT_CPU, (HANG_CPU_S, HANG_CPU_S + 5))
    for stream in (1, 2):
        os.dup2(os.open(place / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    first = FirstFailure()
    code = pytest.main(
        ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-m", "not slow", *options], plugins=[first]
    )
    whole = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    answer.write_text("" if whole else first.name or f"pytest ends with {int(code)}")


def failing(place: Path, tests: Sequence[str], without: Sequence[str] = ()) -> str:
    """Return the first test that fails, "time" where they do not end, "" where all pass.

    without: files and tests that are left out.
    """
    left = [f"--ignore={test}" if test.endswith(".py") else f"--deselect={test}" for test in without]
    answer = place / "answer"
    answer.unlink(missing_ok=True)
    process = PROCESSES.Process(target=run_tests, args=(place, [*left, *tests], answer))
    process.start()
    process.join(HANG_S)
    if process.is_alive():
        process.kill()
        process.join()
    ended = process.exitcode not in (-signal.SIGXCPU, -signal.SIGKILL)
    return answer.read_text() if answer.exists() else "import" if ended else "time"


def judge(place: Path, room: str, fault: Fault, whole: bool) -> Told:
    """Run the tests of the file, the room, and beyond on a copy with the fault in it; the copy is as before afterwards.

    What fails without the fault too is named and left out.
    """
    path = place / fault.path
    source, times = path.read_text(), path.stat()
    near, own, more = tests_of_file(fault.path), tests_of_room(room), MORE.get(room, ())
    stages = [(near, ()), (own, near), (more, ()), *([(ALL, (*near, *more))] if whole else [])]
    for tests, passed in stages:
        broken: list[str] = []
        while tests:
            path.write_text(fault.applied(source))
            try:
                seen = failing(place, tests, (*passed, *broken))
            finally:
                path.write_text(source)
                os.utime(
                    path, ns=(times.st_atime_ns, times.st_mtime_ns)
                )  # so that what Python keeps of a fault is not used
            if not seen:
                break
            known = "::" in seen
            if not failing(place, (seen,) if known else tests, () if known else passed):
                return Told(fault=str(fault), room=room, seen_by=seen)
            if not known:
                sys.exit(f"Got {seen} of {', '.join(tests)} without a fault; expected tests that run.")
            print(f"fails without a fault: {seen}", file=sys.stderr, flush=True)
            broken.append(seen)
    return Told(fault=str(fault), room=room, seen_by="")


def copied(place: Path) -> Path:
    """Copy what tests need to a folder that is made; returns it."""
    place.mkdir(parents=True)
    for name in COPIED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place / name)
    return place


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
    stored = asked.to.read_text().splitlines() if asked.to and asked.to.exists() else []
    known = {one["fault"]: Told(**one) for one in map(json.loads, stored)}
    rooms = asked.rooms.split(",")
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.environ.pop("NUMBA_CACHE_DIR", None)  # compiled loops lie in the copies
    PROCESSES.set_forkserver_preload(LIBRARIES)
    wanted = drawn(rooms, asked.faults, asked.seed)
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(asked.workers) as pool:
        places: Queue[Path] = Queue()
        for i in range(asked.workers):
            places.put(copied(Path(root) / str(i)))

        def one(room: str, fault: Fault) -> Told:
            if str(fault) in known:
                return known[str(fault)]
            place = places.get()
            try:
                told = judge(place, room, fault, asked.whole)
            finally:
                places.put(place)
            print(f"{'seen' if told.seen_by else 'SURVIVED'}: {fault} ({told.seen_by})", file=sys.stderr, flush=True)
            if asked.to:
                with asked.to.open("a") as file:
                    file.write(json.dumps(vars(told)) + "\n")
            return told

        found = list(pool.map(lambda pair: one(*pair), wanted))
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
