"""Embeddings that are not numbers: the command names the encoder and how many, exits with 2 and makes no run of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.embeddings.store import EmbeddingStore

RUN = ("--head", "knn,ridge", "--shots", "1,2", "--draws", 2, "--workers", 1, "--no-baselines")
PLUGIN = """
from encoders import descriptor

@descriptor("sometimes", dim=2)
def sometimes(image):
    return [image.mean(), float("{bad}") if image[0, 0, 0] < 128 else 0]
"""


@pytest.fixture
def data(tmp_path, save_png) -> Path:
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            save_png(tmp_path / "raw" / label / f"s{i}__0.png", seed=10 * k + i, size=(24, 24))
    return tmp_path / "raw"


@pytest.fixture
def broken(monkeypatch) -> None:
    """Two stored rows of thumbnail, by its 192 columns, are not finite, as no file that `bench` wrote has them."""
    original = EmbeddingStore.read

    def read(self: EmbeddingStore, *arguments: object) -> np.ndarray:
        X = original(self, *arguments).copy()
        if X.shape[1] == 192:
            X[1, 5], X[4, 0], X[4, 1] = np.nan, np.inf, -np.inf
        return X

    monkeypatch.setattr(EmbeddingStore, "read", read)


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_an_encoder_that_gives_them_is_named_and_nothing_of_it_is_stored(bench, data, tmp_path, bad):
    (tmp_path / "mine.py").write_text(PLUGIN.format(bad=bad))
    code, text = bench("run", "--data", data, "--encoder", "thumbnail,mine.py:sometimes", *RUN)
    assert code == 2
    assert "Encoder 'mine.py:sometimes' gave non-finite values for 6 of 12 images" in text
    assert "Traceback" not in text
    assert not (tmp_path / "results" / "runs").exists()
    code, text = bench("export", "--data", data, "--encoder", "mine.py:sometimes", "--to", "e.npz")
    assert code == 2 and "12 of 12 instances without an embedding" in text


@pytest.mark.parametrize(
    "asked",
    [
        ("--encoder", "thumbnail"),
        ("--encoder", "color-stats,thumbnail"),
        ("--encoder", "color-stats", "--ensemble", "concat:color-stats,thumbnail"),
        ("--encoder", "color-stats", "--ensemble", "mean:thumbnail,color-stats"),
        ("--encoder", "thumbnail", "--dry-run"),
    ],
    ids=" ".join,
)
def test_stored_ones_are_refused_with_the_encoder_and_their_number(bench, data, tmp_path, broken, asked):
    assert bench("extract", "--data", data, "--encoder", "thumbnail,color-stats")[0] == 0
    before = {path for path in (tmp_path / "results").rglob("*") if path.is_file()}
    code, text = bench("run", "--data", data, *asked, *RUN)
    assert code == 2
    assert "Got 2 embeddings of 'thumbnail' that hold NaN or infinity; expected finite numbers." in text
    assert "Traceback" not in text
    assert {path for path in (tmp_path / "results").rglob("*") if path.is_file()} == before
    assert not (tmp_path / "results" / "runs").exists()


def test_what_the_others_make_is_kept_when_one_is_left_out(bench, data, tmp_path, broken):
    assert bench("extract", "--data", data, "--encoder", "thumbnail,color-stats")[0] == 0
    code, text = bench("run", "--data", data, "--encoder", "color-stats", *RUN)
    assert code == 0 and "12 embeddings reused, 0 made" in text
