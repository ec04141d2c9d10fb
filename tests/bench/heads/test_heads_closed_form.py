"""kNN, centroid, ridge and LDA: equal to scikit-learn, to a refit without each row, and to the bit in any batch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from bench.heads import all_heads
from bench.heads.contract import Scored
from bench.heads.knn import rank
from bench.heads.pool import Pool
from bench.heads.support import Support
from bench.products import product, solve_shifted
from bench.products.rows import products

CLOSED = ("centroid", "knn", "lda", "ridge")
SHAPES = [(40, 12, 3), (12, 60, 2), (30, 30, 4), (64, 200, 8), (400, 100, 8)]


def blobs(n: int, d: int, K: int, n_test: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows (n, d) of about length 1, two label vectors (2, n) with every class twice, and test rows."""
    rng = np.random.default_rng(n + d)
    means = rng.normal(size=(K, d))
    y = np.r_[np.arange(K), np.arange(K), rng.integers(0, K, n - 2 * K)]
    X = (0.5 * means[y] + rng.normal(size=(n, d))) / np.sqrt(d)
    X_test = (0.5 * means[rng.integers(0, K, n_test)] + rng.normal(size=(n_test, d))) / np.sqrt(d)
    return X, np.stack([y, np.roll(y, 1)]), X_test


def scored(name: str, support: Support, Y: np.ndarray, K: int, grid=None) -> np.ndarray:
    head = all_heads()[name]
    result = head.scores(support, Y, K, grid or head.grid)
    assert isinstance(result, Scored)
    return result.P


@pytest.mark.parametrize(("n", "d", "K"), SHAPES)
def test_knn_gives_the_probabilities_of_scikit_learn_for_every_k_and_three_tenths_of_a_vote_to_every_class(n, d, K):
    X, Y, X_test = blobs(n, d, K)
    P = scored("knn", Support(X, X_test), Y, K)
    for m, y in enumerate(Y):
        for i, setting in enumerate(all_heads()["knn"].grid):
            peer = KNeighborsClassifier(
                min(setting["k"], n), metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07)
            )
            voters = min(setting["k"], n)
            wanted = (voters * peer.fit(X, y).predict_proba(X_test) + 0.3) / (voters + 0.3 * K)
            np.testing.assert_allclose(P[m, i], wanted, atol=2e-6)


@pytest.mark.parametrize(("n", "d", "K"), SHAPES)
def test_the_euclidean_centroid_predicts_as_scikit_learn(n, d, K):
    X, Y, X_test = blobs(n, d, K)
    P = scored("centroid", Support(X, X_test), Y, K, [{"metric": "euclidean"}])
    for m, y in enumerate(Y):
        assert np.array_equal(P[m, 0].argmax(1), NearestCentroid().fit(X, y).predict(X_test))


def test_the_cosine_centroid_is_the_direction_of_a_class_and_not_its_length():
    """A class of scattered rows has a short mean, which by distance attracts whatever is far from all."""
    rng = np.random.default_rng(3)
    X = np.vstack([np.eye(6)[0] + 0.05 * rng.standard_normal((9, 6)), np.eye(6)[1] + 2 * rng.standard_normal((9, 6))])
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    y, X_test = np.repeat([0, 1], 9), rng.standard_normal((60, 6))
    means = np.stack([X[y == k].mean(0) for k in (0, 1)])
    assert np.linalg.norm(means, axis=1).max() > 2 * np.linalg.norm(means, axis=1).min()
    cosine = (X_test @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T) / np.linalg.norm(X_test, axis=1)[:, None]
    P = scored("centroid", Support(X, X_test), y[None], 2, [{"metric": "cosine"}, {"metric": "euclidean"}])[0]
    np.testing.assert_allclose(np.log(P[0, :, 0] / P[0, :, 1]), (cosine[:, 0] - cosine[:, 1]) / 0.1, atol=1e-5)
    assert (P[0].argmax(1) != P[1].argmax(1)).any()


@given(order=st.permutations(range(6)), k=st.integers(1, 6))
def test_rows_as_near_as_the_last_neighbour_share_what_the_nearer_ones_leave(order, k):
    """Cosines 1, .8, .8, .8, .6, .6 of labels 0, 0, 1, 2, 1, 2: of k votes a tie gets what is left, evenly."""
    cosine, label = np.array([1, 0.8, 0.8, 0.8, 0.6, 0.6]), np.array([0, 0, 1, 2, 1, 2])
    rows = np.stack([cosine, np.sqrt(1 - cosine**2)], 1)[order].astype("f4")
    P = scored("knn", Support(rows, np.array([[1, 0]], "f4")), label[order][None], 3, [{"k": k}])[0, 0, 0]
    votes = np.clip([k, (k - 1) / 3, (k - 1) / 3, (k - 1) / 3, (k - 4) / 2, (k - 4) / 2], 0, 1) * np.exp((cosine - 1) / 0.07)
    share = np.bincount(label, votes) / votes.sum()
    np.testing.assert_allclose(P, (k * share + 0.3) / (k + 0.9), atol=1e-5)


@pytest.mark.parametrize(("n", "d", "K"), SHAPES)
def test_ridge_predicts_as_scikit_learn_and_ranks_by_its_scores(n, d, K):
    X, Y, X_test = blobs(n, d, K)
    P = scored("ridge", Support(X, X_test), Y, K)
    for m, y in enumerate(Y):
        for i, setting in enumerate(all_heads()["ridge"].grid):
            peer = RidgeClassifier(n * setting["alpha"]).fit(X, y)
            F = peer.decision_function(X_test)
            F = np.column_stack([-F, F]) if K == 2 else F
            assert np.array_equal(P[m, i].argmax(1), peer.predict(X_test))
            told = P[m, i].min(1) > 1e-30  # of classes that are less likely single precision has no logarithm
            assert told.mean() > 0.2
            logits = np.log(P[m, i][told]) - np.log(P[m, i][told]).mean(1, keepdims=True)
            wanted = (F - F.mean(1, keepdims=True))[told]
            slope = (logits * wanted).sum() / (wanted**2).sum()
            np.testing.assert_allclose(logits / slope, wanted, atol=2e-6)  # weights are applied in single precision
            assert slope == pytest.approx(5, rel=1e-4)  # half of 1 / 0.1, as the peer's targets are -1 and 1


@pytest.mark.parametrize(("n", "d", "K"), SHAPES)
def test_lda_in_the_span_gives_the_probabilities_of_scikit_learn_in_full(n, d, K):
    X, Y, X_test = blobs(n, d, K)
    P = scored("lda", Support(X, X_test), Y, K)
    for m, y in enumerate(Y):
        centred = X - np.stack([X[y == k].mean(0) for k in range(K)])[y]
        auto = ledoit_wolf_shrinkage(centred, assume_centered=True)
        for i, setting in enumerate(all_heads()["lda"].grid):
            s = auto if setting["shrinkage"] == "auto" else setting["shrinkage"]
            peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=s).fit(X, y)
            np.testing.assert_allclose(P[m, i], peer.predict_proba(X_test), atol=1e-8)


@pytest.mark.parametrize("grouped", [False, True], ids=["rows", "groups"])
@pytest.mark.parametrize("name", ["centroid", "knn", "ridge"])
@pytest.mark.parametrize(("n", "d", "K"), SHAPES[:4])
def test_leaving_out_in_closed_form_equals_learning_without(name, n, d, K, grouped):
    X, Y, X_test = blobs(n, d, K)
    head = all_heads()[name]
    support = Support(X, X_test, groups=np.random.default_rng(0).permutation(n) // 3 if grouped else None)
    assert head.loo is not None
    P = head.loo(support, Y, K, head.grid).P
    for i in range(0, n, 4):
        rest = support.groups != support.groups[i]
        # Ridge's penalty is a multiple of n.
        grid = [{**g, **({"alpha": g["alpha"] * n / rest.sum()} if name == "ridge" else {})} for g in head.grid]
        refit = head.scores(Support(X[rest], X[[i]]), Y[:, rest], K, grid).P[:, :, 0]
        np.testing.assert_allclose(P[:, :, i], refit, atol=2e-5 if name == "ridge" else 1e-6)


@pytest.mark.parametrize("name", ["centroid", "knn", "ridge"])
def test_leaving_out_the_only_row_or_group_leaves_all_classes_alike_likely(name):
    head = all_heads()[name]
    assert head.loo is not None
    for n, groups in ((1, None), (4, np.zeros(4))):
        X, Y = np.random.default_rng(0).normal(size=(n, 6)), np.zeros((1, n), int)
        np.testing.assert_allclose(head.loo(Support(X, X, groups=groups), Y, 3, head.grid).P, 1 / 3)


@pytest.mark.parametrize("K", [2, 3, 4, 8])
@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize(("n", "d"), [(48, 300), (500, 40)])
def test_a_setting_of_a_label_vector_is_scored_alike_alone_and_in_a_batch_to_the_bit(name, K, n, d):
    X, Y, X_test = blobs(n, d, K)
    Y = np.concatenate([Y, (Y + 1) % K])
    head = all_heads()[name]
    for function in filter(None, (head.scores, head.loo)):
        batch = function(Support(X, X_test), Y, K, head.grid).P
        for m in range(len(Y)):
            for i, setting in enumerate(head.grid):
                alone = function(Support(X, X_test), Y[m : m + 1], K, [setting]).P[0, 0]
                assert np.array_equal(batch[m, i], alone), (name, m, setting)


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize(("n", "d"), [(24, 60), (24, 8)])
def test_every_setting_copes_with_few_labels_missing_classes_and_rows_without_information(name, n, d):
    X, _, X_test = blobs(n, d, 3)
    y = np.arange(n) % 3
    rows = {"plain": X, "constant": np.ones((n, d)), "zero": np.zeros((n, d)), "duplicates": X[np.arange(n) // 6]}
    rows["zero rows"] = np.where(np.arange(n)[:, None] % 2, X, 0)
    labels = {"all": y, "one class": np.full(n, 1), "without 2": np.where(y == 2, 0, y), "one of 2": np.where(y == 2, 0, y)}
    labels["one of 2"][0] = 2
    head = all_heads()[name]
    for what, table in rows.items():
        for Y in (np.stack(list(labels.values())), *(row[None] for row in labels.values())):
            for few in (slice(None), slice(0, 3), slice(0, 1)):
                for function in filter(None, (head.scores, head.loo)):
                    P = function(Support(table[few], X_test), Y[:, few], 3, head.grid).P
                    assert np.isfinite(P).all(), what
                    np.testing.assert_allclose(P.sum(-1), 1, atol=8 * np.finfo(P.dtype).eps)
        P = scored(name, Support(table, X_test), np.stack(list(labels.values())), 3)
        assert (P[1, :, :, 1] == 1).all()
        assert (P[2, :, :, 2] == 0).all()


@pytest.mark.parametrize("name", CLOSED)
def test_rows_in_single_precision_give_what_double_precision_gives(name):
    X, Y, X_test = (a.astype(np.float32) if a.dtype == float else a for a in blobs(60, 90, 3))
    single = scored(name, Support(X, X_test), Y, 3)
    double = scored(name, Support(X.astype(float), X_test.astype(float)), Y, 3)
    np.testing.assert_allclose(single, double, atol=1e-6)


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize(("n", "d"), [(20, 60), (60, 20)])
def test_a_draw_from_a_pool_scores_as_its_own_rows_do(name, n, d):
    X, Y, X_test = blobs(n, d, 3)
    rng = np.random.default_rng(1)
    pooled = rng.permutation(len(X) + len(X_test) + 40)
    table = np.empty((len(pooled), d))
    rows, test, rest = np.split(pooled, [n, n + len(X_test)])
    table[rows], table[test], table[rest] = X, X_test, rng.normal(size=(len(rest), d))
    groups = rng.integers(0, n // 2, len(table))
    head = all_heads()[name]
    for function in filter(None, (head.scores, head.loo)):
        wanted = function(Support(X, X_test, groups=groups[rows]), Y, 3, head.grid).P
        for budget in (0, 10**9):
            drawn = Pool(table, groups, budget).support(rows, test)
            assert drawn.shape == (n, d)
            np.testing.assert_allclose(function(drawn, Y, 3, head.grid).P, wanted, atol=1e-6)


def test_a_pool_keeps_products_only_within_its_budget():
    assert Pool(np.ones((10, 2)), budget=400).keeps_products
    assert not Pool(np.ones((10, 2)), budget=399).keeps_products


def test_a_pool_makes_cosines_and_follows_a_change_of_test_rows():
    X = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    pool = Pool(X)
    for test in (np.arange(20, 30), np.arange(5, 25)):
        drawn = pool.support(np.array([3, 0, 4]), test)
        np.testing.assert_allclose(drawn.cosine, Support(X[[3, 0, 4]], X[test]).cosine, atol=1e-6)
        np.testing.assert_array_equal(drawn.X_test, X[test])


@pytest.mark.parametrize("few", [0, 2**40])
@pytest.mark.parametrize(("p", "d", "q"), [(1, 1, 1), (30, 5, 41), (300, 64, 50), (513, 3, 2)])
def test_products_of_equal_rows_are_equal_in_single_and_in_double_precision(p, d, q, few, monkeypatch):
    monkeypatch.setattr("bench.products.rows.FEW", few)
    rng = np.random.default_rng(0)
    A, B = (rng.normal(size=(count, d)).astype(np.float32) for count in (p, q))
    A[-1], B[-1] = A[0], B[0]
    found = products(A, B)
    np.testing.assert_allclose(found, A.astype(float) @ B.T.astype(float), atol=1e-5)
    assert np.array_equal(found[0], found[-1]) and np.array_equal(found[:, 0], found[:, -1])


@settings(deadline=None)
@given(arrays(np.float32, (4, 9), elements=st.sampled_from([-1.0, -0.5, -0.0, 0.0, 0.25, 1.0, -np.inf])), st.integers(1, 9))
def test_neighbours_are_ranked_exactly_and_ties_go_to_the_earlier_row(similarity, k):
    value, column = rank(similarity, k)
    expected = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(column, expected)
    np.testing.assert_array_equal(value, np.take_along_axis(similarity, expected, 1))


def test_neighbours_are_ranked_alike_whatever_the_number_of_rows_at_a_time(monkeypatch):
    similarity = np.random.default_rng(0).integers(0, 30, (50, 200)).astype(np.float32)
    at_once = rank(similarity, 20)
    monkeypatch.setattr("bench.heads.knn.BLOCK", 600)
    np.testing.assert_array_equal(rank(similarity, 20), at_once)


def test_neighbours_by_faiss_come_in_the_order_of_the_matrix_product(monkeypatch):
    X, Y, X_test = blobs(300, 12, 3)
    X[150:] = X[:150]  # every row twice
    by_product = scored("knn", Support(X, X_test), Y, 3, [{"k": 10}])
    monkeypatch.setattr("bench.heads.knn.FAISS_FROM", 1)
    np.testing.assert_allclose(scored("knn", Support(X, X_test), Y, 3, [{"k": 10}]), by_product, atol=1e-4)


def test_a_column_of_a_product_is_the_same_to_the_bit_beside_any_others():
    rng = np.random.default_rng(0)
    for p, q in ((800, 768), (7, 3), (33, 50), (1, 5)):
        A, b = rng.normal(size=(p, q)), rng.normal(size=q)
        alone = product(A, b[:, None])[:, 0]
        np.testing.assert_allclose(alone, A @ b, atol=1e-10)
        for width in (2, 31, 32, 33, 70):
            B = rng.normal(size=(q, width))
            for place in (0, width // 2, width - 1):
                B[:, place] = b
                assert np.array_equal(product(A, B)[:, place], alone)


@pytest.mark.parametrize(("n", "d"), [(5, 1), (9, 2), (50, 7), (7, 50), (200, 200)])
def test_coordinates_keep_inner_products_and_solve_shifted_systems(n, d):
    rng = np.random.default_rng(0)
    X, X_test, W = rng.normal(size=(n, d)), rng.normal(size=(6, d)), rng.normal(size=(min(n, d), 3))
    support = Support(X, X_test, is_centred=True)
    span = support.span
    np.testing.assert_allclose(span.Z.T @ span.Z, np.diag(span.e), atol=1e-8)
    np.testing.assert_allclose(span.Z_test @ span.Z.T, X_test @ X.T, atol=1e-8)
    for some in [span] + [support.plain] * (n >= d):
        Z = some.Z
        W = W[: Z.shape[1]]
        np.testing.assert_allclose(Z @ Z.T, X @ X.T, atol=1e-8)
        np.testing.assert_allclose(some.total(), Z.sum(0), atol=1e-10)
        np.testing.assert_allclose(some.project(X), Z.T @ X, atol=1e-10)
        np.testing.assert_allclose(some.at_support(W), Z @ W, atol=1e-10)
        np.testing.assert_allclose(some.at_test(W), some.Z_test @ W, atol=1e-8)
        both = some.solve(np.array([1e-3, 2.0]), W[:, 0], W[:, 1:].T, exact=True).of_rows
        for shift, solved in zip((1e-3, 2.0), both, strict=True):
            np.testing.assert_allclose((Z.T @ Z + shift * np.eye(len(W))) @ solved.T, W, atol=1e-7)


@pytest.mark.parametrize("r", [3, 50, 181, 260])  # by LAPACK and, from 182 on, by triangles of another library
def test_a_solution_is_the_same_to_the_bit_beside_any_others(r):
    rng = np.random.default_rng(r)
    X, first, B = rng.normal(size=(r + 5, r)), rng.normal(size=r), rng.normal(size=(70, r))
    whole = solve_shifted(X.T @ X, np.array([0.1, 3.0]), first, B).of_rows
    for some in ([0], [69], [40, 3], list(range(33)), list(range(69, 5, -1))):
        [alone] = solve_shifted(X.T @ X, np.array([3.0]), first, B[some]).of_rows
        assert np.array_equal(alone, whole[1, [0, *(1 + np.array(some))]])


def test_a_penalty_below_rounding_leaves_out_the_directions_that_rounding_made():
    X = 1e6 * np.repeat(np.random.default_rng(0).normal(size=(40, 2)), 4, axis=1)
    P = scored("ridge", Support(X, X), np.arange(40)[None] % 2, 2, [{"alpha": 1e-12}])
    thin = scored("ridge", Support(X[:, ::4], X[:, ::4]), np.arange(40)[None] % 2, 2, [{"alpha": 1e-12}])
    np.testing.assert_allclose(P, thin, atol=1e-6)


def test_a_flat_or_repeated_table_has_no_spurious_directions():
    X = np.repeat(np.random.default_rng(0).normal(size=(2, 30)), 5, axis=0)
    span = Support(X, X, is_centred=True).span
    assert span.Z.shape == (10, 2)
    np.testing.assert_allclose(span.Z @ span.Z_test.T, X @ X.T, atol=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Support(np.zeros((4, 9)), np.zeros((2, 9))).span.Z.shape == (4, 1)
