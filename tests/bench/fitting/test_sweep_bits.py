"""The stored numbers of a unit are the same to the bit whoever makes it, when, and beside what; for every head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.fitting import fit
from bench.fitting.episode import Episode
from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import Sweep, plan_sweep
from bench.fitting.selection import WAYS, Chosen, take_published
from bench.fitting.views import Embedded
from bench.heads import Params, all_heads
from bench.heads.contract import Head
from bench.protocol.protocol import Protocol
from bench.runs.predictions import read_unit

D = 40  # supports have fewer rows than dimensions at 1 label a class, about as many at 5 or 15, and more
SHOTS = (1, 5, 15)
HEADS = tuple(all_heads())


@pytest.fixture
def plan(make_table, make_view):
    """A function (K, one split or folds, what is asked) -> (sweep, views); there are two encoders."""

    def make(K: int, one_split: bool, **part: object) -> tuple[Sweep, dict[str, Embedded]]:
        names = "abcdefgh"[:K]
        table = make_table(names, *((31, 10) if one_split else (6, 4)))
        views = {name: make_view(table, name, signal, D) for name, signal in (("first", 0.6), ("other", 1.5))}
        keys = {name: (views[name].key, views[name].scaling) for name in part.get("encoders", tuple(views))}
        seeds, select = part.get("seeds", 2), part.get("select", ("fixed",))
        protocol = Protocol(shots=part.get("shots", SHOTS), noise=(0.0, 0.4), draws=seeds, select=select)
        sweep = plan_sweep(table, tuple(names), protocol, keys, part.get("heads", HEADS))
        assert sweep.blocks and sweep.plan.rule == ("fixed" if one_split else "folds")
        return sweep, views

    return make


@pytest.fixture
def unrounded(monkeypatch):
    """What the fits of this process have given in float64: by head, selection, labels and rows, as bytes."""
    found: dict[tuple[object, ...], bytes] = {}
    original = fit.choose

    def choose(kind: str, head: Head, settings: Sequence[Params], episode: Episode) -> Chosen:
        chosen = original(kind, head, settings, episode)
        key = (kind, head.name, *(a.tobytes() for a in (episode.Y, episode.support.X, episode.support.X_test)))
        assert found.setdefault(key, chosen.P.tobytes()) == chosen.P.tobytes(), f"{head.name} by {kind}"
        return chosen

    monkeypatch.setattr(fit, "choose", choose)
    return found


def stored(sweep: Sweep, run: Path) -> dict[str, dict[str, bytes]]:
    """Return the bytes of every array of every unit, and of its rows of the ledger."""
    found = {}
    for unit in sweep.blocks:
        arrays = vars(read_unit(run, unit))
        found[unit.name] = {name: array.tobytes() for name, array in arrays.items() if array is not None}
        found[unit.name]["ledger"] = unit.part(run).read_bytes()
    return found


def assert_part_of(part: Mapping[str, Mapping[str, bytes]], whole: Mapping[str, Mapping[str, bytes]]) -> None:
    assert part
    for name, arrays in part.items():
        assert arrays.keys() == whole[name].keys()
        assert [key for key in arrays if arrays[key] != whole[name][key]] == [], name


@pytest.mark.parametrize(
    ("K", "one_split"),
    [(2, True), (3, True), (4, True), (8, True), (3, False), pytest.param(8, False, marks=pytest.mark.slow)],
)
def test_neither_workers_nor_order_nor_company_changes_a_bit(K, one_split, plan, unrounded, tmp_path):
    sweep, views = plan(K, one_split, seeds=2 if one_split else 1)
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "one")
    one = stored(sweep, tmp_path / "one")
    assert len(one) == len(HEADS) * len(SHOTS) * 2
    fits = len(unrounded)
    HeadFits(views=views, workers=2).make(sweep, sweep.blocks, tmp_path / "two")
    assert_part_of(one, stored(sweep, tmp_path / "two"))
    backwards = replace(sweep, blocks=sweep.blocks[::-1])
    HeadFits(views=dict(reversed(views.items()))).make(backwards, backwards.blocks, tmp_path / "backwards")
    assert_part_of(one, stored(sweep, tmp_path / "backwards"))
    for at, some in enumerate((HEADS[::2], HEADS[1::2])):
        asked = {"heads": some, "shots": SHOTS[at + 1 :], "encoders": ["other"]}
        part, _ = plan(K, one_split, **asked, seeds=2 if one_split else 1)
        HeadFits(views=views).make(part, part.blocks, tmp_path / f"part{at}")
        assert_part_of(stored(part, tmp_path / f"part{at}"), one)
    assert len(unrounded) == fits


def able(kind: str) -> tuple[str, ...]:
    """Return the heads that settings can be chosen for this way, without those that take long."""

    def can(head: Head) -> bool:
        return bool(head.grid) and (kind != "loo" or head.loo is not None)

    quick = [head for head in all_heads().values() if head.name not in ("prune-refit", "xgboost")]
    return tuple(head.name for head in quick if can(head))


@pytest.mark.parametrize("kind", [kind for kind, way in WAYS.items() if way.choose is not take_published])
@pytest.mark.parametrize("K", [2, 3, 4, 8])
def test_a_setting_is_chosen_alike_whatever_else_is_chosen(K, kind, plan, unrounded, tmp_path):
    asked = {"encoders": ["other"], "seeds": 1}
    sweep, views = plan(K, False, heads=able(kind), shots=(3, 15), select=("fixed", kind), **asked)
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "all")
    everything, fits = stored(sweep, tmp_path / "all"), len(unrounded)
    for at, shots in enumerate((3, 15)):
        part, _ = plan(K, False, heads=able(kind)[at::2], shots=(shots,), select=(kind,), **asked)
        HeadFits(views=views).make(part, part.blocks, tmp_path / f"part{at}")
        assert_part_of(stored(part, tmp_path / f"part{at}"), everything)
    assert len(unrounded) == fits > 0


def test_a_unit_made_again_after_it_was_lost_is_the_one_that_was_lost(plan, tmp_path):
    sweep, views = plan(3, False, shots=(3,))
    HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)
    before = stored(sweep, tmp_path)
    for unit in sweep.blocks[::3]:
        unit.path(tmp_path).unlink()
    assert HeadFits(views=views).make(sweep, sweep.blocks, tmp_path)[1] == len(sweep.blocks[::3])
    assert stored(sweep, tmp_path) == before
    assert all(np.isfinite(read_unit(tmp_path, unit).P).all() for unit in sweep.blocks)
