"""A cell that shows none of the classes is called so, by a level that no label of a cell has helped to find."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.studies.granularity.bags import make_bags
from bench.studies.granularity.design import Levels, design_images
from bench.studies.granularity.exchange import measure
from bench.studies.granularity.heads import Draw, all_bag_heads, get_bag_heads
from bench.studies.granularity.heads.contract import no_bags
from bench.studies.granularity.methods import Method, plan_methods
from bench.studies.granularity.none_of_these import (
    _squares_by_image,
    call_none,
    even_weights,
    left_out_scores,
    none_level,
    none_level_of,
)
from bench.studies.granularity.outcome import fit_design

CLASSES = ("a", "b", "c")
IMAGES = np.arange(600) // 10  # 10 cells each
LEVELS = Levels((0, 1, 8), (0, 1, 4), 2)


def probabilities(sure: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Rows of 3 classes, class k at the given probability, the others alike."""
    P = np.repeat((1 - sure)[:, None] / 2, 3, axis=1)
    P[np.arange(len(k)), k] = sure
    return P


def test_the_level_lies_between_cells_of_the_classes_and_cells_of_none():
    rng = np.random.default_rng(0)
    y = IMAGES // 20
    real = np.arange(600) % 10 == 0  # one cell of an image shows its class
    P = probabilities(np.where(real, 0.8, 0.4) + rng.uniform(0, 0.1, 600), np.where(real, y, rng.integers(0, 3, 600)))
    level = none_level(P, y, IMAGES)
    assert 0.48 < level <= 0.81
    called = call_none(P, level)
    assert called.shape == (600, 4) and ((called.argmax(1) == 3) == ~real).mean() > 0.98
    np.testing.assert_allclose(called.sum(1), 1)
    assert (called[real].argmax(1) == y[real]).all()


def test_where_every_cell_shows_its_image_none_is_never_said_and_where_nothing_is_found_neither():
    y = np.repeat([0, 1, 2], 50)
    image = np.arange(150) // 5
    pure = probabilities(np.full(150, 0.6), y)
    assert (call_none(pure, none_level(pure, y, image)).argmax(1) == y).all()
    wrong = probabilities(np.full(150, 0.6), (y + 1) % 3)
    assert none_level(wrong, y, image) == 0


def test_noise_is_no_evidence_that_a_cell_is_of_none():
    y, levels = IMAGES % 3, []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        seen = rng.integers(0, 3, 60)[IMAGES]  # all cells of an image look alike, and like no class in particular
        levels.append(none_level(probabilities(rng.uniform(0.4, 0.9, 600), seen), y, IMAGES))
    assert np.mean(np.array(levels) > 0) <= 0.06


def test_cells_of_none_that_all_look_like_the_class_of_most_images_are_no_evidence_where_classes_weigh_alike():
    y = np.repeat([0, 1, 2], [400, 100, 100])
    rng = np.random.default_rng(0)
    P = probabilities(rng.uniform(0.4, 0.9, 600), np.zeros(600, int))  # every cell looks like the first class
    assert none_level(P, y, IMAGES) > 0
    weight = even_weights(y, 3)
    assert weight.mean() == pytest.approx(1)
    np.testing.assert_allclose(np.bincount(y, weight), 200)
    assert none_level(P, y, IMAGES, weight) == 0
    even = np.repeat([0, 1, 2], 200)
    found = probabilities(rng.uniform(0.4, 0.9, 600), np.where(rng.random(600) < 0.5, even, rng.integers(0, 3, 600)))
    assert none_level(found, even, IMAGES, even_weights(even, 3)) == none_level(found, even, IMAGES) > 0


def test_noise_is_counted_by_image():
    steps, image = np.array([1.0, 1, -0.5, 1]), np.array([4, 2, 4, 2])
    np.testing.assert_allclose(_squares_by_image(steps, image), [1, 2, 1.25, 4.25])


def test_the_level_does_not_depend_on_the_order_of_the_cells():
    rng = np.random.default_rng(1)
    image = np.arange(90) // 3
    y = image % 3
    P = probabilities(rng.uniform(0.4, 0.9, 90).round(2), np.where(rng.random(90) < 0.7, y, rng.integers(0, 3, 90)))
    order = rng.permutation(90)
    assert none_level(P, y, image) == none_level(P[order], y[order], image[order]) > 0


def test_no_training_image_is_scored_by_a_fit_that_saw_its_group():
    bags = make_bags(np.repeat(np.arange(12), 2), np.tile([0, 1, 2], 4))
    unit = np.array([0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8])  # two images of the first groups
    of_row = dict(zip(bags.rows.tolist(), unit[bags.of_member].tolist(), strict=True))
    scored = []

    def score(learned, rows):
        assert not {of_row[r] for r in learned.rows.tolist()} & {of_row[r] for r in rows.tolist()}
        scored.extend(rows.tolist())
        return np.full((len(rows), 3), 1 / 3)

    P, y, bag = left_out_scores(score, bags, unit)
    assert sorted(scored) == list(range(24)) and len(P) == 24
    assert (y == bags.y[bags.of_member][scored]).all() and (bag == bags.of_member[scored]).all()


@pytest.mark.parametrize("unit", [[0, 0, 0, 1, 1, 1], [0, 1, 2, 3, 3, 3]])
def test_nothing_is_called_none_where_the_images_of_a_class_are_of_one_group(unit):
    bags = make_bags(np.repeat(np.arange(6), 20), np.repeat([0, 1], 3))

    def score(learned, rows):
        assert set(learned.y.tolist()) == {0, 1}  # of no image at all, or of one class, nothing can be learned
        return np.full((len(rows), 2), 0.5)

    assert none_level_of(score, bags, np.array(unit)) == 0


def test_few_slides_have_no_level_and_are_scored_all_the_same():
    table, X = images_of_debris(n_images=6)
    table["group"] = table["label"] + (table["image"].str[-1].astype(int) % 2).astype(str)  # two slides of each class
    design = design_images(table, CLASSES, Levels(images=(2,), cells=(1, 2), seeds=2), "other")
    assert design.plan.rule == "leave-one-group-out"
    found = measure(design, get_bag_heads(["inherit"]), lambda train: X, {"image": 1, "cell": 1})
    row = found.curves.set_index(["head", "images", "cells"]).loc["inherit", 2, 0]
    assert row["of_none"] == 0 and row["of_classes"] > 0.5


def images_of_debris(n_images: int = 15, size: int = 8, signal: float = 3.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Images of three classes, each of two cells that show it and others of debris, and embeddings of the cells."""
    rng = np.random.default_rng(0)
    rows = [
        (f"{k}{i}-{j}", f"{k}{i}", f"d{k}{i}", k, f"{k}g{i}", k if j < 2 else "debris")
        for k in CLASSES for i in range(n_images) for j in range(size)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["instance", "image", "digest", "label", "group", "cell_label"])
    code = table["cell_label"].map(dict(zip((*CLASSES, "debris"), range(4), strict=True))).to_numpy()
    X = np.eye(4, 12)[code] * signal + rng.standard_normal((len(table), 12))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return table.assign(split=pd.NA, cell_label=table["cell_label"].astype("string")), X.astype("f4")


def test_cells_of_other_types_are_a_class_at_cell_level_and_found_without_a_label_of_a_cell():
    table, X = images_of_debris()
    design = design_images(table, CLASSES, LEVELS, "other")
    assert design.cell_classes == (*CLASSES, "other")
    assert (np.bincount(design.cell_y) == [30, 30, 30, 15 * 3 * 6]).all()
    for (c, _, _), rows in design.cells.items():
        assert np.bincount(design.cell_y[rows]).tolist() == [c] * 4
    found = measure(design, get_bag_heads(["inherit", "noisy-or", "joint"]), lambda train: X, {"image": 1, "cell": 1})
    at = found.curves.set_index(["head", "images", "cells"])
    for head in ("inherit", "noisy-or"):
        row = at.loc[head, 8, 0]
        assert row["cell"] > 0.55 and row["of_none"] > 0.3 and row["of_classes"] > 0.5, row  # guessing: .25 each
        assert row["cell"] == pytest.approx((3 * row["of_classes"] + row["of_none"]) / 4)
    assert at.loc["noisy-or", 8, 4]["of_none"] > 0.7 and at.loc["logreg", 0, 4]["of_none"] > 0.7
    assert ("joint", 8, 4) not in at.index and ("inherit", 1, 0) not in at.index and ("noisy-or", 1, 1) in at.index
    _, refused = plan_methods(get_bag_heads(["inherit", "noisy-or", "joint"]), design)
    assert any(text.startswith("joint with labels of cells") for text in refused)
    assert any("1 image label per class without labels of cells" in text for text in refused)


def test_image_level_is_the_same_whether_or_not_none_of_these_is_asked_for():
    table, X = images_of_debris(14)
    scores = []
    for none in ("", "other"):
        design = design_images(table, CLASSES, LEVELS, none)
        planned, _ = plan_methods(get_bag_heads(["inherit"]), design)
        outcome = fit_design(design, lambda train: X, planned)
        scores.append(outcome.image.right[list(planned).index(Method("inherit", 8, 0))])
    np.testing.assert_array_equal(*scores)


def test_a_cell_of_another_type_whose_window_shows_the_images_class_is_not_none_of_these():
    table, _ = images_of_debris()
    shows = (table["cell_label"] == table["label"]) | (np.arange(len(table)) % 8 == 7)
    design = design_images(table.assign(shows=shows.astype("boolean")), CLASSES, LEVELS, "other")
    assert (design.cell_y == -1).sum() == 15 * 3 and (design.cell_y == 3).sum() == 15 * 3 * 5


@pytest.mark.parametrize("name", [name for name, head in all_bag_heads().items() if head.mixes_none])
def test_an_image_is_not_taken_to_lack_what_its_label_says_nothing_of(name):
    """Images of which most cells are of none: with that said of them, none would be unlearned; without, it is not."""
    table, X = images_of_debris(8)
    y = table["label"].map({k: i for i, k in enumerate(CLASSES)}).to_numpy()
    bags = make_bags(table.groupby("image", sort=False).ngroup().to_numpy(), y[::8])
    rows = np.flatnonzero(np.arange(len(table)) % 8 < 4)[:96:3]
    labels = np.where(table["cell_label"] == "debris", 3, y)[rows]
    cells = make_bags(np.arange(len(rows)), labels, rows)
    tested = np.flatnonzero(table["cell_label"] == "debris")
    head = all_bag_heads()[name]
    draws = [Draw(X, bags, cells, 4, bags.take(np.arange(1)), tested, none=none) for none in (True, False)]
    kept, lost = (head.scores(draw, head.settings).cells.argmax(1) == 3 for draw in draws)
    assert kept.mean() > 0.9 and kept.mean() > lost.mean()
    assert draws[0].told[:24, 3].sum() == 0 and draws[0].told[24:].all() and draws[1].told.all()
    assert len(no_bags()) == 0
