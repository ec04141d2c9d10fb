"""Copies are found however they were turned, cropped or saved, and what only looks alike is no copy."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bench.studies.audit.copies import EIGHT, SIDE, find_copies
from bench.studies.audit.correlate import best_correlation, detail, overlapping
from encoders.orientations import ORIENTED, orientation

SIZE = 144


def photograph(seed, size=SIZE):
    """A picture of one texture: sibling tiles have all but the noise in common."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(size, size))
    wave = np.fft.irfft2(
        np.fft.rfft2(noise) / (1 + 40 * np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)) ** 1.5),
        s=(size, size),
    )
    y, x = np.mgrid[:size, :size] / size - 0.5
    cell = 90 * (np.hypot(x, y) < 0.3)
    return np.clip(100 + cell + 60 * wave / wave.std() * 0.5, 0, 255).astype(np.uint8)


def small(image):
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))


def saved(image, quality=50):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


PLANTED = {
    **{EIGHT[k]: (lambda image, k=k: orientation(image[..., None], k)[..., 0]) for k in range(1, ORIENTED)},
    "JPEG 50": saved,
    "brighter": lambda image: np.clip(1.2 * image.astype(float), 0, 255).astype(np.uint8),
    "darker": lambda image: (0.8 * image).astype(np.uint8),
    "smaller": lambda image: np.asarray(Image.fromarray(image).resize((130, 130), Image.Resampling.BILINEAR)),
    "cropped by a tenth": lambda image: image[9:139, 3:133],
}


@pytest.fixture(scope="module")
def siblings():
    return np.stack([small(photograph(seed)) for seed in range(20)])


def test_sibling_tiles_are_not_accused(siblings):
    assert find_copies(siblings).empty


@pytest.mark.parametrize("how", PLANTED)
def test_a_planted_copy_is_found_and_no_other(siblings, how):
    copy = small(PLANTED[how](photograph(7)))
    found = find_copies(np.concatenate([siblings, copy[None]]))
    assert found[["first", "second"]].to_numpy().tolist() == [[7, 20]]
    if how in EIGHT:
        back = {
            "turned by 90": "turned by 270",
            "turned by 270": "turned by 90",
        }  # the original is the copy turned back
        assert found["how"].iloc[0] == back.get(how, how) and found["correlation"].iloc[0] > 0.95


@pytest.mark.parametrize("turn", [0, 1, 6])
def test_fields_that_overlap_by_half_are_found(siblings, turn):
    strip = photograph(99, 216)[:144]
    one, other = strip[:, :144], orientation(strip[:, 72:, None], turn)[..., 0]
    found = find_copies(np.concatenate([siblings, np.stack([small(one), small(other)])]))
    assert found[["first", "second"]].to_numpy().tolist() == [[20, 21]] and "overlapping" in found["how"].iloc[0]


def test_flat_images_are_no_copies_of_each_other(siblings):
    flat = np.full((3, SIDE, SIDE), 128, np.uint8)
    assert find_copies(np.concatenate([siblings[:5], flat])).empty
    assert find_copies(flat[:1]).empty and find_copies(flat[:0]).empty


def test_the_correlation_is_that_of_the_part_that_overlaps():
    image = detail(np.random.default_rng(0).normal(size=(1, 96, 64)).astype(np.float32))
    value, shift, unmoved = best_correlation(image[:, :64], image[:, 16:80])
    assert value[0] > 0.99 and shift.tolist() == [[16, 0]] and unmoved[0] < 0.5
    one, other = overlapping(image[0, :64], image[0, 16:80], shift[0])
    assert one.shape == (48, 64) and np.array_equal(one, other)
