"""A classifier that learned from labels of images: promises of images, answers for cells, and none of these."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.demo import DemoSpec, write_demo
from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.instances.cell_boxes import CellFiles
from bench.report.pages.plain_text import plain_words
from bench.studies.classifier import advice
from bench.studies.classifier.card import card, expectation
from bench.studies.classifier.fit import FitRequest, fit
from bench.studies.classifier.folder import load_model, save_model
from bench.studies.classifier.from_images import NONE
from bench.studies.classifier.image_rows import MOST_UNLIKE, ImageRows, images_beside
from bench.studies.classifier.learn import LabelledRows
from bench.studies.classifier.learn_images import LabelledImages, able, labelled_images, learn_images
from bench.studies.classifier.model import Asked, Model
from bench.studies.classifier.onnx_file import export_onnx
from bench.studies.classifier.predict import PredictRequest, predict
from bench.studies.classifier.words import cautions
from bench.studies.granularity.heads import get_bag_heads
from tests.bench.studies.classifier.test_folder import mutations, reseal

GROUPS = r"([^/]+)__"
TILES = "tiles:32"


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model]:
    """A folder of 12 drawn images, 3 of a class, and the classifier of their labels. Not to be changed."""
    folder = tmp_path_factory.mktemp("images")
    write_demo(folder / "demo", DemoSpec(images=3, size=(64, 64)))
    return folder, made(folder)


def made(folder: Path, *heads: str, **how: object) -> Model:
    source = DataSpec(folder / "demo" / "raw", instances=TILES, group_pattern=GROUPS)
    names = heads or ("mean-pool", "noisy-or")
    return fit(
        FitRequest(source=replace(source, **how), encoders=("color-stats",), bag_heads=names, out=folder / "results")
    ).model


def answers(model: Model, *images: Path, out: Path, **asked: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of cells and those of images."""
    cells, rows = [], []
    gathered = ImageRows(model, Asked(**asked), rows.append)

    def write(block):
        cells.append(block.rows)
        gathered.take(block)

    predict(model, PredictRequest(images=images, asked=Asked(**asked), out=out), write)
    gathered.end()
    return pd.concat(cells, ignore_index=True), pd.concat(rows, ignore_index=True)


def constructed(shares: float, images: int = 20, cells: int = 12, seed: int = 0, skew: int = 1) -> tuple[LabelledImages, np.ndarray]:
    """Return images of 3 classes and what their cells are: a class, or 3 where they are of none, as all but a share are.

    skew: so many times as many images of the first class as of the others.
    """
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(3), [images * skew, images, images])
    image = np.repeat(np.arange(len(label)), cells)
    truth = np.where(rng.random(len(image)) < shares, label[image], 3)
    X = (4 * np.eye(4, 16)[truth] + rng.normal(size=(len(image), 16))).astype(np.float32)
    rows = LabelledRows(
        embedded={"e": X}, scaling={"e": "unit"}, y=label[image], group=image, n_classes=3, names=tuple(map(str, image)),
        tested=np.ones(len(image), bool),
    )  # fmt: skip
    return labelled_images(rows, image, [str(i) for i in range(len(label))]), truth


def test_twelve_images_get_an_answer_of_images_with_an_interval_and_no_promise_of_cells(tiled):
    _, model = tiled
    assert (model.about.images, model.about.rows, len(model.left_out)) == (12, 48, 12)
    assert model.promise.low <= model.promise.balanced_accuracy <= model.promise.high
    assert model.promise.exact and model.promise.groups == dict.fromkeys(model.about.classes, 3)
    assert "balanced accuracy of images" in plain_words(expectation(model))
    text = card(model)
    for part in ("by labels of images", "Nothing is promised of single tiles", "label 16 cells of each class first", "80 cells"):
        assert part in text, part


def test_every_image_is_predicted_without_its_group():
    """Labels that say nothing of the images are predicted no better than by guessing, though heads can learn them by heart."""
    images, _ = constructed(1.0)
    rng = np.random.default_rng(5)
    wrong = rng.permutation(images.y)
    rows = replace(images.rows, y=wrong[images.image])
    learned, _ = learn_images(labelled_images(rows, images.image, [""] * len(wrong)), get_bag_heads(["mean-pool"]))
    assert (learned.choice.P.argmax(1) == wrong).mean() < 0.6
    right, _ = learn_images(images, get_bag_heads(["mean-pool"]))
    assert (right.choice.P.argmax(1) == images.y).mean() > 0.95


def test_the_best_head_for_images_is_taken_and_others_are_told_with_their_scores():
    images, _ = constructed(0.15)
    learned, _ = learn_images(images, get_bag_heads(["inherit-vote", "noisy-or"]))
    assert learned.choice.head == "noisy-or"  # a vote of cells of which most are of none tells little
    assert [one.head for one in learned.choice.candidates] == ["noisy-or", "inherit-vote"]
    assert learned.choice.candidates[0].score > learned.choice.candidates[1].score


@pytest.mark.parametrize("skew", [1, 3])
def test_cells_of_none_of_the_classes_are_found_where_the_images_tell(skew):
    images, truth = constructed(0.4, skew=skew)
    learned, none = learn_images(images, get_bag_heads(["mean-pool"]))
    P = learned.fitted.scores(learned.scale.of(images.rows.embedded["e"]))
    called = P.max(1) < none.level
    assert called[truth == 3].mean() > 0.6 and called[truth < 3].mean() < 0.3
    assert none.share == pytest.approx(called.mean(), abs=0.15)


def test_no_cell_is_called_none_where_the_images_tell_nothing():
    images, _ = constructed(0.0)
    _, none = learn_images(images, get_bag_heads(["mean-pool"]))
    assert none.level == none.share == 0


def test_a_class_in_one_image_takes_no_part_in_promise_or_level():
    images, _ = constructed(0.5, images=4)
    kept = np.flatnonzero((images.y < 2) | (np.arange(len(images.y)) == 8))
    cells = np.isin(images.image, kept)
    image = np.unique(images.image[cells], return_inverse=True)[1]
    rows = replace(
        images.rows, y=images.rows.y[cells], group=image, embedded={"e": images.rows.embedded["e"][cells]},
        names=tuple(np.array(images.rows.names)[cells]),
    )  # fmt: skip
    learned, none = learn_images(labelled_images(rows, image, [""] * 9), get_bag_heads(["mean-pool"]))
    assert np.isfinite(learned.choice.P).all() and np.isfinite(none.level)


@pytest.mark.parametrize("head", ["mean-pool", "inherit", "inherit-vote", "inherit-log-odds", "noisy-or", "log-sum-exp", "mean-pool:centroid"])
def test_saved_and_read_it_gives_the_same_answers_to_the_bit(tiled, tmp_path, head):
    model = made(tiled[0], head)
    again = load_model(save_model(model, tmp_path / "m"))
    assert again.about == model.about and again.about.bag_head == head
    X = model.scale.mean + np.random.default_rng(0).normal(size=(7, len(model.scale.mean))).astype(np.float32)
    np.testing.assert_array_equal(model.answer(X).P, again.answer(X).P)
    start = np.array([0, 3])
    one, other = model.answer_images(X, start), again.answer_images(X, start)
    np.testing.assert_array_equal(one.P, other.P)
    np.testing.assert_allclose(one.P.sum(1), 1)


def test_a_damaged_classifier_of_images_is_refused_or_answers_the_same(tiled, tmp_path):
    mutations(save_model(tiled[1], tmp_path / "m"), tmp_path / "damaged", 60)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"bag_head": "evil.py:HEAD"}, "is not one of"),
        ({"bag_head": "attention", "bag_head_version": get_bag_heads(["attention"])[0].version}, "state of kind"),
        ({"bag_head_version": 99}, "of version 99"),
        ({"bag_head": 3}, "bag_head"),
        ({"none_level": 2.0}, "none_level"),
        ({"none_level": "0"}, "none_level"),
        ({"most": -1}, "most"),
    ],
)
def test_what_the_folder_says_of_a_bag_head_is_checked(tiled, tmp_path, changes, told):
    folder = save_model(tiled[1], tmp_path / "m")
    reseal(folder, **changes)
    with pytest.raises(BenchError, match=told):
        load_model(folder)


def test_cells_and_images_get_rows_that_agree(tiled, tmp_path):
    folder, model = tiled
    cells, images = answers(model, folder / "demo" / "raw", out=tmp_path)
    assert len(cells) == 48 and images["cells"].tolist() == [4] * 12
    assert cells["set"].isna().all() and images["set"].notna().all()
    names = model.about.classes
    P = images[[f"p_{name}" for name in names]].to_numpy()
    np.testing.assert_allclose(P.sum(1), 1)
    assert (images["class"] == np.array(names)[P.argmax(1)]).all() and (images["probability"] == P.max(1)).all()
    shares = images[[*(f"cells_{name}" for name in (*names, NONE)), "cells_unlike"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    first = cells[cells["path"] == images["path"][0]]
    for name in names:
        assert images[f"cells_{name}"][0] == pytest.approx((first["answer"] == name).mean())


def test_an_image_whose_cells_lie_in_several_blocks_has_one_row_and_the_same_numbers(tiled, tmp_path, monkeypatch):
    folder, model = tiled
    _, whole = answers(model, folder / "demo" / "raw", out=tmp_path)
    monkeypatch.setattr("bench.studies.classifier.predict.BLOCK", 3)
    _, parts = answers(model, folder / "demo" / "raw", out=tmp_path)
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-9)


def test_a_crowded_image_is_answered_by_as_many_cells_as_images_had_in_whatever_blocks(tiled, tmp_path, monkeypatch):
    folder, model = tiled
    few = replace(model, about=replace(model.about, most=2))
    seen = []
    ask = Model.answer_images
    monkeypatch.setattr(Model, "answer_images", lambda self, X, *more: (seen.append(len(X)), ask(self, X, *more))[1])
    _, whole = answers(few, folder / "demo" / "raw", out=tmp_path)
    monkeypatch.setattr("bench.studies.classifier.predict.BLOCK", 3)
    _, parts = answers(few, folder / "demo" / "raw", out=tmp_path)
    assert set(seen) == {2} and whole["cells"].tolist() == [4] * 12
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-9)


def test_cells_below_the_level_are_answered_as_none_of_these_and_counted(tiled, tmp_path):
    folder, model = tiled
    cells, _ = answers(model, folder / "demo" / "raw", out=tmp_path)
    level = float(cells["probability"].median())
    strict = replace(model, about=replace(model.about, none_level=level))
    found, images = answers(strict, folder / "demo" / "raw", out=tmp_path)
    below = found["probability"] < level
    assert 0 < below.sum() < 48
    assert ((found["answer"] == NONE) == (below & found["why_no_answer"].isna())).all()
    assert images[f"cells_{NONE}"].sum() == pytest.approx((found["answer"] == NONE).sum() / 4)
    counted = predict(strict, PredictRequest(images=(folder / "demo" / "raw",), out=tmp_path), lambda block: None)
    assert counted.classes[NONE] == below.sum() and sum(counted.classes.values()) == 48


def test_an_image_of_cells_unlike_all_that_is_known_gets_no_answer(tiled, tmp_path, save_png):
    folder, model = tiled
    save_png(tmp_path / "new" / "noise.png", size=(64, 64), seed=3)
    cells, images = answers(model, tmp_path / "new", out=tmp_path, unlike=0.99)
    assert cells["answer"].isna().all() and images["cells_unlike"].tolist() == [1.0]
    assert images["why_no_answer"].tolist() == [MOST_UNLIKE] and images["answer"].isna().all()
    _, all_answered = answers(model, tmp_path / "new", out=tmp_path, unlike=0.0)
    assert all_answered["answer"].notna().all()


def test_errors_are_promised_of_images_and_refuse_no_cell(tiled, tmp_path):
    folder, model = tiled
    cells, images = answers(model, folder / "demo" / "raw", out=tmp_path, errors=0.01, unlike=0.0)
    assert images["why_no_answer"].tolist() == ["not sure enough"] * 12 and cells["answer"].notna().all()
    found = predict(model, PredictRequest(images=(folder / "demo" / "raw",), out=tmp_path), lambda block: None)
    told = " ".join(cautions(model, Asked(errors=0.01), found))
    assert "Nothing is promised for single tiles" in told and "No image is answered" in told


def test_heads_that_take_more_images_are_left_out_by_name_and_none_at_all_is_a_mistake():
    y = np.repeat([0, 1], [4, 2])
    kept, why = able(get_bag_heads(["all"]), y, ("a", "b"))
    assert {head.name for head in kept} == {"mean-pool", "inherit", "inherit-vote", "inherit-log-odds", "noisy-or", "log-sum-exp"}
    assert why[0] == "attention is left out: it takes 50 images of every class, and b has 2" and "joint" in why[1]
    with pytest.raises(BenchError, match="of which none can be used"):
        able(get_bag_heads(["attention"]), y, ("a", "b"))
    assert [head.name for head in able(get_bag_heads(["attention"]), np.repeat([0, 1], 50), ("a", "b"))[0]] == ["attention"]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"instances": "whole"}, "with --instances whole"),
        ({"cells": CellFiles(column="kind")}, "--cell-column kind with --bag-head"),
    ],
)
def test_what_labels_of_images_cannot_be_learned_from_is_refused(tiled, how, told):
    with pytest.raises(BenchError, match=told):
        made(tiled[0], **how)


def test_a_head_that_is_code_in_a_file_is_refused_before_anything_is_read(tiled, tmp_path):
    (tmp_path / "mine.py").write_text("from sklearn.naive_bayes import GaussianNB\nNB = GaussianNB()\n")
    with pytest.raises(BenchError, match="rests on code in a file"):
        made(tiled[0], f"mean-pool:{tmp_path / 'mine.py'}:NB", data=tmp_path / "nowhere")


def test_an_image_of_several_labels_is_refused_by_name():
    images, _ = constructed(1.0, images=2)
    y = images.rows.y.copy()
    y[0] = 2
    with pytest.raises(BenchError, match="several labels in the image im0"):
        labelled_images(replace(images.rows, y=y), images.image, [f"im{i}" for i in range(6)])


def test_a_class_that_is_called_none_of_these_is_refused(tiled, tmp_path, save_png):
    for label in ("a", NONE):
        for i in range(2):
            save_png(tmp_path / "demo" / "raw" / label / f"{i}__x.png", size=(64, 64), seed=i)
    with pytest.raises(BenchError, match="expected another name"):
        made(tmp_path)


def test_another_head_is_proposed_for_cells_only_where_one_was_taken_that_is_not_the_best_for_them(tiled):
    about = tiled[1].about
    told = {
        head: " ".join(map(plain_words, advice.of_cells(replace(about, bag_head=head))))
        for head in ("mean-pool", "mean-pool:centroid", "log-sum-exp")
    }
    assert [("try --bag-head mean-pool as well" in text) for text in told.values()] == [False, False, True]


def test_what_is_told_of_none_of_these_is_whether_a_tile_can_be_called_so(tiled):
    about = tiled[1].about
    assert "No tile is called 'none of these'" in plain_words(advice.none_of_these(replace(about, none_level=0.0)))
    told = plain_words(advice.none_of_these(replace(about, none_level=0.5, none_share=0.25)))
    assert "no class has a probability of 0.5 or more" in told and "25% are called so" in told


def test_it_does_not_become_onnx(tiled, tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(BenchError, match=rf"with the head {tiled[1].about.bag_head}; expected one of"):
        export_onnx(tiled[1], tmp_path / "m.onnx")


def test_the_table_of_images_lies_beside_that_of_cells_and_ends_alike():
    assert images_beside(Path("a/p.csv")) == Path("a/p-images.csv") and images_beside(Path("p.parquet")).name == "p-images.parquet"
