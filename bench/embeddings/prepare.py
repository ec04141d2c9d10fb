"""One image file to the inputs of every encoder: decoded once, windowed once per view; instances cut and resized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.embeddings.large_views import Box, LargeViews, known_of
from bench.errors import BenchError
from bench.images import ImageError, open_image
from bench.instances.blank import Blank
from encoders import EncoderError, EncoderSpec, Preprocess
from encoders.preprocess import as_views, fit_input


def view_of(policy: Preprocess) -> tuple[str, ...]:
    """Return what of a policy its views depend on, before they are cut."""
    return policy.stack, policy.channels, policy.window, policy.color, policy.intervene


def _slices(box: Box) -> tuple[slice, slice]:
    return np.s_[:, :] if box is None else np.s_[box[1] : box[3], box[0] : box[2]]


@dataclass(frozen=True)
class WholeViews:
    """The views of an image that was decoded whole. views: `view_of` a policy -> V times uint8 (H, W, 3).

    finite: stack -> where its pixels are, see `known_of`.
    """

    views: Mapping[tuple[str, ...], list[np.ndarray]]
    finite: Mapping[str, np.ndarray | None]

    def crops(self, policy: Preprocess, box: Box) -> list[np.ndarray]:
        """Return the V views uint8 (h, w, 3) of a part."""
        return [view[_slices(box)] for view in self.views[view_of(policy)]]

    def known(self, policy: Preprocess, box: Box) -> np.ndarray | None:
        """Return where the pixels of a part are finite, bool (h, w), None where all of the image are."""
        finite = self.finite[policy.stack]
        return None if finite is None else finite[_slices(box)]


Views = WholeViews | LargeViews
Hidden = tuple[Blank, np.ndarray] | None  # what is blanked, by labels (H, W) of the whole image


def open_views(path: Path, policies: Sequence[Preprocess], digest: str | None = None) -> Views:
    """Decode one image and make its views: one unless each channel is a view of its own.

    An image that is too large to be read at once stays open, and its parts are read when they are asked for. Raises
    ImageError, also where the image lacks a channel that a policy names, and where its content is not that of `digest`,
    see `bench.images.open_image`.
    """
    with ExitStack() as opened:
        picture = opened.enter_context(open_image(path, digest))
        if not picture.fits:
            return LargeViews(picture, opened.pop_all())
        stacks = {stack: picture.project(stack) for stack in {policy.stack for policy in policies}}
    views: dict[tuple[str, ...], list[np.ndarray]] = {}
    for policy in policies:
        if view_of(policy) not in views:
            try:
                views[view_of(policy)] = as_views(stacks[policy.stack], policy, picture.info.names)
            except EncoderError as error:
                raise ImageError(str(error)) from None
    known = {stack: known_of(pixels) for stack, pixels in stacks.items()}
    return WholeViews(views, known)


def cut(views: Views, box: Box, policy: Preprocess, hidden: Hidden = None) -> np.ndarray:
    """Return the views of one instance, uint8 (V, S, S, 3), or (V, H, W, 3) where the policy has no size."""
    crops = views.crops(policy, box)
    if hidden:
        blank, labels = hidden
        known = views.known(policy, box)
        crops = [blank.apply(crop, labels[_slices(box)], known) for crop in crops]
    return np.stack([fit_input(crop, policy) for crop in crops])


def flat_views(inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """Return the views of n instances (each V, S, S, 3) in one list (n x V), and V, which is the same for all."""
    counts = sorted({len(views) for views in inputs})
    if len(counts) != 1:
        raise BenchError(f"Got instances of {' and '.join(map(str, counts))} channels; expected one number for all.")
    return [view for views in inputs for view in views], counts[0]


def join_views(vectors: np.ndarray, count: int) -> np.ndarray:
    """Return (n, V x d) of the vectors (n x V, d) of n instances with `count` = V views each, one after the other."""
    if len(vectors) % count:
        raise BenchError(f"Got {len(vectors)} vectors for instances of {count} views; expected a multiple of {count}.")
    return vectors.reshape(len(vectors) // count, count * vectors.shape[1])


def check_views(images: pd.DataFrame, specs: Sequence[EncoderSpec]) -> None:
    """Refuse an encoder that takes each channel by itself where images (columns path, channels) differ in channels."""
    each = [spec.name for spec in specs if spec.preprocess.channels == "each"]
    if each and images["channels"].nunique() > 1:
        fewest, *_, most = images.sort_values("channels", kind="stable").to_dict("records")
        raise BenchError(
            f"Got {each[0]} for images with {fewest['channels']} ({fewest['path']}) and {most['channels']} "
            f"({most['path']}) channels; expected the same number in all, as every channel has its own columns. Name "
            "those that all have, as channels=each:0, or leave some images out."
        )


def check_cutouts(blank: pd.Series, specs: Sequence[EncoderSpec]) -> None:
    """Refuse an encoder that measures cells where windows do not tell which pixels are the cell's.

    blank: the column of an instance table, see `bench.instances.blank`.
    """
    cells = [spec.name for spec in specs if spec.cutout]
    if cells and not blank.str.startswith("cutout:").fillna(False).all():
        raise BenchError(
            f"Got {cells[0]} for windows that do not tell which pixels are the cell's; expected windows in which all "
            "else is black. Say --instances masks:64:cutout (or segments:64:cutout), or leave it out."
        )
