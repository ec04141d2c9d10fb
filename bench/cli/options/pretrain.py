"""Options of the methods of `bench pretrain`, named as the fields of their settings; None is the field's default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Annotated, Any

from bench.cli.options.groups import BASIC, STUDY, option
from bench.errors import BenchError
from bench.studies.pretrain.names import COLOURS, METHODS

Method = Annotated[
    str,
    option(
        BASIC, f"How to learn: {'; '.join(f'{name} ({about})' for name, about in METHODS.items())}.",
        "--method", value="METHOD",
    ),
]
Steps = Annotated[
    int | None, option(BASIC, "Batches that a network learns from (default: 1000, in a pilot 300).", value="N", min=1)
]
Batch = Annotated[
    int | None,
    option(STUDY, "Instances in a batch of a network (default: 128, in a pilot 64).", value="N", min=4, max=65_536),
]
InputSize = Annotated[
    int | None,
    option(
        STUDY, "Side of the input in pixels (default: 64, in a pilot 96).", "--size", value="PIXELS", min=16, max=512
    ),
]
Most = Annotated[
    int, option(STUDY, "Instances that are learned from at most, drawn by hash.", "--most", value="N", min=10)
]


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """What can be chosen where a network is learned."""

    backbone: Annotated[
        str | None,
        option(
            BASIC,
            "Network to learn, timm:NAME (default: that of --init, else a small one: mobilenetv4_conv_small_050, or a "
            "small vision transformer for mae).",
            value="timm:NAME",
        ),
    ] = None
    init: Annotated[
        str | None,
        option(
            BASIC, "What a network starts from: random (default), imagenet, a file of weights, an encoder such as "
            "efficientnet-lite0, or a folder that was made here before.", value="WEIGHTS",
        ),
    ] = None  # fmt: skip
    teacher: Annotated[
        str | None,
        option(
            STUDY, "Encoder that --method distill learns from (default: lite0-cells); its licence may bind what is "
            "made.", value="ENCODER",
        ),
    ] = None  # fmt: skip
    steps: Steps = None
    batch: Batch = None
    learning_rate: Annotated[
        float | None,
        option(
            STUDY, "Highest learning rate of a network (default: 0.001, 0.00005 where it starts from learned weights).",
            value="RATE",
        ),
    ] = None  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DictionaryOptions:
    """What can be chosen where a dictionary is learned."""

    words: Annotated[
        int | None, option(STUDY, "Patches in a dictionary (default: 400).", value="N", min=2, max=8192)
    ] = None
    patch: Annotated[
        int | None, option(STUDY, "Side of a dictionary's patch (default: 6).", value="PIXELS", min=2, max=32)
    ] = None
    grid: Annotated[
        int | None,
        option(
            STUDY, "A dictionary pools over N x N parts of the image; 1 forgets where something is, as befits cells "
            "(default: 1).", value="N", min=1, max=8,
        ),
    ] = None  # fmt: skip


def given(*bundles: Any) -> dict[str, Any]:
    """Return the options of bundles that were typed, by the names of their fields."""
    values = {field.name: getattr(bundle, field.name) for bundle in bundles for field in fields(bundle)}
    return {name: value for name, value in values.items() if value is not None}


def settings_of(kind: type, method: str, values: dict[str, Any], colour: str, seed: int) -> Any:
    """Return the settings of a method; BenchError for an option that it does not have."""
    known = {field.name for field in fields(kind)}
    for name in values:
        if name not in known:
            raise BenchError(
                f"Got --{name.replace('_', '-')} with --method {method}, which has no such option; expected one of "
                f"{_as_options(known)}. Leave it out."
            )
    if "colour" in known:
        values = {**values, "colour": colour}
    elif colour == "jittered":
        raise BenchError(f"Got --colour jittered with --method {method}, which makes no views; expected kept or grey.")
    return kind(**values, seed=seed)


def one_of_colours(colour: str) -> None:
    """Raise BenchError for a way with colour that there is not."""
    if colour not in COLOURS:
        raise BenchError(f"Got --colour {colour}; expected one of {', '.join(COLOURS)}. kept is the default.")


def _as_options(names: Iterable[str]) -> str:
    typed = {field.name for bundle in (NetworkOptions, DictionaryOptions) for field in fields(bundle)}
    return ", ".join(f"--{name.replace('_', '-')}" for name in sorted(typed & set(names)))
