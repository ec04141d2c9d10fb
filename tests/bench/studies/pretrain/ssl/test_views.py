"""Views of an instance: near it, bounded, and the same whatever the threads and the time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.studies.pretrain.ssl.training import batch_rows
from bench.studies.pretrain.ssl.views import Augmentation, make_view

S = 20
PLAIN = Augmentation(turns="eight", area=1.0, light=0.0, blur=0.0, noise=0.0)
FULL = Augmentation(colour=0.2)


def images(n: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, S, S, 3), dtype=np.uint8))


def as_bytes(view: torch.Tensor) -> np.ndarray:
    return (255 * view).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def all_eight(image: np.ndarray) -> set[bytes]:
    return {np.ascontiguousarray(np.rot90(side, k)).tobytes() for side in (image, image[:, ::-1]) for k in range(4)}


def test_plain_views_are_the_eight_orientations_and_all_of_them_come():
    pixels = images(1).expand(200, S, S, 3)
    seen = {view.tobytes() for view in as_bytes(make_view(pixels, PLAIN, (0, 0, 0)))}
    assert seen == all_eight(pixels[0].numpy())


def test_two_views_are_of_one_instance_and_differ():
    """Every image has a colour of its own, which no view can take from another."""
    colours = torch.from_numpy(np.random.default_rng(1).integers(30, 220, (16, 1, 1, 3), dtype=np.uint8))
    pixels = colours.expand(16, S, S, 3).clone()
    pixels[:, :4, :4] = 0  # a corner, by which they are seen to turn
    how = replace(FULL, light=0.02, colour=0.0)
    one, two = (make_view(pixels, how, (0, 5, i)) for i in range(2))
    assert not torch.equal(one, two)
    medians = [view.flatten(2).median(2).values for view in (one, two)]  # (16, 3)
    nearest = torch.cdist(*medians).argmin(1)
    assert nearest.tolist() == list(range(16))


@pytest.mark.parametrize("how", [FULL, replace(FULL, turns="eight"), replace(FULL, light=0.9, noise=0.5)])
def test_views_stay_between_0_and_1_and_have_their_shape(how):
    view = make_view(images(32), how, (3, 1, 0))
    assert view.shape == (32, 3, S, S) and view.dtype == torch.float32
    assert view.min() >= 0 and view.max() <= 1 and torch.isfinite(view).all()


def test_views_depend_on_seed_and_step_alone(one_thread):
    pixels = images(40)
    first = make_view(pixels, FULL, (7, 3, 0))
    torch.rand(100)  # what others draw
    torch.set_num_threads(2)
    assert torch.equal(make_view(pixels, FULL, (7, 3, 0)), first)
    torch.set_num_threads(1)
    for key in ((8, 3, 0), (7, 4, 0), (7, 3, 1)):
        assert not torch.equal(make_view(pixels, FULL, key), first)


def test_a_crop_shows_at_least_the_area_that_it_should():
    """Of an image whose value is the column, a view not turned spans at least sqrt(.5) of the columns."""
    ramp = torch.arange(S, dtype=torch.uint8).mul(10)[None, None, :, None].expand(64, S, S, 3)
    how = replace(PLAIN, area=0.5)
    view = 255 / 10 * make_view(ramp, how, (0, 0, 0))
    spans = torch.maximum(view.amax(3).amax((1, 2)) - view.amin(3).amin((1, 2)), torch.zeros(()))
    assert spans.min() >= 0.5**0.5 * S - 2
    assert spans.min() < 0.8 * S  # and some are crops


def test_grey_images_stay_grey_unless_colour_is_to_vary():
    pixels = images(8)[..., :1].expand(8, S, S, 3)
    quiet = replace(FULL, colour=0.0, noise=0.0)
    view = make_view(pixels, quiet, (0, 0, 0))
    assert torch.allclose(view[:, 0], view[:, 1], atol=1e-6)
    assert not torch.allclose(*make_view(pixels, replace(quiet, colour=0.2), (0, 0, 0))[:, :2].unbind(1), atol=1e-2)


def test_a_round_shows_every_instance_once_in_an_order_of_its_own():
    rounds = [torch.cat([batch_rows(12, 4, 0, step) for step in range(3 * r, 3 * r + 3)]).tolist() for r in range(3)]
    assert all(sorted(one) == list(range(12)) for one in rounds)
    assert rounds[0] != rounds[1] != rounds[2]
    assert len(set(batch_rows(5, 64, 0, 9).tolist())) == 5  # never the same twice, however large the batch
