"""Heads as a producer: the blocks of a sweep are fitted on every draw, by as many processes as asked for.

Embeddings and tables of more than a megabyte are mapped from a file and not copied to the processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from bench.fitting.fit import SweepInputs, fit_task
from bench.fitting.plan import Sweep
from bench.fitting.tasks import Task, cut_tasks, draws_of, fits_of, inputs_of, memory_budget, task_bytes
from bench.fitting.views import View, check_finite
from bench.runs.blocks import FitBlock
from bench.runs.predictions import read_unit
from bench.storage.buckets.mirror import present
from bench.work.bucket_claims import claims_in
from bench.work.calls import Call, Engine, Processes
from bench.work.engine import WAIT_S, make_all
from bench.work.local import LOCAL

OnProgress = Callable[[str, int, int], None]  # head, fits done, fits in all


@dataclass(frozen=True, kw_only=True)
class HeadFits:
    """Fits the blocks of a sweep. views: embeddings, by the name of the encoder.

    workers: processes, each with one BLAS thread. memory: GB for all of them, by estimate (default: half of the
    machine's); it decides how many tasks run at once. device: where heads that can are fitted, "cpu" or torch's name
    of a GPU; units are not named by it, so what one device has made the other takes as it is. scratch: where processes
    share large tables; None leaves it to joblib. engine: who makes them.
    """

    views: Mapping[str, View]
    workers: int = 1
    memory: float | None = None
    device: str = "cpu"
    scratch: Path | None = None
    engine: Engine = LOCAL
    on_progress: OnProgress | None = None

    def plan(self, sweep: Sweep) -> tuple[FitBlock, ...]:
        """Return the blocks that were planned with the sweep, all of encoders that it has views of."""
        return tuple(block for block in sweep.blocks if block.level and block.encoder in self.views)

    def make(self, sweep: Sweep, blocks: Sequence[FitBlock], run: Path) -> tuple[int, int]:
        """Fit the blocks that have no output yet; returns (reused, made), where made by others counts as reused.

        Raises BenchError for embeddings that are not finite.
        """
        run = run.absolute()  # a process that is used again is where it was started
        todo = [block for block in blocks if read_unit(run, block) is None]
        progress = _Progress(sweep, blocks, todo, self.on_progress)
        if not todo:
            return len(blocks), 0
        check_finite([self.views[name] for name in dict.fromkeys(block.encoder for block in todo)])
        inputs = inputs_of(sweep, run, self.device)
        with progress.watched(run):
            made = make_all(
                todo, lambda some: self._calls(some, sweep, inputs), lambda block: not present(block.path(run)),
                self.engine,
            )  # fmt: skip
        claims_in(run / "claims").sweep()  # of who was killed between committing a unit and letting go of it
        return len(blocks) - made, made

    def _calls(
        self, blocks: Sequence[FitBlock], sweep: Sweep, inputs: SweepInputs
    ) -> tuple[Iterable[Call], Processes]:
        """Return what fits some blocks, and by how many processes."""
        workers, _ = self.engine.size(self.workers)
        budget = self.engine.budget(self.memory) or memory_budget()
        tasks, at_once = cut_tasks(blocks, sweep, self.views, workers, budget)
        calls = (_call(task, sweep, self.views, inputs) for task in tasks)
        return calls, Processes(at_once=at_once, scratch=self.scratch)


def _call(task: Task, sweep: Sweep, views: Mapping[str, View], inputs: SweepInputs) -> Call:
    """Return the call that makes a task, whose parts are its units."""
    view = views[task[0].encoder]
    first, more = task[0], f" and {len(task) - 1} more" if len(task) > 1 else ""
    return Call(
        name=f"{first.encoder} x {first.head} at {first.shots} shots ({first.name[:8]}){more}",
        do=fit_task, own=(task, draws_of(sweep, task)), shared=(view, inputs), bytes=task_bytes(task, sweep, view),
        parts=lambda: [_call((unit,), sweep, views, inputs) for unit in task] if len(task) > 1 else [],
    )  # fmt: skip


class _Progress:
    """Tells of the fits that are done, by head, as their units appear in the run's folder, whoever makes them."""

    def __init__(
        self, sweep: Sweep, blocks: Sequence[FitBlock], todo: Sequence[FitBlock], tell: OnProgress | None
    ) -> None:
        self.tell = tell if todo else None
        self.left = list(todo)
        self.fits = {unit.name: fits_of(unit, sweep) for unit in blocks}
        self.total = Counter[str]()
        for unit in blocks:
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
