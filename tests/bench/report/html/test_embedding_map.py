"""The map of the embeddings: the same every time, by the way that was asked for, and colours that tell classes apart."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.report.html.context import PCA, UMAP
from bench.report.html.embedding_map import MOST, NEIGHBOURS, WAYS, check_way, components, sampled, shared_neighbours
from bench.report.html.parts.map import SAYS, legend
from bench.report.html.read import Look, read_report
from bench.report.html.render import render
from bench.report.pictures.axes import SERIES, mark_of

from .conftest import take_apart

ROOT = Path(__file__).resolve().parents[4]
needs_umap = pytest.mark.skipif(
    importlib.util.find_spec("umap") is None, reason="umap-learn is not installed ('.[umap]')"
)


def clusters(each: int = 30, dimensions: int = 20) -> np.ndarray:
    random = np.random.default_rng(0)
    return np.concatenate([random.normal(m, 1, (each, dimensions)) for m in (0, 4, 8)]).astype(np.float32)


def test_components_are_those_of_a_singular_value_decomposition():
    X = clusters()
    Z = (X - X.mean(0)) / X.std(0)
    _, s, right = np.linalg.svd(Z.astype(np.float64))
    at, kept = components(X)
    assert kept == pytest.approx((s[:2] ** 2).sum() / (s**2).sum())
    expected = Z @ right[:2].T
    assert np.abs(np.corrcoef(at[:, 0], expected[:, 0])[0, 1]) > 0.99


def test_the_share_of_neighbours_that_a_map_keeps_is_counted_one_by_one():
    random = np.random.default_rng(1)
    Z, at = random.normal(size=(40, 5)), random.normal(size=(40, 2))
    shares = []
    for i in range(40):
        near = [set(np.argsort(np.linalg.norm(M - M[i], axis=1))[1:6]) for M in (Z, at)]
        shares.append(len(near[0] & near[1]) / 5)
    assert shared_neighbours(Z, at, 5) == pytest.approx(np.mean(shares))
    assert shared_neighbours(Z, Z, 5) == 1


def test_every_way_says_on_the_page_what_distances_mean():
    assert set(WAYS) == set(SAYS) == {PCA, UMAP}
    assert (
        "distances" in SAYS[UMAP].meaning and "Distances" in SAYS[PCA].meaning and str(NEIGHBOURS) in SAYS[UMAP].meaning
    )


def test_a_map_has_a_bounded_number_of_points():
    names = [f"{i}.png" for i in range(MOST + 100)]
    rows = sampled(names)
    assert len(rows) == MOST and (sampled(names) == rows).all()


def test_a_way_that_is_not_known_or_not_installed_is_refused_before_anything_is_read(monkeypatch):
    with pytest.raises(BenchError, match="Got --map tsne; expected one of pca, umap"):
        check_way("tsne")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"without umap-learn; expected it installed: pip install '\.\[umap\]'"):
        check_way(UMAP)
    check_way(PCA)


def test_principal_components_load_no_umap():
    code = "import sys; import bench.report.html.report; print('umap' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@needs_umap
def test_umap_keeps_clusters_apart_and_gives_the_same_bits_twice():
    X = clusters()
    at, kept = WAYS[UMAP].make(X)
    again, _ = WAYS[UMAP].make(X)
    assert (at == again).all() and at.min() >= 0 and at.max() <= 1
    middles = at.reshape(3, -1, 2).mean(1)
    within = np.linalg.norm(at.reshape(3, -1, 2) - middles[:, None], axis=2).max()
    assert min(np.linalg.norm(middles[a] - middles[b]) for a, b in ((0, 1), (0, 2), (1, 2))) > within
    assert 0.3 < kept <= 1


@needs_umap
@pytest.mark.parametrize("X", [clusters(1), np.ones((5, 4), np.float32)], ids=["three rows", "all alike"])
def test_umap_of_hardly_anything_is_finite(X):
    at, kept = WAYS[UMAP].make(X)
    assert at.shape == (len(X), 2) and np.isfinite(at).all() and 0 <= kept <= 1


@needs_umap
def test_a_report_with_umap_is_the_same_bytes_twice_and_says_which_map_it_is(small_run, small_page):
    pages = [render(read_report(small_run, Look(map=UMAP))) for _ in range(2)]
    assert pages[0] == pages[1] != small_page
    assert "UMAP of" in take_apart(pages[0]).text() and "UMAP of" not in take_apart(small_page).text()


def test_128_classes_are_told_apart_by_colour_shape_and_filling():
    marks = [mark_of(k) for k in range(2 * SERIES * SERIES)]
    assert len(set(marks)) == len(marks)
    assert all(a[1] != b[1] for a, b in pairwise(marks))  # neighbours, without colour
    keys = [attributes["class"] + attributes["href"] for attributes, _ in take_apart(
        f"<body>{legend([f'class {k}' for k in range(40)])}</body>".encode()).having("href")]  # fmt: skip
    assert len(set(keys)) == 40
