"""Class and source are told apart or said to be one; other splits hold out what they say, and the diagnostic is loud."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.separability import ENOUGH_SOURCES, class_source_nmi, confounding, source_warnings
from bench.errors import BenchError
from bench.fitting.plan import plan_sweep
from bench.protocol.protocol import Protocol
from bench.protocol.split_kinds import LEAST_SOURCES, plan_sources, regroup
from bench.runs.tested import scored_items
from bench.studies.leak import leak_table


def table_of(sources: dict[str, str], groups: int = 4, items: int = 3) -> pd.DataFrame:
    """So many groups of items of every class in every source. sources: name -> its classes."""
    rows = [
        (f"{source}-{label}-{g}-{i}", label, f"{source}-{label}-{g}", source)
        for source, labels in sources.items() for label in labels for g in range(groups) for i in range(items)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["instance", "label", "group", "source"])
    return table.assign(split=pd.NA, level="expert", image=table["instance"], path=table["instance"])


CROSSED = {"lab1": "ab", "lab2": "ab", "lab3": "ab", "lab4": "a"}


def test_classes_that_each_come_from_one_source_forbid_any_biological_claim():
    table = table_of({"lab1": "a", "lab2": "b"})
    assert class_source_nmi(table) == pytest.approx(1)
    [said] = source_warnings(table)
    assert said.startswith("class cannot be separated from source, so a score proves nothing biological")


def test_sources_that_hold_every_class_alike_share_nothing_with_it():
    table = table_of({"lab1": "ab", "lab2": "ab"})
    assert class_source_nmi(table) == pytest.approx(0, abs=1e-9)
    assert source_warnings(table) == []


def test_several_sources_a_class_are_told_as_such_unless_a_source_is_just_the_group():
    table = table_of({"lab1": "a", "lab2": "a", "lab3": "b", "lab4": "b"})
    [said] = source_warnings(table)
    assert said.startswith("every one of 4 sources holds one class only")
    assert source_warnings(table.assign(group=table["source"])) == []
    assert source_warnings(table.assign(source=pd.NA)) == []


def partly(shares: dict[str, tuple[int, int]], items: int = 3) -> pd.DataFrame:
    """Groups of class a and of class b in every source. shares: source -> (groups of a, groups of b)."""
    rows = [
        (f"{source}-{label}-{g}-{i}", label, f"{source}-{label}-{g}", source)
        for source, counts in shares.items() for label, count in zip("ab", counts, strict=True)
        for g in range(count) for i in range(items)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["instance", "label", "group", "source"])


def test_a_lab_that_holds_most_slides_of_one_class_is_named_with_what_to_do():
    [said] = source_warnings(partly({"lab1": (18, 2), "lab2": (2, 18)}))
    assert said.startswith("class and source are associated: source 'lab1' holds 18 of the 20 groups of class 'a' (90%) and 10%")
    assert "mutual information 0.53" in said and "p = 0.002" in said and "add groups of every class" in said
    [said] = source_warnings(partly({"lab1": (18, 2), "lab2": (1, 9), "lab3": (1, 9)}))
    assert "score with --split source" in said
    assert ENOUGH_SOURCES == LEAST_SOURCES


def test_one_class_of_many_that_comes_from_a_lab_of_its_own_is_named():
    rng = np.random.default_rng(0)
    rows = [(label, f"{label}{g}", "lab0" if label == "c" and g < 17 else f"lab{1 + rng.integers(5)}")
            for label in "abcdefgh" for g in range(20)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["label", "group", "source"])
    assert class_source_nmi(table) < 0.3
    assert confounding(table).pair == ("c", "lab0") and confounding(table).adjusted > 0.5
    [said] = source_warnings(table)
    assert "source 'lab0' holds 17 of the 20 groups of class 'c' (85%) and 0% of the groups of other classes" in said


def test_few_groups_that_go_together_by_chance_are_not_named():
    table = partly({"lab1": (2, 1), "lab2": (0, 1)})
    found = confounding(table)
    assert found.nmi > 0.2 and found.p > 0.05 and found.adjusted < found.nmi
    assert source_warnings(table) == []
    own = partly({"lab1": (10, 10)}).assign(source=lambda rows: rows["group"])
    assert confounding(own).p > 0.05 and source_warnings(own) == []


@given(st.integers(0, 10**6))
def test_the_shared_information_is_that_of_scikit_learn(seed):
    from sklearn.metrics import normalized_mutual_info_score

    rng = np.random.default_rng(seed)
    label, source = rng.integers(0, 3, 30).astype(str), rng.integers(0, 4, 30).astype(str)
    found = class_source_nmi(pd.DataFrame({"label": label, "source": source}))
    assert found == pytest.approx(normalized_mutual_info_score(label, source))


@given(seed=st.integers(0, 100), n=st.integers(1, 30), k=st.integers(1, 4))
def test_the_shared_information_is_within_0_and_1_and_does_not_hang_on_names(seed, n, k):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"label": rng.integers(0, k, n).astype(str), "source": rng.integers(0, k, n).astype(str)})
    nmi = class_source_nmi(table)
    assert np.isnan(nmi) or -1e-9 <= nmi <= 1 + 1e-9
    renamed = class_source_nmi(table.assign(source="lab " + table["source"], label=table["label"] + "!"))
    assert nmi == pytest.approx(renamed, nan_ok=True)


def test_every_source_of_two_classes_is_held_out_once_and_one_of_a_single_class_never():
    table = regroup(table_of(CROSSED), "source")
    plan = plan_sources(table, ("a", "b"))
    source = table["group"].to_numpy(str)
    [splits] = plan.repeats
    assert [set(source[split.test]) for split in splits] == [{"lab1"}, {"lab2"}, {"lab3"}]
    for split in splits:
        assert not set(source[split.train]) & set(source[split.test])
        assert "lab4" in source[split.train] and len(split.train) + len(split.test) == len(table)
    assert plan.rule == "leave-one-source-out" and "1 sources of one class" in plan.notes[0]


def test_foreign_items_are_on_no_side_of_a_split_by_source():
    table = regroup(table_of({**CROSSED, "lab1": "abz"}), "source")
    held = np.concatenate([np.r_[s.train, s.test] for s in plan_sources(table, ("a", "b")).repeats[0]])
    assert set(table["label"].iloc[held]) == {"a", "b"}


def test_a_sweep_by_source_has_the_source_for_the_unit_of_its_evidence():
    sweep = plan_sweep(table_of(CROSSED), ("a", "b"), Protocol(shots=(2,), split="source"), {"e": ("k", "unit")}, ["knn"])
    tested = scored_items(sweep.table, sweep.plan.test_rows(), sweep.classes)
    assert set(tested.group) == {"lab1", "lab2", "lab3"}


def test_a_random_split_parts_slides_and_has_units_of_its_own():
    table = table_of({"lab1": "ab"}, groups=12)
    by_group, at_random = (
        plan_sweep(table, ("a", "b"), Protocol(shots=(2,), split=split), {"e": ("k", "unit")}, ["knn"])
        for split in ("group", "random")
    )
    slide = table["group"].to_numpy(str)
    [first, *_] = at_random.plan.repeats[0]
    assert set(slide[first.train]) & set(slide[first.test])
    assert at_random.plan.rule == "random" and "NOT A RESULT" in at_random.plan.notes[0]
    assert not {u.name for u in by_group.blocks} & {u.name for u in at_random.blocks}


def test_splits_that_cannot_be_made_say_why():
    with pytest.raises(BenchError, match="Got --split 'sauce', did you mean 'source'"):
        Protocol(shots=(1,), split="sauce")
    with pytest.raises(BenchError, match="of which 2 hold two classes"):
        plan_sources(regroup(table_of({"lab1": "ab", "lab2": "ab", "lab3": "a"}), "source"), ("a", "b"))
    table = table_of(CROSSED)
    with pytest.raises(BenchError, match="3 of 84 items have no source"):
        regroup(table.assign(source=table["source"].where(table.index > 2)), "source")
    with pytest.raises(BenchError, match="group 'g' is in 4 sources"):
        regroup(table.assign(group="g"), "source")


def test_the_leak_is_what_the_random_split_scores_more_method_by_method():
    method = {"encoder": ["x", "y", "x"], "head": "knn", "selection": ["fixed", "fixed", "oracle"], "series": "balanced",
              "shots": 5, "noise_kind": "none", "noise": 0.0}  # fmt: skip
    one = pd.DataFrame({**method, "balanced_accuracy": [0.7, 0.5, 0.9]})
    other = pd.DataFrame({**method, "balanced_accuracy": [0.75, 0.8, 0.95]})
    leak = leak_table(one, other.iloc[::-1])
    assert leak["encoder"].tolist() == ["y", "x"] and np.allclose(leak["leak"], [0.3, 0.05])


def test_a_group_in_two_sources_is_refused_by_name():
    table = pd.DataFrame({"group": ["g", "g", "h"], "source": ["x", "y", "x"]})
    with pytest.raises(BenchError, match="group 'g' is in 2 sources"):
        regroup(table, "source")
    assert regroup(table[1:], "source")["group"].tolist() == ["y", "x"]
