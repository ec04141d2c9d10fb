"""Ctrl-C is heeded also where a library drops what the handler of the signal raised."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from bench.cli import interrupts
from bench.cli.console import progress_bars
from bench.cli.interrupts import Interrupted, interrupt

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _not_asked_yet(monkeypatch):
    monkeypatch.setattr(interrupts, "_asked", [])


def test_an_interrupt_that_was_dropped_is_raised_at_the_next_report():
    with pytest.raises(Interrupted), progress_bars() as report:
        report("embedding", 1, 3)
        with suppress(Interrupted):
            interrupt(2, None)
        report("embedding", 2, 3)
        raise AssertionError("it went on")


def test_an_interrupt_that_was_dropped_after_the_last_report_is_raised_at_the_end():
    with pytest.raises(Interrupted), progress_bars() as report:
        report("embedding", 3, 3)
        with suppress(Interrupted):
            interrupt(2, None)


def test_other_threads_are_not_interrupted():
    with suppress(Interrupted):
        interrupt(2, None)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(interrupts.heed_interrupt).result()
    with pytest.raises(Interrupted):
        interrupts.heed_interrupt()


#: What a library makes of an interrupt: the import of compiled code makes an ImportError of it, see `MADE_OF_IT`.
AS_IT_IS = ""
MADE_OF_IT = """
def work(*words, work=work, **more):
    try:
        work()
    except BaseException as error:
        raise ImportError("initialization failed") from error
"""
NOT_INSTALLED = """
def work(*words, work=work, **more):
    try:
        work()
    except BaseException as error:
        raise app.BenchError("Got a library that is not installed.") from error
"""
SCRIPT = """
import os
import signal
import time
from pathlib import Path
from bench.cli import app
from bench.storage.tables import csv_parts

def work(*words, **more):
    with csv_parts(Path("p.csv")) as write:
        print("at work", flush=True)
        time.sleep(60)

{more}
def last_words(*words, **more):
    os.kill(os.getpid(), signal.SIGINT)  # pressed again
    print_error(*words, **more)

print_error, app.print_error = app.print_error, last_words
app.app = work
app.main()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("how", "code", "more"),
    [("SIGINT", 130, AS_IT_IS), ("SIGTERM", 143, AS_IT_IS), ("SIGHUP", 129, AS_IT_IS), ("SIGINT", 130, MADE_OF_IT),
     ("SIGTERM", 143, NOT_INSTALLED)],
)  # fmt: skip
def test_a_signal_to_end_is_said_once_and_leaves_nothing_half_written(tmp_path, how, code, more):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.replace("{more}", more)], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
    )  # fmt: skip
    assert process.stdout.readline() == "at work\n"
    process.send_signal(getattr(signal, how))
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said == "Interrupted. What was finished is kept; the same command goes on from there.\n"
    assert not list(tmp_path.iterdir())


def test_a_signal_that_is_ignored_stays_so(monkeypatch):
    """As by nohup, under which a lost connection ends nothing."""
    taken: dict[int, object] = {}
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)
    monkeypatch.setattr(signal, "signal", taken.__setitem__)
    interrupts.heed_signals()
    assert list(taken) == [signal.SIGINT]
