"""Class names instead of labels: the numbers of open_clip itself, as rows of the same leaderboard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fitting.prompts import TEMPLATES, make_prompts
from bench.fitting.zero_shot import class_vectors, zero_shot_scores

ROOT = Path(__file__).resolve().parents[3]
TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
INPUT = {"mean": (0.5,) * 3, "std": (0.2,) * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
MODELS = {"tiny-clip": TINY, "tiny-sigmoid": {**TINY, "init_logit_bias": -10, "custom_text": True}}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Two models small enough to save and load in a moment, with a softmax and with sigmoids; their weight files."""
    import open_clip
    import torch
    from open_clip import factory, pretrained

    files = {}
    for seed, (name, config) in enumerate(MODELS.items()):
        monkeypatch.setitem(factory._MODEL_CONFIGS, name, config)
        monkeypatch.setitem(pretrained._PRETRAINED, name, {"drawn": {"url": "", "hf_hub": "", **INPUT}})
        torch.manual_seed(seed)
        files[name] = tmp_path / f"{name}.pt"
        torch.save(open_clip.create_model(name).state_dict(), files[name])
    return files


@pytest.fixture
def data(tmp_path, save_png):
    for k, label in enumerate(("nerve_cell", "rbc", "xylem")):
        for i in range(4):
            save_png(tmp_path / "raw" / label / f"{i}.png", seed=10 * k + i, size=(40, 40))
    return tmp_path / "raw"


RUN = ("--head", "centroid", "--shots", "1,2", "--noise", "0,0.4", "--draws", 2, "--workers", 1, "--name", "r",
       "--no-baselines")  # fmt: skip


@pytest.mark.parametrize("name", list(MODELS))
def test_the_scores_are_those_of_open_clip_itself(tiny, name):
    import open_clip
    import torch

    from encoders import fit_input, resolve, text_encoder

    spec = resolve(f"open_clip:{name}/drawn@weights={tiny[name]}")
    prompts = make_prompts(("nerve_cell", "rbc", "xylem"))
    image = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    tower, encoder = text_encoder(spec), spec.load()
    assert tower.weights_digest == encoder.weights_digest
    vectors = class_vectors([tower.encode(texts) for texts in prompts.values()])
    found = zero_shot_scores(encoder.encode([fit_input(x, spec.preprocess) for x in image]), vectors,
                             tower.logit_scale, tower.logit_bias)  # fmt: skip

    model = open_clip.create_model(name, pretrained=str(tiny[name])).eval()
    with torch.no_grad():
        weights = open_clip.build_zero_shot_classifier(
            model, open_clip.get_tokenizer(name), ["nerve cell", "rbc", "xylem"], TEMPLATES
        )
        x = (torch.tensor(image).permute(0, 3, 1, 2) / 255 - 0.5) / 0.2
        logits = model.logit_scale.exp() * model.encode_image(x, normalize=True) @ weights
        if model.logit_bias is None:
            expected = logits.softmax(-1)
        else:
            expected = torch.sigmoid(logits + model.logit_bias)
            expected /= expected.sum(-1, keepdim=True)
    assert (model.logit_bias is None) == (name == "tiny-clip")
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@given(
    scale=st.floats(0.01, 1000), bias=st.none() | st.floats(-1000, 1000), seed=st.integers(0, 99),
    stretch=st.floats(0.001, 1000),
)  # fmt: skip
def test_scores_are_a_distribution_and_the_length_of_a_vector_does_not_matter(scale, bias, seed, stretch):
    rng = np.random.default_rng(seed)
    X, classes = rng.normal(size=(4, 8)), class_vectors([rng.normal(size=(n, 8)) for n in (1, 3, 2)])
    P = zero_shot_scores(X, classes, scale, bias)
    assert (P >= 0).all()
    np.testing.assert_allclose(P.sum(1), 1)
    np.testing.assert_allclose(zero_shot_scores(X * stretch, classes, scale, bias), P, atol=1e-6)
    cosine = X @ classes.T / np.linalg.norm(X, axis=1, keepdims=True)
    assert (np.take_along_axis(P, cosine.argmax(1)[:, None], 1)[:, 0] >= P.max(1) - 1e-9).all()


def test_images_that_are_described_well_are_told_apart_and_prompts_of_any_length_weigh_the_same():
    axes = np.eye(3, 8)
    texts = [np.stack([axis, 100 * (axis + 0.1)]) for axis in axes]
    P = zero_shot_scores(5 * axes, class_vectors(texts), 100.0, None)
    assert P.argmax(1).tolist() == [0, 1, 2] and P.max(1).min() > 0.99
    np.testing.assert_allclose(class_vectors([rows[::-1] for rows in texts]), class_vectors(texts))
    np.testing.assert_allclose(class_vectors([rows[:1] * 7 for rows in texts]), axes)


def test_a_run_shows_no_labels_beside_few_and_the_second_time_does_nothing(bench, data, tiny, tmp_path):
    encoders = ",".join(f"open_clip:{name}/drawn@weights={file}" for name, file in tiny.items())
    arguments = ("run", "--zero-shot", "--data", data, "--encoder", f"color-stats,{encoders}", *RUN)
    code, text = bench(*arguments)
    assert code == 0, text
    assert "0 labels per class (12 groups tested)" in text
    run = tmp_path / "results" / "runs" / "r"
    board = pd.read_csv(run / "leaderboard.csv")
    rows = board[board["head"] == "zero-shot"]
    assert len(rows) == 2 and len(board) == 2 + 3 * 2 * 2
    assert (rows[["shots", "noise", "support_groups", "noise_realised"]] == 0).all(axis=None)
    assert (rows["seeds"] == 1).all() and (rows["selection"] == "prompts").all() and (rows["draw"] == "none").all()
    assert (board[board["head"] == "centroid"]["selection"] == "auto").all()
    assert rows["n_test"].tolist() == [12, 12] == board["n_test"].unique().repeat(2).tolist()
    assert ((rows["ci_low"] <= rows["balanced_accuracy"]) & (rows["balanced_accuracy"] <= rows["ci_high"])).all()
    about = json.loads((run / "run.json").read_text())
    assert about["prompts"]["nerve_cell"][0] == "a microscopy image of nerve cell"
    markdown = (run / "leaderboard.md").read_text()
    assert "| 0 labels per class | 1 label per class |" in markdown and "| zero-shot |" in markdown

    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    code, text = bench(*arguments)
    assert code == 0 and "; 8 blocks of fits reused, 0 made. Nothing to do" in text
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}


def test_other_words_are_other_work_and_the_printed_file_is_where_to_start(bench, data, tiny, tmp_path, monkeypatch):
    arguments = ("run", "--data", data, "--encoder", f"open_clip:tiny-clip/drawn@weights={tiny['tiny-clip']}", *RUN)
    assert "3 made" in bench(*arguments, "--zero-shot")[1]
    done = subprocess.run([sys.executable, "-m", "bench", "prompts", "--data", data], cwd=tmp_path, text=True,
                          capture_output=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    (tmp_path / "words.toml").write_text(done.stdout)
    assert "3 blocks of fits reused, 0 made" in bench(*arguments, "--prompts", "words.toml")[1]
    (tmp_path / "words.toml").write_text(done.stdout.replace('["rbc"]', '["red blood cells"]'))
    assert "2 blocks of fits reused, 1 made" in bench(*arguments, "--prompts", "words.toml")[1]
    about = json.loads((tmp_path / "results" / "runs" / "r" / "run.json").read_text())
    assert about["prompts"]["rbc"][0] == "a microscopy image of red blood cells"


def test_tiles_are_scored_as_the_image_they_come_from(bench, data, tiny, tmp_path):
    code, text = bench("run", "--zero-shot", "--data", data, "--instances", "tiles:20", "--encoder",
                       f"open_clip:tiny-clip/drawn@weights={tiny['tiny-clip']}", *RUN)  # fmt: skip
    assert code == 0, text
    board = pd.read_csv(tmp_path / "results" / "runs" / "r" / "leaderboard.csv")
    assert set(board["n_test"]) == {12} and set(board["level"]) == {"image"} and 0 in set(board["shots"])


def test_without_a_draw_there_is_still_what_needs_none(bench, data, tiny, tmp_path):
    encoder = f"open_clip:tiny-clip/drawn@weights={tiny['tiny-clip']}"
    code, text = bench("run", "--zero-shot", "--data", data, "--encoder", encoder, "--shots", 50, "--name", "r",
                       "--no-baselines")  # fmt: skip
    assert code == 0 and "Not run: shots=50" in text and "0 labels per class" in text
    assert len(pd.read_csv(tmp_path / "results" / "runs" / "r" / "leaderboard.csv")) == 1


def test_what_cannot_be_done_is_said_before_anything_is_made(bench, data, tiny, tmp_path):
    code, text = bench("run", "--zero-shot", "--data", data, "--encoder", "color-stats,thumbnail", *RUN)
    assert code == 2 and "Got --zero-shot with color-stats, thumbnail, of which none has a text tower" in text
    encoder = f"open_clip:tiny-clip/drawn@weights={tiny['tiny-clip']}"
    (tmp_path / "words.toml").write_text('[classes]\nneuron = "nerve cells"')
    code, text = bench("run", "--prompts", "words.toml", "--data", data, "--encoder", encoder, *RUN)
    assert code == 2 and "Got class 'neuron' in words.toml" in text
    assert not list((tmp_path / "results" / "store").glob("*/*.safetensors"))
    (tmp_path / "words.toml").write_text(f'templates = "{"cell " * 50}{{}}"')
    code, text = bench("run", "--prompts", "words.toml", "--data", data, "--encoder", encoder, *RUN)
    assert code == 2 and "Got a prompt of 5" in text and "expected at most 40" in text


def test_a_second_identical_run_loads_no_deep_learning_library(data, tmp_path):
    arguments = ["run", "--zero-shot", "--data", str(data), "--encoder", "clip-vit-b16@size=32,weights=random",
                 *map(str, RUN)]  # fmt: skip
    code = (
        "import sys; from bench.cli import app as cli\n"
        f"sys.argv = ['bench', *{arguments!r}]\n"
        "try: cli.main()\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    done = [
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
                       capture_output=True, text=True)
        for _ in range(2)
    ]  # fmt: skip
    for run, loaded, summary in zip(done, ("True", "False"), ("3 made", "3 blocks of fits reused, 0 made. Nothing"), strict=True):
        assert run.returncode == 0, run.stderr
        assert run.stderr.split()[-1] == loaded and summary in " ".join(run.stdout.split())
