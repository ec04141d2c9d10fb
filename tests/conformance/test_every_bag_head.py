"""What every bag head keeps, whatever it is."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError
from bench.heads import get_heads
from bench.heads.state import State
from bench.heads.support import Support
from bench.studies.granularity.bags import Bags, bags_of_one, make_bags
from bench.studies.granularity.heads import Draw, all_bag_heads, get_bag_heads
from bench.studies.granularity.heads.base import learn_base, some_of_each
from bench.studies.granularity.heads.contract import no_bags

K, D = 3, 12
MIXING = [name for name, head in all_bag_heads().items() if head.mixes]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def draw() -> Draw:
    """12 images of 2 to 6 cells, most of which show the image's class; 9 of them are scored, and 20 cells."""
    rng = np.random.default_rng(3)
    y = np.tile(np.arange(K), 7)
    bag = np.repeat(np.arange(len(y)), rng.integers(2, 7, len(y)))
    shows = np.where(rng.random(len(bag)) < 0.8, y[bag], rng.integers(0, K, len(bag)))
    X = np.eye(K, D)[shows] * 3 + rng.standard_normal((len(bag), D))
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype("f4")
    bags = make_bags(bag, y)
    cells = rng.permutation(len(bag))[:20]
    return Draw(X, bags.take(np.arange(12)), no_bags(), K, bags.take(np.arange(12, 21)), cells)


def fit(name: str, draw: Draw):
    head = all_bag_heads()[name]
    return head.scores(draw, head.settings)


@pytest.mark.parametrize("name", all_bag_heads())
def test_probabilities_of_images_and_cells(name, draw):
    found = fit(name, draw)
    assert found.bags.shape == (9, K)
    assert found.cells.shape == (20, K)
    for P in found:
        assert (P >= 0).all()
        np.testing.assert_allclose(P.sum(1), 1, atol=8 * np.finfo(P.dtype).eps)
    assert (found.bags.argmax(1) == draw.test_bags.y).mean() > 0.6


@pytest.mark.parametrize("name", all_bag_heads())
def test_learning_once_and_scoring_after_is_the_same_to_the_bit(name, draw):
    """What is tested plays no part in learning, so that what has learned scores anything that comes."""
    head = all_bag_heads()[name]
    fitted = head.fit(replace(draw, test_bags=no_bags(), test_cells=draw.test_cells[:0]))
    for one, other in zip(fit(name, draw), fitted.scored(draw.X, draw.test_bags, draw.test_cells), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", [*all_bag_heads(), "mean-pool:centroid", "inherit:knn"])
def test_made_of_its_state_it_scores_the_same(name, draw):
    [head] = get_bag_heads([name])
    fitted = head.fit(draw)
    state = fitted.state()
    told = State(arrays=state.arrays, about=json.loads(json.dumps(state.about)))  # it is JSON, and nothing is lost
    kept = head.restore(told)
    scored = [one.scored(draw.X, draw.test_bags, draw.test_cells) for one in (fitted, kept, head.restore(kept.state()))]
    for one, other, again in zip(*scored, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
        np.testing.assert_array_equal(other, again)


@pytest.mark.parametrize("name", all_bag_heads())
def test_no_image_or_no_cell_can_be_scored(name, draw):
    head = all_bag_heads()[name]
    for fitted in (head.fit(draw), head.restore(head.fit(draw).state())):
        cells = fitted.scored(draw.X, no_bags(), draw.test_cells)
        images = fitted.scored(draw.X, draw.test_bags, draw.test_cells[:0])
        assert cells.bags.shape == images.cells.shape == (0, K)
        np.testing.assert_allclose(cells.cells, fit(name, draw).cells, atol=1e-5)
        np.testing.assert_allclose(images.bags, fit(name, draw).bags, atol=1e-5)


@pytest.mark.parametrize("name", all_bag_heads())
def test_a_state_that_is_not_its_own_is_refused(name, draw):
    head = all_bag_heads()[name]
    state = head.fit(draw).state()
    shortest = min(state.arrays, key=lambda name: state.arrays[name].size)
    for arrays, about in (
        (state.arrays, {**state.about, "kind": "something else"}),
        ({}, state.about),
        ({**state.arrays, shortest: state.arrays[shortest][:0]}, state.about),
        ({name: array * np.nan for name, array in state.arrays.items()}, state.about),
        (state.arrays, {"kind": state.about["kind"]}),
    ):
        with pytest.raises(BenchError):
            head.restore(State(arrays=arrays, about=about)).scored(draw.X, draw.test_bags, draw.test_cells)


def test_a_state_that_names_code_as_its_head_is_not_run(draw):
    head = all_bag_heads()["inherit"]
    state = head.fit(draw).state()
    with pytest.raises(BenchError, match="expected one of"):
        head.restore(State(arrays=state.arrays, about={**state.about, "head": "evil.py:HEAD"}))


@pytest.mark.parametrize("name", all_bag_heads())
def test_is_the_same_again(name, draw):
    for one, other in zip(fit(name, draw), fit(name, draw), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", all_bag_heads())
def test_the_order_of_cells_in_an_image_means_nothing(name, draw):
    def shuffled(bags: Bags) -> Bags:
        order = np.lexsort((np.random.default_rng(0).random(len(bags.rows)), bags.of_member))
        return replace(bags, rows=bags.rows[order])

    other = replace(draw, bags=shuffled(draw.bags), test_bags=shuffled(draw.test_bags))
    assert (other.bags.rows != draw.bags.rows).any()
    for one, P in zip(fit(name, draw), fit(name, other), strict=True):
        np.testing.assert_allclose(one, P, atol=2e-3)


@pytest.mark.parametrize("name", sorted(set(all_bag_heads()) - {"noisy-or"}))
def test_an_image_whose_cells_are_there_twice_is_scored_alike(name, draw):
    tested = draw.test_bags
    twice = Bags(np.repeat(tested.rows, 2), tested.start * 2, tested.y)
    np.testing.assert_allclose(fit(name, draw).bags, fit(name, replace(draw, test_bags=twice)).bags, atol=1e-6)


def test_noisy_or_counts_cells_so_that_twice_is_more(draw):
    """Two cells that may show a class are more than one."""
    tested = draw.test_bags
    twice = replace(draw, test_bags=Bags(np.repeat(tested.rows, 2), tested.start * 2, tested.y))
    assert not np.allclose(fit("noisy-or", draw).bags, fit("noisy-or", twice).bags, atol=1e-3)


@pytest.mark.parametrize("name", all_bag_heads())
def test_a_cell_is_scored_as_an_image_of_one(name, draw):
    one = replace(draw, test_bags=bags_of_one(draw.test_cells, np.zeros(20, int)))
    found = fit(name, one)
    if name == "inherit-vote":  # an image of one cell is certain
        np.testing.assert_array_equal(found.bags.argmax(1), found.cells.argmax(1))
    else:
        np.testing.assert_allclose(found.bags, found.cells, atol=1e-6)


@pytest.mark.parametrize("name", all_bag_heads())
def test_a_class_that_the_draw_lacks_keeps_its_column_at_0(name, draw):
    found = fit(name, replace(draw, bags=draw.bags.take(np.flatnonzero(draw.bags.y != 1))))
    for P in found:
        assert P.shape[1] == K
        assert (P[:, 1] == 0).all()
        np.testing.assert_allclose(P.sum(1), 1, atol=8 * np.finfo(P.dtype).eps)


@pytest.mark.parametrize("name", all_bag_heads())
def test_labels_of_what_is_scored_are_not_looked_at(name, draw):
    other = replace(draw, test_bags=replace(draw.test_bags, y=draw.test_bags.y[::-1]))
    np.testing.assert_array_equal(fit(name, draw).bags, fit(name, other).bags)


@pytest.mark.parametrize("name", MIXING)
def test_labelled_cells_move_a_head_that_mixes(name, draw):
    cells = bags_of_one(draw.test_cells, (draw.test_cells * 7) % K)
    assert not np.allclose(fit(name, draw).cells, fit(name, replace(draw, cells=cells)).cells, atol=1e-3)


@pytest.mark.parametrize("name", MIXING)
def test_a_head_that_mixes_learns_from_cells_alone(name, draw):
    y = draw.bags.y[draw.bags.of_member]
    alone = replace(draw, bags=no_bags(), cells=bags_of_one(draw.bags.rows, y))
    found = fit(name, alone)
    assert (found.bags.argmax(1) == draw.test_bags.y).mean() > 0.6


def test_images_of_one_cell_are_labelled_cells_to_every_head(draw):
    ones = bags_of_one(draw.bags.rows, draw.bags.y[draw.bags.of_member])
    plain = fit("mean-pool", replace(draw, bags=ones)).cells
    for name in ("inherit", "joint"):
        np.testing.assert_allclose(fit(name, replace(draw, bags=ones)).cells, plain, atol=1e-5)


@pytest.mark.parametrize(("n", "c", "images"), [(12, 3, 0.5), (12, 12, 0.5), (4, 12, 0.25), (12, 0, 1), (0, 12, 0)])
def test_images_weigh_as_cells_do_but_never_more_together(draw, n, c, images):
    cells = bags_of_one(np.arange(c), np.arange(c) % K)
    weight = replace(draw, bags=draw.bags.take(np.arange(n)), cells=cells).weight
    assert weight.mean() == pytest.approx(1)
    assert weight[:n].sum() / weight.sum() == pytest.approx(images)


def test_a_head_can_rest_on_another():
    [head] = get_bag_heads(["mean-pool:centroid"])
    assert (head.name, head.base) == ("mean-pool:centroid", "centroid")


def test_all_stands_for_every_bag_head_and_each_is_there_once():
    assert [head.name for head in get_bag_heads(["all", "joint"])] == list(all_bag_heads())


def test_a_head_says_whether_its_penalty_is_chosen():
    chosen_by = {name: head.chosen_by for name, head in all_bag_heads().items()}
    fixed = {"noisy-or", "log-sum-exp", "attention"}
    assert chosen_by == {name: "fixed" if name in fixed else "auto" for name in chosen_by}


@pytest.mark.parametrize(
    ("name", "message"),
    [("meanpool", "did you mean"), ("joint:knn", "rests on no other head"), ("mean-pool:centroidd", "Got head")],
)
def test_a_name_that_is_none_is_refused(name, message):
    with pytest.raises(BenchError, match=message):
        get_bag_heads([name])


def test_settings_under_a_bag_head_are_chosen_by_left_out_images_so_that_wrong_labels_are_smoothed_over():
    """Where most labels of cells are wrong, what fits them all is far from what the images teach."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 20)
    bag = np.repeat(np.arange(40), 10)
    shows = np.where(rng.random(len(bag)) < 0.65, y[bag], 1 - y[bag])
    X = 1.5 * np.eye(2, 300)[shows] + rng.standard_normal((len(bag), 300)) / np.sqrt(300)
    X_test = 1.5 * np.eye(2, 300)[np.tile([0, 1], 100)] + rng.standard_normal((200, 300)) / np.sqrt(300)
    support = Support(X, X_test, bag)
    [head] = get_heads(["logreg"])
    right = (learn_base("logreg", support, y[bag], 2).scores(support.X_test).argmax(1) == np.tile([0, 1], 100)).mean()
    weak = head.scores(support, y[bag][None], 2, [{"l2": 1e-6}]).P[0, 0]
    assert right > (weak.argmax(1) == np.tile([0, 1], 100)).mean() + 0.03


def test_rows_that_settings_are_chosen_by_are_of_every_image_and_do_not_depend_on_their_order():
    X, groups = np.random.default_rng(0).standard_normal((90, 3)), np.repeat([0, 1, 2], [80, 9, 1])
    kept = some_of_each(X, groups, 30)
    assert np.bincount(groups[kept]).tolist() == [10, 9, 1] and (np.diff(kept) > 0).all()
    order = np.random.default_rng(1).permutation(90)
    assert set(order[some_of_each(X[order], groups[order], 30)]) == set(kept)
    assert len(some_of_each(X, groups, 90)) == 90 and len(some_of_each(X, groups, 2)) == 3
