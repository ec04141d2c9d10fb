"""A folder as an encoder: what it gives, what its identity is, and that nothing wrong in it is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from encoders import EncoderError, Preprocess, as_rgb, dictionary, fit_input, resolve
from encoders.checkpoint import Checkpoint, is_checkpoint, write_checkpoint
from encoders.dictionary import FLOOR

pytestmark = pytest.mark.usefixtures("one_thread")
K, P, S = 5, 4, 20
SETTINGS = {"words": K, "patch": P, "grid": 2, "threshold": 0.25}


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((K, 3, P, P)).astype(np.float32)
    weight -= weight.mean((1, 2, 3), keepdims=True)
    return {"weight": weight, "bias": rng.standard_normal(K).astype(np.float32)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = Checkpoint(kind="dictionary", preprocess=Preprocess(S, "squash"), settings=SETTINGS, licence="MIT")
    write_checkpoint(tmp_path / "mine", made, tensors(), "# A card\n")
    return tmp_path / "mine"


def pictures() -> list[np.ndarray]:
    draw = np.random.default_rng(1).integers
    return [draw(0, 256, shape, dtype=np.uint8) for shape in ((S, S, 3), (40, 31, 3), (7, 90, 3), (25, 25, 3))]


def by_hand(image: np.ndarray) -> np.ndarray:
    """Return the vector of an input uint8 (S, S, 3) as the header of `encoders.dictionary` has it."""
    x, (M, b) = image.astype(float) / 255, tensors().values()
    across = S - P + 1
    both = np.zeros((2 * K, across, across))
    for i in range(across):
        for j in range(across):
            patch = x[i : i + P, j : j + P].transpose(2, 0, 1).ravel()
            level = (patch - patch.mean()) / np.sqrt(patch.var() + FLOOR)
            a = M.reshape(K, -1) @ level + b
            both[:, i, j] = np.maximum(0, np.concatenate([a - 0.25, -a - 0.25]))
    half = (slice(0, -(-across // 2)), slice(across // 2, across))  # as torch cuts: the middle is in both
    return np.array([[[word[r, c].mean() for c in half] for r in half] for word in both]).ravel()


def test_a_vector_is_what_the_header_says_and_depends_on_its_image_alone(folder: Path) -> None:
    encoder = resolve(str(folder)).load()
    policy = encoder.spec.preprocess
    inputs = [fit_input(as_rgb(image, policy), policy) for image in pictures()]
    vectors = encoder.encode(inputs)
    assert vectors.dtype == np.float32 and vectors.shape == (4, 2 * K * 4) == (4, encoder.spec.dim)
    np.testing.assert_allclose(vectors, [by_hand(image) for image in inputs], atol=2e-4)
    assert (encoder.encode(inputs[2:3]) == vectors[2:3]).all()


@pytest.mark.parametrize("words", [0.5, 2, 4])
def test_words_that_take_too_much_memory_for_all_at_once_are_taken_some_at_a_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: float
) -> None:
    at_once = int(2 * S * S * words)
    monkeypatch.setattr(dictionary, "AT_ONCE", at_once)
    conv2d, largest = torch.nn.functional.conv2d, []

    def watched(*what: Any) -> torch.Tensor:
        made = conv2d(*what)
        largest.append(2 * made.numel())
        return made

    monkeypatch.setattr(torch.nn.functional, "conv2d", watched)
    encoder = resolve(str(folder)).load()
    policy = encoder.spec.preprocess
    inputs = [fit_input(as_rgb(image, policy), policy) for image in pictures()]
    vectors = encoder.encode(inputs)
    np.testing.assert_allclose(vectors, [by_hand(image) for image in inputs], atol=2e-4)
    assert (encoder.encode(inputs[2:3]) == vectors[2:3]).all()
    assert max(largest) <= max(at_once, 2 * S * S)


def test_a_folder_is_named_by_its_content_and_its_options(folder: Path, tmp_path: Path) -> None:
    spec = resolve(str(folder))
    folder.rename(tmp_path / "other")
    moved = resolve(f"{tmp_path}/other/")
    assert moved.key == spec.key and moved.name == f"{tmp_path}/other" and moved.licence_class == "open"
    grey = resolve(f"{tmp_path}/other@color=grey")
    assert grey.key != spec.key and grey.taken_away == "colour removed"
    about = json.loads((tmp_path / "other" / "encoder.json").read_text())
    about["settings"]["threshold"] = 0.5
    (tmp_path / "other" / "encoder.json").write_text(json.dumps(about))
    assert resolve(f"{tmp_path}/other").key != spec.key


def test_what_is_a_folder_and_what_is_a_name() -> None:
    assert all(map(is_checkpoint, ("./a", "a/b", "/x/cells.encoder", "..")))
    assert not any(map(is_checkpoint, ("dino", "timm:resnet18", "hf-hub:org/model", "my/file.py:own", "file.py")))


WRONG: dict[str, Any] = {
    "another kind": {"kind": "dictionnary"},
    "no kind": {"kind": ["dictionary"]},
    "another version": {"format": 2},
    "an unknown field": {"code": "import os"},
    "a huge dictionary": {"settings": {**SETTINGS, "words": 10**9}},
    "half a word": {"settings": {**SETTINGS, "words": 2.5}},
    "a grid finer than the map": {"settings": {**SETTINGS, "patch": 20, "grid": 8}},
    "a setting less": {"settings": {"words": K}},
    "no settings": {"settings": None},
    "a huge input": {"preprocess": {"size": 10**7, "mean": [0, 0, 0], "std": [1, 1, 1]}},
    "no such color": {"preprocess": {"size": S, "mean": [0, 0, 0], "std": [1, 1, 1], "color": "red"}},
    "a crop of nothing": {"preprocess": {"size": S, "mean": [0, 0, 0], "std": [1, 1, 1], "crop_fraction": 1e-9}},
    "two means": {"preprocess": {"size": S, "mean": [0, 0], "std": [1, 1]}},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_description_that_is_wrong_is_refused_by_name(folder: Path, wrong: str) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **WRONG[wrong]}))
    with pytest.raises(EncoderError, match=r"encoder\.json, which cannot be used"):
        resolve(str(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"format": 1}', "x" * 1_000_001])
def test_a_description_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "encoder.json").write_text(text)
    with pytest.raises(EncoderError, match=r"encoder\.json, which cannot be used"):
        resolve(str(folder))


def test_weights_that_changed_are_refused_when_named_and_when_loaded(
    folder: Path, refuses_changed_weights: Callable[[Path], None]
) -> None:
    refuses_changed_weights(folder)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(EncoderError, match="there is no file"):
        resolve(str(folder))


def test_weights_of_other_shapes_or_types_are_refused(folder: Path) -> None:
    for other in (
        {**tensors(), "more": np.zeros(1, np.float32)},
        {**tensors(), "bias": np.zeros(K + 1, np.float32)},
        {name: array.astype(np.float16) for name, array in tensors().items()},
    ):
        made = Checkpoint(kind="dictionary", preprocess=Preprocess(S, "squash"), settings=SETTINGS)
        write_checkpoint(folder, made, other, "")
        with pytest.raises(EncoderError, match="fit encoder|expected float32"):
            resolve(str(folder)).load()


def test_a_folder_without_an_encoder_is_said(tmp_path: Path) -> None:
    for name in (tmp_path, tmp_path / "none"):
        with pytest.raises(EncoderError, match=r"there is no encoder\.json in it"):
            resolve(str(name))


def test_a_dictionary_takes_another_size_and_refuses_one_that_has_no_place_for_its_patches(folder: Path) -> None:
    spec, larger = resolve(str(folder)), resolve(f"{folder}@size=30")
    assert larger.dim == spec.dim and larger.key != spec.key and larger.name == f"{folder}@size=30"
    vectors = larger.load().encode([fit_input(as_rgb(pictures()[1], larger.preprocess), larger.preprocess)])
    assert vectors.shape == (1, spec.dim)
    path = folder / "encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "settings": {**SETTINGS, "patch": 12}}))
    with pytest.raises(EncoderError, match="which cannot be: it says patch 12"):
        resolve(f"{folder}@size=8")
    with pytest.raises(EncoderError, match="from 8 to 4096"):
        resolve(f"{folder}@size=4")
