"""Fine-tuning as a producer: units planned on the draws of the heads, their trainings shared among processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.fitting.finetune.recipe import KINDS, RECIPE, identity_of
from bench.fitting.finetune.train import Network, fine_tune
from bench.fitting.finetune.trainings import Training, assemble, forget, read_answers, trainings_of, write_answers
from bench.fitting.head_fits import OnProgress
from bench.fitting.plan import Sweep, drawn_levels, draws_at, identity_at, noises_at
from bench.fitting.tasks import PROCESS, fits_of, inputs_of, memory_budget
from bench.protocol.level import Level
from bench.runs.blocks import FitBlock
from bench.runs.ledger import write_part
from bench.runs.predictions import as_stored, read_unit, write_unit
from bench.storage.buckets.mirror import present
from bench.work.bucket_claims import claims_in
from bench.work.calls import Call, Engine, Processes
from bench.work.engine import claim_missing, make_all
from bench.work.local import LOCAL

SELECTION = "fixed"  # there is one setting
LIBRARIES = 700e6  # bytes of a process that has imported torch and timm
PER_PIXEL = 2500.0  # bytes that one pixel of a batch takes on its way through a network and back, at most about


@dataclass(frozen=True, kw_only=True)
class Tunable:
    """An encoder that can be fine-tuned.

    key: of its embeddings. load: builds its network. pixels: its inputs uint8 (N, S, S, 3), row i for row i of the
    table, mapped from a file; asked for once there is something to train.
    """

    key: str
    load: Callable[[], Network]
    pixels: Callable[[], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class _Where:
    """Where trainings are made: a run's folder, and a device of torch."""

    run: Path
    device: str


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Trains networks on the draws of a sweep. kinds: of `bench.fitting.finetune.recipe.KINDS`; encoders: by name.

    workers, memory, scratch: see `bench.fitting.head_fits.HeadFits`. device: returns where networks are trained, "cpu"
    or torch's name of a GPU, which one process uses; asked once there is something to train. Units are not named by it.
    """

    kinds: Sequence[str]
    encoders: Mapping[str, Tunable]
    workers: int = 1
    memory: float | None = None
    device: Callable[[], str] = lambda: "cpu"
    scratch: Path | None = None
    engine: Engine = LOCAL
    on_progress: OnProgress | None = None

    def plan(self, sweep: Sweep) -> tuple[FitBlock, ...]:
        """Return a block for every encoder, kind, level and kind of noise."""
        return tuple(
            self._block(sweep, level, encoder, kind, noise)
            for level in drawn_levels(sweep)
            for encoder in self.encoders
            for kind in self.kinds
            for noise in noises_at(sweep, level)[0].items()
        )

    def make(self, sweep: Sweep, blocks: Sequence[FitBlock], run: Path) -> tuple[int, int]:
        """Make the blocks that have no output yet; returns (reused, made). What was cut short goes on where it was."""
        run, made = run.absolute(), 0
        left = [block for block in blocks if read_unit(run, block) is None]
        if not left:
            return len(blocks), 0
        inputs, device = inputs_of(sweep, run), self.device()
        pixels = {name: self.encoders[name].pixels() for name in dict.fromkeys(block.encoder for block in left)}
        names: set[str] = set()
        while left:
            needed = {block.name: [one for _, one in trainings_of(block, sweep, inputs)] for block in left}
            names |= {one.name for own in needed.values() for one in own}
            self._train(needed, left, pixels, _Where(run=run, device=device))
            for block in left:
                predictions = None if present(block.path(run)) else assemble(block, sweep, inputs, run)
                if predictions is not None:
                    predictions = write_unit(run, block, predictions)
                    write_part(run, block, predictions, inputs.tested, inputs.classes)
                    made += 1
            left = [block for block in left if not present(block.path(run))]
        forget(run, names)
        return len(blocks) - made, made

    def _block(
        self, sweep: Sweep, level: Level, encoder: str, kind: str, noise: tuple[str, tuple[float, ...]]
    ) -> FitBlock:
        noise_kind, rates = noise
        made_of = {
            "encoder": self.encoders[encoder].key, **identity_at(sweep, level), "head": identity_of(kind),
            "noise": sweep.noise_inputs.identity(noise_kind, rates),
        }  # fmt: skip
        return FitBlock(
            encoder=encoder, head=kind, level=level, draws=draws_at(sweep, level), rates=rates, noise_kind=noise_kind,
            selection=SELECTION, settings=tuple(identity_of(kind)[2]), shot_unit=sweep.protocol.shot_unit,
            scale_by=sweep.protocol.scale_by, made_of=made_of,
        )  # fmt: skip

    def _train(
        self, needed: Mapping[str, Sequence[Training]], blocks: Sequence[FitBlock], pixels: Mapping[str, np.ndarray],
        where: _Where,
    ) -> None:  # fmt: skip
        """Make the trainings of some blocks that have no answers, here or by others; costly ones first."""
        by_name = {one.name: one for own in needed.values() for one in own}
        for_blocks: dict[str, list[FitBlock]] = {name: [] for name in by_name}
        for block in blocks:
            for one in needed[block.name]:
                for_blocks[one.name].append(block)

        def is_missing(one: Training) -> bool:
            # A unit that another process has committed needs no trainings any more, which that one has removed.
            wanted = not all(present(block.path(where.run)) for block in for_blocks[one.name])
            return wanted and read_answers(where.run, one) is None

        todo = sorted(filter(is_missing, by_name.values()), key=lambda one: -len(one.y))
        total, before = len(by_name), len(by_name) - len(todo)
        tell = self.on_progress or (lambda what, done, total: None)
        how = Processes(
            at_once=self._at_once(todo, pixels) if where.device == "cpu" else 1, scratch=self.scratch,
            libraries=("torch", "timm"),
        )  # fmt: skip
        engine = self.engine if self.engine.here or where.device == "cpu" else LOCAL
        make_all(
            todo, lambda some: (map(self._call, some, repeat(pixels), repeat(where)), how), is_missing, engine,
            lambda made: tell("finetune", before + made, total),
        )  # fmt: skip
        claims_in(where.run / "claims").sweep()

    def _call(self, one: Training, pixels: Mapping[str, np.ndarray], where: _Where) -> Call:
        """Return the call that makes a training."""
        return Call(
            name=f"{one.kind} of {one.encoder} on {len(one.y)} labels ({one.name[:8]})",
            do=_make, own=(one, self.encoders[one.encoder].load), shared=(pixels[one.encoder], where),
        )  # fmt: skip

    def _at_once(self, todo: Sequence[Training], pixels: Mapping[str, np.ndarray]) -> int:
        """Return how many processes train at a time; BenchError where one would take more than the memory given."""
        if not todo:
            return 1
        budget = self.engine.budget(self.memory) or memory_budget()
        side = max(pixels[name].shape[1] for name in {one.encoder for one in todo})
        one = PROCESS + LIBRARIES + PER_PIXEL * RECIPE.batch * side**2
        if one > budget:
            raise BenchError(
                f"Got a budget of {budget / 1e9:.1f} GB, but fine-tuning at {side} x {side} pixels takes about "
                f"{one / 1e9:.1f}; give --memory at least that many GB, or name a smaller input, as @size=96."
            )
        return int(max(1, min(self.engine.size(self.workers)[0], len(todo), budget // one)))


def count_trainings(sweep: Sweep, blocks: Sequence[FitBlock], run: Path) -> list[dict[str, object]]:
    """Return a row per block for `bench.fitting.forecast.Forecast.table`; their time is not known."""
    return [
        {"head": block.head, "selection": block.selection, "noise_kind": block.noise_kind, "series": block.series,
         "shots": block.shots, "seeds": block.draws, "splits": len(sweep.plan.repeats[0]), "noise": len(block.rates),
         "encoders": 1, "fits": fits_of(block, sweep), "done": fits_of(block, sweep) * block.path(run).exists(),
         "seconds": np.nan}
        for block in blocks
    ]  # fmt: skip


_loaded: dict[str, Network] = {}  # the network of the last training in this process, by key


def _make(training: Training, load: Callable[[], Network], pixels: np.ndarray, where: _Where) -> int:
    """Do a training unless another does it or has done it; returns whether it was done here, as 0 or 1."""
    run, device = where.run, where.device
    with claims_in(run / "claims") as claims:
        mine, _ = claim_missing([training.name], claims, lambda name: not training.path(run).exists())
        if not mine:
            return 0
        if training.key not in _loaded:
            _loaded.clear()
            _loaded[training.key] = load()
        clock = time.process_time if device == "cpu" else time.perf_counter  # whoever else uses the machine
        started = clock()
        answer = fine_tune(
            _loaded[training.key], pixels[training.rows], training.y, training.n_classes, recipe=RECIPE,
            last=KINDS[training.kind], key=training.random_key, names=training.names.tolist(), device=device,
        )  # fmt: skip
        P = answer(pixels[training.test])
        seconds = clock() - started
        if not np.isfinite(P).all():
            raise BenchError(f"Fine-tuning '{training.encoder}' gave probabilities that are not finite.")
        write_answers(run, training, as_stored(P), seconds)
        claims.done(training.name)
        return 1
