"""Any scikit-learn classifier is a head: `--head my.py:NAME`, from the file to the leaderboard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from bench.errors import BenchError
from bench.fitting.head_fits import HeadFits
from bench.heads import all_heads, get_heads
from bench.heads.contract import Head
from bench.heads.estimator import HeadClassifier
from bench.heads.state import State
from bench.heads.support import Support
from bench.protocol.protocol import Protocol

MINE = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from xgboost import XGBClassifier

RF = RandomForestClassifier(20)
BAYES = GaussianNB
MACHINE = SVC()
PAIRS = SVC(decision_function_shape="ovo")
LINE = make_pipeline(StandardScaler(), LinearSVC())
RIDGE = RidgeClassifier()
NEIGHBOURS = KNeighborsClassifier(1)
BOOSTED = XGBClassifier(n_estimators=5)
SEEDED = make_pipeline(StandardScaler(), RandomForestClassifier(20))
ONE_HOT = RandomForestClassifier(20, random_state=3)
Votes = type("Votes", (BaseEstimator, ClassifierMixin), {
    "fit": lambda self, X, y: setattr(self, "of", RandomForestClassifier(9, random_state=0).fit(X, y)) or self,
    "predict": lambda self, X: self.of.predict(X),
})
VOTES = Votes()

class Bare:
    def fit(self, X, y):
        self.means = np.stack([X[y == k].mean(0) for k in range(y.max() + 1)])
    def predict(self, X):
        return ((X[:, None] - self.means) ** 2).sum(-1).argmin(1)

BARE = Bare()

class Broken(Bare):
    def predict(self, X):
        return X.no_such_thing

class Wrong(Bare):
    def predict(self, X):
        return np.full(len(X), 7)

class Shapeless(Bare):
    def predict_proba(self, X):
        return np.ones((len(X), 9))

class Negative(Bare):
    def predict_proba(self, X):
        return np.full((len(X), len(self.means)), -1.0)

class Demanding(Bare):
    def __init__(self, depth):
        self.depth = depth

class Picky(BaseEstimator, ClassifierMixin):
    def fit(self, X, y):
        if np.bincount(y).min() < 2:
            raise ValueError("needs two of each")
        self.bare = Bare()
        self.bare.fit(X, y)
        self.classes_ = np.unique(y)
        return self
    def predict(self, X):
        return self.bare.predict(X)

PRICE = LinearRegression()
CLUSTERS = KMeans(3)
NUMBER = 5
"""
KINDS = ("RF", "BAYES", "MACHINE", "PAIRS", "LINE", "RIDGE", "NEIGHBOURS", "BOOSTED", "SEEDED", "VOTES", "BARE", "Bare")


@pytest.fixture
def mine(tmp_path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def draw(n: int = 40, d: int = 8, K: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    means, y = rng.normal(size=(K, d)), np.arange(n) % K
    X_test = means[np.arange(21) % K] + 0.3 * rng.normal(size=(21, d))
    return (means[y] + 0.3 * rng.normal(size=(n, d))).astype(np.float32), y, X_test.astype(np.float32)


def head_of(path: Path, name: str) -> Head:
    [head] = get_heads([f"{path}:{name}"])
    return head


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("K", [2, 3])
def test_a_classifier_of_a_file_keeps_the_contract_of_heads(mine, name, K):
    head, (X, y, X_test) = head_of(mine, name), draw(K=K)
    assert head.name == f"{mine}:{name}" and head.grid == () and head.loo is None and head.default == {}
    lacks_one = np.where(y == 0, 1, y)  # noise took every label of a class
    Y = np.stack([y, lacks_one, np.full_like(y, 1)])
    P = head.scores(Support(X, X_test), Y, K, [{}, {}]).P
    assert P.shape == (3, 2, 21, K) and P.dtype == np.float64 and (P >= 0).all()
    np.testing.assert_allclose(P.sum(-1), 1, atol=1e-9)
    assert (P[0, 0].argmax(1) == np.arange(21) % K).mean() > 0.8
    assert (P[1:, :, :, 0] == 0).all() and (P[2, ..., 1] == 1).all()
    np.testing.assert_array_equal(P[:, 0], P[:, 1])
    for labels, wanted in zip(Y, P[:, 0], strict=True):  # another batch, and another rounding of nothing at all
        np.testing.assert_array_equal(head.fit(X, labels, K).scores(X_test), wanted)
    assert head.fit(X, y, K).scores(X_test[:0]).shape == (0, K)


def test_probabilities_are_those_of_the_classifier_itself(mine):
    X, y, X_test = draw()
    forest = RandomForestClassifier(20, random_state=0).fit(X.astype(float), y).predict_proba(X_test.astype(float))
    np.testing.assert_allclose(head_of(mine, "RF").fit(X, y, 3).scores(X_test), forest, atol=1e-12)
    machine = SVC().fit(X.astype(float), y).decision_function(X_test.astype(float))
    wanted = np.exp(machine) / np.exp(machine).sum(1, keepdims=True)
    np.testing.assert_allclose(head_of(mine, "MACHINE").fit(X, y, 3).scores(X_test), wanted, atol=1e-12)
    two = SVC().fit(X[y < 2].astype(float), y[y < 2]).decision_function(X_test.astype(float))
    P = head_of(mine, "MACHINE").fit(X[y < 2], y[y < 2], 2).scores(X_test)
    np.testing.assert_allclose(P[:, 1], 1 / (1 + np.exp(-two)), atol=1e-12)
    for name in ("VOTES", "PAIRS", "BARE"):
        assert set(np.unique(head_of(mine, name).fit(X, y, 3).scores(X_test))) == {0.0, 1.0}


@pytest.mark.parametrize("name", ["RF", "SEEDED"])
def test_seeds_that_are_none_are_set_so_that_a_fit_can_be_repeated(mine, name):
    X, y, X_test = draw(K=4)
    X_test = X_test + np.random.default_rng(2).normal(size=X_test.shape)
    P = [head_of(mine, name).fit(X, y, 4).scores(X_test) for _ in range(2)]
    np.testing.assert_array_equal(*P)
    assert len(np.unique(P[0])) > 5
    assert not np.array_equal(head_of(mine, "ONE_HOT").fit(X, y, 4).scores(X_test), P[0])  # a seed that was given stays


def test_the_version_is_the_content_of_the_file(mine):
    before = head_of(mine, "RF")
    assert head_of(mine, "RF").version == before.version and "scikit-learn" in str(before.version)
    mine.write_text(MINE.replace("RandomForestClassifier(20)", "RandomForestClassifier(2)"))
    after = head_of(mine, "RF")
    assert after.version != before.version
    X, y, _ = draw()
    assert len(after.fit(X, y, 3).model.estimators_) == 2


def test_the_estimator_takes_such_a_head_and_its_state_is_refused(mine):
    X, y, X_test = draw()
    model = HeadClassifier(f"{mine}:RF").fit(X, np.array(["a", "b", "c"])[y])
    assert (model.predict(X_test) == np.array(["a", "b", "c"])[np.arange(21) % 3]).all()
    assert model.chosen_by_ == "rule" and model.temperature_ == 1
    for refused in (model.fitted_.state, lambda: head_of(mine, "RF").restore(State(arrays={}, about={}))):
        with pytest.raises(
            BenchError, match=r"mine.py:RF', a classifier of scikit-learn, which cannot be saved without pickle"
        ):
            refused()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("RFF", "did you mean 'RF'.*The file has the classifiers: .*BAYES"), ("NUMBER", "of type int; expected a classifier"),
        ("PRICE", "which is a regressor; expected a classifier"), ("CLUSTERS", "which is a clusterer; expected"),
        ("Demanding", "cannot be made: .*depth"), ("", "The file has the classifiers"),
    ],
)  # fmt: skip
def test_a_name_that_is_no_classifier_is_refused(mine, name, words):
    with pytest.raises(BenchError, match=words):
        head_of(mine, name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\ny = x.no\n", r"bad.py cannot be run: bad.py line 2: AttributeError: 'int' object has no attribute 'no'\. Correct it"),
        ("x = (\n", "bad.py line 1: SyntaxError: '\\(' was never closed"), ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        ("import no_such_package\n", "line 1: ModuleNotFoundError"), ("def f():\n    return 1 / 0\n\nf()\n", "line 2: ZeroDivisionError"),
        ("x = '\0'\n", "cannot be run: SyntaxError|cannot be run: ValueError|line 1: SyntaxError"), ("x = 1\n", "none; bind one to a name"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_run_is_told_with_its_line(tmp_path, text, words):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(BenchError, match=words) as told:
        head_of(path, "RF")
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_or_not_readable_is_refused(tmp_path):
    with pytest.raises(BenchError, match="there is no such file"):
        head_of(tmp_path / "nowhere.py", "RF")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(BenchError, match="cannot be read: .*irectory"):
        head_of(tmp_path / "folder.py", "RF")
    with pytest.raises(BenchError, match="characters that can be seen"):
        get_heads(["a\x1b.py:RF"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Broken", r"mine.py:Broken' cannot predict rows after it learned 3 classes: mine.py line \d+: AttributeError: .*no_such_thing"),
        ("Wrong", "predicts \\[7\\], which are not the labels"), ("Shapeless", "predictions of shape \\(21, 9\\).*expected \\(21, 3\\)"),
        ("Negative", "negative, all 0 or not finite"),
    ],
)  # fmt: skip
def test_predictions_that_are_none_are_told(mine, name, words):
    X, y, X_test = draw()
    with pytest.raises(BenchError, match=words):
        head_of(mine, name).fit(X, y, 3).scores(X_test)


def test_a_classifier_that_cannot_learn_from_so_few_is_told_with_the_number_of_labels(mine):
    X, y, _ = draw()
    words = r"mine.py:Picky' cannot learn from 3 labels of 3 classes in 8 dimensions: mine.py line \d+: ValueError: needs two of each\."
    with pytest.raises(BenchError, match=words):
        head_of(mine, "Picky").fit(X[:3], y[:3], 3)


def test_the_registry_is_as_it_was_and_names_the_way(mine):
    head_of(mine, "RF")
    assert not [name for name in all_heads() if "py" in name]
    with pytest.raises(BenchError, match="or FILE.py:NAME, a classifier of scikit-learn"):
        get_heads(["RF"])


def test_fits_of_a_file_that_changed_after_they_were_planned_are_not_made(mine, make_sweep, tmp_path):
    sweep, views = make_sweep(Protocol(shots=(2,), draws=2), [f"{mine}:RF"])
    mine.write_text(MINE.replace("RandomForestClassifier(20)", "RandomForestClassifier(2)"))
    with pytest.raises(BenchError, match=r"mine.py:RF' was changed while its fits were made"):
        HeadFits(views=views).make(sweep, sweep.blocks, tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*.safetensors"))


@pytest.fixture
def data(tmp_path, save_png) -> Path:
    """Eight slides of six images of one class each."""
    lines = ["path,label,group"]
    for i in range(48):
        save_png(tmp_path / f"{i}.png", seed=i, size=(8, 8))
        lines.append(f"{i}.png,{'ab'[i // 24]},s{i // 6}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    return tmp_path / "index.csv"


def test_a_run_fits_a_classifier_of_a_file_in_processes_and_reuses_its_fits_until_the_file_changes(
    bench, data, mine, tmp_path
):
    asked = ("run", "--data", data, "--encoder", "color-stats,image-size", "--no-baselines", "--head", "mine.py:RF,knn",
             "--shots", "1,3", "--seeds", "3", "--noise", "0,0.4", "--workers", 2, "--name", "mine")  # fmt: skip
    code, said = bench(*asked, "--dry-run")
    assert code == 0 and "mine.py:RF" in said
    code, said = bench(*asked)
    assert code == 0, said
    rows = pd.read_csv(tmp_path / "results" / "leaderboard.csv")
    own = rows[rows["head"] == "mine.py:RF"]
    assert len(own) == 8 and own["balanced_accuracy"].notna().all() and set(own["chosen_by"]) == {"fixed"}

    def made() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("predictions/*.safetensors")}

    first = made()
    assert bench(*asked)[0] == 0
    assert made() == first
    mine.write_text(MINE.replace("RandomForestClassifier(20)", "RandomForestClassifier(2)"))
    assert bench(*asked)[0] == 0
    assert len(made()) == len(first) + 4  # 2 encoders, 2 levels; those of the other head are reused


def test_a_run_with_a_head_that_fails_ends_in_one_sentence(bench, data, mine):
    asked = ("run", "--data", data, "--encoder", "color-stats", "--no-baselines", "--seeds", "3", "--shots", "1")
    for workers in (1, 2):
        code, said = bench(*asked, "--head", "mine.py:Picky,knn", "--workers", workers)
        assert code == 2 and "mine.py line" in said and "needs two of each" in said and "Traceback" not in said
    code, said = bench(*asked, "--head", "mine.py:R")
    assert code == 2 and "did you mean 'RF'" in said


@pytest.mark.parametrize(
    ("asked", "groups", "message"),
    [
        ({"params": {"neighbours": 3}}, None, r"'neighbours'.* Expected settings of knn: .*k"),
        ({"params": {"k": -3}}, None, "Got k=-3 for knn; expected a whole number of 1 or more"),
        ({"params": {"k": True}}, None, "Got k=True for knn; expected a whole number"),
        ({"params": {"k": np.arange(2)}}, None, "expected a whole number of 1 or more"),
        ({"head": "ridge", "params": {"alpha": 0}}, None, "Got alpha=0 for ridge; expected a number above 0"),
        ({"head": "ridge", "params": {"alpha": np.nan}}, None, "Got alpha=nan for ridge; expected a number above 0"),
        ({"head": "lda", "params": {"shrinkage": "automatic"}}, None, "expected a number from 0 to 1"),
        ({"head": "centroid", "params": {"metric": "l1"}}, None, "expected one of 'cosine', 'euclidean'"),
        ({"params": [3]}, None, r"params=\[3\]; expected a dict"),
        ({"head": None}, None, "head=None; expected the name"),
        ({}, np.zeros(9), r"groups of shape \(9,\); expected \(10,\)"),
        ({}, np.zeros((10, 1)), r"groups of shape \(10, 1\); expected \(10,\)"),
        ({}, ["s1"] * 8 + [None, "s2"], "no group for 1 of 10 rows, the first of them row 8"),
        ({}, [np.nan] * 5 + [1.0] * 5, "no group for 5 of 10 rows"),
    ],
)
def test_what_cannot_be_learned_by_is_named(asked, groups, message):
    X, y = np.random.default_rng(0).normal(size=(10, 2)), np.arange(10) % 2
    with pytest.raises(BenchError, match=message):
        HeadClassifier(**{"head": "knn", **asked}).fit(X, y, groups=groups)


@pytest.mark.parametrize("name", ["ridge", "knn", "logreg", "lda", "centroid"])
def test_numbers_that_single_precision_does_not_hold_are_refused(name):
    X, y = np.random.default_rng(0).normal(size=(10, 2)), np.arange(10) % 2
    with pytest.raises(BenchError, match=r"numbers up to .e\+60; expected at most 1e\+15"):
        HeadClassifier(name).fit(X * 1e60, y)
    with pytest.raises(BenchError, match="expected at most"):
        HeadClassifier(name).fit(X, y).predict(X * 1e60)
