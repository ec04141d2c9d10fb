"""Label noise is nested over rates, paired over draws, and leaves everything else alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.protocol.confusion_targets import confusion_targets, read_pairs
from bench.protocol.noise import KINDS, NoiseKind, check_noise, flip_labels, replaced_rows
from bench.protocol.noise_context import Candidates, NoiseContext
from bench.protocol.noise_in_words import company_of, describe_noise, luck_of
from bench.protocol.noise_inputs import NoiseInputs
from bench.protocol.resemblance_noise import class_features
from bench.protocol.slide_noise import slides_of
from bench.protocol.splits import plan_splits
from bench.protocol.supports import Draws, draw_supports

CLASSES = ("neuron", "phloem", "rbc", "xylem")
BY_ITEM = ("symmetric", "asymmetric", "instance-dependent", "resemblance")
LABELS = [kind for kind, known in KINDS.items() if not known.replaces]
ITEMS = [kind for kind, known in KINDS.items() if known.replaces]


def draw_of(n: int = 200, K: int = 4, groups: int = 12, seed: int = 0) -> NoiseContext:
    """n examples in turn of K classes, on slides of unlike sizes that may hold several classes, in two spaces."""
    slide = np.floor(groups * (np.arange(n) / n) ** 2).astype(int)
    names = np.array([f"slide{i}" for i in slide])
    rng = np.random.default_rng(0)
    features = {"colour": rng.normal(size=(n, 5)), "shape": rng.normal(size=(n, 3)).astype(np.float32)}
    y = np.arange(n) % K
    return NoiseContext(
        y, [f"item{i}" for i in range(n)], names, K, seed, (np.arange(K) + 1) % K, features, slides_of(names, y, K),
        {space: class_features(X, y, K) for space, X in features.items()},
    )  # fmt: skip


def taken(draw: NoiseContext, rows: np.ndarray) -> NoiseContext:
    features = {space: X[rows] for space, X in draw.features.items()}
    return replace(draw, y=draw.y[rows], items=[draw.items[i] for i in rows], groups=draw.groups[rows], features=features)


def with_candidates(draw: NoiseContext, split: str = "fixed") -> NoiseContext:
    """The same draw as every second row of a table, where the other rows may be learned from and as many are foreign."""
    n = len(draw.y)
    y = np.concatenate([np.repeat(draw.y, 2), np.full(n, -1)])
    names = np.array([f"row{i}" for i in range(3 * n)])
    known = Candidates(split=split, names=names, y=y, train=np.arange(2 * n), foreign=np.arange(2 * n, 3 * n))
    return replace(draw, rows=2 * np.arange(n), candidates=known)


DRAWS = st.builds(draw_of, st.integers(1, 80), st.integers(2, 6), st.integers(1, 12), st.integers(0, 5))


@pytest.mark.parametrize("kind", LABELS)
@given(draw=DRAWS, low=st.floats(0, 0.5), more=st.floats(0, 1))
def test_a_higher_rate_keeps_every_flip_of_a_lower_one(kind, draw, low, more):
    limit = min(KINDS[kind].limit, 0.999)
    few, many = (flip_labels(draw, kind, rate) for rate in (min(low, limit), min(low + more, limit)))
    flipped = few != draw.y
    assert np.array_equal(few[flipped], many[flipped])
    assert many.min() >= 0 and many.max() < draw.n_classes


@pytest.mark.parametrize("kind", ITEMS)
@given(draw=DRAWS, low=st.floats(0, 0.9), more=st.floats(0, 0.9))
def test_an_item_that_is_replaced_at_one_rate_is_so_by_the_same_at_every_higher_one(kind, draw, low, more):
    draw = with_candidates(draw)
    limit = min(KINDS[kind].limit, 0.999)
    none, few, many = (replaced_rows(draw, kind, rate) for rate in (0.0, min(low, limit), min(low + more, limit)))
    gone = few != draw.rows
    assert np.array_equal(few[gone], many[gone]) and np.array_equal(none, draw.rows)
    allowed = np.union1d(draw.candidates.foreign if KINDS[kind].needs_foreign else draw.candidates.train, draw.rows)
    assert np.isin(many, allowed).all() and len(np.unique(many)) == len(many)


@pytest.mark.parametrize("kind", ITEMS)
def test_as_many_items_are_replaced_as_were_asked_for_and_no_label_is_changed(kind):
    draw = with_candidates(draw_of(2000))
    rate = min(0.3, KINDS[kind].limit)
    assert abs((replaced_rows(draw, kind, rate) != draw.rows).mean() - rate) < 0.04
    assert np.array_equal(flip_labels(draw, kind, rate), draw.y)


def test_a_kind_flips_labels_or_replaces_items():
    for both in ({}, {"flip": KINDS["symmetric"].flip, "replace": KINDS["open-set"].replace}):
        with pytest.raises(ValueError, match="and not both"):
            NoiseKind(brief="", says="", **both)
    with pytest.raises(ValueError, match="needs NoiseContext.rows"):
        replaced_rows(draw_of(), "open-set", 0.5)


@pytest.mark.parametrize("kind", LABELS)
@given(draw=DRAWS, rate=st.floats(0, 0.5), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_examples_changes_no_label(kind, draw, rate, shuffle):
    rows = list(range(len(draw.y)))
    shuffle.shuffle(rows)
    assert np.array_equal(flip_labels(draw, kind, rate)[rows], flip_labels(taken(draw, np.array(rows)), kind, rate))


@pytest.mark.parametrize("kind", LABELS)
@given(draw=DRAWS)
def test_at_rate_0_every_label_stays_and_the_draw_itself_is_never_changed(kind, draw):
    before = draw.y.copy()
    assert np.array_equal(flip_labels(draw, kind, 0.0), before)
    flip_labels(draw, kind, 0.5)
    assert np.array_equal(draw.y, before)


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize(("n", "groups"), [(4, 4), (60, 3), (400, 12)])
@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_the_realised_rate_of_every_class_is_the_rate_asked_for_in_the_mean_over_seeds(kind, n, groups, rate):
    shares = []
    for seed in range(400):
        draw = draw_of(n, 4, groups, seed)
        wrong = flip_labels(draw, kind, rate) != draw.y
        shares.append([wrong[draw.y == k].mean() for k in range(4)])
    error = np.std(shares, axis=0) / np.sqrt(len(shares))
    assert (np.abs(np.mean(shares, axis=0) - rate) < 4 * error).all()


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_two_classes_go_wrong_at_the_same_rate_and_of_one_class_none_does(kind):
    shares = []
    for seed in range(60):
        draw = draw_of(60, 2, 12, seed)
        shares.append((flip_labels(draw, kind, 0.3) != draw.y).mean())
        alone = replace(draw, y=np.zeros(60, int), n_classes=1)
        assert np.array_equal(flip_labels(alone, kind, 0.3), alone.y)
    assert abs(np.mean(shares) - 0.3) < 4 * np.std(shares) / np.sqrt(len(shares))


@pytest.mark.parametrize("kind", BY_ITEM)
@given(draw=DRAWS, rate=st.floats(0, 0.5), data=st.data())
def test_where_labels_go_wrong_one_by_one_the_company_does_not_matter(kind, draw, rate, data):
    rows = np.array(data.draw(st.lists(st.integers(0, len(draw.y) - 1), min_size=1, unique=True)))
    alone = replace(taken(draw, rows), groups=np.array(["elsewhere"] * len(rows)))
    assert np.array_equal(flip_labels(draw, kind, rate)[rows], flip_labels(alone, kind, rate))


def test_symmetric_noise_reaches_every_other_class_equally_often():
    draw = replace(draw_of(3000), y=np.zeros(3000, int))
    counts = np.bincount(flip_labels(draw, "symmetric", 0.9), minlength=4)[1:]
    assert counts.min() > 0.85 * counts.mean()


@given(draw=DRAWS, rate=st.floats(0.01, 0.5))
def test_asymmetric_noise_flips_the_labels_that_symmetric_noise_does_to_the_partner(draw, rate):
    one, other = flip_labels(draw, "asymmetric", rate), flip_labels(draw, "symmetric", rate)
    assert np.array_equal(one != draw.y, other != draw.y)
    assert set(one[one != draw.y] - draw.targets[draw.y[one != draw.y]]) <= {0}


def test_a_class_without_a_partner_keeps_its_labels():
    draw = replace(draw_of(400), targets=confusion_targets(CLASSES, [("rbc", "phloem")]))
    noisy = flip_labels(draw, "asymmetric", 0.4)
    assert set(draw.y[noisy != draw.y]) == {2} and set(noisy[noisy != draw.y]) == {1}


def test_noise_can_take_a_class_away_and_the_classes_stay_as_many():
    gone = [np.bincount(flip_labels(draw_of(8, 4, 8, seed), "group", 0.9), minlength=4) for seed in range(20)]
    assert any((counts == 0).any() for counts in gone) and all(len(counts) == 4 for counts in gone)


def described(pairs=()) -> str:
    return describe_noise(["asymmetric"], CLASSES, NoiseInputs({"fixed": confusion_targets(CLASSES, pairs)}), pairs)["asymmetric"]


def test_without_pairs_each_class_is_mistaken_for_the_next_in_alphabetical_order():
    assert confusion_targets(CLASSES).tolist() == [1, 2, 3, 0]
    assert confusion_targets(("b", "c", "a")).tolist() == [1, 2, 0]
    assert "neuron for phloem, phloem for rbc" in described()


def test_pairs_are_read_from_text_and_told_with_the_classes_they_spare():
    pairs = read_pairs(" rbc>phloem, phloem > rbc,")
    assert pairs == (("rbc", "phloem"), ("phloem", "rbc"))
    assert confusion_targets(CLASSES, pairs).tolist() == [0, 2, 1, 3]
    assert "labels of neuron, xylem stay right" in described(pairs)


@pytest.mark.parametrize(
    ("text", "message"),
    [("rbc", "Got --confusable 'rbc'; expected CLASS>CLASS"), (">rbc", "Got --confusable '>rbc'"),
     ("rbd>xylem", "Got --confusable with class 'rbd', did you mean 'rbc'"), ("rbc>rbc", "two different classes"),
     ("rbc>xylem,rbc>neuron", "expected one such class")],
)  # fmt: skip
def test_pairs_that_make_no_sense_are_refused(text, message):
    with pytest.raises(BenchError, match=message):
        confusion_targets(CLASSES, read_pairs(text))


def test_the_page_says_how_far_single_draws_are_from_the_rate_by_luck():
    assert luck_of(0.0, [10]) == luck_of(0.3, []) == ""
    said = luck_of(0.3, [10, 10, 100, 20])
    assert "30% asked for, nine draws of ten have 10% to 50% of 10 and 23% to 38% of 100 labels wrong" in said
    kinds = ["symmetric", "group", "resemblance"]
    words = describe_noise(kinds, CLASSES, NoiseInputs({}), (), luck="By luck", company="By slide")
    assert words["symmetric"].endswith(". By luck") and words["group"].endswith(". By slide")
    assert "By luck" not in words["resemblance"], "said once"


def test_the_page_says_where_no_slide_gives_two_examples(make_table):
    table = make_table("ab", 12, 6)
    group = table["group"].to_numpy(str)
    drawn = draw_supports(table, ["a", "b"], plan_splits(table, "ab"), [2, 20], draws=2)
    said = company_of(drawn, group)
    assert "0% at 2, 100% at 20; at 2 no slide gives two examples" in said
    assert company_of(Draws({}, {}), group) == ""
    slide = np.unique(group, return_inverse=True)[1] % 12  # each holds both classes, whose examples go wrong together
    together = company_of(drawn, slide.astype(str))
    assert "0% at 2," not in together and "one by one" not in together


@pytest.mark.parametrize(
    ("kinds", "rates", "pairs", "message"),
    [(["symetric"], [0.1], (), "did you mean 'symmetric'"), (["symmetric"], [1.5], (), r"Got noise rate 1\.5"),
     ([], [0.1], (), "Got no noise kind"), (["group"], [], (), "Got no noise rate"),
     (["symmetric", "asymmetric"], [0.2, 0.6], (), r"Got noise rate 0\.6 with --noise-kind asymmetric"),
     (["symmetric", "group"], [0.0], (), "with clean labels alone"),
     (["group"], [0.1], (("a", "b"),), "Got --confusable with --noise-kind group")],
)  # fmt: skip
def test_wrong_kinds_and_rates_are_named(kinds, rates, pairs, message):
    with pytest.raises(BenchError, match=message):
        check_noise(kinds, rates, pairs)
