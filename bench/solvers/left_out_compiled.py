"""The compiled loop of `bench.solvers.left_out`, where its letters and its mathematics are told."""

from __future__ import annotations

import numpy as np

from bench.solvers.kernels import compiled

HALVINGS = 14  # of what encloses log b


@compiled
def leave_out_at(
    geometry: tuple[np.ndarray, ...],
    labels: tuple[np.ndarray, np.ndarray, np.ndarray],
    penalty: float,
    S: np.ndarray,
    R: np.ndarray,
    w: np.ndarray,
) -> None:
    """Add to the scores S (n, K) what leaving out a row's group changes at one strength, penalty = n l2.

    geometry: a `bench.solvers.left_out.Geometry`. labels: y (n,), the rows by class, and where classes start among
    these. R, w (n, K): residuals and curvatures.
    """
    y, order, starts = labels
    Z, e, total, by_group, group_starts, at, table, mean = geometry
    n, K = S.shape
    step = at[1] - at[0]
    last = len(at) - 1
    place = np.empty(n, np.int64)  # of a row among those of its class
    for k in range(K):
        # b, enclosed by the largest and the least weight
        low, high = np.inf, 0.0
        others = 0
        for i in range(n):
            low, high = min(low, w[i, k]), max(high, w[i, k])
            others += y[i] != k
        low, high = np.log(low), np.log(high)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            b = np.exp(middle)
            x = min(max((np.log(penalty) - middle - at[0]) / step, 0.0), last - 1e-9)
            j = int(x)
            v = (mean[j] + (x - j) * (mean[j + 1] - mean[j])) / b
            wanted = 0.0
            for i in range(n):
                if others == 0 or K == 2 or y[i] != k:
                    wanted += w[i, k] / (1 + w[i, k] * v)
            wanted /= n if (others == 0 or K == 2) else others
            if wanted > b / (1 + b * v):
                low = middle
            else:
                high = middle
        b = np.exp(0.5 * (low + high))
        x = min(max((np.log(penalty / b) - at[0]) / step, 0.0), last - 1e-9)
        j = int(x)
        D = 1 / (e + penalty / b)
        scaled = D * total
        left = n - np.dot(scaled, total)
        # J among the rows of the class
        own = order[starts[k] : starts[k + 1]]
        q = len(own)
        J = np.zeros((q, q))
        if q > 0:
            rows = Z[own]
            centred = 1 - np.dot(rows, scaled)
            J = np.dot(rows * D, rows.T)
            for a in range(q):
                place[own[a]] = a
                for c in range(q):
                    J[a, c] = (J[a, c] + centred[a] * centred[c] / left) / b
            inner = np.eye(q)
            for a in range(q):
                for c in range(q):
                    inner[a, c] += (w[own[a], k] - b) * J[a, c]
            J = np.linalg.solve(inner.T, J.T).T
        # group by group
        for g in range(len(group_starts) - 1):
            members = by_group[group_starts[g] : group_starts[g + 1]]
            size = len(members)
            if size == n:
                continue
            if size == 1:
                i = members[0]
                if y[i] == k:
                    a = place[i]
                    S[i, k] += J[a, a] / max(1 - w[i, k] * J[a, a], 1e-6) * R[i, k]
                else:
                    S[i, k] += (table[j, i] + (x - j) * (table[j + 1, i] - table[j, i])) / b * R[i, k]
                continue
            rows = Z[members]
            centred = 1 - np.dot(rows, scaled)
            block = np.dot(rows * D, rows.T)
            moved, weight, residual = np.zeros(size), np.full(size, b), np.empty(size)
            for a in range(size):
                residual[a] = R[members[a], k]
                if y[members[a]] == k:
                    weight[a] = w[members[a], k]
            for a in range(size):
                for c in range(size):
                    block[a, c] = (block[a, c] + centred[a] * centred[c] / left) / b
                    if (y[members[a]] == k) != (y[members[c]] == k):
                        moved[a] += block[a, c] * residual[c]
                        block[a, c] = 0
                    elif y[members[a]] == k:
                        block[a, c] = J[place[members[a]], place[members[c]]]
            within = np.dot(block, residual)
            for a in range(size):
                for c in range(size):
                    block[a, c] = (1.0 if a == c else 0.0) - block[a, c] * weight[c]
            moved += np.linalg.solve(block, within)
            for a in range(size):
                S[members[a], k] += moved[a]
