"""Which images to learn from are also among those that an encoder is judged on, turned, mirrored or moved a little.

An encoder that has seen the test images, if only without labels, may look better than it is on new ones. What is
compared is fine detail: two round cells look alike, but noise and texture are of one photograph alone. Candidates are
images whose spectra correlate most, as moving changes no spectrum; they are the same where the details themselves
correlate at some place.
"""

from __future__ import annotations

import numpy as np

from bench.studies.pretrain.crops import Crops
from bench.studies.spectra import AT_ONCE, centred, detail, spectra
from encoders.orientations import ORIENTED, orientation

CANDIDATES = 3  # of the judged images, for each to learn from
LEAST = 0.6  # correlation of fine detail, at the best place, from which on two are one photograph


def overlapping(pixels: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Return which of the images uint8 (n, S, S, 3) show what some of `judged` (N, S, S, 3) show, bool (n,).

    Found: copies in any of the eight orientations, moved, in another light, with noise, or saved as JPEG. Not found:
    copies at another scale.
    """
    if not len(pixels) or not len(judged):
        return np.zeros(len(pixels), bool)
    usual = spectra(grey(judged)).mean(0)
    mine = centred(spectra(grey(pixels)), usual)
    others = (centred(spectra(turned(judged, k)), usual) for k in range(ORIENTED))
    near = np.full((len(pixels), CANDIDATES), -1.0)  # correlations of the spectra
    which = np.zeros((len(pixels), CANDIDATES), np.int64)  # judged image and orientation
    for k, other in enumerate(others):
        for i in range(0, len(mine), AT_ONCE):
            alike = mine[i : i + AT_ONCE] @ other.T
            top = np.argsort(-alike, 1)[:, :CANDIDATES]
            found = np.concatenate([near[i : i + AT_ONCE], np.take_along_axis(alike, top, 1)], 1)
            names = np.concatenate([which[i : i + AT_ONCE], ORIENTED * top + k], 1)
            best = np.argsort(-found, 1)[:, :CANDIDATES]
            near[i : i + AT_ONCE] = np.take_along_axis(found, best, 1)
            which[i : i + AT_ONCE] = np.take_along_axis(names, best, 1)
    return np.array([is_one_of(pixels[i], judged, which[i]) for i in range(len(pixels))])


def is_one_of(image: np.ndarray, judged: np.ndarray, which: np.ndarray) -> bool:
    """Return whether the fine detail of an image is that of a candidate, at any place."""
    mine = np.fft.rfft2(detail(grey(image[None]))[0])
    for at in which:
        other = detail(turned(judged[at // ORIENTED][None], int(at % ORIENTED)))[0]
        if np.fft.irfft2(mine * np.conj(np.fft.rfft2(other)), s=other.shape).max() >= LEAST:
            return True
    return False


def turned(pixels: np.ndarray, k: int) -> np.ndarray:
    """Return the grey levels of images (n, S, S, 3) in the orientation k of eight, (n, S, S)."""
    return orientation(grey(pixels).transpose(1, 2, 0), k).transpose(2, 0, 1)


def grey(pixels: np.ndarray) -> np.ndarray:
    """Return the mean of the channels, float32 (n, S, S)."""
    found: np.ndarray = pixels.mean(-1, dtype=np.float32)
    return found


def without(crops: Crops, left_out: np.ndarray) -> Crops:
    """Return the crops but some, bool (n,)."""
    return Crops(crops.pixels[~left_out], crops.instances[~left_out], crops.problems)
