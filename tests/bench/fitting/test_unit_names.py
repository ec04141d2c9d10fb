"""A unit's name is made of everything that its numbers depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.fitting.plan import plan_sweep
from bench.heads import all_heads
from bench.protocol.protocol import Protocol

CLASSES = ("a", "b", "c")


def names_of(protocol=None, table=None, *, key="k", scaling="unit", head="knn", make_table):
    table = make_table(CLASSES, 24, 4) if table is None else table
    sweep = plan_sweep(table, CLASSES, protocol or Protocol(shots=(2,), noise=(0.4,)), {"e": (key, scaling)}, [head])
    assert sweep.blocks
    return {unit.name for unit in sweep.blocks}


@pytest.mark.parametrize(
    "change",
    [
        {"key": "other"}, {"scaling": "robust"}, {"head": "ridge"}, {"protocol": Protocol(shots=(3,), noise=(0.4,))},
        {"protocol": Protocol(shots=(2,), noise=(0.3,))}, {"protocol": Protocol(shots=(2,), noise=(0.4,), noise_kinds=("group",))},
        {"protocol": Protocol(shots=(2,), noise=(0.4,), draws=7)}, {"protocol": Protocol(shots=(2,), noise=(0.4,), support_groups="concentrated")},
        {"protocol": Protocol(shots=(2,), noise=(0.4,), select=("fixed",))}, {"protocol": Protocol(shots=(2,), noise=(0.4,), split="random")},
        {"protocol": Protocol(shots=(2,), noise=(0.4,), scale_by="support")}, {"protocol": Protocol(shots=(2,), noise=(0.4,), shot_unit="image")},
    ],
    ids=str,
)  # fmt: skip
def test_whatever_the_numbers_depend_on_is_in_the_name_of_a_unit(change, make_table):
    assert names_of(make_table=make_table).isdisjoint(names_of(**change, make_table=make_table))


@pytest.mark.parametrize("column", ["instance", "label", "group", "split", "level", "image"])
def test_every_column_of_the_data_is_in_the_name_of_a_unit(column, make_table):
    other = make_table(CLASSES, 24, 4)
    swap = {"label": "b", "split": "train"}.get(column, "something else")
    other.loc[0, column] = swap
    if column == "split":  # an official split needs both sides
        other["split"] = np.where(np.arange(len(other)) % 2, "test", "train")
        other["group"] = other["path"]
    assert names_of(make_table=make_table).isdisjoint(names_of(table=other, make_table=make_table))


@pytest.mark.parametrize("change", [{"version": 1000}, {"grid": ({"k": 2}, {"k": 7})}])
def test_a_head_that_changed_makes_units_of_another_name(change, make_table, monkeypatch):
    before = names_of(make_table=make_table)
    changed = replace(all_heads()["knn"], **change)
    monkeypatch.setattr("bench.fitting.plan.get_heads", lambda names: [changed])
    assert before.isdisjoint(names_of(make_table=make_table))
