"""Classical descriptors see what their names say, and nothing breaks them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from encoders import PANELS, EncoderError, as_rgb, availability, expand, fit_input, names, resolve

NAMES = [name for name in names() if resolve(name).weights == "none" and not availability(resolve(name))]
ENCODERS = {name: resolve(name).load() for name in NAMES}


def describe(name: str, image: np.ndarray) -> np.ndarray:
    policy = ENCODERS[name].spec.preprocess
    return ENCODERS[name].encode([fit_input(as_rgb(image, policy), policy)])[0]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def blurred(image: np.ndarray) -> np.ndarray:
    smooth = sum(np.roll(image.astype(float), (i, j), (0, 1)) for i in range(-2, 3) for j in range(-2, 3)) / 25
    return np.asarray(smooth).astype(np.uint8)


@settings(max_examples=60)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))),
    st.sampled_from(NAMES),
)
def test_every_image_from_one_pixel_on_has_a_finite_description(image: np.ndarray, name: str) -> None:
    with np.errstate(all="raise", under="ignore"):
        vector = describe(name, image)
    assert np.isfinite(vector).all() and vector.shape == (ENCODERS[name].spec.dim,)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 77, 255])
def test_a_constant_image_has_a_finite_description(name: str, value: int) -> None:
    assert np.isfinite(describe(name, np.full((30, 20, 3), value, np.uint8))).all()


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"constant", "image-size"}))
def test_two_different_images_have_different_descriptions(name: str) -> None:
    assert not np.array_equal(describe(name, noise(40, 40, 3)), describe(name, blurred(noise(40, 40, 3))))


def test_the_constant_knows_nothing_and_the_size_of_an_image_only_that() -> None:
    assert describe("constant", noise(3, 4, 3)) == describe("constant", noise(9, 9, 3)) == [1]
    vector = describe("image-size", noise(20, 50, 3))
    assert np.allclose(np.exp(vector), [50, 20, 2.5])
    assert np.array_equal(vector, describe("image-size", noise(20, 50, 3, seed=1)))


def test_a_panel_is_the_names_it_stands_for_each_once() -> None:
    panel = PANELS["baselines"]
    needless = [name for name in panel if resolve(name).weights != "none" or resolve(name).library[0]]
    assert not needless and len(set(panel)) == len(panel), "baselines are cheap, and need nothing that is not installed"
    assert expand(["dino", "texture", "baselines"]) == ["dino", *dict.fromkeys(["texture", *PANELS["baselines"]])]
    assert expand(["trivial"]) == expand(["baselines"]), "what it was called before"
    for name in ("baselines", "trivial"):
        with pytest.raises(EncoderError, match="takes no options"):
            expand([f"{name}@color=grey"])
    with pytest.raises(EncoderError, match="a panel, where one encoder is wanted; name one of constant,"):
        resolve("baselines")


def test_color_stats_are_the_moments_they_say() -> None:
    image = noise(30, 30, 3)
    image[..., 2] = 255 - image[..., 0]
    vector, pixels = describe("color-stats", image), image.reshape(-1, 3) / 255
    assert np.allclose(vector[:3], pixels.mean(axis=0), atol=1e-6)
    assert np.allclose(vector[3:6], pixels.std(axis=0), atol=1e-6)
    assert np.allclose(vector[9:24], np.percentile(pixels, (5, 25, 50, 75, 95), axis=0).ravel(), atol=1e-6)
    assert vector[25] == pytest.approx(-1, abs=1e-5)  # red against blue


@pytest.mark.parametrize("name", ["color-histogram", "grey-histogram"])
def test_a_histogram_has_length_one_and_ignores_where_pixels_are(name: str) -> None:
    image = noise(12, 18, 3)
    vector = describe(name, image)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    shuffled = np.random.default_rng(1).permutation(image.reshape(-1, 3)).reshape(18, 12, 3)
    assert np.array_equal(vector, describe(name, shuffled))


def test_the_color_histogram_sees_color_and_its_grey_variant_does_not() -> None:
    red, blue = np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5, 3), np.uint8)
    red[..., 0], blue[..., 2] = 100, 255  # of nearly equal luma: 30 and 29
    assert describe("color-histogram", red) @ describe("color-histogram", blue) == 0
    grey = resolve("color-histogram@color=grey")
    vectors = grey.load().encode([as_rgb(image, grey.preprocess) for image in (red, blue)])
    assert np.array_equal(vectors[0], vectors[1])


def test_blur_lowers_sharpness_and_moves_power_to_low_frequencies() -> None:
    sharp, soft = (
        describe("focus-spectrum", noise(64, 64, 3)),
        describe("focus-spectrum", blurred(noise(64, 64, 3))),
    )
    assert soft[0] < sharp[0] - 1 and soft[1] < sharp[1]
    assert soft[2:6].sum() > sharp[2:6].sum() and soft[-1] < sharp[-1] - 0.5


def test_a_wave_appears_in_the_ring_of_its_frequency() -> None:
    wave = 127 + 100 * np.sin(2 * np.pi * 0.25 * np.arange(64) + 0.3)
    image = np.broadcast_to(wave[None, :, None], (64, 64, 3)).astype(np.uint8)
    assert abs(int(np.argmax(describe("focus-spectrum", image)[2:18])) - 8) <= 1


def test_texture_tells_the_direction_of_stripes() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 200
    across, along = describe("texture", stripes), describe("texture", stripes.transpose(1, 0, 2))
    assert np.abs(across[-8:] - along[-8:]).max() > 0.2
    assert np.allclose(across[-8:].sum(), 1, atol=1e-6) and np.allclose(across[:10].sum(), 1, atol=1e-6)


def test_pixels_are_the_image_itself_made_small() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32, :, 0] = 255
    thumbnail = describe("thumbnail", image).reshape(8, 8, 3)
    assert thumbnail[0, 0].tolist() == [1, 0, 0] and thumbnail[7, 7].tolist() == [0, 0, 0]
    grey = describe("raw-pixels", image).reshape(32, 32)
    assert grey[0, 0] == pytest.approx(76 / 255) and grey[31].max() == 0


@pytest.mark.parametrize("name", [name for name in names() if resolve(name).source.startswith("descriptor:")])
def test_what_a_list_says_of_a_descriptor_is_a_whole_sentence(name: str) -> None:
    assert resolve(name).about.endswith(".")
