"""A head of another package: one that breaks the contract is a sentence that names it, and harms no other head."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import bench.heads as heads
from bench.doctor.hub import look_at_hub
from bench.errors import BenchError
from bench.heads import all_heads, get_heads, plugin_problems
from bench.heads.contract import Head
from bench.heads.linear_fit import LinearFit
from bench.heads.plugins import GROUP
from bench.heads.support import Support

MODULE = """
from dataclasses import dataclass
import numpy as np
from bench.heads.contract import Head, Scored, one_hot, softmax
from bench.heads.linear_fit import LinearFit, load as load_linear
from bench.heads.state import State


def means(X, y, K):
    members = one_hot(y, K)
    count = members.sum(0)
    return members.T @ X / np.maximum(count, 1)[:, None], np.where(count > 0, 0, -np.inf)


def nearest(X, C, closed):
    return softmax(-((X[:, None] - C) ** 2).sum(-1) + closed)


def scores(support, Y, n_classes, grid):
    P = np.stack([nearest(support.X_test, *means(support.X, y, n_classes)) for y in Y])
    return Scored(np.repeat(P[:, None], len(grid), axis=1))


def loo(support, Y, n_classes, grid):
    return Scored(np.full((len(Y), len(grid), len(support.X), n_classes), 1 / n_classes))


@dataclass
class Fit:
    C: np.ndarray
    closed: np.ndarray

    def scores(self, X):
        return nearest(X, self.C, self.closed)

    def state(self):
        return State(arrays={"C": self.C, "closed": self.closed}, about={"kind": "own"})


def learn(support, y, n_classes, setting):
    return Fit(*means(support.X, y, n_classes))


def load(state):
    return Fit(state.arrays["C"], state.arrays["closed"])


def changed(way):
    def give(support, Y, n_classes, grid):
        return Scored(way(scores(support, Y, n_classes, grid).P))
    return give


def head(scores=scores, **fields):
    return Head(**({"name": "other", "summary": "of another package", "scores": scores, "default": {}} | fields))


"""

Of = Callable[[str], Head]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a package of one module, `heads_of_others`, with an entry point."""

    def put(code: str, point: str = "other = heads_of_others:HEAD") -> None:
        (tmp_path / "heads_of_others.py").write_text(MODULE + code)
        info = tmp_path / "heads-1.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Name: heads\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{point}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(__import__("sys").modules, "heads_of_others", raising=False)
        forget()

    def forget() -> None:
        heads._plugins.cache_clear()
        heads.all_heads.cache_clear()

    yield put
    monkeypatch.undo()
    forget()


@pytest.fixture
def other(install: Callable[..., None]) -> Of:
    def made(code: str) -> Head:
        install(code)
        [head] = get_heads(["other"])
        return head

    return made


def draw() -> tuple[Support, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(12) % 3
    X, X_test = (rng.normal(size=(3, 5))[np.arange(n) % 3] + rng.normal(size=(n, 5)) for n in (12, 7))
    return Support(X, X_test), np.stack([y, np.where(y == 2, 0, y)])


def test_a_head_that_keeps_the_contract_is_one_like_any_other(other: Of) -> None:
    head, (support, Y) = other("HEAD = head(learn=learn, load=load, loo=loo)"), draw()
    P = head.scores(support, Y, 3, [{}, {}]).P
    assert P.shape == (2, 2, 7, 3) and head.loo is not None
    assert head.loo(support, Y, 3, [{}]).P.shape == (2, 1, 12, 3)
    fitted = head.fit(support.X, Y[1], 3)
    np.testing.assert_allclose(fitted.scores(support.X_test), P[1, 0])
    np.testing.assert_array_equal(head.restore(fitted.state()).scores(support.X_test), fitted.scores(support.X_test))
    assert support.X.flags.writeable and "other" in all_heads() and plugin_problems() == []


def test_a_linear_one_stays_what_other_programs_are_given(other: Of) -> None:
    learn = (
        "def linear(support, y, n_classes, setting):\n"
        "    C, closed = means(support.X, y, n_classes)\n"
        "    return LinearFit(W=2 * C, b=closed - (C * C).sum(1))\n"
    )
    head, (support, Y) = other(learn + "HEAD = head(learn=linear, load=load_linear)"), draw()
    assert isinstance(head.fit(support.X, Y[0], 3), LinearFit)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("HEAD = head(changed(lambda P: 3 * P))", "do not sum to 1"),
        ("HEAD = head(changed(lambda P: P[..., :-1]))", r"shape \(2, 1, 7, 2\); expected .* \(2, 1, 7, 3\)"),
        ("HEAD = head(changed(lambda P: P * np.nan))", "not finite"),
        ("HEAD = head(changed(lambda P: P + [1, -1, 0]))", "negative"),
        ("HEAD = head(changed(lambda P: (P == P.max(-1, keepdims=True)).astype(int)))", "type int64"),
        ("HEAD = head(changed(lambda P: P.tolist()))", "type list"),
        ("HEAD = head(lambda *given: scores(*given).P)", "expected a bench.heads.contract.Scored"),
        ("HEAD = head(lambda *given: 1 / 0)", "head 'other', heads_of_others.py line .*: ZeroDivisionError"),
        ("HEAD = head(changed(lambda P: np.broadcast_to(P.mean(0), P.shape)))", "by itself than beside others"),
        ("HEAD = head(changed(lambda P: np.random.default_rng().dirichlet([1] * 3, P.shape[:-1])))", "by itself than"),
        ("HEAD = head(lambda s, Y, K, grid: s.X.fill(0))", "read-only"),
        ("HEAD = head(lambda *given: scores(*given)._replace(gap=0.0))", r"gap of shape \(\)"),
    ],
)
def test_what_gives_no_probabilities_of_the_labels_is_refused_in_a_run(other: Of, code: str, said: str) -> None:
    support, Y = draw()
    with pytest.raises(BenchError, match=said) as caught:
        other(code).scores(support, Y, 3, [{}])
    assert "ead 'other'" in str(caught.value)
    assert support.X.flags.writeable and support.X.any()


def test_what_leaves_rows_out_scores_every_row_of_the_support(other: Of) -> None:
    support, Y = draw()
    head = other("HEAD = head(loo=scores)")
    assert head.loo is not None
    with pytest.raises(BenchError, match=r"expected float32 or float64 and \(2, 1, 12, 3\)"):
        head.loo(support, Y, 3, [{}])


@pytest.mark.parametrize(
    ("learn", "load", "said"),
    [
        ("lambda *given: None", "load", "learned an object of type NoneType"),
        ("lambda *given: 1 / 0", "load", "when it learned from 12 labels in 5 dimensions: ZeroDivisionError"),
        ("lambda s, y, K, setting: learn(s, (y + 1) % K, K, setting)", "load", "`learn` and `scores` differ"),
        ("learn", "lambda state: Fit(state.arrays['C'], np.arange(3.0))", "made again of its state"),
        ("learn", "lambda state: state.arrays['D']", "when its state was asked: KeyError"),
    ],
)
def test_a_fitted_head_is_what_was_scored_and_what_is_kept_of_it(other: Of, learn: str, load: str, said: str) -> None:
    (support, Y), head = draw(), other(f"HEAD = head(learn={learn}, load={load})")
    with pytest.raises(BenchError, match=said):
        head.fit(support.X, Y[0], 3).state()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("import nothing_like_that", "ModuleNotFoundError"),
        ("X = 1", "has no attribute 'HEAD'"),
        ("HEAD = 'head'", "Got an object of type str; expected a bench.heads.Head"),
        ("HEAD = head(name='knn')", "another head has the name 'knn'"),
        ("HEAD = head(name='a, b')", "Got name='a, b'"),
        ("HEAD = head(learn=learn)", "`learn` and `load` both or neither"),
        ("HEAD = head(scores=None)", "Got scores=None"),
        ("HEAD = head(default={'k': 1}, grid=({'l': 1},))", "Got grid="),
        ("HEAD = head(default={'k': 1}, rule=lambda n, K, d: {'l': 1})", "Got the published setting"),
        ("HEAD = head(rule=lambda n, K, d: 1 / 0)", "when its published setting for 6 labels of 3 classes was asked"),
        ("HEAD = head(temperature=lambda n, K, d: -1.0)", "temperature -1.0"),
    ],
)
def test_what_is_no_head_is_told_and_harms_no_other(install: Callable[..., None], code: str, said: str) -> None:
    ours = all_heads()["knn"]
    install(code)
    assert all_heads()["knn"] is ours and "other" not in all_heads()
    [problem] = plugin_problems()
    assert problem.startswith("The plug-in of head 'other' (heads_of_others:HEAD) cannot be used: ") and said in problem
    with pytest.raises(BenchError, match="cannot be used"):
        get_heads(["other"])
    assert problem in [finding.found for finding in look_at_hub()]


def test_the_list_of_heads_names_what_cannot_be_used(install: Callable[..., None], bench) -> None:
    install("HEAD = 1")
    code, text = bench("heads")
    assert code == 0 and "The plug-in of head 'other' (heads_of_others:HEAD) cannot be used" in text
