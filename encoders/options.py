"""The options of a variant: `NAME@key=value,key=value` to checked values and back to a canonical name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .errors import EncoderError, did_you_mean
from .spec import PRECISIONS, Preprocess

#: Reads one option's text; raises ValueError whose text says what was expected.
Reader = Callable[[str], object]

COLORS = ("rgb", "grey")
WINDOWS = ("percentile", "percentile-each", "range")
STACKS = ("first", "middle", "max", "mean")
INTERVENTIONS = ("none", "zscore", "shuffle")
ORIENTATIONS = ("off", "mean")
#: What an option may be where its values are words; an encoder offers some of them.
OPTION_VALUES: Mapping[str, tuple[str, ...]] = {
    "color": COLORS, "window": WINDOWS, "stack": STACKS, "intervene": INTERVENTIONS, "orient8": ORIENTATIONS,
    "pool": ("default", "avg", "max", "layers", "cls", "mean", "cls+mean"), "precision": PRECISIONS,
}  # fmt: skip
_NUMBER = r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?"
#: What variants are made by; no alias.
OPTIONS = (
    "backend", "channels", "color", "intervene", "orient8", "pool", "precision", "size", "stack", "weights", "window",
)  # fmt: skip
_KEY_VALUE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def split_names(text: str) -> list[str]:
    """Split "dino,resnet50@size=448,color=grey" into variants; a piece `key=value` continues one that has options.

    After one that has none it is an alias and its encoder: "mine=timm:resnet18,dino". An alias that follows options is
    given by itself, as it could be one of them.
    """
    variants: list[str] = []
    for piece in (piece.strip() for piece in text.split(",")):
        if not piece:
            raise EncoderError(f"Got an empty name in '{text}'; expected NAME[@key=value,...] between commas.")
        if _KEY_VALUE.match(piece) and variants and "@" in variants[-1]:
            variants[-1] += "," + piece
        elif piece.partition("=")[0] in OPTIONS:
            raise EncoderError(f"Got option '{piece}' without an encoder in '{text}'; write NAME@{piece}.")
        else:
            variants.append(piece)
    return variants


def split_alias(text: str) -> tuple[str, str]:
    """Split "mine=NAME[@key=value,...]" into the alias and the rest; the alias is "" where there is none."""
    alias, equals, rest = text.strip().partition("=")
    return (alias.strip(), rest.strip()) if equals and not set("@:/\\") & set(alias) else ("", text.strip())


def split_options(text: str) -> tuple[str, dict[str, str]]:
    """Split "NAME@key=value,..." at its first "@" into the name and the options as given."""
    name, at, rest = text.strip().partition("@")
    options: dict[str, str] = {}
    for piece in rest.split(",") if at else []:
        key, equals, value = (part.strip() for part in piece.partition("="))
        if not key or not equals or not value:
            raise EncoderError(f"Got '{piece}' in '{text}'; expected key=value, as in {name}@size=448,color=grey.")
        if key in options:
            raise EncoderError(f"Got '{key}' twice in '{text}'; give it once.")
        options[key] = value
    return name, options


def read_options(
    name: str, given: Mapping[str, object], readers: Mapping[str, Reader], defaults: Mapping[str, object]
) -> tuple[dict[str, object], str]:
    """Check the options given against what the encoder allows.

    Returns the value of every option, defaults filled in, and the canonical name of the variant: the base
    name and, sorted, the options that differ from their defaults.
    """
    values = dict(defaults)
    for key, text in given.items():
        if key not in readers:
            allowed = ", ".join(sorted(readers)) or "none"
            raise EncoderError(
                f"Got option '{key}' for encoder '{name}'{did_you_mean(key, readers) or '.'} "
                f"Options of '{name}': {allowed}."
            )
        try:
            values[key] = readers[key](str(text))
        except ValueError as error:
            raise EncoderError(f"Got {key}={text} for encoder '{name}'; {error}.") from None
    changed = [f"{key}={values[key]}" for key in sorted(given) if values[key] != defaults[key]]
    return values, name + ("@" + ",".join(changed) if changed else "")


def one_of(*choices: str) -> Reader:
    """Return a reader that accepts exactly the `choices`."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return read


def whole(low: int, high: int, multiple: int = 1) -> Reader:
    """Return a reader of whole numbers from `low` to `high` that are multiples of `multiple`."""
    expected = f"expected a whole number from {low} to {high}" + (
        f" that is a multiple of {multiple}" if multiple > 1 else ""
    )

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high or int(text) % multiple:
            raise ValueError(expected)
        return int(text)

    return read


def read_window(text: str) -> tuple[float, float] | None:
    """Return (low, high) of "LOW-HIGH", or None for the name of a window."""
    match = re.fullmatch(f"({_NUMBER})-({_NUMBER})", text)
    return (float(match[1]), float(match[2])) if match else None


def window_text(text: str) -> str:
    """Read the option window; the numbers of LOW-HIGH lose needless zeros, so that a window has one name."""
    limits = read_window(text)
    if text not in WINDOWS and (limits is None or limits[0] >= limits[1]):
        raise ValueError(f"expected one of {', '.join(WINDOWS)}, or LOW-HIGH with LOW < HIGH, as 0-4095")
    return text if limits is None else "-".join(repr(limit + 0.0).removesuffix(".0") for limit in limits)


def channels_text(text: str) -> str:
    """Read the option channels; names become lower case, for they are matched so."""
    words = [word.strip().casefold() for word in text.removeprefix("each:").split("+")]
    words = [str(int(word)) if re.fullmatch(r"[0-9]{1,4}", word) else word for word in words]
    one_by_one = text.startswith("each:")
    special = set(words) & {"auto", "each"}
    if text not in ("auto", "each") and ("" in words or special or (len(words) > 3 and not one_by_one)):
        raise ValueError(
            "expected auto, each, each:A+B+..., or one to three channels A+B+C for red, green and blue, by name or "
            "counted from 0 (Fiji's channel 1 is 0), as DNA+ER+Mito or 2+0+1"
        )
    return "each:" * one_by_one + "+".join(words)


#: The options on how an image becomes an input, but its size; named as the fields of `Preprocess`.
IMAGE_READERS: dict[str, Reader] = {
    "color": one_of(*COLORS), "window": window_text, "channels": channels_text, "stack": one_of(*STACKS),
    "intervene": one_of(*INTERVENTIONS),
}  # fmt: skip
#: The options that every encoder has but those of the size of its input.
COMMON_READERS: dict[str, Reader] = {**IMAGE_READERS, "orient8": one_of(*ORIENTATIONS)}


def common_defaults(declared: Preprocess, given: Mapping[str, object]) -> dict[str, object]:
    """Return the defaults of `COMMON_READERS`.

    Channels that were chosen each have a window of their own unless one is given: they are mostly fluorescence,
    whose channels have nothing to do with each other, and under a common window the brightest hides the rest.
    Without a choice the window is common, so that the colours of a 16-bit colour image stay what they are.
    """
    defaults: dict[str, object] = {**{key: getattr(declared, key) for key in IMAGE_READERS}, "orient8": "off"}
    if given.get("channels", "auto") != "auto" and declared.window == "percentile":
        defaults["window"] = "percentile-each"
    return defaults
