"""Interventions take away what they say, and only that, from images of any shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders import resolve, spec
from encoders.interventions import shuffle, zscore


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def numbered(height: int, width: int) -> np.ndarray:
    """An image whose every pixel is another."""
    place = np.arange(height * width).reshape(height, width)
    return np.stack([place // 65536, place // 256 % 256, place % 256], axis=-1).astype(np.uint8)


@given(st.integers(1, 70), st.integers(1, 70))
def test_every_whole_patch_moves_in_one_piece_and_the_border_stays(height: int, width: int) -> None:
    image = numbered(height, width)
    moved = shuffle(image)
    P = max(1, min(height, width) // 14)
    rows, columns = height // P, width // P
    assert np.array_equal(moved[rows * P :], image[rows * P :])
    assert np.array_equal(moved[:, columns * P :], image[:, columns * P :])
    patches = {image[r * P :, c * P :][:P, :P].tobytes(): (r, c) for r in range(rows) for c in range(columns)}
    came = [patches[moved[r * P :, c * P :][:P, :P].tobytes()] for r in range(rows) for c in range(columns)]
    assert sorted(came) == [(r, c) for r in range(rows) for c in range(columns)]
    if rows * columns > 1:
        assert all(place != (i // columns, i % columns) for i, place in enumerate(came))


def test_what_counts_pixels_is_left_alone_by_shuffling_and_what_sees_shapes_is_not() -> None:
    rows, columns = np.mgrid[:140, :140]
    image = np.repeat((((rows - 70) ** 2 + (columns - 70) ** 2 < 2500) * np.uint8(200))[..., None], 3, axis=2)
    for name, alike in (("color-histogram", True), ("grey-histogram", True), ("texture", False)):
        vectors = resolve(name).load().encode([image, shuffle(image)])
        assert np.array_equal(vectors[0], vectors[1]) == alike, name


def test_a_shuffled_image_is_the_same_on_every_machine() -> None:
    assert shuffle(numbered(3, 3))[..., 2].tolist() == [[3, 5, 6], [8, 2, 7], [1, 0, 4]]


def test_patches_go_another_way_in_every_image_so_that_no_place_can_be_learned() -> None:
    images = [np.full((28, 28, 3), i, np.uint8) for i in range(200)]
    for image in images:
        image[:2, :2] = 255  # the first of 14 x 14 patches
    went = {tuple(np.argwhere(shuffle(image)[..., 0] == 255)[0]) for image in images}
    assert len(went) > 100
    assert np.array_equal(shuffle(images[7]), shuffle(images[7].copy()))


def test_zscore_shows_levels_by_their_distance_from_the_mean_and_makes_a_flat_channel_grey() -> None:
    image = noise(64, 48, 3)
    image[..., 2] = 9
    seen = zscore(image)
    standard = (image - image.mean((0, 1))) / np.maximum(image.std((0, 1)), 1e-9)
    shown = 127.5 * (1 + standard / np.sqrt(standard**2 + 9))
    np.testing.assert_allclose(seen[..., :2], shown[..., :2], atol=0.6)
    assert (seen[..., 2] == 128).all()


def sparse(bright: int) -> np.ndarray:
    """A dark field with so many bright pixels of all levels from 100."""
    image = np.full((100, 100, 1), 10, np.uint8) + noise(100, 100, 1) % 8
    image.reshape(-1)[:bright] = 100 + np.arange(bright) % 150
    return image


@pytest.mark.parametrize("bright", [1, 9, 150, 1000, 5000])
def test_brighter_stays_brighter_however_few_pixels_are_bright(bright: int) -> None:
    image = sparse(bright)
    order = np.argsort(image.ravel(), kind="stable")
    assert (np.diff(zscore(image).ravel()[order].astype(int)) >= 0).all()
    if bright >= 150:
        assert (zscore(image) == 255).mean() == 0
        assert len(np.unique(zscore(image)[image >= 100])) > 15


def test_a_few_hot_pixels_hardly_change_the_rest() -> None:
    image = np.full((100, 100, 1), 10, np.uint8) + noise(100, 100, 1) % 8
    hot = image.copy()
    hot.reshape(-1)[:8] = 255
    change = np.abs(zscore(hot).astype(int) - zscore(image))[hot < 255]
    assert change.max() <= 1 and zscore(image).std() > 25


def test_of_an_image_that_is_flat_but_for_an_outlier_the_outlier_is_seen() -> None:
    spike = np.zeros((64, 64, 3), np.uint8)
    spike[0, 0] = 255
    assert zscore(spike)[0, 0].tolist() == [255] * 3 and zscore(spike)[1, 1].tolist() == [127] * 3


@pytest.mark.parametrize(("a", "b"), [(1, 100), (2, 3), (3, 0)])
def test_zscore_knows_neither_brightness_nor_contrast(a: int, b: int) -> None:
    image = noise(40, 40, 3) // 4
    assert np.abs(zscore(image * np.uint8(a) + np.uint8(b)).astype(int) - zscore(image)).max() <= 1


def test_without_an_intervention_embeddings_keep_the_key_they_had() -> None:
    assert "intervene" not in resolve("texture").identity()["preprocess"]  # type: ignore[operator]
    assert resolve("texture").key == resolve("texture@intervene=none").key == "d59b112f4b3af7c67584dcd87d72383a"
    assert resolve("texture@intervene=zscore").name == "texture@intervene=zscore"


@pytest.mark.parametrize("kind", ["zscore", "shuffle"])
def test_vectors_of_an_earlier_way_to_intervene_are_never_taken_for_these(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, now = resolve("texture").key, resolve(f"texture@intervene={kind}").key
    monkeypatch.setattr(spec, "VERSION", 1)
    assert resolve("texture").key == plain and resolve(f"texture@intervene={kind}").key != now
