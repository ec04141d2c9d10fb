"""A call whose worker dies is made in parts, then three times, then set aside by name; engines are entries of a table."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.work.calls import NODE_DEATHS, WORKER_DEATHS, Asked, Attempts, Call, Processes
from bench.work.engines import ENGINES, open_engine
from bench.work.local import LOCAL


def double(number: int, by: int = 2) -> int:
    return by * number


def of(name: str, *parts: Call) -> Call:
    return Call(name=name, do=double, own=(1,), parts=lambda: parts)


def run_fake(calls, kills) -> tuple[list[str], Attempts]:
    """Make calls as a cluster would, whose workers die on some; returns the calls that ended, in their order."""
    attempts, left, ended = Attempts(), list(calls), []
    while left:
        call = left.pop(0)
        if kills(call.name):
            left += attempts.after_death(call, of_node=False)
        else:
            ended.append(call.name)
    return ended, attempts


def test_what_kills_its_worker_three_times_is_set_aside_and_named_and_all_others_are_made():
    asked: list[str] = []

    def kills(name: str) -> bool:
        asked.append(name)
        return name == "bad"

    ended, attempts = run_fake([of("a"), of("bad"), of("b")], kills)
    assert ended == ["a", "b"] and asked.count("bad") == WORKER_DEATHS == 3
    with pytest.raises(
        BenchError, match=r"^Got 1 piece of work whose worker died 3 times: bad; .* All others were made"
    ):
        attempts.check()


def test_of_a_call_of_several_parts_the_part_that_kills_is_told_from_the_others():
    ended, attempts = run_fake([of("both", of("good"), of("bad"))], lambda name: name in ("both", "bad"))
    assert (ended, attempts.aside) == (["good"], ["bad"])


def test_a_worker_that_dies_twice_is_forgiven():
    deaths = iter([True, True])
    ended, attempts = run_fake([of("a")], lambda _: next(deaths, False))
    assert ended == ["a"]
    attempts.check()


def test_deaths_of_nodes_are_not_held_against_what_ran_there_until_there_are_many():
    attempts, call = Attempts(), of("whole", of("part"))
    for _ in range(NODE_DEATHS - 1):
        assert attempts.after_death(call, of_node=True) == [call]
    assert attempts.after_death(call, of_node=True) == [] and attempts.aside == ["whole"]


def test_many_that_are_set_aside_are_counted():
    with pytest.raises(BenchError, match=r"Got 7 pieces .*: 0; 1; 2; 3; 4 and 2 more;"):
        Attempts(aside=[str(i) for i in range(7)]).check()


@pytest.mark.parametrize("at_once", [1, 2])
def test_the_local_engine_makes_every_call_with_its_own_and_its_shared_arguments(at_once):
    calls = [Call(name=str(i), do=double, own=(i,), shared=(3,)) for i in range(5)]
    found = list(LOCAL.each(calls, Processes(at_once=at_once)))
    assert sorted(found) == [0, 3, 6, 9, 12] and (at_once > 1 or found == sorted(found))


def test_the_local_engine_gives_its_size_and_budget_and_no_stations():
    assert LOCAL.size(1) == (1, "") and LOCAL.budget(None) is None and LOCAL.budget(2) == 2e9
    assert LOCAL.here and LOCAL.stations(double, (), "cpu") is None


def test_an_engine_that_does_not_exist_is_told_which_do():
    said = f"Got --engine rai; expected one of: {', '.join(ENGINES)}, did you mean 'ray'?"
    with pytest.raises(BenchError, match=re.escape(said)):
        open_engine(Asked(name="rai"))
    assert all(kind.brief for kind in ENGINES.values())


def test_an_address_without_a_cluster_to_join_is_refused():
    with pytest.raises(BenchError, match="Got --address auto without --engine ray"), open_engine(Asked(address="auto")):
        pass


def test_without_ray_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(BenchError, match=r"Ray is not installed.*pip install '.\[ray\]'"),
        open_engine(Asked(name="ray")),
    ):
        pass


@pytest.mark.parametrize("address", ["nowhere", "ray://", "host:", "127.0.0.1:1"])
def test_a_bad_address_is_refused_before_anything_is_started(address):
    pytest.importorskip("ray")
    with (
        pytest.raises(BenchError, match=f"Got --address {address}.* expected auto"),
        open_engine(Asked(name="ray", address=address)),
    ):
        pass


def test_ray_is_imported_only_where_it_is_asked_for():
    root = Path(__file__).resolve().parents[3] / "bench"
    users = {path.relative_to(root).as_posix() for path in root.rglob("*.py") if "import ray\n" in path.read_text()}
    assert users and all(name.startswith("work/on_ray/") for name in users)
