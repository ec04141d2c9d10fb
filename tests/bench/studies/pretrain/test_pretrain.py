"""An encoder out of images without labels, from the command as it is typed to the leaderboard it stands on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.studies.pretrain.dictionary import DictionarySettings, draw_patches, learn_dictionary, level
from encoders import resolve

ASKED = ("--words", 8, "--patch", 4, "--size", 16)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Images of stripes or of dots, in folders whose names mean nothing."""
    for i in range(24):
        rng = np.random.default_rng(i)
        image = rng.integers(0, 60, (24, 24, 3))
        if i % 2:
            image[:, :: rng.integers(3, 5)] += 150
        else:
            for y, x in rng.integers(0, 22, (12, 2)):
                image[y : y + 2, x : x + 2] += 150
        path = tmp_path / "pool" / str(i % 3) / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(path)
    return tmp_path / "pool"


def test_a_folder_of_images_becomes_an_encoder_that_a_run_takes(bench, pool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = bench("pretrain", "--data", "pool", "--to", "mine", *ASKED)
    assert code == 0, text
    assert "24 instances of 24 images" in text and "--encoder ./mine,efficientnet-lite0" in text
    assert "no groups were given" not in text
    about = json.loads(Path("mine/encoder.json").read_text())
    assert about["made"]["instances"] == 24 and about["preprocess"]["size"] == 16
    card = Path("mine/README.md").read_text()
    assert about["made"]["data"] in card and "8 small patches" in card and "all of the image" in card
    assert sorted(path.name for path in Path("mine").iterdir()) == ["README.md", "encoder.json", "weights.safetensors"]
    assert not list(tmp_path.glob(".*"))
    for i in range(24):
        path = tmp_path / "raw" / ("stripes" if i % 2 else "dots") / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pool / str(i % 3) / f"{i:02}.png", path)
    code, text = bench("run", "--data", "raw", "--encoder", "./mine", "--head", "centroid", "--shots", 5, "--draws", 3)
    assert code == 0, text
    [board] = Path("results").glob("runs/*/leaderboard.csv")
    score = pd.read_csv(board).set_index("encoder")["balanced_accuracy"]["./mine"]
    assert score > 0.9


def test_the_same_images_give_the_same_encoder_whatever_the_workers_and_their_places(bench, pool, tmp_path):
    keys = []
    for i, workers in enumerate((1, 3)):
        folder = tmp_path / f"e{i}"
        assert bench("pretrain", "--data", pool, "--to", folder, *ASKED, "--workers", workers)[0] == 0
        keys.append(resolve(str(folder)).key)
        pool = pool.rename(tmp_path / "moved")
    assert keys[0] == keys[1]
    assert bench("pretrain", "--data", pool, "--to", folder, *ASKED, "--seed", 1)[0] == 0
    assert resolve(str(folder)).key != keys[0]


def test_an_encoder_in_whose_place_another_is_written_is_told_and_others_may_read_it(bench, pool, tmp_path):
    before = os.umask(0o022)
    try:
        said = [bench("pretrain", "--data", pool, "--to", tmp_path / "mine", *ASKED)[1] for _ in range(2)]
    finally:
        os.umask(before)
    assert not any("replaced" in text for text in said)  # the second one is the same
    assert os.name == "nt" or {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "mine").iterdir()} == {"0o644"}
    code, text = bench("pretrain", "--data", pool, "--to", tmp_path / "mine", *ASKED, "--words", 9)
    assert code == 0 and "held an encoder with other weights, which this one has replaced" in text


def test_at_most_so_many_are_read_and_the_same_ones_beside_others(bench, pool, tmp_path):
    code, text = bench("pretrain", "--data", pool, "--to", tmp_path / "a", *ASKED, "--most", 11)
    assert code == 0 and "Learned from 11 instances" in text
    code, text = bench("pretrain", "--data", pool, "--to", tmp_path / "b", *ASKED, "--instances", "tiles:16:8")
    assert code == 0 and "Learned from 96 instances of 24 images" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "dictionnary"), "did you mean 'dictionary'"),
        (("--patch", 16, "--grid", 4, "--size", 16), "expected smaller ones"),
        (("--words", 1), "--words"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(bench, pool, tmp_path, options, message):
    code, text = bench("pretrain", "--data", pool, "--to", tmp_path / "mine", *options)
    assert code == 2 and message in text
    assert not (tmp_path / "mine").exists()


def test_a_place_that_holds_something_else_and_too_few_images_are_refused(bench, pool, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").touch()
    code, text = bench("pretrain", "--data", pool, "--to", tmp_path / "mine", *ASKED)
    assert code == 2 and "which holds thesis.doc" in text
    for path in sorted(pool.rglob("*.png"))[:20]:
        path.write_bytes(b"no image")
    code, text = bench("pretrain", "--data", pool, "--to", tmp_path / "other", *ASKED)
    assert code == 2 and "Got 4 instances" in text
    assert not (tmp_path / "other").exists() and not list(tmp_path.glob(".scratch*"))


def test_words_are_the_directions_that_patches_have():
    """Patches that are one of four patterns, of either sign, give these patterns."""
    rng = np.random.default_rng(0)
    P = 4
    patterns = rng.integers(0, 2, (4, P, P, 3)) * 120 + 60
    pixels = np.stack([patterns[i % 4] if i % 8 < 4 else 240 - patterns[i % 4] for i in range(400)]).astype(np.uint8)
    found, figures = learn_dictionary(pixels, DictionarySettings(words=12, patch=P, patches=2000))
    M = found["weight"].reshape(12, -1)
    X = level(draw_patches(pixels, P, 50, rng))
    products = np.abs(X @ M.T + found["bias"])
    assert figures["explained"] > 0.9
    assert (products.max(1) > 1.5 * np.sort(products, 1)[:, -5]).mean() > 0.9  # one word or few of the same direction
    np.testing.assert_allclose(M.mean(1), 0, atol=1e-6)


def test_patches_come_from_everywhere_and_have_no_mean_and_no_contrast():
    pixels = np.arange(2 * 9 * 9 * 3).reshape(2, 9, 9, 3).astype(np.uint8)
    patches = draw_patches(pixels, 3, 4000, np.random.default_rng(0))
    every = {pixels[i, y : y + 3, x : x + 3].transpose(2, 0, 1).tobytes() for i in range(2) for y in range(7) for x in range(7)}
    assert {(255 * patch).round().astype(np.uint8).tobytes() for patch in patches} == every
    flat = level(np.full((3, 27), 0.4, np.float32))
    assert np.abs(flat).max() < 1e-5
    noisy = level(np.random.default_rng(1).random((5, 27)).astype(np.float32))
    np.testing.assert_allclose(noisy.mean(1), 0, atol=1e-6)
    assert ((noisy.var(1) > 0.9) & (noisy.var(1) < 1)).all()
