"""Options on what is asked of every encoder and head: labels, draws, wrong labels, splits, settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bench.cli.options.groups import BASIC, HEADS, LABELS, NOISE, option
from bench.cli.options.reading import numbers, words
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.protocol.protocol import Protocol

Shots = Annotated[str, option(BASIC, "Labelled examples per class, e.g. 1,5,10.", value="NUMBERS")]
Draws = Annotated[
    int | None,
    option(
        LABELS, "Random choices of the labelled examples (default: 30, 20 or 10 by their number).", value="N", min=1
    ),
]
SupportGroups = Annotated[
    str,
    option(
        LABELS,
        "From which groups (slides, patients) the labelled examples come: spread (round all of them, those that hold "
        "more of a class more often), proportional (as they come), concentrated (from few).",
        value="KIND",
    ),
]
ScaleBy = Annotated[
    str,
    option(
        LABELS,
        "What embeddings are centred and scaled by: pool (all images of the training side, no labels), or support "
        "(the labelled examples of a draw alone).",
        value="ROWS",
    ),
]


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions:
    """What is asked of every encoder and head."""

    shots: Shots = "1,5,10"
    noise: Annotated[str, option(BASIC, "Shares of wrong training labels, e.g. 0,0.2,0.4.", value="NUMBERS")] = "0"
    budget: Annotated[
        str,
        option(
            LABELS, "Also so many labels in all, e.g. 20,50: of the classes as they come, rare ones rarely.",
            value="NUMBERS",
        ),
    ] = ""  # fmt: skip
    draws: Draws = None
    support_groups: SupportGroups = "spread"
    shot_unit: Annotated[
        str,
        option(
            LABELS, "What --shots counts: instance (a tile or cell), or image, with all its tiles or cells.",
            value="UNIT",
        ),
    ] = "instance"  # fmt: skip
    split: Annotated[
        str,
        option(
            LABELS,
            "What is never both learned from and tested: {split kinds}.",
            value="KIND",
        ),
    ] = "group"
    scale_by: ScaleBy = "pool"
    noise_kind: Annotated[
        str,
        option(
            NOISE,
            "How labels go wrong, each kind with rows of its own: {noise kinds}.",
            value="KINDS",
        ),
    ] = "symmetric"
    confusable: Annotated[
        str,
        option(
            NOISE,
            "For asymmetric: which class is mistaken for which, e.g. 'a>b,b>a'; auto: as colour, texture and "
            "thumbnail confuse them; or the names of descriptors to go by (default: each for the next in alphabetical "
            "order).",
            value="PAIRS",
        ),
    ] = ""
    foreign: Annotated[
        str,
        option(NOISE, "For open-set: classes that are not told apart, only put among the examples.", value="CLASSES"),
    ] = ""
    select: Annotated[
        str,
        option(
            HEADS,
            "How settings are chosen, each kind with rows of its own: {selection kinds}.",
            value="KINDS",
        ),
    ] = "auto"
    transfer: Annotated[
        list[Path] | None,
        option(HEADS, "A run of other data with --select oracle, for --select transfer. Repeat.", value="FOLDER"),
    ] = None
    params: Annotated[
        list[Path] | None,
        option(
            HEADS,
            "A tuned.json of `bench tune`, for rows of their own (tuned). Groups it was tuned on are left out of the "
            "whole run. Repeat.",
            value="FILE",
        ),
    ] = None

    def numbers(self) -> tuple[tuple[int, ...], tuple[float, ...], tuple[int, ...]]:
        """Return shots, noise rates and budgets; BenchError where one is no number."""
        return (
            tuple(numbers(self.shots, "--shots", int)), tuple(numbers(self.noise, "--noise", float)),
            tuple(numbers(self.budget, "--budget", int)),
        )  # fmt: skip

    def protocol(self) -> Protocol:
        """Return what is asked of every encoder and head."""
        from bench.data.spellings import one_form
        from bench.protocol.confusion_targets import read_confusable
        from bench.protocol.protocol import Protocol

        shots, noise, budget = self.numbers()
        select = dict.fromkeys([*words(self.select), *["tuned"] * bool(self.params)])
        return Protocol(
            shots=shots, noise=noise, noise_kinds=tuple(dict.fromkeys(words(self.noise_kind))), draws=self.draws,
            support_groups=self.support_groups, select=tuple(select), transfer=tuple(self.transfer or ()),
            tuned=tuple(self.params or ()), confusable=read_confusable(one_form(self.confusable)),
            foreign=tuple(words(self.foreign)), budget=budget, split=self.split, shot_unit=self.shot_unit,
            scale_by=self.scale_by,
        )  # fmt: skip


def one_number(text: str, option_name: str) -> int:
    """Return the only whole number of a text; BenchError where there are several, or none."""
    found = numbers(text, option_name, int)
    if len(found) != 1:
        raise BenchError(f"Got {option_name} '{text}'; expected one number, e.g. {option_name} 10.")
    return found[0]
