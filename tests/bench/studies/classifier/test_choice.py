"""Which encoder and head is taken, and whether the best by luck promises more than it keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.heads import get_heads
from bench.studies.classifier.choice import choose
from bench.studies.classifier.folder import load_model, save_model
from bench.studies.classifier.learn import Learned, learn, model_of
from bench.studies.classifier.left_out import Labelled, deal_folds, leave_out
from bench.studies.classifier.model import About, Asked


def about_of(learned: Learned, rows: int = 72) -> About:
    [head] = get_heads([learned.choice.head])
    return About(
        classes=("a", "b", "c"), encoder="made", encoder_key="", weights="", licence="", licence_class="", scaling="unit",
        head=head.name, head_version=head.version, setting=dict(learned.choice.setting),
        temperature=learned.choice.temperature, chosen_by=learned.choice.by, instances="whole", channels=(3,),
        um_per_px=None, data="made", rows=rows, images=rows, groups=12, candidates=(), folds=1, warnings=(), versions={},
    )  # fmt: skip


def labelled(X: np.ndarray, y: np.ndarray, group: np.ndarray) -> Labelled:
    return Labelled(
        X=X.astype(np.float32), y=y, group=group, fold=deal_folds(y, group, int(y.max()) + 1),
        n_classes=int(y.max()) + 1, scaling="unit",
    )  # fmt: skip


def test_the_encoder_that_tells_the_classes_is_chosen_over_noise(learned):
    rows, _ = learned(apart=3.0)
    noise = np.random.default_rng(1).normal(size=rows.embedded["e0"].shape).astype(np.float32)
    left = {}
    for name, X in (("noise", noise), ("good", rows.embedded["e0"])):
        own = labelled(X, rows.y, rows.group)
        for head in get_heads(["centroid", "ridge"]):
            left[name, head.name] = leave_out(own, head, own.support())
    choice = choose(left, rows.y, own.fold, np.ones(len(rows.y), bool))
    assert choice.encoder == "good"
    assert [one.encoder for one in choice.candidates] == ["good", "good", "noise", "noise"]
    assert sum(one.folds for one in choice.candidates) == choice.n_folds == 10
    assert choice.by == "left-out groups"


def test_the_best_of_many_that_know_nothing_promises_no_more_than_chance(learned):
    promised, best = [], []
    for seed in range(12):
        rows, found = learned(seed=seed, apart=0.0, groups=18, encoders=6, heads=("centroid", "ridge", "knn"))
        recall = [(found.choice.P.argmax(1) == rows.y)[rows.y == k].mean() for k in range(3)]
        promised.append(np.mean(recall))
        best.append(found.choice.candidates[0].score)
    assert np.mean(best) > 0.38  # what would be promised by the rows that chose
    assert 0.25 < np.mean(promised) < 1 / 3 + 0.02  # left-out groups err to the low side


@pytest.mark.parametrize("name", ["centroid", "knn", "lda", "ridge", "logreg", "xgboost"])
def test_no_row_is_answered_by_what_learned_from_its_group(name):
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 4)
    y = group % 2
    X = rng.normal(size=(48, 6))
    X[:, :6] += 8 * rng.normal(size=(12, 6))[group]  # a group is told by its rows: who saw it knows its label
    [head] = get_heads([name])
    own = labelled(X, y, group)
    found = leave_out(own, head, own.support())
    assert found.P.shape == (len(found.settings), 48, 2)
    np.testing.assert_allclose(found.P.sum(-1), 1, atol=1e-4)
    assert (found.P[0].argmax(1) == y).mean() < 0.75


def test_a_class_of_one_group_leaves_nothing_to_choose_by_and_the_published_setting_is_taken():
    group = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    y = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    own = labelled(np.random.default_rng(0).normal(size=(8, 4)), y, group)
    [head] = get_heads(["ridge"])
    found = leave_out(own, head, own.support())
    assert not found.chosen and found.settings == (head.published(8, 2, 4),)
    choice = choose({("e", "ridge"): found}, y, own.fold, np.repeat([True, False], [6, 2]))
    assert choice.by == "rule" and choice.candidates[0].score == (choice.P.argmax(1) == y)[y == 0].mean()


def test_many_rows_are_left_out_by_folds_and_say_nearly_the_same(monkeypatch, learned):
    rows, _ = learned(apart=2.0, groups=30)
    own = labelled(rows.embedded["e0"], rows.y, rows.group)
    [head] = get_heads(["ridge"])
    closed = leave_out(own, head, own.support())
    monkeypatch.setattr("bench.studies.classifier.left_out.MOST", 10)
    by_folds = leave_out(own, head, own.support())
    assert (by_folds.part == own.fold).all() and (closed.part == own.group).all()
    assert (closed.P.argmax(-1) == by_folds.P.argmax(-1)).mean() > 0.95


def test_labels_that_were_picked_are_learned_from_and_neither_choose_nor_promise(learned):
    rows, _ = learned(apart=3.0, groups=18)
    picked = rows.group % 6 == 5  # a third of a class
    y = np.where(picked, (rows.y + 1) % 3, rows.y)  # the hardest there could be
    found = learn(replace(rows, y=y, tested=~picked), get_heads(["centroid", "ridge"]))
    model = model_of(replace(rows, y=y, tested=~picked), found, about_of(found))
    assert len(model.y) == len(model.left_out) == (~picked).sum() and (model.y == rows.y[~picked]).all()
    wrong = found.choice.P.argmax(1) != y
    assert wrong[picked].mean() > 0.9  # and still
    assert model.promise.balanced_accuracy == pytest.approx(1 - wrong[~picked].mean(), abs=0.02)
    assert set(found.reference.names) == set(rows.names)  # it remembers them all
    everything = learn(replace(rows, y=y), get_heads(["centroid", "ridge"]))
    assert np.mean(everything.choice.P.argmax(1) != y) > 0.15  # a promise from all labels


def test_where_all_labels_were_picked_nothing_is_promised_and_the_classifier_can_be_kept(learned, tmp_path):
    rows, _ = learned(groups=12)
    nothing = replace(rows, tested=np.zeros(len(rows.y), bool))
    found = learn(nothing, get_heads(["ridge"]))
    model = model_of(nothing, found, about_of(found))
    assert (model.promise.low, model.promise.high) == (0.0, 1.0) and np.isnan(model.promise.balanced_accuracy)
    kept = load_model(save_model(model, tmp_path / "cells.model"))
    asked = kept.answer(rows.embedded["e0"][:4], Asked(errors=0.05))
    assert asked.members.all() and set(asked.why) == {"not sure enough"}
    assert "rests on 0 of these labels" in (tmp_path / "cells.model" / "README.md").read_text().replace("\n", " ")
