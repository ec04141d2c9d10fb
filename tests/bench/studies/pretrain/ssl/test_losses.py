"""Losses against the formulas of their papers, written as loops over numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bench.studies.pretrain.ssl import losses
from bench.studies.pretrain.ssl.masked import to_patches

B, D, K = 5, 4, 6


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(B, D)).astype(np.float32), rng.normal(size=(B, D)).astype(np.float32)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / math.sqrt(a @ a) / math.sqrt(b @ b))


def both(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]


def test_nt_xent_is_equation_1_of_its_paper(pair):
    t = 0.3
    z = [row for two in zip(*pair, strict=True) for row in two]  # 1, 1', 2, 2', ... as in algorithm 1
    total = 0.0
    for i in range(2 * B):
        j = i + 1 if i % 2 == 0 else i - 1
        below = sum(math.exp(cosine(z[i], z[k]) / t) for k in range(2 * B) if k != i)
        total -= math.log(math.exp(cosine(z[i], z[j]) / t) / below)
    assert losses.nt_xent(*both(*pair), t).item() == pytest.approx(total / (2 * B), rel=1e-5)


def test_vicreg_is_its_three_terms(pair):
    invariance = sum((x - y) ** 2 for x, y in zip(pair[0].ravel(), pair[1].ravel(), strict=True)) / (B * D)
    hinge = cov = 0.0
    for z in pair:
        C = np.zeros((D, D))
        for row in z:
            C += np.outer(row - z.mean(0), row - z.mean(0)) / (B - 1)
        hinge += sum(max(0.0, 1 - math.sqrt(C[j, j] + 1e-4)) for j in range(D)) / D
        cov += sum(C[i, j] ** 2 for i in range(D) for j in range(D) if i != j) / D
    got = losses.vicreg(*both(*pair), 25.0, 10.0, 3.0).item()
    assert got == pytest.approx(25 * invariance + 10 * hinge / 2 + 3 * cov, rel=1e-4)


def test_byol_is_the_distance_of_unit_vectors_and_teaches_the_student_alone(pair):
    p, target = both(*pair)
    p.requires_grad_()
    target.requires_grad_()
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in pair]
    loss = losses.byol(p, target)
    assert loss.item() == pytest.approx(((unit[0] - unit[1]) ** 2).sum(1).mean(), rel=1e-5)
    loss.backward()
    assert p.grad is not None and target.grad is None


def test_dino_is_a_cross_entropy_under_a_centred_sharpened_teacher():
    rng = np.random.default_rng(1)
    student, teacher, centre = rng.normal(size=(B, K)), rng.normal(size=(B, K)), rng.normal(size=K)

    def distribution(logits: np.ndarray, t: float) -> np.ndarray:
        e = [math.exp(x / t) for x in logits]
        return np.array(e) / sum(e)

    total = 0.0
    for s, r in zip(student, teacher, strict=True):
        of_teacher, of_student = distribution(r - centre, 0.04), distribution(s, 0.1)
        total -= sum(a * math.log(b) for a, b in zip(of_teacher, of_student, strict=True))
    got = losses.dino(*both(student, teacher, centre)).item()
    assert got == pytest.approx(total / B, rel=1e-4)


def test_masked_patches_count_hidden_patches_alone_each_normalised_by_itself():
    rng = np.random.default_rng(2)
    x, guess = rng.random((2, 3, 4, 4)).astype(np.float32), rng.random((2, 4, 12)).astype(np.float32)
    hidden = np.array([[1, 0, 0, 1], [0, 1, 0, 0]], np.float32)
    errors = []
    for i in range(2):
        for n, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            if hidden[i, n]:
                patch = x[i, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].ravel()
                patch = (patch - patch.mean()) / math.sqrt(patch.var(ddof=1) + 1e-6)
                errors.append(((guess[i, n] - patch) ** 2).mean())
    got = losses.masked_patches(*both(guess), to_patches(*both(x), 2), *both(hidden)).item()
    assert got == pytest.approx(np.mean(errors), rel=1e-4)


def test_masked_pixels_count_hidden_pixels_alone():
    rng = np.random.default_rng(3)
    x, guess = rng.random((2, 3, 4, 4)).astype(np.float32), rng.random((2, 3, 4, 4)).astype(np.float32)
    hidden = (rng.random((2, 1, 4, 4)) < 0.5).astype(np.float32)
    errors = [
        abs(guess[i, c, y, z] - x[i, c, y, z])
        for i in range(2) for c in range(3) for y in range(4) for z in range(4) if hidden[i, 0, y, z]
    ]  # fmt: skip
    assert losses.masked_pixels(*both(guess, x, hidden)).item() == pytest.approx(np.mean(errors), rel=1e-5)
