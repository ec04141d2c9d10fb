"""The loops of `bench.solvers.left_out` in machine code; all that one of them calls is in this file.

Letters as there.
"""

from __future__ import annotations

import numpy as np

from bench.loops.compiling import compiled

HALVINGS = 14  # of what encloses log b
LEAST = 1e-9  # of a curvature
FEW = 6  # rows up to which a call of BLAS takes longer than their products


@compiled
def move_scores(
    geometry: tuple[np.ndarray, ...],
    labels: tuple[np.ndarray, np.ndarray, np.ndarray],
    penalties: np.ndarray,
    loss: tuple[float, float],
    S: np.ndarray,
) -> None:
    """Add to S (L, K, n) what leaving out a row's group changes. geometry: the fields of `left_out.Geometry`.

    labels: y, the rows by class, and where classes start among these.
    """
    y, order, starts = labels
    Z, e, total, by_group, group_starts, grouped, at, table, mean = geometry
    L, K, n = S.shape
    R, w = np.empty(S.shape), np.empty(S.shape)
    for p in range(L):
        differentiate(S[p], y, loss, R[p], w[p])
    step, last = at[1] - at[0], len(at) - 1
    place = np.empty(n, np.int64)  # of a row among those of its class
    for i in range(n):
        place[order[i]] = i - starts[y[order[i]]]
    for k in range(K):
        own = order[starts[k] : starts[k + 1]]
        q = len(own)
        rows, others = Z[own], order[:n] if K == 2 or q == n else np.append(order[: starts[k]], order[starts[k + 1] :])
        for p in range(L):
            weights, residuals, moved = w[p, k], R[p, k], S[p, k]
            log_b = weigh_alike(weights, weights[others], penalties[p], at, mean)
            b = np.exp(log_b)
            D = 1 / (e + penalties[p] / b)
            scaled = D * total
            left = n - np.dot(scaled, total)
            J = connect(rows, D, scaled, b, left)
            count_by_weight(J, weights[own] - b)
            x = min(max((np.log(penalties[p]) - log_b - at[0]) / step, 0.0), last - 1e-9)
            j = int(x)
            for g in range(len(group_starts) - 1):
                start, end = group_starts[g], group_starts[g + 1]
                members = by_group[start:end]
                if len(members) == n:
                    continue
                if len(members) > 1:
                    block = connect(grouped[start:end], D, scaled, b, left)
                    move_group(members, block, b, (y, k, place, J), weights, residuals, moved)
                    continue
                i = members[0]
                if y[i] == k:
                    bent = J[place[i], place[i]]
                    moved[i] += bent / max(1 - weights[i] * bent, 1e-6) * residuals[i]
                else:
                    moved[i] += (table[j, i] + (x - j) * (table[j + 1, i] - table[j, i])) / b * residuals[i]


@compiled
def differentiate(S: np.ndarray, y: np.ndarray, loss: tuple[float, float], R: np.ndarray, w: np.ndarray) -> None:
    """Write the losses' derivatives R and curvatures w at scores S, all (K, n).

    w = f p (1 - p) of probabilities p. f, one number for a row, makes the sum of w (p - t)^2 that of the Hessian
    diag(p) - pp' along p - t, t being 1 of the label and else 0: it is 2 for two classes, less for more.
    """
    smoothing, q = loss
    K, n = S.shape
    for i in range(n):
        top, total = S[0, i], 0.0
        for k in range(1, K):
            top = max(top, S[k, i])
        for k in range(K):
            R[k, i] = np.exp(S[k, i] - top)
            total += R[k, i]
        mean, square, by_diagonal = 0.0, 0.0, 0.0
        for k in range(K):
            p = R[k, i] / total
            residual = p - 1 if k == y[i] else p
            R[k, i] = p
            mean += p * residual
            square += p * residual * residual
            by_diagonal += p * (1 - p) * residual * residual
        along = square - mean * mean
        f = min(max(along / by_diagonal if by_diagonal > 0 else along, 1.0), 2.0)
        trust = R[y[i], i] ** q if q > 0 else 1.0
        for k in range(K):
            p, is_label = R[k, i], 1.0 if k == y[i] else 0.0
            w[k, i] = max(max(p * (1 - p) * f, LEAST) * trust, LEAST)
            R[k, i] = (p - is_label) * trust + smoothing * (is_label - 1 / K)


@compiled
def weigh_alike(weights: np.ndarray, others: np.ndarray, penalty: float, at: np.ndarray, mean: np.ndarray) -> float:
    """Return log b of one class: the weight that bends H as those of other rows, enclosed by all weights (n,)."""
    step, last = at[1] - at[0], len(at) - 1
    low, high, logged = np.log(weights.min()), np.log(weights.max()), np.log(penalty)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        b = np.exp(middle)
        x = min(max((logged - middle - at[0]) / step, 0.0), last - 1e-9)
        j = int(x)
        v = (mean[j] + (x - j) * (mean[j + 1] - mean[j])) / b
        wanted = 0.0
        for i in range(len(others)):
            wanted += others[i] / (1 + others[i] * v)
        if wanted / len(others) > b / (1 + b * v):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@compiled
def connect(rows: np.ndarray, D: np.ndarray, scaled: np.ndarray, b: float, left: float) -> np.ndarray:
    """Return J of b alone among rows (q, r), (q, q)."""
    q, r = rows.shape
    centred = 1 - np.dot(rows, scaled)
    if q > FEW:
        J = np.dot(rows * D, rows.T)
    else:
        J = np.empty((q, q))
        for a in range(q):
            for c in range(a + 1):
                found = 0.0
                for j in range(r):
                    found += rows[a, j] * D[j] * rows[c, j]
                J[a, c] = J[c, a] = found
    for a in range(len(J)):
        own, factor = J[a], centred[a] / left
        for c in range(len(J)):
            own[c] = (own[c] + factor * centred[c]) / b
    return J


@compiled
def count_by_weight(J: np.ndarray, more: np.ndarray) -> None:
    """Replace J (q, q) by J (I + diag(more) J)^-1, row by row, which keeps it symmetric: its lower triangle is right.

    The weights that have not been counted yet stay at b, so that every divisor is above 0.
    """
    q = len(J)
    column = np.empty(q)
    for a in range(q):
        for c in range(a):
            column[c] = J[a, c]
        for c in range(a, q):
            column[c] = J[c, a]
        factor = more[a] / (1 + more[a] * column[a])
        for c in range(q):
            own, by = J[c], factor * column[c]
            for d in range(c + 1):
                own[d] -= by * column[d]


@compiled
def move_group(
    members: np.ndarray,
    block: np.ndarray,
    b: float,
    labels: tuple[np.ndarray, int, np.ndarray, np.ndarray],
    weights: np.ndarray,
    residuals: np.ndarray,
    S: np.ndarray,
) -> None:
    """Add to the scores S (n,) of a class at the members (s,) of a group what leaving it out changes.

    block: J of b alone among them, (s, s), which is overwritten.
    """
    y, k, place, J = labels
    s = len(members)
    moved, within = np.zeros(s), np.zeros((s, 1))
    for a in range(s):
        i = members[a]
        for c in range(s):
            h = members[c]
            if (y[i] == k) != (y[h] == k):
                moved[a] += block[a, c] * residuals[h]
                block[a, c] = 0
            elif y[i] == k:
                block[a, c] = J[max(place[i], place[h]), min(place[i], place[h])]
            within[a, 0] += block[a, c] * residuals[h]
    for a in range(s):
        for c in range(s):
            weight = weights[members[c]] if y[members[c]] == k else b
            block[a, c] = (1.0 if a == c else 0.0) - block[a, c] * weight
    eliminate(block, within)
    for a in range(s):
        S[members[a]] += moved[a] + within[a, 0]


@compiled
def leave_out_squares(
    Z: np.ndarray,
    starts: np.ndarray,
    D: np.ndarray,
    V: np.ndarray,
    w: np.ndarray,
    residuals: np.ndarray,
) -> None:
    """Replace the residuals (L, n, c) of least squares by those without a row's group: (I - H_gg)^-1 of them.

    Z (n, r): the rows by group; group g is from starts[g] to starts[g + 1]. H = Z D Z' + v v' / w of D (L, r), V (L, n)
    and w (L,). A group of all rows stays as it is.
    """
    n = len(Z)
    for g in range(len(starts) - 1):
        start, end = starts[g], starts[g + 1]
        s, rows = end - start, Z[start:end]
        if s == n:
            continue
        for p in range(len(D)):
            H = np.dot(rows * D[p], rows.T) if s > FEW else np.empty((s, s))
            for a in range(s):
                for c in range(a + 1):
                    if s <= FEW:
                        found = 0.0
                        for j in range(Z.shape[1]):
                            found += rows[a, j] * D[p, j] * rows[c, j]
                        H[a, c] = found
                    H[a, c] = (1.0 if a == c else 0.0) - H[a, c] - V[p, start + a] * V[p, start + c] / w[p]
                    H[c, a] = H[a, c]
            eliminate(H, residuals[p, start:end])


@compiled
def eliminate(A: np.ndarray, B: np.ndarray) -> None:
    """Replace B (s, c) by A^-1 B, a column alike to the bit whatever the others; A (s, s) is overwritten.

    Gauss's way, with the largest pivot of a column: a call of LAPACK takes longer for few rows.
    """
    s = len(A)
    for a in range(s):
        best = a
        for i in range(a + 1, s):
            if abs(A[i, a]) > abs(A[best, a]):
                best = i
        if best != a:
            for c in range(a, s):
                A[a, c], A[best, c] = A[best, c], A[a, c]
            for c in range(B.shape[1]):
                B[a, c], B[best, c] = B[best, c], B[a, c]
        for i in range(a + 1, s):
            factor = A[i, a] / A[a, a]
            for c in range(a + 1, s):
                A[i, c] -= factor * A[a, c]
            for c in range(B.shape[1]):
                B[i, c] -= factor * B[a, c]
    for a in range(s - 1, -1, -1):
        for i in range(a + 1, s):
            for c in range(B.shape[1]):
                B[a, c] -= A[a, i] * B[i, c]
        for c in range(B.shape[1]):
            B[a, c] /= A[a, a]


@compiled
def share(S: np.ndarray, present: np.ndarray, left: np.ndarray, P: np.ndarray) -> None:
    """Write to P (L, n, K) the softmax of S (L, classes that are present, n); see `left_out.leave_out`."""
    L, n, K = P.shape
    for p in range(L):
        for i in range(n):
            top, total = -np.inf, 0.0
            for j in range(len(present)):
                if left[i, present[j]] > 0:
                    top = max(top, S[p, j, i])
            for k in range(K):
                P[p, i, k] = 1 / K if top == -np.inf else 0.0
            for j in range(len(present)):
                if left[i, present[j]] > 0:
                    P[p, i, present[j]] = np.exp(S[p, j, i] - top)
                    total += P[p, i, present[j]]
            for k in range(K if total > 0 else 0):
                P[p, i, k] /= total
