"""Where the cells of an image lie: scattered on glass, in files along a stem, or packed in a cross section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SCATTERED = ("neuron", "rbc")  # grown or smeared on glass; the plant classes are cut from tissue


@dataclass(frozen=True)
class Slot:
    """The place of one cell, in px and radians. u runs along `angle`, v across it."""

    y: float
    x: float
    angle: float
    half_length: float
    half_width: float


def scatter(count: int, size: tuple[int, int], unit: float, rng: np.random.Generator) -> list[Slot]:
    """Return `count` slots spread over the image: each the farthest of 12 candidates from those before it
    (Mitchell's best candidate), so that cells touch and overlap a little but do not pile up.
    """
    height, width = size
    margin = 0.07 * min(size)
    placed = np.empty((0, 2))
    for _ in range(count):
        tries = rng.uniform([margin, margin], [height - margin, width - margin], (12, 2))
        gaps = np.linalg.norm(tries[:, None] - placed[None], axis=2).min(1, initial=np.inf)  # (12,)
        placed = np.vstack([placed, tries[np.argmax(gaps)]])
    angles = rng.uniform(0, 2 * np.pi, count)
    long, wide = 24 * unit, 15 * unit
    return [Slot(y, x, angle, long, wide) for (y, x), angle in zip(placed, angles, strict=True)]


def files(count: int, size: tuple[int, int], rng: np.random.Generator) -> list[Slot]:
    """Return `count` slots in parallel files that fill the image, near a common, slightly tilted grain."""
    height, width = size
    upright = rng.random() < 0.6
    angle = (np.pi / 2 if upright else 0.0) + rng.normal(0, 0.11)
    across, along = (width, height) if upright else (height, width)
    n_files = int(np.clip(round(np.sqrt(count * rng.uniform(2.0, 4.2) * across / along)), 1, count))
    members = np.full(n_files, count // n_files)
    members[rng.permutation(n_files)[: count % n_files]] += 1
    spans = _shares(n_files, 0.28, rng) * across * 1.04
    centres = np.cumsum(spans) - spans / 2 - across * 0.52
    du, dv = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])  # (y, x)
    slots = []
    for span, centre, member in zip(spans, centres, members, strict=True):
        lengths = _shares(member, 0.22, rng) * along * 1.16
        starts = np.cumsum(lengths) - lengths / 2 - along * 0.58
        for length, start in zip(lengths, starts, strict=True):
            y, x = np.array([height / 2, width / 2]) + start * du + centre * dv
            slots.append(Slot(float(y), float(x), float(angle), length / 2, span / 2))
    return [slots[i] for i in rng.permutation(count)]


def packed(count: int, size: tuple[int, int], unit: float, rng: np.random.Generator) -> list[Slot]:
    """Return `count` slots of a cross section: jittered rows, each every other row shifted by half a cell."""
    height, width = size
    n_rows = int(np.clip(round(np.sqrt(count * height / width)), 1, count))
    members = np.full(n_rows, count // n_rows)
    members[rng.permutation(n_rows)[: count % n_rows]] += 1
    slots = []
    for row, member in enumerate(members):
        pitch_y, pitch_x = height / n_rows, width / member
        for column in range(member):
            y = (row + 0.5 + rng.normal(0, 0.09)) * pitch_y
            x = (column + 0.5 + (0.2 if row % 2 else -0.2) + rng.normal(0, 0.09)) * pitch_x
            reach = 0.56 * max(pitch_y, pitch_x)
            slots.append(Slot(y, x, rng.uniform(0, 2 * np.pi), reach, reach))
    return [slots[i] for i in rng.permutation(count)]


def between(slot: Slot, other: Slot, share: float) -> Slot:
    """Return the slot that lies `share` of the way from `slot` to `other`, turning the shorter way."""
    turn = (other.angle - slot.angle + np.pi / 2) % np.pi - np.pi / 2
    return Slot(
        slot.y + share * (other.y - slot.y),
        slot.x + share * (other.x - slot.x),
        slot.angle + share * turn,
        slot.half_length + share * (other.half_length - slot.half_length),
        slot.half_width + share * (other.half_width - slot.half_width),
    )


def _shares(count: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Return (count,) positive shares that sum to 1, each within +-`spread` of equal before scaling."""
    raw = 1 + rng.uniform(-spread, spread, count)
    return raw / raw.sum()
