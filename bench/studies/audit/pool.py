"""Many opinions made one: a log-linear pool whose weights fit the labels best (Genest and Zidek 1986, section 3.3).

    log p(k | x) = sum_m w_m log p_m(k | x) + const,    w_m >= 0

The members saw nothing of a row's group, so that weights which make given labels likely favour what is true of other
slides: an encoder that is near chance gets next to nothing, and no member has to be chosen. Labels of one slide are
alike and may be wrong together, so that they say as much of the weights as one label: of few slides the weights stay
near each other.
"""

from __future__ import annotations

import numpy as np

from bench.studies.audit.unseen import log_sum

PENALTY = 1e-4  # on the squared weights: keeps them finite where labels are all predicted
DEVIATION = 1.5  # of log weights from each other, before any label is seen
LEAST, MOST = -12.0, 3.0  # of log w
STEPS = 60


def pool_weights(A: np.ndarray, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the weights (M,) under which labels y (n,) of groups (n,) are most likely, a priori near each other.

    A (M, n, K): log-probabilities, centred. Their logarithms are normal around a common mean, see `DEVIATION`.
    """
    from scipy.optimize import minimize

    M, n, _ = A.shape
    near = 1 / (2 * DEVIATION**2 * max(len(np.unique(groups)), 1))
    own = np.take_along_axis(A, np.broadcast_to(y, (M, n))[..., None], 2)[..., 0].mean(1)  # (M,)

    def loss(log_w: np.ndarray) -> tuple[float, np.ndarray]:
        w = np.exp(log_w)
        S = np.tensordot(w, A, 1)  # (n, K)
        total = log_sum(S)
        P = np.exp(S - total)
        slope = np.array([(P * member).sum() / n for member in A]) - own  # (M,)
        apart = log_w - log_w.mean()
        return (
            float(total.mean() - w @ own + PENALTY * (w @ w) + near * (apart @ apart)),
            w * (slope + 2 * PENALTY * w) + 2 * near * apart,
        )

    start = np.full(M, -np.log(M))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(LEAST, MOST)] * M, options={"maxiter": STEPS})
    weights: np.ndarray = np.exp(found.x)
    return weights


def pooled(A: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the log-probabilities (n, K) of members A (M, n, K) at these weights (M,)."""
    S = np.tensordot(weights, A, 1)
    return S - log_sum(S)
