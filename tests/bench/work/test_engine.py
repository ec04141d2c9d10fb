"""Work is handed out once, what others hold is waited for or left to them, and what they made is not made again."""

from __future__ import annotations

import threading

import pytest

from bench.work import engine
from bench.work.calls import Call, Processes
from bench.work.claims import Claims
from bench.work.engine import Job, make_all, share
from bench.work.local import LOCAL


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(engine, "WAIT_S", 0.01)


def jobs(*names: str) -> list[Job[str]]:
    return [Job(names=tuple(f"{name}{i}" for i in range(2)), what=name) for name in names]


def test_every_missing_piece_is_handed_out_once_with_what_it_is_made_from(tmp_path):
    made = {"b0"}
    with Claims(tmp_path) as claims:
        for job in share(jobs("a", "b"), claims, lambda name, made=made: name not in made):
            assert job is not None and job.what == job.names[0][0]
            assert not made & set(job.names)
            made |= set(job.names)
            for name in job.names:
                claims.done(name)
    assert made == {"a0", "a1", "b0", "b1"}
    assert not list(tmp_path.glob("*.claim"))


def test_what_another_makes_meanwhile_is_waited_for_and_not_made_again(tmp_path):
    made, mine = set(), []
    with Claims(tmp_path) as other, Claims(tmp_path) as claims:
        assert other.take("a0")
        for job in share(jobs("a", "b"), claims, lambda name, made=made: name not in made):
            if job is None:  # nothing is left but the other's
                made.add("a0")
                other.done("a0")
                continue
            mine += job.names
            made |= set(job.names)
    assert mine == ["a1", "b0", "b1"]


def test_what_the_dead_held_is_made_after_all(tmp_path):
    made = set()
    with Claims(tmp_path) as other, Claims(tmp_path) as claims:
        other.take("a0")
        for job in share(jobs("a"), claims, lambda name, made=made: name not in made):
            if job is None:
                other.release_all()
                continue
            made |= set(job.names)
    assert made == {"a0", "a1"}


def test_without_waiting_it_is_left_to_who_holds_it(tmp_path):
    made = set()
    with Claims(tmp_path) as other, Claims(tmp_path) as claims:
        other.take("a0")
        for job in share(jobs("a"), claims, lambda name, made=made: name not in made, wait=False):
            made |= set(job.names)
    assert made == {"a1"}


def test_attempts_go_on_until_all_is_made_and_count_what_was_made_here():
    made: set[int] = set()
    told: list[int] = []

    def make(one: int) -> int:
        if one == 2:  # another's
            threading.Timer(0.02, lambda: made.add(2)).start()
            return 0
        made.add(one)
        return 1

    def calls_for(todo):
        return (Call(name=str(one), do=make, own=(one,)) for one in todo), Processes()

    assert make_all([1, 2, 3], calls_for, lambda one: one not in made, LOCAL, told.append) == 2
    assert made == {1, 2, 3}
    assert told[:3] == [1, 1, 2] and set(told[3:]) <= {2}
