"""Nearest class centroid by cosine similarity (Snell et al. 2017; Wang et al. 2019, SimpleShot).

The probabilities are a softmax of the cosines at a fixed temperature: they rank, they are not calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.heads.contract import Head, Params, Scored, one_hot, softmax
from bench.heads.support import Support


def scores(support: Support, Y: np.ndarray, n_classes: int, grid: Sequence[Params]) -> Scored:
    """Return softmax(cosine / temperature) (m, L, n_test, K); a class without support rows gets 0."""
    X, X_test = support.X, support.X_test
    members = one_hot(Y, n_classes)  # (m, n, K)
    count = members.sum(1)  # (m, K)
    centroid = members.transpose(0, 2, 1) @ X / np.maximum(count, 1)[..., None]  # (m, K, d)
    norm = np.linalg.norm(centroid, axis=-1, keepdims=True)
    centroid = centroid / np.where(norm > 0, norm, 1)
    length = np.linalg.norm(X_test, axis=1, keepdims=True)
    unit = X_test / np.where(length > 0, length, 1)
    cosine = unit @ centroid.transpose(0, 2, 1)  # (m, n_test, K)
    cosine = np.where((count > 0)[:, None, :], cosine, -np.inf)
    return Scored(np.stack([softmax(cosine / float(setting["temperature"])) for setting in grid], axis=1))


HEAD = Head("centroid", "nearest class centroid, cosine", scores, {"temperature": 0.1})
