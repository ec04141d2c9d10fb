"""Copies of what an encoder is judged on are found among what it learns from, and look-alikes are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bench.studies.pilot.overlap import overlapping, without
from bench.studies.pretrain.crops import Crops

S = 48


def photographs(n: int, seed: int) -> np.ndarray:
    """Return round cells that look alike when small, each with a texture and noise of its own."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:S, :S] - (S - 1) / 2
    made = []
    for _ in range(n):
        disc = 1 / (1 + np.exp(np.hypot(x, y + rng.uniform(-1, 1)) - 14))
        coarse = np.kron(rng.normal(size=(S // 4, S // 4)), np.ones((4, 4)))
        image = 30 + 150 * disc + 12 * coarse * disc + rng.normal(0, 6, (S, S))
        made.append(np.repeat(image.clip(0, 255).astype(np.uint8)[:, :, None], 3, 2))
    return np.stack(made)


JUDGED = photographs(40, 0)


def jpeg(image: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=85)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize(
    "harm",
    [
        lambda image: image, lambda image: np.rot90(image, 3), lambda image: np.rot90(image[:, ::-1]),
        lambda image: np.roll(image, (3, -2), (0, 1)), lambda image: (image * 0.8).astype(np.uint8), jpeg,
        lambda image: (image + np.random.default_rng(1).normal(0, 3, image.shape)).clip(0, 255).astype(np.uint8),
    ],
    ids=["copy", "turned", "mirrored", "moved", "darker", "jpeg", "noise"],
)  # fmt: skip
def test_a_copy_is_found_whatever_was_done_to_it(harm):
    pool = photographs(30, 7)
    copies = [3, 11, 29]
    for at, own in enumerate(copies):
        pool[own] = harm(JUDGED[5 * at])
    assert np.flatnonzero(overlapping(pool, JUDGED)).tolist() == copies


def test_cells_of_one_shape_are_no_copies():
    assert overlapping(photographs(300, 3), JUDGED).sum() == 0


def test_nothing_overlaps_with_nothing_and_plain_images_with_none():
    assert overlapping(JUDGED[:0], JUDGED).tolist() == [] and not overlapping(JUDGED[:2], JUDGED[:0]).any()
    plain = np.full((2, S, S, 3), 90, np.uint8)
    assert not overlapping(plain, np.concatenate([plain[:1], JUDGED])).any()


def test_what_is_left_keeps_its_names():
    crops = Crops(JUDGED[:3], np.array(["a", "b", "c"]), {"x": "why"})
    left = without(crops, np.array([False, True, False]))
    assert left.instances.tolist() == ["a", "c"] and (left.pixels == JUDGED[[0, 2]]).all() and left.problems == {"x": "why"}
