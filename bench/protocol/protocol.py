"""The protocol of a run: how many labels, how wrong, drawn and split how, and how settings are chosen.

Every field is a knob, from which the command line makes an option; see `bench.protocol.knob`. What checks a value is
imported when there is one, as the command line reads this file before all else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean
from bench.protocol.knob import knob
from bench.protocol.level import Level

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

    shots: tuple[int, ...] = knob(
        (), "Basic options", "Labelled examples per class, e.g. 1,5,10.", value="NUMBERS", typed="1,5,10"
    )
    noise: tuple[float, ...] = knob(
        (0.0,), "Basic options", "Shares of wrong training labels, e.g. 0,0.2,0.4.", value="NUMBERS", typed="0"
    )
    budget: tuple[int, ...] = knob(
        (),
        "Labels and draws",
        "Also draw this total number of labels, e.g. 20,50, with classes as frequent as in the data.",
        value="NUMBERS",
    )
    draws: int | None = knob(
        None,
        "Labels and draws",
        "How many random choices of the labelled examples are averaged (default: 30, 20 or 10, fewer for more labels).",
        value="N",
        least=1,
    )
    support_groups: str = knob(
        "spread",
        "Labels and draws",
        "From which groups (slides, patients) the labelled examples come: spread (from all in turn, more from those "
        "with more of the class), proportional (at random), concentrated (from as few as possible).",
        value="KIND",
    )
    shot_unit: str = knob(
        "instance",
        "Labels and draws",
        "What --shots counts: instance (a tile or cell), or image, with all its tiles or cells.",
        value="UNIT",
    )
    split: str = knob(
        "group", "Labels and draws", "What is never in both training and test: {split kinds}.", value="KIND"
    )
    scale_by: str = knob(
        SCALE_BY[0],
        "Labels and draws",
        "Images by which embeddings are centred and scaled: pool (all images of the training side, without their "
        "labels), or support (only the labelled examples of a draw).",
        value="ROWS",
    )
    noise_kinds: tuple[str, ...] = knob(
        ("symmetric",),
        "Wrong labels",
        "How labels are made wrong; each kind gets rows of its own: {noise kinds}.",
        value="KINDS",
        option="noise-kind",
    )
    confusable: tuple[tuple[str, str], ...] | tuple[str, ...] = knob(
        (),
        "Wrong labels",
        "For asymmetric: which class is mistaken for which, e.g. 'a>b,b>a'; or auto: as colour, texture and thumbnail "
        "confuse them; or names of other descriptors to use instead (default: each class for the next in alphabetical "
        "order).",
        value="PAIRS",
    )
    foreign: tuple[str, ...] = knob(
        (),
        "Wrong labels",
        "For open-set: classes whose items are mixed into the examples under wrong labels; they are not classes of "
        "the run.",
        value="CLASSES",
    )
    select: tuple[str, ...] = knob(
        ("auto",),
        "Heads and their settings",
        "How the settings of heads are chosen; each way gets rows of its own: {selection kinds}.",
        value="KINDS",
    )
    transfer: tuple[Path, ...] = knob(
        (),
        "Heads and their settings",
        "For --select transfer: a run on other data that was made with --select oracle. Repeat.",
        value="FOLDER",
    )
    tuned: tuple[Path, ...] = knob(
        (),
        "Heads and their settings",
        "A tuned.json of `bench tune`, which adds rows with these settings (tuned). Groups used for tuning are left "
        "out of the whole run. Repeat.",
        value="FILE",
        option="params",
    )

    def __post_init__(self) -> None:
        from bench.protocol.noise import check_foreign, check_noise
        from bench.protocol.order import check_regime
        from bench.protocol.split_kinds import check_split

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

    @property
    def drawing(self) -> dict[str, Any]:
        """How supports are drawn: what `draw_supports` takes besides the table, the splits and the levels."""
        return {"draws": self.draws, "regime": self.support_groups, "unit": self.shot_unit}

    def rates(self) -> dict[str, tuple[float, ...]]:
        """Return noise kind -> its rates. Clean labels are of all kinds alike, and fitted with the first."""
        from bench.protocol.noise import KINDS

        kinds = [kind for kind in KINDS if kind in self.noise_kinds]
        return {kind: self.noise if kind == kinds[0] else tuple(filter(None, self.noise)) for kind in kinds}

    def spaces(self) -> tuple[str, ...]:
        """Return the descriptors that noise looks at, which have to take part; see `bench.protocol.noise_inputs`."""
        from bench.protocol.confusion_targets import descriptors_in
        from bench.protocol.noise_inputs import spaces_of

        return tuple(dict.fromkeys([*descriptors_in(self.confusable), *spaces_of(self.noise_kinds)]))


def check_scale_by(scale_by: str) -> None:
    """Raise BenchError for rows that nothing is scaled by."""
    if scale_by not in SCALE_BY:
        hint = did_you_mean(scale_by, SCALE_BY) or "."
        raise BenchError(f"Got --scale-by '{scale_by}'{hint} Expected one of: {', '.join(SCALE_BY)}.")
