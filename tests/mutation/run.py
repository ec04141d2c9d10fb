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
import resource
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
from types import ModuleType

import numpy as np
import pytest
from faults import Fault, faults_of

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
    "data": ("tests/bench/cli/test_user_errors.py",),
    "statistics": ("tests/bench/report/tables", SMALL_RUN),
    "runs": ("tests/bench/fitting/test_sweep.py", SMALL_RUN),
}  # fmt: skip
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


def is_of(test: str, path: Path) -> bool:
    """Return whether a test, or a file of tests, is named after a file."""
    return Path(test.partition("::")[0]).stem.startswith(f"test_{path.stem}")


PROBE = """
import os
from time import monotonic

FILE, WRITE, LAST = os.open(os.path.join(os.path.dirname(__file__), "reached"), os.O_WRONLY | os.O_APPEND | os.O_CREAT), os.write, {}


def hit(fault):
    if monotonic() - LAST.get(fault, -1.0) > 0.2:  # a test begins at most so long after another in the processes it starts
        LAST[fault] = monotonic()
        WRITE(FILE, b"%d\\n" % fault)
"""


class Watch:
    """A plugin of pytest that keeps what fails and how long tests take, and says to the probes which test runs."""

    def __init__(self, probe: ModuleType | None) -> None:
        self.failed: list[str] = []
        self.seconds: dict[str, float] = defaultdict(float)
        self._probe, self._test = probe, ""

    def pytest_runtest_logstart(self, nodeid):  # type: ignore[no-untyped-def]
        self._test = nodeid
        self._say(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):  # type: ignore[no-untyped-def]
        of_file = self._probe and fixturedef.scope != "function"
        if of_file:
            self._say(request.node.nodeid.partition("::")[0])
        try:
            return (yield)
        finally:
            if of_file:
                self._say(self._test)

    def _say(self, name: str) -> None:
        if self._probe:
            self._probe.LAST.clear()
            self._probe.WRITE(self._probe.FILE, f"{name}\n".encode())

    def pytest_runtest_logreport(self, report):  # type: ignore[no-untyped-def]
        self.seconds[report.nodeid] += report.duration
        self.pytest_collectreport(report)

    def pytest_collectreport(self, report):  # type: ignore[no-untyped-def]
        if report.failed and report.nodeid not in self.failed:
            self.failed.append(report.nodeid)


def run_tests(place: Path, options: Sequence[str], answer: Path) -> None:
    """Run pytest in this process, which ends after it; writes what fails, and the seconds of every test."""
    os.setpgrp()  # so that what tests start ends with them
    os.chdir(place)
    sys.path.insert(0, str(place))
    os.environ["PYTHONPATH"] = str(place)  # of commands that tests start
    probed = (place / "mutation_probe.py").exists()
    if not probed:
        resource.setrlimit(resource.RLIMIT_CPU, (HANG_CPU_S, HANG_CPU_S + 5))
    for stream in (1, 2):
        os.dup2(os.open(place / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    watch = Watch(import_module("mutation_probe") if probed else None)
    code = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", "-m", "not slow", *options], plugins=[watch])
    whole = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    failed = [] if whole else watch.failed or [f"pytest ends with {int(code)}"]
    answer.write_text(json.dumps([failed, watch.seconds]))
    os._exit(0)  # threads of joblib would be waited for


def outcome(place: Path, options: Sequence[str], limit: float | None = HANG_S) -> tuple[list[str], dict[str, float]]:
    """Return (what fails, the seconds of every test); "time" fails where tests do not end."""
    answer = place / "answer"
    answer.unlink(missing_ok=True)
    process = PROCESSES.Process(target=run_tests, args=(place, options, answer))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
    process.join()
    if process.pid:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if answer.exists():
        failed, seconds = json.loads(answer.read_text())
        return failed, seconds
    return ["time" if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL) else "import"], {}


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Tests as they are without a fault: the seconds of each, those that fail, and which of them reach a fault.

    by: number of a fault -> tests; a file stands there where a fixture of all its tests reaches it.
    """

    seconds: Mapping[str, float]
    broken: frozenset[str]
    by: Mapping[int, frozenset[str]]

    def of(self, number: int, fault: Fault, files: Sequence[str]) -> list[list[str]]:
        """Return the tests of files that reach a fault, then all of their files; the likeliest and the quickest first."""
        near = self.by.get(number, frozenset()) if fault.called else frozenset(files)
        far = frozenset(test.partition("::")[0] for test in near)
        return [self._ordered(tests, fault, files) for tests in dict.fromkeys((near, far))]

    def _ordered(self, names: frozenset[str], fault: Fault, files: Sequence[str]) -> list[str]:
        order = {test: i for i, test in enumerate(self.seconds) if test not in self.broken}
        file = {test: test.partition("::")[0] for test in order}
        chosen = [test for test in order if file[test] in files and (test in names or file[test] in names)]
        took: dict[str, float] = defaultdict(float)
        for test in chosen:
            took[file[test]] += self.seconds[test]
        return sorted(chosen, key=lambda test: (not is_of(test, fault.path), took[file[test]], file[test], order[test]))


def reached(place: Path, faults: Sequence[Fault], files: Sequence[str]) -> Reached:
    """Run files of tests on a copy in which every fault says when it is reached; the copy is as before afterwards."""
    of_file: dict[Path, list[tuple[int, Fault]]] = defaultdict(list)
    for number, fault in enumerate(faults):
        if fault.called:
            of_file[fault.path].append((number, fault))
    (place / "mutation_probe.py").write_text(PROBE)
    (place / "reached").unlink(missing_ok=True)
    before = {path: ((place / path).read_text(), (place / path).stat()) for path in of_file}
    try:
        for path, numbered in of_file.items():
            (place / path).write_text(with_probes(before[path][0], numbered))
        failed, seconds = outcome(place, files, limit=None)
    finally:
        (place / "mutation_probe.py").unlink()
        for path, (source, times) in before.items():
            _put(place / path, source, times)
    if not seconds:
        sys.exit(f"Got {failed[0]} of {', '.join(files)} without a fault; expected tests that run.")
    by, test = defaultdict(set), ""
    for line in (place / "reached").read_text().splitlines():
        if line.isdigit():
            by[int(line)].add(test)
        else:
            test = line
    return Reached(
        seconds=seconds, broken=frozenset(failed), by={number: frozenset(tests - {""}) for number, tests in by.items()}
    )


def with_probes(source: str, numbered: Sequence[tuple[int, Fault]]) -> str:
    """Return a source in which pieces say that they are reached."""
    texts = [(fault.start, f"(__import__('mutation_probe').hit({number}) or (") for number, fault in numbered]
    texts += [(fault.end, "))") for _, fault in numbered]
    lines = source.encode().splitlines(keepends=True)
    for (row, column), text in sorted(texts, reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + text.encode() + line[column:]
    return b"".join(lines).decode()


def _put(path: Path, source: str, times: os.stat_result) -> None:
    """Write a source back as it was, so that what Python keeps of another is not used."""
    path.write_text(source)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


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
                _put(path, source, times)
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
            places.put(copied((asked.places or Path(root)) / str(i)))

        def one(number: int, bare: Reached) -> None:
            (room, fault), place = wanted[number], places.get()
            try:
                told = judge(place, room, fault, bare.of(number, fault, tests_of(room)))
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
                bare = reached(place, [fault for _, fault in wanted], tests_of(room))
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
