"""Draws are nested over shots, disjoint from the test by group, and say no rather than oversample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.protocol import order
from bench.protocol.order import REGIMES, order_items
from bench.protocol.splits import plan_splits
from bench.protocol.supports import default_draws, draw_supports
from bench.seeds import content_name


def make_table(groups_per_class: dict[str, int], items_per_group: int, split: list[str] | None = None) -> pd.DataFrame:
    rows = [
        (f"{label}{g}-{i}", label, f"{label}{g}")
        for label, n in groups_per_class.items() for g in range(n) for i in range(items_per_group)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["instance", "label", "group"])
    return table.assign(split=split if split else pd.NA)


tables = st.builds(
    lambda a, b, n: make_table({"a": a, "b": b}, n), st.integers(2, 14), st.integers(2, 14), st.integers(1, 12)
)


@settings(max_examples=40)
@given(table=tables, regime=st.sampled_from(list(REGIMES)))
def test_no_group_is_ever_on_both_sides_and_every_row_is_tested_at_most_once(table, regime):
    plan = plan_splits(table, ["a", "b"])
    group = table["group"].to_numpy(str)
    for repeat in plan.repeats:
        tested = np.concatenate([split.test for split in repeat])
        assert len(set(tested)) == len(tested)
        assert np.array_equal(np.sort(tested), plan.test_rows())
        for split in repeat:
            assert not set(group[split.train]) & set(group[split.test])


@settings(max_examples=40)
@given(table=tables, regime=st.sampled_from(list(REGIMES)))
def test_a_larger_draw_contains_the_smaller_one_and_every_class_has_its_shots(table, regime):
    plan = plan_splits(table, ["a", "b"])
    draws = draw_supports(table, ["a", "b"], plan, [1, 2, 3], draws=3, regime=regime)
    label = table["label"].to_numpy(str)
    for (shots, seed, split), rows in draws.supports.items():
        assert [np.sum(label[rows] == name) for name in "ab"] == [shots, shots]
        assert len(set(rows)) == len(rows)
        train = next(s.train for s in plan.splits(seed) if s.name == split)
        assert set(rows) <= set(train)
        if (shots + 1, seed, split) in draws.supports:
            assert set(rows) <= set(draws.supports[shots + 1, seed, split])
    assert set(draws.refused) | {shots for shots, _, _ in draws.supports} == {1, 2, 3}


def test_the_order_of_the_table_does_not_change_what_is_drawn():
    table = make_table({"a": 20, "b": 20}, 15)
    plan = plan_splits(table, ["a", "b"])
    drawn = draw_supports(table, ["a", "b"], plan, [4], draws=2).supports
    ids = table["instance"].to_numpy(str)
    rows = plan.repeats[0][0].train
    rows = rows[table["label"].to_numpy(str)[rows] == "a"]
    shuffled = np.random.default_rng(0).permutation(rows)
    key, groups = ("support", plan.repeats[0][0].name, 0, "a"), table["group"].to_numpy(str)
    one = rows[order_items(ids[rows].tolist(), groups[rows], key, "spread")]
    two = shuffled[order_items(ids[shuffled].tolist(), groups[shuffled], key, "spread")]
    assert np.array_equal(one, two)
    assert np.array_equal(drawn[4, 0, plan.repeats[0][0].name][:4], one[:4])


def mixed(groups: int, items: int, classes: str, split: list[str] | None = None) -> pd.DataFrame:
    """Rows of unequally many classes, in random groups; each its own where there are as many groups as rows."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, groups, items)
    share = np.arange(1, len(classes) + 1) / np.arange(1, len(classes) + 1).sum()
    table = pd.DataFrame({
        "instance": [f"i{n:05d}" for n in range(items)], "label": np.array(list(classes))[rng.choice(len(classes), items, p=share)],
        "group": [str(n) for n in range(items)] if groups == items else [f"slide {g}" for g in group],
    })  # fmt: skip
    return table.assign(split=split)


OFFICIAL = ["train", "test", "train", "valid", "train"] * 60
BEFORE = [  # table, rule, digest of the splits and draws of every regime; made once and never to change
    (
        lambda: mixed(25, 400, "abc"), "folds",
        ("f40ecdd6f99f035e0e19387cb08f296a", "77bb9228df055b4820de3dfa1b3b559a", "40dfa95b10502c480327e54cb7ba4543"),
    ),
    (
        lambda: mixed(300, 330, "abcdefgh"), "folds",
        ("535ea280c8b82dea05039d9e33f2e413", "e419092bd8d0b172a19521578a891d97", "535ea280c8b82dea05039d9e33f2e413"),
    ),
    (
        lambda: mixed(150, 150, "ab"), "folds",
        ("9ecaa88013d2b5328f864b64e456fb6a", "d92bab2003755f362b4ae032d3782298", "9ecaa88013d2b5328f864b64e456fb6a"),
    ),
    (
        lambda: mixed(120, 1500, "ab"), "fixed",
        ("3859b3745dc154dc1bc70662e6229e7f", "28fda431bb18aa5dc980608de4f56762", "0318bc69ef1cdb2da65f1d30e61d46ec"),
    ),
    (
        lambda: mixed(5, 60, "abc"), "leave-one-group-out",
        ("271c9814f4b8b221f44d4fb4e2e74fa7", "fc9dd4c5d1c1295b8f986499d6857b39", "24613867585fc1981388a9b1a1daed29"),
    ),
    (
        lambda: mixed(300, 300, "ab", OFFICIAL), "official",
        ("43ca7d0b0a080da214dda247dbac9858", "c8e86c6baf5cd4b57904814e8e4dee50", "43ca7d0b0a080da214dda247dbac9858"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "rule", "digests"), BEFORE, ids=[row[1] for row in BEFORE])
def test_splits_and_draws_are_what_they_always_were(make, rule, digests):
    table = make()
    classes = sorted(set(table["label"]))
    plan = plan_splits(table, classes)
    assert plan.rule == rule
    splits = [[[s.name, s.train.tolist(), s.test.tolist()] for s in repeat] for repeat in plan.repeats]
    for regime, digest in zip(REGIMES, digests, strict=True):
        draws = draw_supports(table, classes, plan, [1, 5, 10, 40], draws=12, regime=regime)
        drawn = sorted([*map(str, key), rows.tolist()] for key, rows in draws.supports.items())
        found = [plan.rule, splits, drawn, sorted(draws.refused)]
        assert content_name(found) == digest


@pytest.mark.parametrize("counts", [{"a": 4, "b": 2, "c": 3}, {"a": 5, "b": 5}, {"a": 2, "b": 7}])
def test_where_groups_are_held_out_in_turn_the_tested_class_has_no_fewer_to_learn_from(counts):
    table = make_table(counts, 3)
    plan = plan_splits(table, list(counts))
    assert plan.rule == "leave-one-group-out" and len(plan.repeats) == 10
    label, group = table["label"].to_numpy(str), table["group"].to_numpy(str)
    for repeat in plan.repeats:
        assert sorted(np.concatenate([split.test for split in repeat])) == list(range(len(table)))
        for split in repeat:
            left = {name: len(set(group[split.train][label[split.train] == name])) for name in counts}
            assert left == {name: count - 1 for name, count in counts.items()}
    companions = [tuple(repeat[0].train) for repeat in plan.repeats]
    assert len(set(companions)) > 1 or max(counts.values()) == 2


def test_a_group_of_all_classes_is_held_out_alone_and_no_class_loses_its_last_group():
    crossed = pd.concat([make_table({"a": 4}, 3), make_table({"b": 4}, 3).assign(group=make_table({"a": 4}, 3)["group"])])
    crossed = crossed.reset_index(drop=True)
    for split in plan_splits(crossed, ["a", "b"]).repeats[3]:
        assert crossed["group"].iloc[split.train].nunique() == 3
    for split in plan_splits(make_table({"a": 2, "b": 2, "c": 2}, 2), ["a", "b", "c"]).repeats[0]:
        assert len(split.train) == 6


def test_folds_are_so_few_that_groups_of_a_class_are_tested_together():
    for groups, k in ((6, 3), (8, 4), (9, 4), (12, 5)):
        table = make_table({"a": groups, "b": groups}, 2)
        plan = plan_splits(table, ["a", "b"])
        assert len(plan.repeats[0]) == k
        assert min(table["group"].iloc[split.test].nunique() for split in plan.repeats[0]) >= 4


def test_supports_are_drawn_when_they_are_asked_for_and_once(monkeypatch):
    table = make_table({"a": 12, "b": 12}, 3)
    asked = []
    hashed = order.keyed_uniform
    monkeypatch.setattr(order, "keyed_uniform", lambda key, items: asked.append(tuple(key)) or hashed(key, items))
    supports = draw_supports(table, ["a", "b"], plan_splits(table, ["a", "b"]), [2, 5], draws=3).supports
    assert len(supports) == len(list(supports)) == 2 * 3 * 5
    assert not asked
    first = supports[5, 0, "fold0of5:0"]
    assert np.array_equal(first[[0, 1, 5, 6]], supports[2, 0, "fold0of5:0"])
    assert len(asked) == len(set(asked)) == 2 * 2  # groups and items of two classes
    for nothing in ((3, 0, "fold0of5:0"), (5, 3, "fold0of5:3"), (5, 0, "fixed"), (5, -1, "fold0of5:0")):
        assert nothing not in supports


def test_seeds_differ():
    table = make_table({"a": 30, "b": 30}, 12)
    plan = plan_splits(table, ["a", "b"])
    draws = draw_supports(table, ["a", "b"], plan, [3], draws=5).supports
    assert len({tuple(rows) for rows in draws.values()}) == 5


def test_the_rule_follows_the_number_of_groups():
    assert plan_splits(make_table({"a": 4, "b": 9}, 3), ["a", "b"]).rule == "leave-one-group-out"
    assert plan_splits(make_table({"a": 12, "b": 12}, 3), ["a", "b"]).rule == "folds"
    assert plan_splits(make_table({"a": 40, "b": 40}, 10), ["a", "b"]).rule == "fixed"
    official = make_table({"a": 4, "b": 4}, 2, split=["train", "train", "test", "test"] * 4)
    plan = plan_splits(official, ["a", "b"])
    assert plan.rule == "official"
    assert plan.repeats[0][0].test.tolist() == np.flatnonzero(official["split"] == "test").tolist()


def test_an_official_split_that_cuts_a_group_is_refused():
    table = make_table({"a": 4, "b": 4}, 2, split=["train", "test"] * 8)
    with pytest.raises(BenchError, match="both sides"):
        plan_splits(table, ["a", "b"])


def test_a_class_with_one_group_cannot_be_both_learned_and_tested():
    with pytest.raises(BenchError, match="class 'b' with 1 group;"):
        plan_splits(make_table({"a": 4, "b": 1}, 1), ["a", "b"])


def test_a_class_with_many_images_of_one_group_needs_another_group_and_not_more_images():
    with pytest.raises(BenchError, match="class 'b' with its 3 rows in 1 group.*Add images of that class from another group"):
        plan_splits(make_table({"a": 4, "b": 1}, 3), ["a", "b"])


def test_shots_a_class_cannot_fill_are_refused_with_its_name_and_count():
    table = make_table({"a": 2, "b": 9}, 2)
    draws = draw_supports(table, ["a", "b"], plan_splits(table, ["a", "b"]), [2, 3], draws=2)
    assert {shots for shots, _, _ in draws.supports} == {2}
    assert "more than class 'a' has: of its 4 items in 2 groups, only 2" in draws.refused[3]


def test_shots_may_count_images_with_all_their_rows(make_table):
    table = make_table("ab", 6, 3, level="inherited")  # a group is an image of three rows
    plan = plan_splits(table, ["a", "b"])
    drawn = draw_supports(table, ["a", "b"], plan, [1, 2, 9], draws=3, unit="image")
    assert drawn.supports
    for (shots, seed, split), rows in drawn.supports.items():
        images = table.loc[rows, "image"]
        assert images.nunique() == 2 * shots
        assert sorted(rows) == np.flatnonzero(table["image"].isin(images)).tolist()
        assert table.loc[rows, "label"].value_counts().tolist() == [3 * shots] * 2
        assert set(rows) <= set(next(s.train for s in plan.splits(seed) if s.name == split))
        assert set(rows) <= set(drawn.supports[2, seed, split])
    assert "of its 6 images in 6 groups" in drawn.refused[9]


def test_images_are_drawn_alike_whatever_the_order_of_the_rows(make_table):
    table = make_table("ab", 6, 3, level="inherited")
    turned = table.sample(frac=1, random_state=0).reset_index(drop=True)
    first, other = (
        draw_supports(t, ["a", "b"], plan_splits(t, ["a", "b"]), [2], draws=4, unit="image").supports
        for t in (table, turned)
    )
    for key, rows in first.items():
        assert set(table.loc[rows, "path"]) == set(turned.loc[other[key], "path"])


def test_an_unknown_unit_is_refused(make_table):
    table = make_table("ab", 6, 3)
    with pytest.raises(BenchError, match="did you mean 'image'"):
        draw_supports(table, ["a", "b"], plan_splits(table, ["a", "b"]), [1], unit="imge")


@pytest.mark.parametrize(("shots", "draws"), [(1, 30), (8, 30), (9, 20), (32, 20), (33, 10), (200, 10)])
def test_few_labels_get_more_draws(shots, draws):
    assert default_draws(shots) == draws
