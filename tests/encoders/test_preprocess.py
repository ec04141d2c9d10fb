"""An image becomes the same input as in the libraries, whatever its dtype, channels and shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from encoders import EncoderError, Preprocess, as_rgb, as_views, fit_input

NATIVE = Preprocess(size=None)
GREY = Preprocess(size=None, color="grey")
RANGE = Preprocess(size=None, window="range")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_uint8_rgb_passes_untouched() -> None:
    image = noise(7, 5, 3)
    assert np.array_equal(as_rgb(image, NATIVE), image)


def test_one_channel_is_replicated_two_are_red_and_green_and_of_more_the_first_three_are_taken() -> None:
    image = noise(6, 4, 5)
    assert np.array_equal(as_rgb(image[..., 0], NATIVE), np.repeat(image[..., :1], 3, axis=2))
    assert np.array_equal(as_rgb(image[..., :1], NATIVE), np.repeat(image[..., :1], 3, axis=2))
    two = as_rgb(image[..., :2], NATIVE)
    assert np.array_equal(two[..., :2], image[..., :2]) and not two[..., 2].any()
    assert np.array_equal(as_rgb(image, NATIVE), image[..., :3])


def test_grey_is_the_luma_of_pillow_in_all_three_channels() -> None:
    from PIL import Image

    image = noise(64, 64, 3)
    expected = np.asarray(Image.fromarray(image).convert("L"))
    assert np.array_equal(as_rgb(image, GREY), np.repeat(expected[..., None], 3, axis=2))


def test_the_whole_range_of_16_bits_maps_back_to_the_8_bits_it_came_from() -> None:
    image = noise(9, 8, 3)
    assert np.array_equal(as_rgb(image.astype(np.uint16) * 257, RANGE), image)
    assert np.array_equal(as_rgb(image / 255.0, RANGE), image)


def test_the_percentile_window_is_joint_over_channels_and_ignores_a_few_hot_pixels() -> None:
    image = np.random.default_rng(0).integers(1000, 3000, (100, 100, 3)).astype(np.uint16)
    image[..., 1] //= 2
    image[0, 0] = 65535
    low, high = np.percentile(image, [0.1, 99.9])
    expected = np.rint(np.clip((image - low) / (high - low), 0, 1) * 255)
    assert np.abs(as_rgb(image, NATIVE) - expected).max() <= 1
    assert as_rgb(image, NATIVE)[..., 0].mean() > as_rgb(image, NATIVE)[..., 1].mean() + 50


def test_a_window_of_one_value_falls_back_to_the_extremes_so_that_a_rare_spot_stays_visible() -> None:
    image = np.zeros((100, 100), np.uint16)
    image[50, 50] = 40000
    assert as_rgb(image, NATIVE)[50, 50, 0] == 255


def test_non_finite_pixels_are_black_and_do_not_move_the_window() -> None:
    image = np.linspace(0, 1, 100).reshape(10, 10)
    image[3, 4], image[5, 6] = np.nan, np.inf
    result = as_rgb(image, NATIVE)
    assert not result[3, 4].any() and not result[5, 6].any() and result[9, 9, 0] == 255


@settings(max_examples=80)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64, np.bool_]),
        st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)),
    ),
    st.sampled_from([NATIVE, GREY, RANGE]),
)
def test_any_real_image_becomes_uint8_rgb_of_its_own_size(image: np.ndarray, policy: Preprocess) -> None:
    with np.errstate(all="raise", over="ignore", under="ignore"):
        result = as_rgb(image, policy)
    assert result.dtype == np.uint8 and result.shape == (*image.shape[:2], 3)


@pytest.mark.parametrize("image", [np.zeros((0, 4, 3)), np.zeros(4), np.zeros((2, 2, 2, 3)), np.zeros((2, 2), complex)])
def test_what_is_no_image_is_refused_with_its_shape(image: np.ndarray) -> None:
    with pytest.raises(EncoderError, match="shape"):
        as_rgb(image, NATIVE)


@pytest.mark.parametrize("shape", [(224, 224), (300, 200), (31, 57), (8, 8), (1, 1), (256, 255), (3, 50)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resize", ["crop", "squash"])
@pytest.mark.parametrize(("size", "fraction"), [(224, 0.875), (224, 0.9), (64, 1.0), (35, 0.95)])
def test_the_input_is_that_of_timm_pixel_for_pixel_or_within_one_level_where_it_shrinks_to_half(
    shape: tuple[int, int], interpolation: str, resize: str, size: int, fraction: float
) -> None:
    from PIL import Image
    from timm.data import create_transform

    crop = noise(*shape, 3)
    mode = "center" if resize == "crop" else "squash"
    transform = create_transform(size, interpolation=interpolation, crop_pct=fraction, crop_mode=mode, normalize=False)
    expected = np.asarray(transform(Image.fromarray(crop))).transpose(1, 2, 0)
    ours = fit_input(crop, Preprocess(size, resize, fraction, interpolation))
    assert ours.shape == (size, size, 3)
    halved = min(shape) >= 2 * int(size / fraction)
    assert np.abs(ours.astype(int) - expected).max() <= int(halved)


def test_the_input_is_pixel_for_pixel_that_of_open_clip() -> None:
    import open_clip
    from PIL import Image

    crop = noise(100, 160, 3)
    tower = open_clip.image_transform(224, is_train=False, mean=(0, 0, 0), std=(1, 1, 1))
    expected = np.rint(np.asarray(tower(Image.fromarray(crop))).transpose(1, 2, 0) * 255)
    assert np.array_equal(fit_input(crop, Preprocess(224, "crop", 1.0, "bicubic")), expected)


def test_a_long_thin_strip_does_not_take_gigabytes() -> None:
    assert fit_input(noise(1, 100_000, 3), Preprocess(224)).shape == (224, 224, 3)
    assert fit_input(noise(100_000, 1, 3), Preprocess(224)).shape == (224, 224, 3)


def test_without_a_size_the_crop_is_returned_as_it_is() -> None:
    crop = noise(5, 9, 3)
    assert fit_input(crop, NATIVE) is crop


def test_preprocessing_needs_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import numpy as np, sys; from encoders import *; "
        "fit_input(as_rgb(np.ones((9, 9), np.uint16), Preprocess(32)), Preprocess(32)); "
        "assert 'PIL' in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


POLICIES = st.sampled_from(["percentile", "percentile-each", "range", "0-4095", "-20-20.5", "100-101"])
IMAGES = hnp.arrays(
    st.sampled_from([np.uint16, np.int16, np.float32]),
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5)),
)


@settings(max_examples=100)
@given(IMAGES, POLICIES)
def test_a_window_keeps_the_order_of_the_values_of_a_channel_and_maps_into_0_to_255(
    image: np.ndarray, window: str
) -> None:
    with np.errstate(all="ignore"):
        for c, view in enumerate(as_views(image, Preprocess(size=None, channels="each", window=window))):
            value, shown = image[..., c].ravel(), view[..., 0].ravel().astype(int)
            finite = np.isfinite(value)
            order = np.argsort(value[finite], kind="stable")
            assert (np.diff(shown[finite][order]) >= 0).all() and (view[..., 0] == view[..., 2]).all()
            assert not shown[~finite].any()


@settings(max_examples=60)
@given(IMAGES, POLICIES, st.booleans())
def test_each_channel_is_bit_for_bit_the_channel_chosen_alone(image: np.ndarray, window: str, grey: bool) -> None:
    def views(channels: str) -> list[np.ndarray]:
        color = "grey" if grey else "rgb"
        return as_views(image, Preprocess(size=None, channels=channels, window=window, color=color))

    with np.errstate(all="ignore"):
        each = views("each")
        count = image.shape[2]
        assert len(each) == count
        assert all(np.array_equal(each[c], views(str(c))[0]) for c in range(count))
        backwards = "each:" + "+".join(map(str, reversed(range(count))))
        assert all(np.array_equal(a, b) for a, b in zip(views(backwards), reversed(each), strict=True))


@settings(max_examples=60)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(3, 5))),
    st.permutations(range(3)),
    st.sampled_from(["percentile", "percentile-each", "range", "0-255"]),
)
def test_uint8_keeps_its_values_and_chosen_channels_their_places(
    image: np.ndarray, order: list[int], window: str
) -> None:
    policy = Preprocess(size=None, channels="+".join(map(str, order)), window=window)
    assert np.array_equal(as_rgb(image, policy), image[..., order])


def test_a_window_in_numbers_applies_to_uint8_too_and_reaches_both_ends() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    shown = as_rgb(image, Preprocess(size=None, window="50-150"))[..., 0].ravel()
    assert not shown[:51].any() and (shown[150:] == 255).all() and (np.diff(shown[50:151].astype(int)) > 0).all()
    deep = np.array([[0, 4095, 2047.5, 70000]], np.float32)
    assert as_rgb(deep, Preprocess(size=None, window="0-4095"))[0, :, 0].tolist() == [0, 255, 128, 255]


def test_percentiles_of_each_channel_show_a_dim_one_beside_a_bright_one() -> None:
    draw = np.random.default_rng(0).integers
    image = np.stack([draw(0, 60000, (50, 50)), draw(0, 300, (50, 50))], axis=2).astype(np.uint16)
    joint, own = (as_rgb(image, Preprocess(size=None, window=w)) for w in ("percentile", "percentile-each"))
    assert joint[..., 1].max() <= 2 and own[..., 1].max() == 255
    assert np.array_equal(own[..., 1], as_rgb(image, Preprocess(size=None, channels="1"))[..., 0])


def test_channels_are_chosen_by_name_in_any_case_or_counted_from_0() -> None:
    image, names = noise(6, 4, 4), ("DNA", "Golgi ", "", "2")

    def chosen(channels: str) -> np.ndarray:
        return as_rgb(image, Preprocess(size=None, channels=channels), names)

    assert np.array_equal(chosen("golgi+dna+3"), image[..., [1, 0, 3]])
    assert np.array_equal(chosen("2"), np.repeat(image[..., 2:3], 3, axis=2)), "a number is a position, not a name"
    red_green = chosen("3+dna")
    assert np.array_equal(red_green[..., :2], image[..., [3, 0]]) and not red_green[..., 2].any()
    with pytest.raises(EncoderError, match=r"no channel 'er'; it has 0 DNA, 1 Golgi, 2, 3 2 \(counted from 0: Fiji's"):
        chosen("er")
    with pytest.raises(EncoderError, match="no channel '4'; it has 0 DNA"):
        chosen("4")
    with pytest.raises(EncoderError, match="no channel '1'; it has 0 .* and it names none"):
        as_rgb(image[..., 0], Preprocess(size=None, channels="1"))
    with pytest.raises(EncoderError, match="without a second of that name"):
        as_rgb(image, Preprocess(size=None, channels="dna"), ("dna", "DNA", "", ""))
    with pytest.raises(EncoderError, match="makes 4 views; use as_views"):
        chosen("each")
