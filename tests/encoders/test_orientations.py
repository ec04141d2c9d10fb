"""The mean over eight orientations: it is that, it does not hang on how an image lies, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from encoders import resolve
from encoders.orientations import AT_ONCE, in_all_orientations, orientations
from encoders.preprocess import fit_input

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 41, 23, 3), dtype=np.uint8)


def test_an_image_has_eight_orientations_and_each_of_them_has_the_same():
    image = IMAGES[0]
    found = {one.tobytes() + bytes(str(one.shape), "ascii") for one in orientations(image)}
    assert len(found) == 8
    for other in orientations(image):
        assert {one.tobytes() + bytes(str(one.shape), "ascii") for one in orientations(other)} == found


@pytest.mark.parametrize("name", ["texture", "efficientnet-lite0@size=64", "raw-pixels"])
def test_a_vector_is_the_mean_over_orientations_whichever_of_them_is_given(name):
    plain, spec = resolve(name), resolve(f"{name}{',' if '@' in name else '@'}orient8=mean")
    images = [fit_input(image, spec.preprocess) for image in IMAGES]
    vectors, single = spec.load().encode(images), plain.load().encode
    expected = [single(orientations(image)).mean(0, dtype=np.float64) for image in images]
    np.testing.assert_array_equal(vectors, np.float32(expected))
    for image, vector in zip(images, vectors, strict=True):
        np.testing.assert_allclose(
            spec.load().encode(orientations(image)), np.tile(vector, (8, 1)), rtol=1e-6, atol=1e-6
        )
    assert np.abs(vectors - single(images)).max() > 1e-3


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1])
def test_any_number_of_images_is_taken(count):
    calls = []

    def encode(images):
        calls.append(len(images))
        return np.array([[image[0, 0, 0], image.mean()] for image in images], np.float32).reshape(-1, 2)

    images = [np.full((4, 4, 3), i, np.uint8) for i in range(count)]
    np.testing.assert_array_equal(in_all_orientations(encode)(images)[:, 0], np.arange(count))
    assert max(calls) <= 8 * AT_ONCE


def test_the_option_is_part_of_the_identity_only_where_it_is_used():
    assert resolve("dino@orient8=off").key == resolve("dino").key
    assert resolve("dino@orient8=mean").key != resolve("dino").key
    assert resolve("dino@orient8=mean").preprocess == resolve("dino").preprocess  # images are prepared once for both
    assert resolve("dino@orient8=mean,precision=bfloat16").reference.orient8 == "mean"
