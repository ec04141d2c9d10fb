"""Which labels are drawn, what is tested, and what the labels are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.chosen_by import LEARN
from bench.errors import BenchError
from bench.studies.granularity.design import Levels, design_images, structural_noise, usable_classes
from bench.studies.granularity.exchange import measure
from bench.studies.granularity.heads import get_bag_heads
from bench.studies.granularity.methods import Method, plan_methods
from bench.studies.granularity.outcome import fit_design
from bench.studies.granularity.simulate import Recipe, simulate_images

CLASSES = ("a", "b", "c")
LEVELS = Levels((0, 1, 3), (0, 1, 2, 4), 4)


def images_table(n_images: int = 15, size: int = 5, seed: int = 0) -> pd.DataFrame:
    """Images of three classes, two to a group, with cells of which two show the class and one has an unknown label."""
    rng = np.random.default_rng(seed)
    rows = []
    for label in CLASSES:
        for i in range(n_images):
            for j in range(size):
                shown = label if j < 2 else pd.NA if j == 2 else rng.choice(["debris", *CLASSES])
                rows.append((f"{label}{i}-{j}", f"{label}{i}", f"d{label}{i}", label, f"{label}g{i // 2}", shown))
    table = pd.DataFrame(rows, columns=["instance", "image", "digest", "label", "group", "cell_label"])
    return table.assign(split=pd.NA, cell_label=table["cell_label"].astype("string"))


def cells_table(n: int = 80, groups: int = 8) -> pd.DataFrame:
    rows = [(f"{k}{i}", k, f"g{i % groups}") for k in CLASSES for i in range(n)]
    return pd.DataFrame(rows, columns=["instance", "label", "group"]).assign(split=pd.NA)


def random_rows(table: pd.DataFrame, signal: float = 1.0) -> np.ndarray:
    labels = table["cell_label"]
    codes = labels.map({name: k for k, name in enumerate(CLASSES)}).fillna(-1).to_numpy(int)
    X = np.random.default_rng(5).standard_normal((len(table), 8)) / 3
    X[codes >= 0] += signal * np.eye(3, 8)[codes[codes >= 0]]
    return X.astype("f4")


def test_no_group_is_both_learned_from_and_tested_on():
    table = images_table()
    design = design_images(table, CLASSES, LEVELS)
    group = table["group"].to_numpy(str)
    for drawn in (design.images, design.cells):
        assert drawn
        for (_, _, split), what in drawn.items():
            side = design.test_sides[split]
            tested = {*group[side.test_bags.rows], *group[side.test_cells]}
            assert tested and not tested & set(group[getattr(what, "rows", what)])


def test_draws_are_nested_over_both_and_balanced():
    design = design_images(images_table(), CLASSES, LEVELS)
    for (m, seed, split), bags in design.images.items():
        assert np.bincount(bags.y).tolist() == [m] * 3
        if m == 1:
            assert set(bags.rows) < set(design.images[3, seed, split].rows)
    for (c, seed, split), rows in design.cells.items():
        assert np.bincount(design.cell_y[rows]).tolist() == [c] * 3
        if c < 4:
            assert set(rows) < set(design.cells[2 * c, seed, split])


def test_draws_do_not_depend_on_the_other_levels_or_the_order_of_the_table():
    table = images_table()
    design, alone = design_images(table, CLASSES, LEVELS), design_images(table, CLASSES, Levels((3,), (2,), 2))
    turned = table.iloc[np.random.default_rng(0).permutation(len(table))].reset_index(drop=True)
    other = design_images(turned, CLASSES, LEVELS)
    for seed in range(2):
        for split in design.plan.splits(seed):
            bags = [d.images[3, seed, split.name] for d in (design, alone, other)]
            cells = [d.cells[2, seed, split.name] for d in (design, alone, other)]
            np.testing.assert_array_equal(bags[0].rows, bags[1].rows)
            np.testing.assert_array_equal(cells[0], cells[1])
            np.testing.assert_array_equal(table["instance"].iloc[cells[0]], turned["instance"].iloc[cells[2]])
            assert set(table["instance"].iloc[bags[0].rows]) == set(turned["instance"].iloc[bags[2].rows])


def test_only_cells_of_the_images_classes_are_scored_each_once():
    table = images_table()
    design = design_images(table, CLASSES, LEVELS)
    scored = np.sort(np.concatenate([design.test_sides[split.name].test_cells for split in design.plan.splits(0)]))
    np.testing.assert_array_equal(scored, np.flatnonzero(table["cell_label"].isin(CLASSES)))
    planned, _ = plan_methods(get_bag_heads(["mean-pool"]), design)
    outcome = fit_design(design, lambda train: random_rows(table), planned)
    assert outcome.cell.total.sum() == len(scored)
    assert outcome.image.total.sum() == 45
    assert (outcome.cell.right.sum((2, 3)) > len(scored) / 2).all()


def test_a_fit_gives_the_same_whatever_is_fitted_beside_it():
    table = images_table()
    X = random_rows(table, 0.5)
    results = []
    for levels, heads in ((LEVELS, ["joint", "noisy-or", "inherit"]), (Levels((3,), (2,), 4), ["noisy-or"])):
        design = design_images(table, CLASSES, levels)
        planned, _ = plan_methods(get_bag_heads(heads), design)
        outcome = fit_design(design, lambda train: X, planned)
        results.append(dict(zip(outcome.methods, outcome.cell.right, strict=True)))
    for method in (Method("logreg", 0, 2), Method("noisy-or", 3, 0), Method("noisy-or", 3, 2)):
        np.testing.assert_array_equal(results[0][method], results[1][method])


def test_attention_of_few_images_is_refused_with_a_reason():
    planned, refused = plan_methods(get_bag_heads(["attention"]), design_images(images_table(), CLASSES, LEVELS))
    assert {method.head for method in planned} == {"logreg"}
    [reason] = refused
    assert "attention with 1, 3 image labels per class: it is fitted from 50" in reason


def test_image_labels_that_say_nothing_of_cells_are_worth_less_than_a_cell():
    table = images_table(30)
    X = np.random.default_rng(0).standard_normal((len(table), 8)).astype("f4")
    at = table["cell_label"].isin(CLASSES).to_numpy()
    X[at] += 4 * np.eye(3, 8)[pd.Categorical(table["cell_label"][at]).codes]
    table = table.assign(label=np.roll(table["label"], 30 * 5 // 2))  # images are labelled at random
    found = measure(
        design_images(table, CLASSES, LEVELS), get_bag_heads(["mean-pool"]), lambda train: X, {"image": 1, "cell": 1}
    )
    assert (found.rates["cells_text"] == "<1").all()


@pytest.mark.parametrize(("n_images", "shown"), [(8, False), (30, True)])  # 4 and 15 groups of a class
def test_an_exchange_rate_names_its_number_of_images_and_is_not_shown_without_an_interval(n_images, shown):
    table = images_table(n_images)
    table["cell_label"] = table["cell_label"].where(table["cell_label"] == table["label"])  # each in its own class's images
    X, minutes = random_rows(table, 0.5), {"image": 1, "cell": 1}
    rates = measure(design_images(table, CLASSES, LEVELS), get_bag_heads(["mean-pool"]), lambda train: X, minutes).rates
    assert rates["images"].tolist() == [1, 3] and rates["cell"].notna().all()
    if shown:
        assert all(text.endswith(end) for text, end in zip(rates["text"], ("] at 1 image", "] at 3 images"), strict=True))
        assert rates["cells_text"].ne("").all()
    else:
        assert rates["text"].str.startswith("not available: too few test groups").all()
        assert rates[["cells", "rate", "rate_low", "rate_high"]].isna().all(axis=None)
        assert rates["cells_text"].eq("").all()


def test_a_class_with_few_images_or_cells_is_left_out_unless_it_is_named():
    table = images_table()
    table = table[~table["image"].isin([f"c{i}" for i in range(3, 15)])]
    levels = Levels((0, 1, 5, 10), (0, 1, 2), 4)
    classes, [why] = usable_classes(table, levels)
    assert classes == ("a", "b")
    assert "class 'c' is left out" in why and "3 images" in why
    assert usable_classes(table, levels, CLASSES)[0] == CLASSES


def test_levels_that_cannot_be_drawn_are_told_once_and_refused_if_none_is_left():
    design = design_images(images_table(), CLASSES, Levels((0, 1, 50, 90), (0, 1), 4))
    assert design.image_levels == (1,)
    [why] = design.refused
    assert why.startswith("image labels: shots=50 is more than class") and "of its 15 items" in why
    with pytest.raises(BenchError, match="none can be drawn"):
        design_images(images_table(), CLASSES, Levels((0, 50), (0, 1), 4))


@pytest.mark.parametrize("levels", [((0, -1), (1,), 4), ((0,), (1,), 4), ((1,), (0,), 4), ((1,), (1,), 1)])
def test_levels_that_mean_nothing_are_refused(levels):
    with pytest.raises(BenchError, match="expected"):
        Levels(*levels)


@given(st.sampled_from([0, 0.25, 0.4, 0.5, 0.9, 1]), st.integers(1, 8), st.integers(0, 3))
@settings(max_examples=15)
def test_simulated_images_are_as_pure_as_asked_and_stay_on_their_side(purity, size, seed):
    table = cells_table(240)
    design = simulate_images(table, CLASSES, LEVELS, Recipe(purity, size))
    y, group = design.cell_y, design.group
    shares = []
    for split in design.plan.splits(seed):
        side, bags = design.test_sides[split.name], design.images[3, seed, split.name]
        assert not set(group[bags.rows]) & set(group[side.test_bags.rows])
        assert np.array_equal(design.images[1, seed, split.name].rows, bags.take(np.array([0, 3, 6])).rows)
        for some in (bags, side.test_bags):
            own = np.add.reduceat(y[some.rows] == some.y[some.of_member], some.start)
            assert (np.abs(own - purity * size) < 1).all()
            shares.append(own.mean() / size)
            for b in range(len(some)):
                assert len(some.take(np.array([b])).rows) == size
            assert len(set(some.rows)) == len(some.rows)  # no cell is in two images
    assert np.mean(shares) == pytest.approx(purity, abs=0.12)


def test_more_simulated_images_than_there_are_cells_for_are_refused_with_the_number_that_can_be_made():
    design = simulate_images(cells_table(240), CLASSES, Levels((1, 3, 50), (1,), 4), Recipe(0.5, 8))
    assert design.image_levels == (1, 3)
    [why] = design.refused
    assert "50 images per class of 8 cells need more cells than there are" in why and "can be made" in why
    fewer = simulate_images(cells_table(240), CLASSES, Levels((1, 3), (1,), 4), Recipe(0.5, 8))
    for key, bags in fewer.images.items():  # what is asked for besides changes no image
        np.testing.assert_array_equal(bags.rows, design.images[key].rows)


def test_simulated_images_larger_than_a_class_are_refused():
    with pytest.raises(BenchError, match="Use --simulate-bags"):
        simulate_images(cells_table(), CLASSES, LEVELS, Recipe(1, 79))


def test_structural_noise_is_judged_by_what_the_window_shows():
    table = images_table(40)
    own = (table["cell_label"] == table["label"]).fillna(False).astype(bool)
    beside = own | (table.groupby("image").cumcount() == 4)  # the last window takes in a cell of the image's class
    found = structural_noise(table.assign(shows=beside.astype("boolean"))).set_index("label").loc["all"]
    known = table["cell_label"].notna()
    assert found["noise"] == pytest.approx((~beside[known]).mean())
    assert found["other"] == pytest.approx((~own[known]).mean()) and found["noise"] < found["other"]


def test_structural_noise_is_the_share_of_cells_that_show_something_else():
    table = images_table(40)
    found = structural_noise(table).set_index("label")
    known = table[table["cell_label"].notna()]
    assert found.loc["all", "noise"] == pytest.approx((known["cell_label"] != known["label"]).mean())
    assert found.loc["a", "groups"] == 20
    assert (found["noise_low"] < found["noise"]).all() and (found["noise"] < found["noise_high"]).all()
    assert (found["noise_high"] - found["noise_low"] < 0.2).all()


def test_labels_that_were_picked_are_learned_from_and_never_tested_nor_are_their_cells():
    table = images_table()
    picked = table["image"].str.fullmatch(r"[abc](1|4|8)")  # beside another image of their group, or alone in it
    design = design_images(table.assign(split=table["split"].mask(picked, LEARN)), CLASSES, LEVELS)
    tested = {row for side in design.test_sides.values() for row in (*side.test_bags.rows, *side.test_cells)}
    assert tested and not tested & set(np.flatnonzero(picked))
    learned = {row for bags in design.images.values() for row in bags.rows}
    assert learned & set(np.flatnonzero(picked))
