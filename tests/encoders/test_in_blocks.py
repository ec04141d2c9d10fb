"""A large image is described block by block, to the bits of the plain formula on all of it, and in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from encoders import in_blocks, local_patterns, preprocess, resolve
from encoders.spec import Preprocess

RNG = np.random.default_rng(0)
SHAPES = [(1, 1), (1, 3000), (900, 1), (8, 8), (61, 257), (400, 301)]
IMAGES = {
    "noise": lambda shape: RNG.integers(0, 256, (*shape, 3), dtype=np.uint8),
    "flat": lambda shape: np.full((*shape, 3), 200, np.uint8),
    "steps": lambda shape: np.uint8(85) * RNG.integers(0, 4, (*shape, 3), dtype=np.uint8).repeat(3, 0)[: shape[0]],
}


@pytest.fixture(params=[1024, 5000])
def small_blocks(request, monkeypatch):
    """Blocks of so few values; numpy adds up to 128 without halving, so that they may not be smaller."""
    for module in (in_blocks, local_patterns):
        monkeypatch.setattr(module, "BLOCK", request.param)


def ratio(value, by):
    return np.where(by > 1e-9, value / np.where(by > 1e-9, by, 1), 0.0)


def padded(image, side):
    missing = [max(0, side - length) for length in image.shape[:2]]
    return np.pad(image[..., 0], [(m // 2, m - m // 2) for m in missing], mode="edge")


def color_stats(image):
    pixels = image.reshape(-1, 3) / 255.0
    mean, std = pixels.mean(axis=0), pixels.std(axis=0)
    levels = np.percentile(pixels, (5, 25, 50, 75, 95), axis=0)
    standard = ratio(pixels - mean, std)
    correlation = [(standard[:, a] * standard[:, b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
    return np.concatenate([mean, std, 3 * ratio(mean - levels[2], std), levels.ravel(), correlation])


def texture(image):
    from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

    grey = padded(image, 8)
    codes = [local_binary_pattern(grey, P=8, R=r, method="uniform").astype(int).ravel() for r in (1, 2, 3)]
    matrix = graycomatrix(grey >> 4, (1, 2, 4), np.arange(4) * np.pi / 4, levels=16, symmetric=True, normed=True)
    kinds = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")
    gy, gx = np.gradient(grey / 255.0)
    length = np.hypot(gx, gy)
    sector = np.floor((np.arctan2(gy, gx) + np.pi) / (2 * np.pi) * 8).astype(int) % 8
    direction = np.bincount(sector.ravel(), weights=length.ravel(), minlength=8)
    return np.concatenate([
        *(np.bincount(code, minlength=10) / code.size for code in codes),
        *(graycoprops(matrix, kind).mean(axis=1) for kind in kinds),
        [length.mean(), length.std(), *np.percentile(length, (50, 90, 99))], ratio(direction, direction.sum()),
    ])  # fmt: skip


def focus_spectrum(image):
    grey = padded(image, 16) / 255.0
    around = np.pad(grey, 1, mode="edge")
    laplacian = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:] - 4 * grey
    gy, gx = np.gradient(grey)
    window = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])[None, :]
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1])[None, :])
    inside = (radius > 0) & (radius <= 0.5)
    total = np.bincount(np.minimum((radius[inside] * 32).astype(int), 15), weights=power[inside], minlength=16)
    rings = np.log10(ratio(total, total.sum()) + 1e-8)
    slope = np.polyfit(np.log(np.arange(1, 17)), rings, 1)[0]
    sharpness = np.log10([laplacian.var() + 1e-8, (gx**2 + gy**2).mean() + 1e-8])
    return np.concatenate([sharpness, rings, [slope]])


def color_histogram(image):
    r, g, b = (image[..., c].ravel().astype(int) >> 5 for c in range(3))
    return np.sqrt(np.bincount((r * 8 + g) * 8 + b, minlength=512) / r.size)


def grey_histogram(image):
    return np.sqrt(np.bincount(image[..., 0].ravel() >> 2, minlength=64) / image[..., 0].size)


FORMULAS = {
    "color-stats": color_stats, "texture": texture, "focus-spectrum": focus_spectrum,
    "color-histogram": color_histogram, "grey-histogram": grey_histogram,
}  # fmt: skip


def assert_same_bits(name, image):
    function = resolve(name).build.args[0]  # float64, before it is stored as float32
    assert np.asarray(function(image)).tobytes() == FORMULAS[name](image).tobytes()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", FORMULAS)
def test_a_descriptor_is_its_plain_formula_to_the_bit_in_one_block(name, kind, shape):
    assert_same_bits(name, IMAGES[kind](shape))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", FORMULAS)
def test_a_descriptor_is_its_plain_formula_to_the_bit_in_many_blocks(name, kind, shape):
    assert_same_bits(name, IMAGES[kind](shape))


@pytest.mark.parametrize(("name", "most"), [("color-stats", 2), ("texture", 4), ("focus-spectrum", 12), ("color-histogram", 2)])
def test_a_descriptor_takes_few_bytes_a_pixel_of_a_large_image(name, most, monkeypatch):
    for module in (in_blocks, local_patterns):
        monkeypatch.setattr(module, "BLOCK", 1 << 12)
    image = np.broadcast_to(RNG.integers(0, 256, (600, 700, 1), dtype=np.uint8), (600, 700, 3)).copy()
    encoder = resolve(name).load()
    encoder.encode([image[:40, :40]])
    tracemalloc.start()
    encoder.encode([image])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    tables = 200 * in_blocks.BLOCK + 6 * 8 * 2**16 * 3  # of a block, and of the counts of percentiles
    assert peak < most * 600 * 700 + tables


def window_of_all(pixels):
    """The percentile window on all pixels at once, as in `Preprocess`."""
    values = pixels.astype(np.float32 if pixels.dtype.itemsize <= 2 else np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(pixels.shape, np.uint8)
    low, high = (float(v) for v in np.percentile(values[finite], [0.1, 99.9]))
    if not high > low:
        low, high = float(values[finite].min()), float(values[finite].max())
    if not high > low:
        return np.zeros(pixels.shape, np.uint8)
    share = (np.where(finite, values, low) / 2 - low / 2) / (high / 2 - low / 2)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("what", ["spread", "nearly flat", "holes", "nothing", "negative"])
def test_a_window_in_percentiles_is_that_of_all_pixels_at_once(dtype, what):
    pixels = RNG.normal(0 if what == "negative" else 9000, 800, (130, 97, 3))
    if what == "nearly flat":
        pixels[:] = 7
        pixels[64, 50] = 9
    pixels = (np.abs(pixels) if dtype == "uint16" else pixels).astype(dtype)
    if what in ("holes", "nothing") and pixels.dtype.kind == "f":
        pixels[RNG.random(pixels.shape) < (0.3 if what == "holes" else 2)] = np.nan
    (view,) = preprocess.as_views(pixels, Preprocess(size=None))
    np.testing.assert_array_equal(view, window_of_all(pixels))


@pytest.mark.usefixtures("small_blocks")
def test_luma_in_blocks_is_that_of_every_pixel():
    pixels = RNG.integers(0, 256, (130, 97, 3), dtype=np.uint8)
    r, g, b = (pixels[..., c].astype(np.uint32) for c in range(3))
    np.testing.assert_array_equal(preprocess.luma(pixels), (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16)
