"""Where there is nothing but noise, uneven light or traces of compression, nothing stands out; cells do."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from bench.instances.contrast import contrast_of, foreground_of
from bench.instances.segment import Segmenter, segment

N = 200
Y, X = np.mgrid[:N, :N] / N
AWAY = np.hypot(X - 0.5, Y - 0.5)
PLACES = [(40, 40), (40, 150), (100, 95), (160, 40), (160, 160)]
DISCS = np.min([np.hypot(X * N - x, Y * N - y) for y, x in PLACES], 0) <= 14


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8).reshape(*pixels.shape[:2], -1)


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.squeeze(to_bytes(pixels))).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer)).reshape(N, N, -1)


def blurred(sigma: float) -> np.ndarray:
    field = gaussian_filter(rng(int(sigma)).normal(size=(N, N)), sigma, mode="wrap")
    return field / field.std()


NOTHING = {
    **{f"noise of sd {sd}": to_bytes(128 + rng().normal(0, sd, (N, N))) for sd in (0.3, 1, 2, 5, 20, 60)},
    "noise in colour": to_bytes(200 + rng().normal(0, 3, (N, N, 3))),
    "noise near black": to_bytes(2 + rng().normal(0, 2, (N, N))),
    "noise near white": to_bytes(253 + rng().normal(0, 2, (N, N))),
    **{f"{rate} photons": rng().poisson(rate, (N, N, 1)).astype(np.uint16) for rate in (0.05, 1, 30, 1000)},
    "noise of floats": (1e6 + rng().normal(0, 1e3, (N, N, 1))).astype(np.float32),
    **{f"noise blurred by {s}": to_bytes(128 + 20 * blurred(s)) for s in (1, 2, 4, 8)},
    **{f"floats blurred by {s}": blurred(s)[..., None].astype(np.float32) for s in (1, 2, 4, 8)},
    "gradient": to_bytes(100 + 60 * X),
    "gradient of floats": X[..., None].astype(np.float32),
    "gradient with noise": to_bytes(100 + 60 * X + 30 * Y + rng().normal(0, 2, (N, N))),
    "gradients in colour": to_bytes(np.stack([100 + 60 * X, 200 - 50 * X, 90 + 40 * Y], 2)),
    "vignette": to_bytes(220 * (1 - AWAY**2) + rng().normal(0, 2, (N, N))),
    "cosine of an objective": to_bytes(220 * np.cos(AWAY) ** 4),
    "white": np.full((N, N, 3), 255, np.uint8),
    "black": np.zeros((N, N, 1), np.uint8),
    **{f"JPEG of noise, {q}": jpeg(200 + rng().normal(0, 2, (N, N, 3)), q) for q in (40, 60, 75, 90)},
    **{f"JPEG of a vignette, {q}": jpeg(220 * (1 - AWAY**2) + rng().normal(0, 2, (N, N)), q) for q in (40, 75, 90)},
    "one hot pixel": to_bytes(np.where((X == 0.5) & (Y == 0.25), 255, 100)),
    "hot pixels in noise": to_bytes(np.where(rng(1).random((N, N)) < 0.001, 255, 100 + rng().normal(0, 2, (N, N)))),
    "one pixel of a billion": np.where((X == 0.5) & (Y == 0.25), 1e9, rng().normal(100, 5, (N, N)))[..., None],
}


@pytest.mark.parametrize("name", NOTHING)
def test_no_cell_is_found_where_there_is_none(name):
    assert segment(NOTHING[name]).max() == 0


@pytest.mark.parametrize("name", ["noise of sd 2", "noise in colour", "noise blurred by 2", "gradient", "vignette"])
@pytest.mark.parametrize("foreground", ["dark", "bright"])
def test_nor_is_a_dark_or_a_bright_one(name, foreground):
    assert segment(NOTHING[name], Segmenter(foreground=foreground)).max() == 0


@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("noise", [0, 1, 5, 12])
@pytest.mark.parametrize("front", [60, 160])
def test_cells_are_found_in_noise_of_any_depth(depth, noise, front):
    pixels = to_bytes(np.where(DISCS, front, 110) + rng().normal(0, noise, (N, N)))
    assert segment(pixels.astype(depth) * depth(200 if depth == np.uint16 else 1)).max() == len(PLACES)


def test_a_single_cell_in_noise_is_found_and_the_noise_is_not():
    alone = np.hypot(X * N - 100, Y * N - 130) <= 12
    assert segment(to_bytes(np.where(alone, 180, 100) + rng().normal(0, 4, (N, N)))).max() == 1


def test_cells_are_found_under_uneven_light():
    light = 1 - 0.3 * AWAY**2
    assert segment(to_bytes(np.where(DISCS, 60, 200) * light + rng().normal(0, 3, (N, N)))).max() == len(PLACES)


@pytest.mark.parametrize("depth", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "where",
    [np.s_[:, :9], np.s_[5, 5], np.s_[40, 40], np.s_[100:110, 170:190], np.s_[::9, ::9], np.s_[0, :]],
    ids=["border", "one pixel", "one of a cell", "patch", "every ninth", "row"],
)
def test_pixels_that_are_not_finite_change_nothing(where, value, depth):
    pixels = (np.where(DISCS, 300, 100) + rng().normal(0, 5, (N, N))).astype(depth)[..., None]
    pixels[where] = value
    assert segment(pixels).max() == len(PLACES)
    above = foreground_of(pixels)
    assert abs(above.mean() - DISCS.mean()) < 0.03 and not above[np.isnan(pixels[..., 0])].any()


def test_an_image_without_a_finite_pixel_has_no_foreground():
    for value in (np.nan, np.inf):
        pixels = np.full((30, 20, 2), value, np.float32)
        assert not foreground_of(pixels).any() and segment(pixels).max() == 0


def test_the_span_of_floats_may_overflow():
    pixels = np.where(DISCS, 1.7e308, -1.7e308)[..., None]
    assert segment(pixels).max() == len(PLACES)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 50, 3), (50, 1, 1), (2, 2, 1), (3, 200, 4)])
def test_images_of_a_few_pixels_are_looked_at(shape):
    pixels = rng().integers(0, 255, shape, dtype=np.uint8)
    assert segment(pixels).shape == foreground_of(pixels).shape == shape[:2]
    assert contrast_of(pixels).distance.dtype == np.float32
