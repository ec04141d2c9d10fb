"""What cannot be done is told before anything is embedded, which may take hours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

ENCODER = """
from pathlib import Path
from encoders import descriptor

@descriptor("slow", dim=2)
def slow(image):
    (Path(__file__).parent / "embedded").touch()
    return [image.mean(), image.std()]
"""


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Make six images of two classes and an encoder that leaves a trace, where the commands are typed."""
    rng = np.random.default_rng(0)
    for label in ("neuron", "rbc"):
        (tmp_path / "raw" / label).mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 255, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "raw" / label / f"{i}.png")
    (tmp_path / "mine.py").write_text(ENCODER)
    (tmp_path / "file").write_text("something else")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run --select nosuch", "Got --select 'nosuch'"),
        ("run --select inner-cv --shots 1", "None of the numbers of labels that you asked for can be drawn"),
        ("run --shots 50", "None of the numbers of labels that you asked for can be drawn"),
        ("run --select transfer --transfer nosuch", "Got --transfer nosuch, which holds no run"),
        ("run --split source", "Got --split source, and 6 of 6 items have no source"),
        ("run --noise-kind asymmetric --noise 0,.2 --confusable rbc>a", "Got --confusable with class 'a'"),
        ("run --noise-kind instance-dependent --noise 0,.2 --shots 50", "None of the numbers of labels that you asked for can be drawn"),
        ("ablate --vary color=grey --shots 40", "None of the numbers of labels that you asked for can be drawn"),
        ("tune --head knn --shots 1", "expected at least 2 and 2, since what is tuned on is never evaluated on"),
        ("audit --head nosuch", "Got head 'nosuch'"),
        ("next --n 2", "where every image has a label"),
        ("next --labelled ../elsewhere/new.csv", "Got --labelled ../elsewhere/new.csv; expected a file in raw or in a"),
        ("fit --save file/cells.model", "Got file/cells.model, where model.json cannot be written"),
    ],
)
def test_it_is_said_before_anything_is_embedded(bench, images, words, said):
    code, text = bench(*words.split(), "--data", "raw", "--encoder", "mine.py:slow", "--out", "out")
    assert code == 2 and said in text, text
    assert not (images / "embedded").exists()


def test_what_can_be_done_is_embedded_by_this_encoder(bench, images):
    words = "run --data raw --encoder mine.py:slow --shots 1 --draws 1 --head knn --no-baselines --no-report --out out"
    code, text = bench(*words.split())
    assert code == 0, text
    assert (images / "embedded").exists()


def test_a_pilot_is_planned_before_anything_is_trained(bench, images):
    code, text = bench("pilot", "--data", "raw", "--pool", "raw", "--shots", "50", "--out", "out")
    assert code == 2 and "None of the numbers of labels that you asked for can be drawn" in text, text
    assert not (images / "out" / "pilot").exists()


def test_a_pretrained_encoder_has_a_place_before_it_is_trained(bench, images):
    code, text = bench("pretrain", "--data", "raw", "--to", "file/cells.encoder")
    assert code == 2 and "Got file" in text and "cannot be written" in text, text


@pytest.fixture
def cells(images):
    """Make a table of labelled cells of these images, two in each."""
    lines = ["path,x0,y0,x1,y1,kind"]
    for label in ("neuron", "rbc"):
        lines += [f"{label}/{i}.png,{x},2,{x + 6},8,{label}" for i in range(3) for x in (1, 8)]
    (images / "cells.csv").write_text("\n".join(lines))
    return images


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--image-labels 1 --bag-head attention", "Got --bag-head attention, which learns from none of these numbers"),
        ("--image-labels 1 --purity 1 --simulate-bags 1000000000", "Got images of 1000000000 cells"),
    ],
)
def test_what_no_labels_of_images_tell_is_said_before_cells_are_embedded(bench, cells, words, said):
    asked = "granularity --data raw --instances boxes:8 --cells cells.csv --cell-column kind --encoder mine.py:slow"
    code, text = bench(*asked.split(), *words.split(), "--cell-labels", "1", "--draws", "2", "--out", "out")
    assert code == 2 and said in text, text
    assert not (cells / "embedded").exists()


@pytest.mark.parametrize("to", ["raw", "file/a.csv"])
def test_what_proxies_write_has_a_place_before_anything_is_embedded(bench, images, to):
    code, text = bench("proxies", "--data", "raw", "--encoder", "mine.py:slow", "--to", to, "--out", "out")
    assert code == 2 and "cannot be written" in text, text
    assert not (images / "embedded").exists()


@pytest.mark.parametrize("to", ["a.xyz", "file/a.npz"])
def test_where_embeddings_are_exported_to_is_looked_at_before_the_images(bench, images, to):
    (images / "raw" / "rbc" / "0.png").write_text("no image")
    code, text = bench("export", "--data", "raw", "--encoder", "texture", "--to", to, "--out", "out")
    assert code == 2 and not (images / "out").exists(), text


def test_embeddings_that_are_not_there_are_told_by_the_name_of_the_encoder(bench, images):
    code, text = bench("export", "--data", "raw", "--encoder", "texture", "--to", "a.npz", "--out", "out")
    assert code == 2 and "6 of 6 instances without an embedding by texture in out" in text, text
