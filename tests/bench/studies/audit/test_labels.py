"""Labels that are wrong stand first, their number is told, and a slide never vouches for itself."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from bench.fitting.views import Embedded
from bench.heads import get_heads
from bench.statistics.spread import between_groups
from bench.studies.audit.labels import audit_labels, ranks
from bench.studies.audit.pool import pool_weights, pooled
from bench.studies.audit.slides import WHOLE
from bench.studies.audit.unseen import ENOUGH, FOLDS, on_axes, parts_of, predict_unseen, rows_judged, without_part
from bench.studies.audit.whole_slides import scaled_means, units_of
from bench.studies.audit.wrong import ANY, MISTAKEN, contradicted, fit_wrong, margins

HEADS = ("ridge", "lda", "centroid")
K, SLIDES, EACH = 3, 40, 10


@pytest.fixture(scope="module")
def made():
    """Two encoders of 400 rows on 40 slides, the second one blind; labels that are all right."""
    rng = np.random.default_rng(0)
    groups = np.repeat([f"slide{i:02d}" for i in range(SLIDES)], EACH)
    y = rng.integers(0, K, len(groups))
    means = rng.normal(size=(K, 12))
    X = (2.0 * means[y] + rng.normal(size=(len(y), 12))).astype(np.float32)
    blind = rng.normal(size=(len(y), 6)).astype(np.float32)
    return {"sees": Embedded("sees", "a", "unit", X), "blind": Embedded("blind", "b", "standard", blind)}, y, groups


def flipped(y, share, seed=1):
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(y)) < share
    return np.where(wrong, (y + rng.integers(1, K, len(y))) % K, y), wrong


def audited(made, labels, groups=None):
    views, _, own = made
    return audit_labels(views, labels, own if groups is None else groups, n_classes=K, heads=HEADS, draws=2)


def test_wrong_labels_come_first_and_get_their_class_back(made):
    labels, wrong = flipped(made[1], 0.1)
    found = audited(made, labels)
    assert average_precision_score(wrong, found.score) > 0.9
    top = np.argsort(found.rank)[:20]
    assert (found.other[top] == made[1][top]).mean() > 0.9
    assert (found.rank_low <= found.rank_high).all() and sorted(found.rank) == list(range(1, len(wrong) + 1))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
def test_the_number_of_wrong_labels_is_within_three_points(made, share):
    labels, wrong = flipped(made[1], share)
    fitted = audited(made, labels).fitted
    assert abs(fitted.rate - wrong.mean()) <= 0.03
    assert fitted.low <= fitted.rate <= fitted.high


def test_it_is_not_worse_than_cleanlab_on_the_same_embeddings(made):
    rank = pytest.importorskip("cleanlab.rank")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict

    views, y, groups = made
    labels, wrong = flipped(y, 0.1)
    X = np.concatenate([view.X for view in views.values()], 1)
    P = cross_val_predict(LogisticRegression(), X, labels, groups=groups, cv=GroupKFold(5), method="predict_proba")
    theirs = average_precision_score(wrong, -rank.get_label_quality_scores(labels, P))
    assert average_precision_score(wrong, audited(made, labels).score) >= theirs - 0.01


def test_a_slide_whose_labels_are_all_wrong_is_named(made):
    _, y, groups = made
    bad = np.isin(groups, ["slide03", "slide17"])
    slides = audited(made, np.where(bad, (y + 1) % K, y)).slides
    assert set(slides.loc[slides["called"], "group"]) == {"slide03", "slide17"}
    assert (slides.loc[slides["called"], "p"] <= 0.05).all()


def of_one_class(seed, noise):
    """Slides that differ by more than classes do, along axes of their own: 30 of 20 images; which of them are, (600,)."""
    rng = np.random.default_rng(seed)
    y = np.arange(30) % 2
    apart = np.r_[np.zeros(2), np.full(8, 2.0)]  # how far slides are, by axis
    means = rng.normal(size=(30, 10)) * apart + 3.0 * y[:, None] * (apart == 0)
    groups = np.repeat([f"slide{i:02d}" for i in range(30)], 20)
    X = (np.repeat(means, 20, 0) + noise * rng.normal(size=(600, 10))).astype(np.float32)
    return {"e": Embedded("e", "e", "unit", X)}, np.repeat(y, 20), groups


WRONG_SLIDES = ("slide03", "slide08", "slide20")


def test_slides_of_one_class_are_held_against_slides():
    view, y, groups = of_one_class(0, noise=3)
    labels = np.where(np.isin(groups, WRONG_SLIDES), 1 - y, y)
    slides = audit_labels(view, labels, groups, n_classes=2, heads=HEADS, draws=1).slides
    first = slides.sort_values("margin", ascending=False)["group"].tolist()[:3]
    assert set(first) == set(WRONG_SLIDES)


def test_labels_that_are_wrong_by_slides_are_counted_by_slides():
    errors = []
    for seed in range(6):
        view, y, groups = of_one_class(seed, noise=1)
        wrong = np.isin(groups, WRONG_SLIDES)
        labels = np.where(wrong, 1 - y, y)
        found = audit_labels(view, labels, groups, n_classes=2, heads=HEADS, draws=1)
        p = np.nan_to_num(found.fitted.p)
        errors.append((abs(p.mean() - wrong.mean()), abs(found.fitted.rate - wrong.mean())))
        assert between_groups(p, groups) > WHOLE and found.fitted.low <= found.fitted.rate <= found.fitted.high
    one_by_one, by_slides = np.mean(errors, 0)
    assert by_slides < 0.8 * one_by_one


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_labels_that_are_wrong_one_by_one_are_counted_one_by_one(share):
    view, y, groups = of_one_class(0, noise=1)
    labels = np.where(np.random.default_rng(1).random(600) < share, 1 - y, y)
    fitted = audit_labels(view, labels, groups, n_classes=2, heads=HEADS, draws=1).fitted
    assert fitted.rate == fitted.p.mean() and between_groups(fitted.p, groups) < 0.3


def test_what_lies_between_groups_is_a_share_of_the_variance():
    groups = np.repeat(np.arange(50), 4)
    of_slide = np.random.default_rng(0).random(50)[groups]
    assert between_groups(of_slide, groups) == pytest.approx(1)
    assert abs(between_groups(np.random.default_rng(0).random(200), groups)) < 0.15
    assert between_groups(np.zeros(200), groups) == 0 == between_groups(of_slide, np.arange(200))


def test_the_label_of_a_large_slide_is_not_held_against_it():
    """Of rows that tell nothing of classes, a label is as likely as its class is frequent, whatever part it is in."""
    y = np.repeat([0, 1, 0, 1, 0, 1], [100, 100, 20, 20, 20, 20])
    part = np.repeat([0, 1, 2, 2, 3, 3], [100, 100, 20, 20, 20, 20])

    def own(seed, restored):
        Z = np.random.default_rng(seed).normal(size=(len(y), 5)).astype(np.float32)
        P = without_part(Z, y, part, 2, get_heads(["lda", "ridge"]), restored=restored)
        return P[:, np.arange(len(y)), y][:, part < 2].mean()

    assert np.mean([own(seed, False) for seed in range(5)]) < 0.4 < np.mean([own(seed, True) for seed in range(5)]) < 0.55


def test_a_slide_and_label_are_one_observation():
    y, groups = np.array([0, 0, 1, 0]), np.array(list("aaab"))
    first, unit = units_of(y, groups)
    assert first.tolist() == [0, 2, 3] and unit.tolist() == [0, 0, 1, 2]
    assert scaled_means(np.eye(4, 3), unit).shape == (3, 3)


def test_a_label_of_a_class_of_few_slides_is_ranked_by_its_slide(made):
    views, y, groups = made
    labels = np.where(groups == "slide05", (y + 1) % K, y)
    rare = np.flatnonzero(groups == "slide05")[:2]
    labels[rare] = K
    found = audit_labels(views, labels, groups, n_classes=K + 1, heads=HEADS, draws=1)
    assert not found.judged[rare].any() and (found.rank[rare] <= 10).all()


def test_an_encoder_that_is_blind_gets_next_to_nothing(made):
    members = audited(made, made[1]).members
    share = members.groupby("encoder")["weight"].sum()
    assert share["blind"] < 0.1 * share["sees"]


def test_a_row_is_predicted_without_its_group(made):
    views, y, groups = made
    here = groups == "slide05"
    heads = get_heads(HEADS)
    first = predict_unseen(views, y, groups, n_classes=K, heads=heads, draws=1)
    other = predict_unseen(views, np.where(here, (y + 1) % K, y), groups, n_classes=K, heads=heads, draws=1)
    # softened by one temperature of all rows, which changes no order
    assert (first.L[..., here, :].argsort(-1) == other.L[..., here, :].argsort(-1)).all()


def test_the_same_inputs_give_the_same_bits(made):
    labels, _ = flipped(made[1], 0.1)
    one, other = audited(made, labels), audited(made, labels)
    assert one.score.tobytes() == other.score.tobytes() and (one.rank_high == other.rank_high).all()


def test_groups_are_dealt_whole_and_evenly():
    groups = np.repeat([f"g{i}" for i in range(30)], 3)
    part = parts_of(groups, 0)
    assert all(len(set(part[groups == name])) == 1 for name in set(groups))
    assert np.bincount(part).tolist() == [18] * FOLDS
    assert len(set(parts_of(groups[:30], 0))) == 10  # few groups: each by itself


def test_a_class_of_two_groups_is_not_judged():
    y = np.array([0, 0, 0, 1, 1, 1])
    assert rows_judged(y, np.array(list("abcaab")), 2).tolist() == [True] * 3 + [False] * 3


def test_with_next_to_nothing_to_judge_it_answers():
    rng = np.random.default_rng(0)
    view = {"e": Embedded("e", "e", "unit", rng.normal(size=(4, 5)).astype(np.float32))}
    found = audit_labels(
        view, np.array([0, 0, 1, 1]), np.array(list("abcd")), n_classes=2, heads=("centroid",), draws=1
    )
    assert (
        not found.judged.any() and np.isnan(found.score).all() and (found.rank == 0).all() and not found.doubted.any()
    )


def test_labels_that_go_to_one_class_are_seen_to_do_so():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 1200)
    S = np.log(np.full((len(y), 4), 0.01))
    S[np.arange(len(y)), y] = np.log(0.97)
    groups = np.arange(len(y))
    everything = np.ones(len(y), bool)
    paired = np.where(rng.random(len(y)) < 0.15, (y + 1) % 4, y)
    found = fit_wrong(S, paired, groups, everything)
    assert found.pattern == MISTAKEN and abs(found.rate - (paired != y).mean()) < 0.02
    anyhow = np.where(rng.random(len(y)) < 0.15, (y + rng.integers(1, 4, len(y))) % 4, y)
    assert fit_wrong(S, anyhow, groups, everything).pattern == ANY


def test_labels_that_could_all_be_wrong_are_within_the_limit():
    """Calibrated opinions explain every wrong label as a hard image: none is estimated, and the limit holds the truth."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2000)
    P = np.where(np.eye(2)[y] > 0, 0.8, 0.2)
    labels = np.where(rng.random(2000) < 0.2, 1 - y, y)
    found = fit_wrong(np.log(P), labels, np.arange(2000), np.ones(2000, bool))
    assert found.high >= (labels != y).mean()
    assert contradicted(np.log(P), labels, np.arange(2000)) < 0.25


def test_margins_are_log_odds_with_what_labels_are_mistaken_for():
    S = np.log(np.array([[0.6, 0.4]]))
    T = np.array([[0.9, 0.1], [0.1, 0.9]])
    margin, other = margins(S, np.array([0]), T)
    assert np.isclose(margin[0], np.log(0.4 * 0.1) - np.log(0.6 * 0.9)) and other[0] == 1


def test_pool_weights_follow_who_is_right():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 500)
    good = np.log(np.where(np.eye(2)[y] > 0, 0.8, 0.2))
    wrong = rng.random(500) < 0.2
    good[wrong] = good[wrong][:, ::-1]
    chance = np.log(rng.dirichlet([1, 1], 500))
    A = np.stack([good, chance])
    A -= A.mean(-1, keepdims=True)
    weights = pool_weights(A, y, np.arange(500))
    assert weights[0] > 0.9 and weights[1] < 0.1
    assert np.allclose(np.exp(pooled(A, weights)).sum(1), 1)
    few = pool_weights(A, y, np.arange(500) % 4)  # labels of four slides, which may be wrong together, say less
    assert weights[1] / weights[0] < few[1] / few[0] < 1


def test_ranks_leave_out_what_is_not_judged():
    assert ranks(np.array([0.5, np.nan, 2.0, -1.0])).tolist() == [2, 0, 1, 3]


def test_axes_of_many_rows_are_those_of_all_classes_also_where_rows_repeat_the_classes_in_turn():
    rng = np.random.default_rng(0)
    n, d = 2 * ENOUGH + 1, 160
    assert -(-n // ENOUGH) == K  # every K-th row is of one class
    means, y = rng.normal(size=(K, d)), np.arange(n) % K
    X = (means[y] + 4 * rng.normal(size=(n, d)) * np.linspace(0.5, 1, d)).astype(np.float32)

    def apart(order: np.ndarray) -> float:
        Z = on_axes(Embedded("a", "a" * 8, "standard", X[order]), np.arange(n))
        centres = np.stack([Z[y[order] == k].mean(0) for k in range(K)])
        return float(np.linalg.norm(centres[1] - centres[2]))

    assert apart(np.arange(n)) == pytest.approx(apart(rng.permutation(n)), rel=0.03)
