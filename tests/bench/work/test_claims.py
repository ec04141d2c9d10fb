"""Claims: never two living holders of one name, and never a name that stays with the dead."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.storage.verified import json_bytes
from bench.work import claims
from bench.work.claims import STALE_S, Claims

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys, time
from bench.work.claims import Claims
claims = Claims(sys.argv[1])
print([claims.take(name) for name in sys.argv[2:]], flush=True)
time.sleep(300)
"""


@pytest.fixture
def holder(tmp_path):
    """Start processes that take the names given and hold them; killed at the end."""
    started = []

    def start(*names: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path), *names], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        started.append(process)
        assert process.stdout.readline() == f"{[True] * len(names)}\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def grow_old(folder: Path, name: str = "*") -> None:
    long_ago = time.time() - STALE_S - 10
    for path in folder.glob(f"{name}.claim"):
        os.utime(path, (long_ago, long_ago))


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.sampled_from(["take", "done", "die"]))))
@settings(max_examples=60)
def test_a_name_has_one_living_holder_and_is_free_when_it_has_none(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("claims")
    workers = {i: Claims(folder) for i in range(3)}
    held: dict[str, int] = {}
    for worker, name, action in steps:
        if action == "take":
            assert workers[worker].take(name) == (held.get(name, worker) == worker)
            held.setdefault(name, worker)
        elif action == "done":
            workers[worker].done(name)
            held = {n: w for n, w in held.items() if (n, w) != (name, worker)}
        else:
            for claim in Claims(folder).holders():
                if claim.token == workers[worker].token:
                    os.utime(claim.path, (1, 1))
            workers[worker] = Claims(folder)
            held = {n: w for n, w in held.items() if w != worker}
    living = {claim.path.name.split(".")[0] for claim in Claims(folder).holders() if not claim.stale()}
    assert living == set(held)
    for worker in workers.values():
        worker.release_all()
    Claims(folder).sweep()
    assert list(folder.glob("*.claim")) == []


@pytest.mark.parametrize("state", ["free", "dead"])
def test_of_many_that_reach_for_a_name_at_once_one_gets_it(tmp_path, state):
    for turn in range(40):
        name = f"n{turn}"
        if state == "dead":
            Claims(tmp_path).take(name)
            grow_old(tmp_path, name)
        gate = threading.Barrier(6)

        def reach(gate: threading.Barrier = gate, name: str = name) -> bool:
            mine = Claims(tmp_path)
            gate.wait()
            return mine.take(name)

        with ThreadPoolExecutor(6) as pool:
            assert sum(future.result() for future in [pool.submit(reach) for _ in range(6)]) == 1


def test_a_slow_judge_of_a_dead_claim_does_not_push_out_the_living_one_that_came_after(tmp_path, monkeypatch):
    Claims(tmp_path).take("a")
    grow_old(tmp_path)
    slow, quick, third = Claims(tmp_path), Claims(tmp_path), Claims(tmp_path)
    real = claims.Claim.stale
    meanwhile = iter([lambda: [quick.take("a"), quick.done("a"), third.take("a")]])

    def judge(claim: claims.Claim) -> bool:
        verdict = real(claim)
        for others in meanwhile:
            assert others() == [True, None, True]
        return verdict

    monkeypatch.setattr(claims.Claim, "stale", judge)
    assert not slow.take("a")
    [left] = Claims(tmp_path).holders()
    assert left.token == third.token
    assert not slow.take("a")


def test_a_process_that_lives_keeps_its_claim_even_stopped_and_one_killed_loses_it_at_once(tmp_path, holder):
    process = holder("a", "b")
    mine = Claims(tmp_path)
    assert not mine.take("a")
    process.send_signal(signal.SIGSTOP)
    assert not mine.take("a")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert mine.take("a")
    assert mine.take("b")
    assert not Claims(tmp_path).take("a")


def test_a_process_killed_but_not_yet_reaped_is_dead(tmp_path, holder):
    process = holder("a")
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Claims(tmp_path).take("a")


def test_a_holder_on_another_machine_is_dead_only_when_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "_machine", lambda: "elsewhere")
    monkeypatch.setattr(claims, "_started", lambda pid: "1")
    Claims(tmp_path).take("a")
    monkeypatch.undo()
    assert not Claims(tmp_path).take("a")
    grow_old(tmp_path)
    assert Claims(tmp_path).take("a")


def test_a_clock_that_is_wrong_here_makes_no_claim_stale(tmp_path, monkeypatch):
    Claims(tmp_path).take("a")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert not Claims(tmp_path).take("a")


def test_holding_is_told_again_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT_S", 0.01)
    with Claims(tmp_path) as mine:
        mine.take("a")
        grow_old(tmp_path)
        deadline = time.monotonic() + 20
        while Claims(tmp_path).holders()[0].stale():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not Claims(tmp_path).take("a")
    assert Claims(tmp_path).take("a")


STRANGE = [b"", b"{", b"[]", b'{"token": "../../x"}', b"\xff", b"[" * 100_000, json_bytes({"token": 5}, "a.claim"),
           json_bytes({"token": "0" * 16, "machine": "m", "pid": float("inf"), "started": None}, "a.claim")]  # fmt: skip


@pytest.mark.parametrize("content", STRANGE, ids=range(len(STRANGE)))
def test_a_claim_that_cannot_be_read_is_honoured_until_it_is_old(tmp_path, content):
    (tmp_path / "a.claim").write_bytes(content)
    mine = Claims(tmp_path)
    assert not mine.take("a")
    grow_old(tmp_path)
    assert mine.take("a")
    mine.done("a")
    assert list(tmp_path.glob("*.claim")) == []


def damaged(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Return a claim with a bit flipped, a digit changed, cut, emptied, or with another's content."""
    at = rng.randrange(len(data))
    digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    other_digit = rng.choice(digits)
    return rng.choice(
        [
            data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
            data[:other_digit] + bytes([48 + (data[other_digit] - 47) % 10]) + data[other_digit + 1 :],
            data[:at],
            b"",
            other,
        ]
    )


def test_whatever_is_damaged_in_a_chain_of_claims_a_name_is_free_when_it_is_old_and_nothing_of_it_stays(tmp_path):
    for seed in range(300):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        for _ in range(rng.choice((1, 2, 3))):  # each follows the dead one before
            assert Claims(folder).take("a")
            grow_old(folder)
        Claims(folder).take("b")
        paths = sorted(folder.glob("*.claim"))
        for path in rng.sample(paths, rng.choice((1, 2))):
            age = path.stat().st_mtime
            path.write_bytes(damaged(path.read_bytes(), rng.choice(paths).read_bytes(), rng))
            os.utime(path, (age, age))
        first, second = Claims(folder), Claims(folder)
        assert [first.take("a"), second.take("a")].count(True) >= 1
        first.release_all()
        second.release_all()
        grow_old(folder)
        assert len(Claims(folder).dead()) == len(list(folder.glob("*.claim")))
        Claims(folder).sweep()
        assert list(folder.glob("*.claim")) == []


def test_a_claim_that_was_damaged_while_it_is_held_is_honoured_and_goes_with_its_holder(tmp_path):
    with Claims(tmp_path) as mine:
        mine.take("a")
        path = tmp_path / "a.claim"
        path.write_bytes(path.read_bytes()[:-5])
        assert not Claims(tmp_path).take("a")
    assert Claims(tmp_path).take("a")


def test_a_claim_with_a_time_that_no_holder_set_is_not_waited_for(tmp_path):
    Claims(tmp_path).take("a")
    future = time.time() + 1e6
    os.utime(tmp_path / "a.claim", (future, future))
    with Claims(tmp_path) as mine:
        assert mine.take("a")
        assert not Claims(tmp_path).take("a")
    assert list(tmp_path.glob("*.claim")) == []


def test_two_names_of_one_file_that_lead_to_each_other_are_no_chain_without_an_end(tmp_path):
    head = tmp_path / "a.claim"
    head.write_bytes(b"?")
    stat = head.stat()
    os.link(head, tmp_path / f"a.{stat.st_ino:x}-{stat.st_mtime_ns:x}.claim")
    assert not Claims(tmp_path).take("a")
    Claims(tmp_path).sweep()


@pytest.mark.parametrize("kind", ["folder", "link to nowhere"])
def test_what_lies_in_the_place_of_a_claim_and_is_no_file_is_waited_for_until_it_is_old(tmp_path, monkeypatch, kind):
    head = tmp_path / "a.claim"
    if kind == "folder":
        head.mkdir()
    else:
        head.symlink_to(tmp_path / "nowhere")
    assert not Claims(tmp_path).take("a")
    monkeypatch.setattr(claims, "STALE_S", 0.0)
    time.sleep(0.01)
    assert Claims(tmp_path).take("a")


@pytest.mark.parametrize("name", ["a (1).claim", ".claim", "a.b.c.claim", "ä b.claim"])
def test_a_claim_called_as_none_is_harms_nobody_and_goes_when_it_is_old(tmp_path, name):
    (tmp_path / name).write_bytes(b"of a folder that was copied")
    assert Claims(tmp_path).sweep() == [] and Claims(tmp_path).dead() == []
    os.utime(tmp_path / name, (1e9, 1e9))
    assert [claim.path.name for claim in Claims(tmp_path).dead()] == [name]
    assert [path.name for path in Claims(tmp_path).sweep()] == [name]


def test_where_no_claim_can_be_written_the_work_goes_on_unshared(tmp_path):
    (tmp_path / "claims").write_text("a file")
    with Claims(tmp_path / "claims") as mine:
        assert mine.take("a")
        mine.done("a")


def test_sweeping_takes_what_the_dead_left_and_nothing_else(tmp_path, holder):
    holder("living")
    Claims(tmp_path).take("dead")
    grow_old(tmp_path, "dead")
    (tmp_path / f"gone.{'0' * 16}.claim").write_text("")
    grow_old(tmp_path, "gone*")
    removed = Claims(tmp_path).sweep()
    assert [path.name for path in removed] == ["dead.claim", f"gone.{'0' * 16}.claim"]
    assert [path.name for path in tmp_path.glob("*.claim")] == ["living.claim"]
    assert Claims(tmp_path / "nowhere").sweep() == []


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a.b"])
def test_a_name_that_names_no_file_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="claim name"):
        Claims(tmp_path).take(name)


@pytest.mark.parametrize(
    ("where", "stopped", "links"), [(Path, "write_bytes", True), (os, "link", True), (os, "fdopen", False)]
)
def test_a_claim_that_ctrl_c_stops_in_the_making_is_free_at_once(tmp_path, monkeypatch, where, stopped, links):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def no_links(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        if not links:
            patch.setattr(os, "link", no_links)
        patch.setattr(where, stopped, stop)
        with pytest.raises(KeyboardInterrupt), Claims(tmp_path) as stopping:
            stopping.take("work")
    with Claims(tmp_path) as own:
        assert own.take("work")
    assert not [path for path in tmp_path.iterdir() if path.name != "clock"]


def test_a_claim_that_cannot_be_read_is_judged_by_its_age(tmp_path, monkeypatch):
    (tmp_path / "a.claim").write_bytes(b"of another user")
    opened = Path.open

    def deny(self: Path, *how: object, **more: object) -> object:
        if self.name == "a.claim":
            raise PermissionError(13, "Permission denied")
        return opened(self, *how, **more)

    monkeypatch.setattr(Path, "open", deny)
    with Claims(tmp_path) as ours:
        assert not ours.take("a")  # living
        old = time.time() - 2 * STALE_S
        os.utime(tmp_path / "a.claim", (old, old))
        assert ours.take("a")
