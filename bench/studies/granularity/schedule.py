"""Making the fits that are missing, by the engine that shares work: what is there is reused, whoever made it.

    <folder>/predictions/<block>.safetensors   see `bench.studies.granularity.predictions`
    <folder>/claims/                           see `bench.work.claims`

A block that was committed is never lost, so that a command which was killed goes on where it stopped, and several that
are started on one folder share the blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.fitting.views import View, check_finite
from bench.studies.granularity.blocks import BagBlock
from bench.studies.granularity.design import Design
from bench.studies.granularity.fits import fit_methods
from bench.studies.granularity.methods import Method
from bench.studies.granularity.predictions import Predictions, join_draws, write_predictions
from bench.work.calls import Call, Engine, Processes
from bench.work.claims import Claims
from bench.work.engine import Job, claim_missing, make_all
from bench.work.local import LOCAL

OnProgress = Callable[[str, int, int], None]  # what, done, total


@dataclass(frozen=True, kw_only=True)
class EncoderDesign:
    """One design on one encoder's embeddings. purity: of its simulated images, NaN where images are as they are."""

    design: Design
    view: View
    purity: float
    blocks: tuple[BagBlock, ...]

    @cached_property
    def by_name(self) -> dict[str, BagBlock]:
        """The blocks by their names."""
        return {block.name: block for block in self.blocks}

    def scaled(self, train: np.ndarray) -> np.ndarray:
        """Return the rows as heads see them, (N, d), scaled by statistics of the training rows."""
        return self.view.scaled(train, self.design.group)

    def predictions(self, folder: Path) -> Iterator[tuple[Method, Predictions]]:
        """Yield what is stored of every method, all draws. Raises BenchError where it is not there any more."""
        for method in dict.fromkeys(block.method for block in self.blocks):
            parts = [block.read(folder) for block in self.blocks if block.method == method]
            whole = [part for part in parts if part is not None]
            if len(whole) < len(parts):
                raise BenchError(
                    f"Got predictions in {folder} that were removed or damaged while their tables were made; expected "
                    "them to stay. Run the same command again: it makes these alone."
                )
            yield method, join_draws(whole)


def make_missing(
    parts: Sequence[EncoderDesign], folder: Path, on_progress: OnProgress = lambda what, done, total: None, *,
    engine: Engine = LOCAL,
) -> tuple[int, int]:  # fmt: skip
    """Make the blocks that have no predictions yet; returns (reused, made), where made by another counts as reused.

    Raises BenchError for embeddings or probabilities that are not finite.
    """
    blocks = {name: block for part in parts for name, block in part.by_name.items()}
    missing = {name for name, block in blocks.items() if block.read(folder) is None}
    if not missing:
        return len(blocks), 0
    check_finite([part.view for part in parts])
    progress = _Progress(parts, folder, on_progress)
    folder = folder.absolute()
    jobs = [Job(names=names, what=part) for part in parts for names in _together(part, missing)]

    progress.tell()
    made = make_all(
        jobs, lambda some: (map(_call, some, repeat(folder)), Processes(at_once=1)),
        lambda job: not all(blocks[name].exists(folder) for name in job.names), engine, lambda made: progress.tell(),
    )  # fmt: skip
    progress.tell()
    Claims(folder / "claims").sweep()  # of who was killed between committing a block and letting go of it
    return len(blocks) - made, made


def _call(job: Job[EncoderDesign], folder: Path) -> Call:
    """Return the call that makes a job, whose parts are its blocks."""
    method, names = job.what.by_name[job.names[0]].method, job.names
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return Call(
        name=f"{job.what.view.name} x {method.head} at {method.images} labelled images ({names[0][:8]}){more}",
        do=_make, own=(names, folder), shared=(job.what,),
        parts=lambda: [_call(Job(names=(name,), what=job.what), folder) for name in names] if more else [],
    )  # fmt: skip


def _make(names: tuple[str, ...], folder: Path, part: EncoderDesign) -> int:
    """Fit those of some blocks of the same draws that nobody else is making, and commit them; returns their number."""
    with Claims(folder / "claims") as claims:
        mine, _ = claim_missing(names, claims, lambda name: not part.by_name[name].exists(folder))
        if not mine:
            return 0
        blocks = {part.by_name[name].method: part.by_name[name] for name in mine}
        heads = {method: block.head for method, block in blocks.items()}
        [draws] = {block.draws for block in blocks.values()}
        for method, predictions in fit_methods(part.design, part.scaled, heads, draws).items():
            block = blocks[method]
            write_predictions(block.path(folder), predictions, block.identity)
            claims.done(block.name)
    return len(mine)


def _together(part: EncoderDesign, missing: set[str]) -> list[tuple[str, ...]]:
    """Return the names of blocks that are fitted together, which scales embeddings once for all of them.

    These are the numbers of labelled cells of one head, one number of labelled images and the same draws. More would
    be lost by a kill, as with several splits none is complete before the last one.
    """
    together: dict[tuple[str, int, int], list[str]] = {}
    for name, block in part.by_name.items():
        if name in missing:
            together.setdefault((block.method.head, block.method.images, block.draws.start), []).append(name)
    return list(map(tuple, together.values()))


class _Progress:
    """Tells of the blocks of every encoder that are there, whoever made them."""

    def __init__(self, parts: Sequence[EncoderDesign], folder: Path, on_progress: OnProgress) -> None:
        self.folder, self.on_progress = folder, on_progress
        self.left = {name: (part.view.name, block) for part in parts for name, block in part.by_name.items()}
        self.total = Counter(encoder for encoder, _ in self.left.values())

    def tell(self) -> None:
        self.left = {name: known for name, known in self.left.items() if not known[1].exists(self.folder)}
        missing = Counter(encoder for encoder, _ in self.left.values())
        for encoder, total in self.total.items():
            self.on_progress(f"fit {encoder}", total - missing[encoder], total)
