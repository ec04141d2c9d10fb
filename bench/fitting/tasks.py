"""Tasks: which units of a sweep are fitted together, how many at once, and what they need.

A task is some units of one encoder, which share their supports. It is cut smaller where there would be fewer tasks
than processes, or where it would take more memory than one of them has; numbers do not depend on it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bench.errors import BenchError
from bench.fitting.fit import SupportRows, SweepInputs
from bench.fitting.plan import Sweep
from bench.fitting.views import View
from bench.heads.pool import keeps_products
from bench.protocol.supports import image_names
from bench.runs.blocks import FitBlock
from bench.runs.tested import scored_items

SHARE = 0.5  # of the machine's memory, where no budget is given
PROCESS = 300e6  # bytes of a process that has imported the libraries
Task = tuple[FitBlock, ...]


def fits_of(unit: FitBlock, sweep: Sweep) -> int:
    """Return the number of fits of a unit: draws x noise rates x splits a draw is scored on."""
    return unit.draws * len(unit.rates) * len(sweep.plan.repeats[0])


def inputs_of(sweep: Sweep, run: Path, device: str = "cpu") -> SweepInputs:
    """Return what the tasks of a sweep need of its table."""
    rows = sweep.plan.test_rows()
    # Labels go wrong as they were given: where they are of images, with all rows of the image.
    by_image = sweep.protocol.shot_unit == "image"
    items = image_names(sweep.table) if by_image else sweep.table["instance"].to_numpy(str)
    return SweepInputs(
        sweep.y, items, sweep.table["group"].to_numpy(str), sweep.classes, sweep.plan,
        rows, scored_items(sweep.table, rows, sweep.classes), sweep.noise_inputs, run, device,
        sweep.foreign, sweep.protocol.scale_by,
    )  # fmt: skip


def draws_of(sweep: Sweep, task: Task) -> SupportRows:
    """Return the draws that a task learns from, by (labels, seed, split)."""
    levels = {block.level for block in task if block.level}
    supports = sweep.draws_of(next(iter(levels))).supports
    counts = {level.count for level in levels}
    return {key: rows for key, rows in supports.items() if key[0] in counts}


def cut_tasks(
    units: Sequence[FitBlock], sweep: Sweep, views: Mapping[str, View], workers: int, budget: float
) -> tuple[list[Task], int]:
    """Return (tasks, costly ones first; how many run at once).

    A task begins as an encoder's units of one series, and of one shot level where a plan has several splits (as none
    is then complete before the last split). The costliest is halved while there are fewer than two a process, or while
    it would not fit.
    Raises BenchError where one unit alone would take more memory than the budget of bytes.
    """
    together: dict[tuple[str, str, int], list[FitBlock]] = {}
    one_split = sum(map(len, sweep.plan.repeats)) == 1
    for unit in sorted(units, key=lambda unit: -unit.shots):
        together.setdefault((unit.encoder, unit.series, 0 if one_split else unit.shots), []).append(unit)
    tasks = [tuple(some) for some in together.values()]

    def size(task: Task) -> float:
        return task_bytes(task, sweep, views[task[0].encoder])

    while long := [task for task in tasks if len(task) > 1]:
        next_cut = max(long, key=size)
        helps = _kept(next_cut, sweep) > size(next_cut) / 2 or size(next_cut) > budget
        if not (helps and size(next_cut) * min(workers, len(tasks)) > budget):
            if len(tasks) >= 2 * workers or workers == 1:
                break
            next_cut = max(long, key=cost)
        tasks.remove(next_cut)
        tasks += _halves(next_cut)
    largest = max(tasks, key=size)
    if size(largest) > budget:
        unit = largest[0]
        raise BenchError(
            f"Got a budget of {budget / 1e9:.1f} GB, but {unit.encoder} x {unit.head} at {unit.shots} shots takes "
            f"about {size(largest) / 1e9:.1f}; give --memory at least that many GB, or ask for fewer shots or seeds."
        )
    at_once = int(max(1, min(workers, len(tasks), budget // size(largest))))
    return sorted(tasks, key=cost, reverse=True), at_once


def cost(task: Task) -> float:
    """Return how much work a task is, in no unit: the labels that are learned from."""
    return sum(unit.shots * unit.draws * len(unit.rates) * max(1, len(unit.settings)) for unit in task)


def _halves(task: Task) -> list[Task]:
    """Cut between shot levels where there are several, else between heads."""
    levels = sorted({unit.shots for unit in task})
    if len(levels) > 1:
        return [tuple(u for u in task if u.shots == levels[-1]), tuple(u for u in task if u.shots != levels[-1])]
    return [task[: len(task) // 2], task[len(task) // 2 :]]


def task_bytes(task: Task, sweep: Sweep, view: View) -> float:
    """Return the estimated bytes that a task takes besides what is mapped from files."""
    n_rows, K = len(sweep.table), len(sweep.classes)
    split = max(len(split.test) for splits in sweep.plan.repeats for split in splits)
    n = max(unit.labels(K) for unit in task)
    rates = max(len(unit.rates) for unit in task)
    settings = max(len(unit.settings) for unit in task)
    shared = sum(map(len, sweep.plan.repeats)) == 1 and keeps_products(n_rows)
    # All rows with their test rows, or what draws ask for: these with test rows of length 1 and on other axes.
    scaled = (n_rows if shared else split) * view.width * (8 + 4 + 4)
    pool = 4 * n_rows * (split + 2 * view.width) if shared else 0  # cosines, rows of length 1 and on other axes
    products = pool + 8 * (4 * n * n + 4 * n * split + 2 * n * view.width)
    folds = 80 * n * n if any(unit.selection == "inner-cv" for unit in task) else 0  # a draw's, for all heads
    scores = 8 * 3 * rates * settings * split * K
    r = min(n, view.width)
    # Of rows left out: scores and probabilities of all label vectors, residuals and curvatures of one; fits, rows.
    chosen = any(unit.selection in ("auto", "loo") for unit in task)
    left_out = 8 * (settings * K * ((2 * rates + 4) * n + rates * r) + n * r) if chosen else 0
    return PROCESS + _kept(task, sweep) + scaled + products + folds + scores + left_out


def _kept(task: Task, sweep: Sweep) -> float:
    """Return the bytes of the predictions that a task holds until they are written."""
    return sum(2.0 * unit.draws * len(unit.rates) * len(sweep.plan.test_rows()) * len(sweep.classes) for unit in task)


def memory_budget() -> float:
    """Return half of the memory in bytes of this machine, or of the container this runs in."""
    total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) if hasattr(os, "sysconf") else 8e9
    with suppress(OSError, ValueError):
        total = min(total, float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return SHARE * total
