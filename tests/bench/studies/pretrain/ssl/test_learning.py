"""What is learned: losses fall, kinds of cells come apart, a collapse is noticed, a kill changes no bit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.storage.notices import take_notices
from bench.studies.pretrain.methods import METHODS
from bench.studies.pretrain.names import METHODS as NAMES
from bench.studies.pretrain.ssl import losses
from bench.studies.pretrain.ssl.objectives import OBJECTIVES
from bench.studies.pretrain.ssl.settings import NetworkSettings
from encoders import Preprocess, resolve
from encoders.checkpoint import Checkpoint, write_checkpoint
from encoders.weights import read_state_dict

ROOT = Path(__file__).resolve().parents[5]


def test_help_lists_the_methods_that_there_are():
    assert list(NAMES) == list(METHODS)


@pytest.fixture
def weights(tmp_path):
    """A file of weights of the tiny network."""
    import timm
    import torch
    from safetensors.torch import save_file

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        save_file(timm.create_model("test_efficientnet", num_classes=0).state_dict(), tmp_path / "weights.safetensors")
    return str(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("method", OBJECTIVES)
def test_every_method_learns_and_is_not_taken_for_a_collapse(learn, method, weights):
    own = {
        "mae": {"backbone": "timm:test_vit"}, "orient": {"init": weights}, "distill": {"teacher": "texture"}
    }.get(method, {})  # fmt: skip
    made = learn(method, steps=16, batch=24, **own)
    assert made.notes == ()
    assert made.figures["rank"] > 2 and made.kind == "network"
    if method != "dino":  # whose teacher moves on with it, and the loss with the teacher
        assert made.figures["loss_last"] < made.figures["loss_first"]


def test_a_cnn_fills_in_hidden_patches_too(learn):
    made = learn("mae", steps=24, batch=24)
    assert made.settings["pool"] == "map" and made.figures["loss_last"] < made.figures["loss_first"]
    assert "spread" not in made.figures and made.notes == ()


def test_one_orientation_tells_what_the_network_saw_in_the_mean_over_eight(learn, weights, tmp_path, pool):
    made = learn("orient", init=weights, steps=60, batch=32)
    assert made.settings["pool"] == "layers" and made.dim == sum((16, 24, 32, 48, 64))
    policy = Preprocess(32, "squash", mean=(0.5,) * 3, std=(0.5,) * 3)
    before = {name: tensor.numpy() for name, tensor in read_state_dict(Path(weights)).items()}
    images, vectors = pool.pixels[:64], {}
    for name, tensors in (("before", before), ("after", made.tensors)):
        write_checkpoint(
            tmp_path / name, Checkpoint(kind="network", preprocess=policy, settings=made.settings), tensors, ""
        )
        for turns in ("off", "mean"):
            encoder = resolve(f"{tmp_path / name}@orient8={turns}").load()
            vectors[name, turns] = encoder.encode(list(images))
    target = vectors["before", "mean"]

    def error(found):
        return float((((found - target) / target.std(0)) ** 2).mean())

    assert error(vectors["after", "off"]) < 0.7 * error(vectors["before", "off"])
    assert error(vectors["after", "mean"]) < error(vectors["after", "off"])


def test_there_is_nothing_to_turn_in_random_weights(learn):
    with pytest.raises(BenchError, match="Got --init random, .* Give --init imagenet"):
        learn("orient")


@pytest.mark.parametrize("method", ["vicreg", "byol"])
def test_the_norms_of_a_network_that_has_learned_keep_their_statistics_those_of_a_new_one_are_measured(learn, tmp_path, method):
    import timm
    from safetensors.torch import save_file

    state = timm.create_model("test_efficientnet", num_classes=0).state_dict()
    norms = [name for name in state if name.endswith(("running_mean", "running_var"))]
    weights = next(name for name in state if name.endswith("conv_stem.weight"))
    for i, name in enumerate(norms):
        state[name] = state[name] + 0.01 * (i + 1)
    save_file(state, tmp_path / "learned.safetensors")
    old = learn(method, steps=4, batch=16, init=str(tmp_path / "learned.safetensors")).tensors
    assert all(np.array_equal(old[name], state[name].numpy()) for name in norms)
    assert not np.array_equal(old[weights], state[weights].numpy())
    new = learn(method, steps=4, batch=16).tensors
    assert not any(np.array_equal(new[name], state[name].numpy()) for name in norms)


@pytest.mark.slow
def test_kinds_of_cells_come_apart_that_no_label_told(learn, labelled):
    made = learn("simclr", labelled=labelled, steps=120, batch=64)
    assert made.figures["knn"] > max(0.25 + 0.3, made.figures["knn_before"])
    assert "Labelled images by their nearest neighbours" in " ".join(made.facts)


def without_variance(parts, step):
    z1, z2 = (parts["projector"](parts["vectors"](view)) for view in step.views)
    return losses.vicreg(z1, z2, variance=0.0, covariance=0.0)


def without_predictor(parts, step):
    z1, z2 = (parts["projector"](parts["vectors"](view)) for view in step.views)
    return ((z1 / z1.norm(dim=1, keepdim=True) - z2 / z2.norm(dim=1, keepdim=True)) ** 2).sum(1).mean()


@pytest.mark.parametrize("loss", [without_variance, without_predictor])
def test_a_collapse_is_noticed_and_said(learn, loss):
    made = learn(replace(OBJECTIVES["vicreg"], loss=loss), steps=40, learning_rate=0.01)
    [note] = made.notes
    assert note.startswith("The network collapsed") and "another --method" in note


def test_a_loss_that_is_no_number_ends_the_training(learn):
    bad = replace(OBJECTIVES["vicreg"], loss=lambda parts, step: without_variance(parts, step) * float("nan"))
    with pytest.raises(BenchError, match="no number at step 1; .* Give a smaller --learning-rate"):
        learn(bad)


def test_the_same_settings_give_the_same_bits_and_another_seed_others(learn):
    first, again, other = (learn("byol", steps=4, seed=seed) for seed in (0, 0, 1))
    same = [np.array_equal(first.tensors[name], again.tensors[name]) for name in first.tensors]
    assert all(same)
    assert any(not np.array_equal(first.tensors[name], other.tensors[name]) for name in first.tensors)


def test_what_was_learned_loads_as_an_encoder_and_gives_the_vectors_it_was_watched_by(learn, tmp_path, pool):
    made = learn("vicreg", steps=3)
    about = Checkpoint(
        kind="network", preprocess=Preprocess(32, "squash", mean=(0.5,) * 3, std=(0.5,) * 3), settings=made.settings
    )
    write_checkpoint(tmp_path / "mine", about, made.tensors, "")
    vectors = resolve(str(tmp_path / "mine")).load().encode(list(pool.pixels[:5]))
    assert vectors.shape == (5, made.dim) and vectors.std(0).max() > 0


# --- going on ------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
from bench.studies.pretrain.crops import Crops
from bench.studies.pretrain.method import Tools
from bench.studies.pretrain.ssl.learn import prepare_network
from bench.studies.pretrain.ssl.objectives import OBJECTIVES
from bench.studies.pretrain.ssl.settings import NetworkSettings
place, method, init = Path(sys.argv[1]), *sys.argv[2:]
pixels = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
settings = NetworkSettings(backbone="timm:test_efficientnet", steps=28, batch=16, keep_every=4, init=init)
ready = prepare_network(OBJECTIVES[method], settings, 16, "rgb")
seen = []
tools = Tools(device="cpu", state=place / "state", data="x", on_progress=lambda *what: what[0] == "learn" and seen.append(what[1]))
made = ready.learn(Crops(pixels, np.arange(40).astype(str), {}), tools)
np.savez(place / "made.npz", first=seen[0], **made.tensors)
print(made.facts)
"""


def start(place: Path, method: str, init: str) -> subprocess.Popen:
    place.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(place), method, init], env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(place: Path, method: str, init: str) -> tuple[dict[str, np.ndarray], int, str]:
    process = start(place, method, init)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    with np.load(place / "made.npz") as made:
        tensors = {name: made[name] for name in made.files}
    return tensors, int(tensors.pop("first")), text


def told(student: np.ndarray, teacher: np.ndarray) -> float:
    """Return how much of the teacher's variance a linear map of half of the students' vectors tells of the others."""
    half = len(student) // 2
    X = np.hstack([student, np.ones((len(student), 1))])
    W = np.linalg.solve(X[:half].T @ X[:half] + 1e-3 * np.eye(X.shape[1]), X[:half].T @ teacher[:half])
    rest = teacher[half:]
    return float(1 - ((X[half:] @ W - rest) ** 2).sum() / ((rest - rest.mean(0)) ** 2).sum())


def test_a_small_network_tells_what_an_encoder_sees_in_other_images(learn, tmp_path, labelled):
    made = learn("distill", teacher="texture", steps=120, batch=64, keep_every=200)
    assert "That encoder is texture" in made.what and made.settings["pool"] == "layers"
    seen = resolve("texture").load().encode(list(labelled.pixels)).astype(float)
    seen = (seen - seen.mean(0)) / np.maximum(seen.std(0), 1e-6)
    random = learn("distill", teacher="texture", steps=1, batch=64)
    policy = Preprocess(32, "squash", mean=(0.5,) * 3, std=(0.5,) * 3)
    found = {}
    for name, one in (("before", random), ("after", made)):
        write_checkpoint(
            tmp_path / name, Checkpoint(kind="network", preprocess=policy, settings=one.settings), one.tensors, ""
        )
        vectors = resolve(str(tmp_path / name)).load().encode(list(labelled.pixels))
        found[name] = told(vectors.astype(float), seen)
    assert found["after"] > found["before"] + 0.1, found


def test_a_training_by_another_encoder_does_not_go_on_from_this_one(learn, monkeypatch):
    class Killed(Exception):
        pass

    def stop(course, step):
        if step == 3:
            raise Killed
        return once(course, step)

    from bench.studies.pretrain.ssl import training

    once = training.one_step
    monkeypatch.setattr(training, "one_step", stop)
    with pytest.raises(Killed):
        learn("distill", teacher="texture", steps=6, keep_every=1)
    monkeypatch.undo()
    with pytest.raises(BenchError, match="another encoder to learn from"):
        learn("distill", teacher="color-stats", steps=6, keep_every=1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"teacher": "textur"}, "Got --teacher textur, did you mean 'texture'"),
        ({"teacher": "texture@channels=each"}, "Expected an encoder that makes one view"),
    ],
)
def test_what_cannot_teach_is_told_before_an_image_is_read(learn, settings, said):
    with pytest.raises(BenchError, match=re.escape(said)):
        learn("distill", **settings)


def test_a_method_without_a_teacher_says_so(learn):
    with pytest.raises(BenchError, match="Got --teacher texture with a method that has none"):
        learn("vicreg", teacher="texture")


#: One has teachers, a centre that is no weight, and norms; two look ahead, at what is to be learned of each image.
@pytest.mark.parametrize("method", ["dino", "orient", "distill"])
def test_a_training_killed_twice_ends_with_the_bits_of_one_that_was_not(tmp_path, method, weights):
    init = "random" if method == "dino" else weights
    whole, first, told = finish(tmp_path / "whole", method, init)
    assert first == 1
    state = tmp_path / "cut" / "state" / "state.safetensors"
    for _ in range(2):
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = start(tmp_path / "cut", method, init)
        deadline = time.monotonic() + 200
        while not state.exists() or state.stat().st_mtime_ns == before:
            assert process.poll() is None and time.monotonic() < deadline, process.stdout and process.stdout.read()
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "cut" / "made.npz").exists(), "it should be killed while it learns"
    cut, first, told_again = finish(tmp_path / "cut", method, init)
    assert first > 8  # it went on, and twice
    assert told_again == told
    assert cut.keys() == whole.keys() and all(np.array_equal(cut[name], whole[name]) for name in whole)


@pytest.fixture
def stopped(learn, tmp_path, pool, monkeypatch):
    """A training of 12 steps that was stopped after 5, of which 4 were written."""
    from bench.studies.pretrain.ssl import training

    real = training.one_step

    def one_step(course, step):
        if step == 5:
            raise KeyboardInterrupt
        return real(course, step)

    monkeypatch.setattr(training, "one_step", one_step)
    with pytest.raises(KeyboardInterrupt):
        learn("vicreg", steps=12, keep_every=2)
    monkeypatch.setattr(training, "one_step", real)
    return tmp_path / "state" / "state.safetensors"


def test_a_state_of_other_settings_is_refused_and_kept(learn, stopped):
    data = stopped.read_bytes()
    with pytest.raises(BenchError, match=r"cut off after step 4, of steps 12, now 13; expected what it began with"):
        learn("vicreg", steps=13, keep_every=2)
    with pytest.raises(BenchError, match="of another method"):
        learn("simclr", steps=12, keep_every=2)
    assert stopped.read_bytes() == data
    learn("vicreg", steps=12, keep_every=5)  # how often it is written is no matter


def test_a_damaged_state_is_set_aside_named_and_the_training_begins_again(learn, stopped):
    data = bytearray(stopped.read_bytes())
    data[len(data) // 2] ^= 1
    stopped.write_bytes(data)
    again = learn("vicreg", steps=12, keep_every=2)
    assert any("is not what was written there" in text for text in take_notices())
    whole = learn("vicreg", steps=12)
    assert all(np.array_equal(again.tensors[name], whole.tensors[name]) for name in whole.tensors)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 1}, {"learning_rate": -1.0}, {"keep_every": 0}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(BenchError, match="expected"):
        NetworkSettings(**wrong)
