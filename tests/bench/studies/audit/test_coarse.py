"""What was saved again is told by its coarse parts; what is only of one kind or one outline is no copy."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bench.studies.audit.coarse import coarse_neighbours, same_coarsely
from bench.studies.audit.copies import COARSELY, SIDE, find_copies
from bench.studies.audit.correlate import differ


def soft_cell(seed, size=26):
    """A small cell out of focus: its shape is its own, and there is no detail but noise of the camera."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    angle, waves = np.arctan2(y, x), rng.normal(0, 0.035, (2, 4))
    edge = 0.3 + sum(a * np.cos(k * angle) + b * np.sin(k * angle) for k, (a, b) in enumerate(waves.T, 1))
    inside = 1 / (1 + np.exp((np.hypot(x, y) - edge) / 0.06))
    tilt = rng.normal(0, 15, 2)
    grey = 190 - 40 * inside + tilt[0] * x + tilt[1] * y + rng.normal(0, 1.5, (size, size))
    return np.clip(grey, 0, 255).astype(np.uint8)


def small(image):
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def saved(image, quality, form="JPEG"):
    file = io.BytesIO()
    Image.fromarray(image).save(file, form, quality=quality)
    return np.asarray(Image.open(file).convert("L"))


@pytest.fixture(scope="module")
def cells():
    return np.stack([small(soft_cell(seed)) for seed in range(150)])


def test_cells_of_one_kind_are_no_copies(cells):
    assert find_copies(cells).empty


@pytest.mark.parametrize(("quality", "form"), [(50, "JPEG"), (70, "JPEG"), (80, "WEBP")])
def test_a_cell_without_detail_is_found_where_it_was_saved_again(cells, quality, form):
    copies = np.stack([small(saved(soft_cell(seed), quality, form)) for seed in range(10)])
    found = find_copies(np.concatenate([cells, copies]))
    assert found[["first", "second"]].to_numpy().tolist() == [[i, 150 + i] for i in range(10)]
    assert (found["how"] == COARSELY).any() and found["correlation"].between(0.5, 1).all()


def test_light_does_not_matter_and_flat_images_are_left_out(cells):
    darker = (0.7 * cells[:2].astype(float) + 20).astype(np.uint8)
    flat = np.full((3, SIDE, SIDE), 128, np.uint8)
    assert [pair[:2] for pair in same_coarsely(coarse_neighbours(np.concatenate([cells, flat, darker])))] == [(0, 153), (1, 154)]
    assert same_coarsely(coarse_neighbours(cells[[0, 0, 1, 2, 3]])) == []  # too few to say what is usual


def test_where_images_differ_in_little_a_near_one_is_no_copy():
    """Discs of two sizes that matter: of 300 many are nearly the same, and none is a copy."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    discs = [150 - 50 / (1 + np.exp((np.hypot(a * x, y / a) - r) / 0.05))
             for a, r in zip(rng.uniform(0.8, 1.2, 300), rng.uniform(0.2, 0.35, 300), strict=True)]  # fmt: skip
    assert same_coarsely(coarse_neighbours(np.stack(discs))) == []


def test_one_outline_with_another_limb_is_no_copy():
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    rng = np.random.default_rng(1)
    body = 230 - 180 * (np.hypot(x / 2, y) < 11)
    animals = [body + rng.normal(0, 4, body.shape) for _ in range(2)]
    animals[1][14:24, 34:40] -= 100
    others = rng.normal(128, 40, (20, SIDE // 6, SIDE // 6)).repeat(6, 1).repeat(6, 2)
    pixels = np.clip(np.concatenate([others, animals]), 0, 255).astype(np.uint8)
    assert find_copies(pixels).empty
    assert differ(animals[0], animals[1]) > 1 > 0.3 > differ(body, 0.7 * body + 10)
