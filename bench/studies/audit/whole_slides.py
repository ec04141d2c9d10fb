"""What a model of whole slides says: the images of one slide and label are one observation, their mean.

Images of a slide share what is special about it (staining, focus, the culture), so that a hundred of them are no
hundred observations of their class. Models of images take what slides differ by for what classes differ by; a model of
slides sees how far slides of one class are apart, and in which directions. In each direction a mean is scaled by how
far the images of a slide are apart, as what single images differ by says little of slides:

    M = mean of images, turned to the axes of W and divided by sqrt(w + SHRUNK mean w)

with W the covariance of images around their means and w its eigenvalues. Linear discriminant analysis of the rows of M
has slides for observations. Every slide is predicted by the analysis without it.
"""

from __future__ import annotations

import numpy as np

from bench.heads import get_heads
from bench.heads.support import Support

SHRUNK = 0.1


def units_of(y: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row (U,) of every slide and label that occur together, and which of these each row is, (n,)."""
    slide = np.unique(groups, return_inverse=True)[1]
    _, first, unit = np.unique(slide * (int(y.max(initial=0)) + 1) + y, return_index=True, return_inverse=True)
    return first, unit


def share_slides(y: np.ndarray, groups: np.ndarray) -> bool:
    """Return whether any two images share their slide and label."""
    return len(units_of(y, groups)[0]) < len(y)


def scaled_means(Z: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Return the mean of the rows Z (n, d) of every unit (n,), scaled as above, float32 (U, d)."""
    size = np.bincount(unit)
    M = np.zeros((len(size), Z.shape[1]))
    np.add.at(M, unit, Z)
    M /= size[:, None]
    rest = Z - M[unit]
    w, axes = np.linalg.eigh(rest.T @ rest / max(len(Z) - len(size), 1))
    return (M @ axes / np.sqrt(w + SHRUNK * w.mean() + 1e-12)).astype(np.float32)


def unseen_slides(Z: np.ndarray, y: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    """Return probabilities (n, K) of the slide and label of every row, by a model without its slide."""
    first, unit = units_of(y, groups)
    M = scaled_means(Z, unit)
    [lda] = get_heads(["lda"])
    assert lda.loo is not None
    setting = {**lda.default, **lda.published(len(M), n_classes, M.shape[1])}
    P: np.ndarray = lda.loo(Support(M, M[:0], groups[first]), y[first][None], n_classes, [setting]).P[0, 0]
    return P[unit]
