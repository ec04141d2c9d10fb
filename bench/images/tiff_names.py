"""What the channels of a TIFF are called: by OME-XML, by the labels of ImageJ's planes, or as colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.images.picture import COLORS
from bench.images.tiff_descriptions import Ome

PLACE = r"^([czt]:\d+/\d+\s*)+(-\s*)?"  # of a plane, as ImageJ puts it before its name


def channel_names(tiff: Any, series: Any, image: Ome | None, count: int, color: bool) -> tuple[str, ...]:
    """Return the names of `count` channels; () where the file has none, or not as many.

    image: the OME element of the series. color: the channels are red, green and blue.
    """
    for names in (_ome_names(image), _imagej_names(tiff, series), COLORS if color else ()):
        if len(names) == count and any(names):
            return tuple(names)
    return ()


def _ome_names(image: Ome | None) -> Sequence[str]:
    return [] if image is None else [channel.get("Name", "") for channel in image.iterfind("{*}Pixels/{*}Channel")]


def _imagej_names(tiff: Any, series: Any) -> Sequence[str]:
    """Return the labels of the planes of the first slice and time point, one a channel.

    Labels of planes that are slices or time points, and no channels, name nothing.
    """
    labels = (tiff.imagej_metadata or {}).get("Labels", []) if tiff.is_imagej else []
    labels = [labels] if isinstance(labels, str) else labels
    axes, shape = all_axes(tiff, series)
    pages = [i for i, axis in enumerate(axes) if axis not in "YXS"]
    if not any(axes[i] == "C" and shape[i] > 1 for i in pages):
        return []
    number = np.arange(np.prod([shape[i] for i in pages])).reshape([shape[i] for i in pages])
    wanted = number[tuple(slice(None) if axes[i] == "C" else 0 for i in pages)].ravel()
    if wanted.max() >= len(labels):
        return []
    return [re.sub(PLACE, "", str(labels[i])) for i in wanted.tolist()]


def all_axes(tiff: Any, series: Any) -> tuple[str, tuple[int, ...]]:
    """Return the axes and the shape of a series with those of length 1, which the library leaves out by default."""
    if not callable(tiff.series):  # tifffile before 2026.5
        return series.get_axes(False), series.get_shape(False)
    whole = tiff.series(squeeze=False)[list(tiff.series).index(series)]
    return whole.axes, whole.shape
