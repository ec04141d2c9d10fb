"""The protocol of a run: how many labels, how wrong, drawn and split how, and how settings are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, did_you_mean
from bench.protocol.confusion_targets import descriptors_in
from bench.protocol.level import Level
from bench.protocol.noise import KINDS, check_foreign, check_noise
from bench.protocol.noise_inputs import spaces_of
from bench.protocol.order import USUAL, check_regime
from bench.protocol.split_kinds import check_split

SCALE_BY = ("pool", "support")  # rows that all are scaled by, the first as a rule; see `bench.fitting.scaling`


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What is asked of every encoder and head. draws: of every level, None for as many as `Level.default_draws` says.

    noise_kinds: how labels go wrong, each kind a row of its own; see `bench.protocol.noise`. confusable: pairs of
    classes of which the first is mistaken for the second, or descriptors that are to find them, for 'asymmetric'.
    foreign: labels that are no classes and whose items 'open-set' puts among the examples. budget: labels in all, a
    series of its own; see `bench.protocol.budget`. split: what is never on both sides; see
    `bench.protocol.split_kinds`. select: how settings are chosen, each kind a row of its own; see
    `bench.fitting.selection`. transfer: the runs that 'transfer' learns from. tuned: the files of `bench tune` that
    'tuned' takes settings from; see `bench.fitting.tuned`. shot_unit: what `shots` counts, see
    `bench.protocol.supports.draw_supports`. support_groups: in which order groups are drawn from, see
    `bench.protocol.order`. scale_by: the rows that all are scaled by, see `bench.fitting.scaling`.
    """

    shots: tuple[int, ...] = ()
    noise: tuple[float, ...] = (0.0,)
    noise_kinds: tuple[str, ...] = ("symmetric",)
    draws: int | None = None
    support_groups: str = USUAL
    select: tuple[str, ...] = ("auto",)
    transfer: tuple[Path, ...] = ()
    tuned: tuple[Path, ...] = ()
    confusable: tuple[tuple[str, str], ...] | tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    budget: tuple[int, ...] = ()
    split: str = "group"
    shot_unit: str = "instance"
    scale_by: str = SCALE_BY[0]

    def __post_init__(self) -> None:
        check_noise(self.noise_kinds, self.noise, self.confusable)
        check_foreign(self.noise_kinds, self.foreign)
        check_split(self.split)
        check_regime(self.support_groups)
        check_scale_by(self.scale_by)
        if not self.levels:
            raise BenchError("Got no number of labels; expected some, e.g. --shots 1,5,10 or --budget 20,50.")
        if self.draws is not None and self.draws < 1:
            raise BenchError(f"Got draws {self.draws}; expected at least 1 (leave it out for 30, 20 or 10 by shots).")
        if not self.select:
            raise BenchError("Got no --select; expected at least one, e.g. --select auto.")
        if ("transfer" in self.select) != bool(self.transfer):
            raise BenchError("Got --select transfer or --transfer RUN without the other; expected both or none.")
        if ("tuned" in self.select) != bool(self.tuned):
            raise BenchError("Got --select tuned or --params FILE without the other; expected both or none.")

    @property
    def levels(self) -> tuple[Level, ...]:
        """The numbers of labels that are learned from: per class, then in all."""
        return (*map(Level, self.shots), *(Level(count, "total") for count in self.budget))

    def rates(self) -> dict[str, tuple[float, ...]]:
        """Return noise kind -> its rates. Clean labels are of all kinds alike, and fitted with the first."""
        kinds = [kind for kind in KINDS if kind in self.noise_kinds]
        return {kind: self.noise if kind == kinds[0] else tuple(filter(None, self.noise)) for kind in kinds}

    def spaces(self) -> tuple[str, ...]:
        """Return the descriptors that noise looks at, which have to take part; see `bench.protocol.noise_inputs`."""
        return tuple(dict.fromkeys([*descriptors_in(self.confusable), *spaces_of(self.noise_kinds)]))


def check_scale_by(scale_by: str) -> None:
    """Raise BenchError for rows that nothing is scaled by."""
    if scale_by not in SCALE_BY:
        hint = did_you_mean(scale_by, SCALE_BY) or "."
        raise BenchError(f"Got --scale-by '{scale_by}'{hint} Expected one of: {', '.join(SCALE_BY)}.")
