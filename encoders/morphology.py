"""Classic morphology of a cell with a known outline: the measurements of CellProfiler, by cp-measure, an optional part.

An encoder sees pixels and no mask. So it takes windows in which all but the cell is black (`--instances
masks:64:cutout`): the pixels that are not black are the mask.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .descriptors import GREY
from .errors import EncoderError
from .registry import descriptor

#: Where in its window a cell lies says nothing of the cell; these moments are never defined.
PLACES = ("Center_", "BoundingBoxM", "Location_")
UNDEFINED = ("NormalizedMoment_0_0", "NormalizedMoment_0_1", "NormalizedMoment_1_0")
DIM = 256


@descriptor("cp-measure", dim=DIM, preprocess=GREY, library=("cp_measure", "morphology"), cutout=True)
def cp_measure(image: np.ndarray) -> np.ndarray:
    """CellProfiler's size, shape, intensity, texture, granularity of a cell with a mask (Munoz et al. 2025).

    Needs windows of --instances masks:SIZE:cutout. What is not defined for a cell of few pixels is 0, and so is all
    of a window without a cell.
    """
    from cp_measure.bulk import get_core_measurements

    grey = image[..., 0]
    mask = (grey > 0).astype(np.int32)
    if not mask.any():
        return np.zeros(DIM)
    found: dict[str, np.ndarray] = {}
    with np.errstate(all="ignore"):  # of what is not defined
        for measure in get_core_measurements().values():
            found |= measure(mask, grey / 255.0)
    return np.nan_to_num(_kept(found), nan=0.0, posinf=0.0, neginf=0.0)


def _kept(found: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the measurements that are of the cell, (DIM,). EncoderError where the library gives others than it did."""
    kept = [values[0] for name, values in found.items() if not name.startswith(PLACES) and name not in UNDEFINED]
    if len(kept) != DIM:
        raise EncoderError(
            f"cp-measure gave {len(kept)} measurements of a cell; expected {DIM}, those of version 0.3.0. Install it."
        )
    return np.array(kept, np.float64)
