"""Tasks over processes: which units are fitted together, how many tasks at once, and who makes what.

A task is some units of one encoder, which share their supports. It is cut smaller where there would be fewer tasks
than processes, or where it would take more memory than one of them has; numbers do not depend on it. Embeddings and
tables of more than a megabyte are mapped from a file and not copied to the processes.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import numpy as np

from bench.errors import BenchError
from bench.fitting.fit import SupportRows, SweepInputs, fit_units
from bench.fitting.plan import Sweep
from bench.fitting.views import View
from bench.heads.pool import keeps_products
from bench.protocol.supports import image_names
from bench.runs.blocks import FitBlock
from bench.runs.predictions import read_unit
from bench.runs.tested import scored_items
from bench.storage.buckets.mirror import present
from bench.work.bucket_claims import claims_in
from bench.work.calls import Call, Engine, Processes
from bench.work.engine import WAIT_S, Job, share, until_made
from bench.work.local import LOCAL

SHARE = 0.5  # of the machine's memory, where no budget is given
PROCESS = 300e6  # bytes of a process that has imported the libraries
Task = tuple[FitBlock, ...]
OnProgress = Callable[[str, int, int], None]  # head, fits done, fits in all


def run_units(
    sweep: Sweep,
    views: Mapping[str, View],
    run: Path,
    *,
    workers: int = 1,
    memory: float | None = None,
    device: str = "cpu",
    scratch: Path | None = None,
    engine: Engine = LOCAL,
    on_progress: OnProgress | None = None,
) -> tuple[int, int]:
    """Do the units that have no output yet; returns (reused, made), where made by another process counts as reused.

    workers: processes, each with one BLAS thread. memory: GB for all of them, by estimate (default: half of the
    machine's); it decides how many tasks run at once. device: where heads that can are fitted, "cpu" or torch's name
    of a GPU; units are not named by it, so what one device has made the other takes as it is. scratch: where processes
    share large tables; None leaves it to joblib. engine: who makes them. Raises BenchError for embeddings that are not
    finite.
    """
    workers, _ = engine.size(workers)
    run = run.absolute()  # a process that is used again is where it was started
    todo = [unit for unit in sweep.blocks if read_unit(run, unit) is None]
    progress = _Progress(sweep, todo, on_progress)
    if not todo:
        return len(sweep.blocks), 0
    check_finite([views[name] for name in dict.fromkeys(unit.encoder for unit in todo)])
    inputs = inputs_of(sweep, run, device)
    budget = engine.budget(memory) or memory_budget()

    def attempt(units: Sequence[FitBlock]) -> int:
        with progress.watched(run):
            tasks, at_once = cut_tasks(units, sweep, views, workers, budget)
            calls = (_call(task, sweep, views, inputs) for task in tasks)
            return sum(engine.each(calls, Processes(at_once=at_once, scratch=scratch)))

    made = until_made(todo, attempt, lambda unit: not present(unit.path(run)))
    claims_in(run / "claims").sweep()  # of who was killed between committing a unit and letting go of it
    return len(sweep.blocks) - made, made


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


def check_finite(views: Sequence[View]) -> None:
    """Raise BenchError for the first view with numbers that are not finite."""
    for view in views:
        if count := view.broken():
            raise BenchError(
                f"Got {count} embeddings of '{view.name}' that hold NaN or infinity; expected finite numbers. "
                "Check the images they are of, or leave the encoder out."
            )


class _Progress:
    """Tells of the fits that are done, by head, as their units appear in the run's folder, whoever makes them."""

    def __init__(self, sweep: Sweep, todo: Sequence[FitBlock], tell: OnProgress | None) -> None:
        self.tell = tell if todo else None
        self.left = list(todo)
        self.fits = {unit.name: fits_of(unit, sweep) for unit in sweep.blocks}
        self.total = Counter[str]()
        for unit in sweep.blocks:
            self.total[unit.head] += self.fits[unit.name]

    @contextmanager
    def watched(self, run: Path) -> Iterator[None]:
        """Look every WAIT_S while the block runs, and once after it."""
        ended = Event()

        def look() -> None:
            self._look(run)
            while not ended.wait(WAIT_S):
                self._look(run)

        thread = Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        self._look(run)

    def _look(self, run: Path) -> None:
        if self.tell is None:
            return
        self.left = [unit for unit in self.left if not unit.path(run).exists()]
        missing = Counter[str]()
        for unit in self.left:
            missing[unit.head] += self.fits[unit.name]
        for head, total in self.total.items():
            self.tell(head, total - missing[head], total)


def fits_of(unit: FitBlock, sweep: Sweep) -> int:
    """Return the number of fits of a unit: draws x noise rates x splits a draw is scored on."""
    return unit.draws * len(unit.rates) * len(sweep.plan.repeats[0])


def _call(task: Task, sweep: Sweep, views: Mapping[str, View], inputs: SweepInputs) -> Call:
    """Return the call that makes a task, whose parts are its units."""
    view = views[task[0].encoder]
    first, more = task[0], f" and {len(task) - 1} more" if len(task) > 1 else ""
    return Call(
        name=f"{first.encoder} x {first.head} at {first.shots} shots ({first.name[:8]}){more}",
        do=_run_task, own=(task, _own_draws(sweep, task), os.getpid()), shared=(view, inputs),
        bytes=task_bytes(task, sweep, view),
        parts=lambda: [_call((unit,), sweep, views, inputs) for unit in task] if len(task) > 1 else [],
    )  # fmt: skip


def _own_draws(sweep: Sweep, task: Task) -> SupportRows:
    levels = {block.level for block in task if block.level}
    supports = sweep.draws_of(next(iter(levels))).supports
    counts = {level.count for level in levels}
    return {key: rows for key, rows in supports.items() if key[0] in counts}


def _run_task(task: Task, supports: SupportRows, parent: int, view: View, inputs: SweepInputs) -> int:
    """Make the units of a task that nobody else is making; returns their number."""
    if os.getpid() != parent:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    at = {unit.name: unit for unit in task}
    made = 0
    with claims_in(inputs.run / "claims") as claims:
        job = Job(names=tuple(at), what=view)
        for mine in share([job], claims, lambda name: not present(at[name].path(inputs.run)), wait=False):
            if mine is not None:
                own = [at[name] for name in mine.names]
                fit_units(own, view, supports, inputs, lambda unit: claims.done(unit.name))
                made += len(own)
    return made


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


def mapped(X: np.ndarray, folder: Path, name: str) -> np.ndarray:
    """Return X written to a file of `folder` and mapped from there, so that processes share it without a copy."""
    path = folder / f"{name}.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")
