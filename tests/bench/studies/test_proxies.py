"""Proxies against their definitions, and the command that shows them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, ortho_group

from bench.errors import BenchError
from bench.heads import get_heads
from bench.heads.support import Support
from bench.statistics.metrics import balanced_accuracy
from bench.studies.proxies import (
    PROXIES,
    cka,
    cka_matrix,
    h_score,
    leave_group_out,
    logme,
    measure,
    rankme,
    selection_regret,
)


def rows(N: int = 40, d: int = 6, K: int = 3, signal: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(N) % K
    return (rng.normal(size=(N, d)) + signal * np.eye(K, d)[y] + 0.5).astype(np.float32), y


def evidence(X: np.ndarray, t: np.ndarray, alpha: float, beta: float) -> float:
    covariance = X @ X.T / alpha + np.eye(len(X)) / beta
    return float(multivariate_normal.logpdf(t, np.zeros(len(X)), covariance))


@pytest.mark.parametrize(("N", "d"), [(40, 6), (12, 30), (20, 1)])
def test_logme_is_the_greatest_evidence_over_both_precisions(N, d):
    X, y = rows(N, d, signal=2)
    best = []
    for k in range(3):
        t = (y == k).astype(float)
        found = [minimize(lambda p, t=t: -evidence(X.astype(float), t, *np.exp(p)), start, method="Nelder-Mead",
                          options={"maxiter": 2000, "xatol": 1e-7, "fatol": 1e-9})
                 for start in ((0, 0), (4, 2), (-4, 2), (8, 2))]  # fmt: skip
        best.append(max(-one.fun for one in found) / N)
    assert logme(X, y) == pytest.approx(np.mean(best), abs=2e-6)


def test_logme_is_where_the_fixed_point_of_the_paper_ends():
    X, y = rows(60, 5, signal=2, seed=3)
    F, total = X.astype(float), []
    s = np.linalg.eigvalsh(F.T @ F)
    for k in range(3):
        t, alpha, beta = (y == k).astype(float), 1.0, 1.0
        for _ in range(500):
            A = alpha * np.eye(5) + beta * F.T @ F
            m = beta * np.linalg.solve(A, F.T @ t)
            gamma = (beta * s / (alpha + beta * s)).sum()
            alpha, beta = gamma / (m @ m), (60 - gamma) / ((F @ m - t) ** 2).sum()
        total.append(evidence(F, t, alpha, beta) / 60)
    assert logme(X, y) == pytest.approx(np.mean(total), abs=1e-6)


def test_logme_rises_with_the_signal_and_is_finite_for_labels_that_are_fitted_exactly():
    assert logme(*rows(signal=0)) < logme(*rows(signal=1)) < logme(*rows(signal=4))
    y = np.arange(30) % 3
    assert np.isfinite(logme(np.eye(3, dtype=np.float32)[y], y))
    assert np.isfinite(logme(np.ones((30, 1), np.float32), y)) and np.isfinite(logme(np.zeros((30, 2), np.float32), y))


@pytest.mark.parametrize(("N", "d"), [(60, 5), (20, 40)])
def test_h_score_is_the_trace_it_is_defined_as(N, d):
    from sklearn.covariance import LedoitWolf

    X, y = rows(N, d, signal=2)
    fitted = LedoitWolf().fit(X.astype(float))
    means = np.stack([X[y == k].astype(float).mean(0) for k in range(3)])[y]
    spread = np.cov(means.T, bias=True)
    expected = np.trace(np.linalg.inv(fitted.covariance_) @ ((1 - fitted.shrinkage_) * spread))
    assert h_score(X, y) == pytest.approx(expected, rel=1e-6)
    assert 0 <= h_score(X, y) <= 2
    assert h_score(np.ones((N, 2), np.float32), y) == 0


def test_rankme_counts_the_directions_that_are_used_alike():
    Q = ortho_group.rvs(8, random_state=0)
    assert rankme(np.concatenate([Q, Q])) == pytest.approx(8, rel=1e-5)
    collapsed = np.random.default_rng(0).normal(size=(50, 2)) @ Q[:2]
    assert 1 < rankme(collapsed) < 2.001
    assert rankme(np.ones((20, 4))) == pytest.approx(1, abs=1e-4)


def test_cka_does_not_see_turns_shifts_and_scale_but_sees_noise():
    X, _ = rows(50, 6)
    Z = 3 * X @ ortho_group.rvs(6, random_state=1) + np.arange(6)
    assert cka(X, Z) == pytest.approx(1, abs=1e-5)
    Y = X[:, :2] + np.random.default_rng(5).normal(size=(50, 2))
    assert cka(X, Y) == pytest.approx(cka(Y, Z), abs=1e-5)
    assert 0.05 < cka(X, Y) < 0.95


def test_cka_is_the_ratio_of_the_unbiased_hsic_and_zero_on_average_for_unrelated_rows_of_many_dimensions():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(30, 200)), rng.normal(size=(30, 200))) for _ in range(30)]
    assert abs(np.mean([cka(*pair) for pair in pairs])) < 0.02  # the biased one is about .87
    X, Z = pairs[0][0], pairs[0][0][:, :50]

    def hsic(A: np.ndarray, B: np.ndarray) -> float:
        n = len(A)
        K, L = A @ A.T, B @ B.T
        np.fill_diagonal(K, 0)
        np.fill_diagonal(L, 0)
        whole = np.trace(K @ L) + K.sum() * L.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (K @ L).sum()
        return float(whole / (n * (n - 3)))

    assert cka(X, Z) == pytest.approx(hsic(X, Z) / np.sqrt(hsic(X, X) * hsic(Z, Z)), rel=1e-9)


def test_a_constant_is_like_nothing_and_too_few_rows_are_refused():
    X, _ = rows()
    found = cka_matrix([X, np.full((40, 1), 0.1, np.float32), X])
    assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all() and found[0, 2] == pytest.approx(1)
    with pytest.raises(BenchError, match="Got 3 rows; expected at least 4"):
        cka(X[:3], X[:3])


@pytest.mark.parametrize("head", ["ridge", "knn"])
def test_leaving_a_group_out_is_learning_without_it(head):
    X, y = rows(48, 5, signal=2)
    groups = np.array([f"g{i // 4}" for i in range(48)])
    (found,) = get_heads([head])
    scores = []
    for setting in found.grid:
        P = np.empty((48, 3))
        for group in np.unique(groups):
            own = groups == group
            P[own] = found.scores(Support(X[~own], X[own]), y[None, ~own], 3, [setting]).P[0, 0]
        scores.append(float(balanced_accuracy(P, y)))
    assert any(leave_group_out(head, X, y, groups) == pytest.approx(score) for score in scores)


@pytest.mark.parametrize("head", ["ridge", "knn"])
def test_what_only_tells_groups_apart_tells_no_class(head):
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 10)
    y = group % 3
    X = (np.eye(12)[group] + 0.01 * rng.normal(size=(120, 12))).astype(np.float32)
    alone = leave_group_out(head, X, y, np.arange(120))
    assert alone == 1 and leave_group_out(head, X, y, group) < 0.4


def test_what_cannot_be_had_is_empty_and_said():
    X, y = rows(20, 30)
    found = measure(X, X, y, np.arange(20))
    assert set(found.values) == set(PROXIES) and np.isnan(found.values["rankme"])
    assert "20 rows have no more than 20 directions, and the embedding has 30" in found.why["rankme"]
    for broken, message in (
        ((X, X, y[:5], np.arange(20)), "with one N"),
        ((X, X, y, np.zeros(20)), r"1 group\(s\)"),
        ((np.where(X > 2, np.nan, X), X, y, np.arange(20)), "not finite"),
    ):
        with pytest.raises(BenchError, match=message):
            measure(*broken)


def test_regret_is_what_the_first_of_a_proxy_lacks_and_that_of_equals_their_mean():
    board = pd.DataFrame(
        [("a", "knn", "fixed", 1, 0.0, 0.5), ("a", "ridge", "fixed", 1, 0.0, 0.6), ("b", "knn", "fixed", 1, 0.0, 0.9),
         ("b", "knn", "oracle", 1, 0.0, 1.0), ("c", "knn", "fixed", 1, 0.0, 0.3), ("b", "zero-shot", "prompts", 0, 0.0, 1.0),
         ("x", "knn", "fixed", 1, 0.0, 1.0)],
        columns=["encoder", "head", "selection", "shots", "noise", "balanced_accuracy"],
    ).assign(noise_kind="none")  # fmt: skip
    told = pd.DataFrame({"good": [1, 2, 0], "even": [1, 1, 0], "mute": [3, np.nan, 4]}, index=["a", "b", "c"])
    found = selection_regret(told, board).set_index("proxy")
    assert set(found["shots"]) == {1} and set(found["best"]) == {0.9}
    assert found["regret"].to_dict() == pytest.approx({"good": 0, "even": 0.15, "mute": 0.6, "chance": 0.3})
    assert found["chosen"].to_dict() == {"good": "b", "even": "a or b", "mute": "c", "chance": "any"}
    with pytest.raises(BenchError, match="Got 1 of the encoders a in the run"):
        selection_regret(told[:1], board)


def test_no_diagnostic_is_chosen():
    board = pd.DataFrame([("a", 0.5), ("b", 0.4), ("a@grey", 0.9)], columns=["encoder", "balanced_accuracy"])
    board = board.assign(head="knn", selection="fixed", shots=5, noise_kind="none", noise=0.0)
    board["role"] = ["encoder", "encoder", "diagnostic"]
    told = pd.DataFrame({"good": [1, 0, 2]}, index=["a", "b", "a@grey"])
    assert selection_regret(told, board).set_index("proxy").loc["good", ["chosen", "best"]].tolist() == ["a", 0.5]


def test_every_kind_and_rate_of_wrong_labels_has_a_regret_of_its_own():
    board = pd.DataFrame(
        [("a", "symmetric", 0.9), ("b", "symmetric", 0.7), ("a", "group", 0.4), ("b", "group", 0.6)],
        columns=["encoder", "noise_kind", "balanced_accuracy"],
    ).assign(head="knn", selection="fixed", shots=5, noise=0.2)  # fmt: skip
    told = pd.DataFrame({"good": [2, 1]}, index=["a", "b"])
    found = selection_regret(told, board).set_index(["proxy", "noise_kind"])["regret"]
    assert found["good"].to_dict() == pytest.approx({"symmetric": 0, "group": 0.2})
    assert found["chance"].to_dict() == pytest.approx({"symmetric": 0.1, "group": 0.1})


@pytest.fixture
def data(tmp_path, save_png):
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            save_png(tmp_path / "raw" / label / f"s{i}__0.png", seed=10 * k + i, size=(24, 24 + 8 * k))
    return tmp_path / "raw"


def test_the_command_shows_proxies_and_what_choosing_by_them_costs(bench, data, tmp_path):
    run = ("run", "--data", data, "--encoder", "image-size,thumbnail", "--no-baselines", "--head", "knn", "--shots", "1,2",
           "--draws", 2, "--workers", 1, "--name", "mine")  # fmt: skip
    assert bench(*run)[0] == 0
    code, text = bench("proxies", "--data", data, "--run", "mine", "--to", "p.csv", "--rows", 10)
    assert code == 0, text
    assert "10 of 12 instances" in text and "debiased linear CKA" in text
    assert "thumbnail: no RankMe, as 10 rows" in text
    table, regret = pd.read_csv("p.csv").set_index("encoder"), pd.read_csv("p-regret.csv")
    assert {"dim", *PROXIES, "cka:thumbnail", "cka:image-size"} == set(table.columns)
    assert table["loo_knn"]["image-size"] == 1  # classes differ in width
    assert (regret["regret"] >= 0).all() and set(regret["proxy"]) == {*PROXIES, "chance"}
    assert (regret[regret["proxy"] == "loo_knn"]["chosen"] == "image-size").all()
    assert bench("proxies", "--data", data, "--encoder", "constant")[0] == 0
    for more, message in (
        (("--run", "yours"), "Got run yours, which has no leaderboard.csv; expected the folder of a run, or one of mine"),
        (("--run", "mine", "--instances", "tiles:12", "--encoder", "constant"), "and tiles:12 here; expected the same"),
        (("--run", "mine", "--encoder", "thumbnail"), "expected at least 2 to choose from"),
    ):
        code, text = bench("proxies", "--data", data, *more)
        assert code == 2 and message in text


def test_the_official_test_is_not_looked_at(bench, data, tmp_path):
    paths = sorted(data.rglob("*.png"))
    table = [(p.relative_to(tmp_path), p.parent.name, "test" if p.name < "s3" else "train") for p in paths]
    pd.DataFrame(table, columns=["path", "label", "split"]).to_csv("labels.csv", index=False)
    code, text = bench("proxies", "--data", "labels.csv", "--encoder", "color-stats")
    assert code == 0, text
    assert "6 of 12 instances" in text


def test_without_an_encoder_or_anything_stored_the_default_one_is_judged(bench, data):
    code, text = bench("proxies", "--data", data)
    assert code == 0 and "efficientnet-lite0" in text


def test_accuracies_rest_on_labels_that_were_drawn_at_random():
    X, y = rows(60, signal=3)
    tested = np.arange(60) < 48
    wrong = np.where(tested, y, (y + 1) % 3)  # of no class that they look like
    groups = np.arange(60)
    assert measure(X, X, wrong, groups, tested).values["loo_ridge"] > measure(X, X, wrong, groups).values["loo_ridge"]
    none = measure(X, X, y, groups, np.zeros(60, bool))
    assert np.isnan(none.values["loo_knn"]) and "drawn at random" in none.why["loo_knn"]


def test_the_command_tests_no_label_that_was_picked(bench, data):
    lines = [path.relative_to(data.parent) for path in sorted(data.rglob("*.png"))]
    marked = [f"{path},{path.parent.name},{'margin' if i % 2 else 'random'}\n" for i, path in enumerate(lines)]
    (data.parent / "labels.csv").write_text("path,label,chosen_by\n" + "".join(marked))
    code, text = bench("proxies", "--data", data.parent / "labels.csv", "--encoder", "color-stats")
    assert code == 0 and "were picked by `bench next`" in " ".join(text.split())
