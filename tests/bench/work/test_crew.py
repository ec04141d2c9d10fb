"""Processes that work at once: what they say is heard, and the first that dies or fails ends all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.work import crew
from bench.work.crew import in_crew

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("1 here", "2 here")


def test_all_work_at_once_what_they_say_is_heard_and_the_first_ones_product_comes_back(tmp_path):
    heard = []

    def work(i, say):
        (tmp_path / str(i)).touch()
        while not (tmp_path / str(1 - i)).exists():  # each waits for the other
            time.sleep(0.01)
        say("ready", i)
        return i, os.getpid()

    first, process = in_crew(NAMES, work, lambda *what: heard.append(what))
    assert first == 0 and process != os.getpid()
    assert sorted(heard) == [("ready", 0), ("ready", 1)]


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), r"by signal SIGKILL; .* All were stopped"),
        (lambda: os._exit(7), "with code 7; .* All were stopped"),
    ],
)
def test_a_process_that_dies_ends_those_that_wait_for_it_and_is_named(fails, said):
    def work(i, say):
        if i == 1:
            fails()
        time.sleep(600)

    began = time.monotonic()
    with pytest.raises(BenchError, match=f"Got a process, 2 here, one of 2 .* ended {said}"):
        in_crew(NAMES, work, print)
    assert time.monotonic() - began < 300  # and not 600


def test_the_cause_is_told_and_not_what_it_did_to_others(monkeypatch):
    monkeypatch.setattr(crew, "GRACE_S", 600.0)  # the other one may be slow to start

    def work(i, say):
        if i == 0:
            raise RuntimeError("the other one is gone")
        time.sleep(0.5)
        raise BenchError("Got nothing", "and a line more")

    with pytest.raises(BenchError, match="Got nothing\nand a line more"):
        in_crew(NAMES, work, print)


def test_an_error_of_the_program_comes_with_the_lines_of_the_process_it_was_in():
    def work(i, say):
        raise ZeroDivisionError(f"in {i}")

    with pytest.raises(ZeroDivisionError) as caught:
        in_crew(NAMES[:1], work, print)
    assert "in work" in "".join(caught.value.__notes__)


SCRIPT = """
import os, sys, time
from pathlib import Path
from bench.work import crew
from bench.work.crew import in_crew
place = Path(sys.argv[1])
def work(i, say):
    (place / f"{i}.made").write_text(str(os.getpid()))
    (place / f"{i}.made").rename(place / f"{i}.pid")
    time.sleep(600)
if __name__ == "__main__":
    in_crew(["1", "2"], work, print)
"""


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_none_outlives_who_started_it(tmp_path, how):
    (tmp_path / "script.py").write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which who starts tests may have ignored
    )  # fmt: skip
    pids = [tmp_path / f"{i}.pid" for i in range(2)]
    until = time.monotonic() + 300
    while not all(path.exists() for path in pids):
        assert parent.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    members = [int(path.read_text()) for path in pids]
    if how == signal.SIGINT:
        os.killpg(parent.pid, how)  # as a terminal does it
    else:
        parent.send_signal(how)
    _, text = parent.communicate(timeout=300)
    assert text.count("Traceback") == (how == signal.SIGINT)  # of the parent alone
    while any(map(alive, members)):
        assert time.monotonic() < until
        time.sleep(0.05)
