"""Tests of a copy of the source: which of them reach a fault, and which fail."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

import pytest
from faults import Fault

LIBRARIES = ["numpy", "pandas", "pyarrow.parquet", "numba", "scipy.stats", "scipy.optimize", "sklearn.linear_model",
             "sklearn.discriminant_analysis", "PIL.Image", "rich.console", "typer", "pytest", "hypothesis"]  # fmt: skip
HANG_CPU_S, HANG_S = 240, 1500  # no group of tests but all of them needs so long, on a busy machine either
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(LIBRARIES)


def is_of(test: str, path: Path) -> bool:
    """Return whether a test, or a file of tests, is named after a file."""
    return Path(test.partition("::")[0]).stem.startswith(f"test_{path.stem}")


PROBE = """
import os
from time import monotonic

WRITE, LAST = os.write, {}
FILE = os.open(os.path.join(os.path.dirname(__file__), "reached"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


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
            put(place / path, source, times)
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


def put(path: Path, source: str, times: os.stat_result) -> None:
    """Write a source back as it was, so that what Python keeps of another is not used."""
    path.write_text(source)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
