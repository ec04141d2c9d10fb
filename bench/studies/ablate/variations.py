"""From `--vary size=96,448 --vary color,pool` to the variants of an encoder that differ from it in one option each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.errors import BenchError, did_you_mean
from encoders import OPTION_VALUES, OPTIONS, EncoderError, EncoderSpec, resolve, split_options


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One change of an encoder: the option, its value as typed, and the encoder that it makes."""

    factor: str
    value: str
    spec: EncoderSpec


def read_factors(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return option -> values, none where all that the encoder offers are meant. Raises BenchError.

    texts: such as "size=96,224,448" or "color,window,pool"; a word that is no option is one more value of the option
    before it.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        last, has_values = "", False
        for piece in (piece.strip() for piece in text.split(",")):
            key, equals, value = (part.strip() for part in piece.partition("="))
            if not equals and key not in OPTIONS and has_values and key:
                found[last].append(key)
                continue
            if key not in OPTIONS or (equals and not value):
                hint = did_you_mean(key, OPTIONS) or "."
                raise BenchError(
                    f"Got --vary '{piece}'{hint} Expected options of encoders, as size=96,448 or color,pool; there are "
                    f"{', '.join(OPTIONS)}."
                )
            if key in found:
                raise BenchError(f"Got --vary {key} twice; expected its values together, as {key}=A,B.")
            last, has_values = key, bool(equals)
            found[key] = [value] if equals else []
    return {key: tuple(dict.fromkeys(values)) for key, values in found.items()}


def variations_of(encoder: str, factors: Mapping[str, Sequence[str]]) -> tuple[EncoderSpec, list[Variation]]:
    """Return an encoder and its variants, one option changed in each, in the order of factors. Raises BenchError.

    A value that the encoder has anyhow makes no variant.
    """
    base = resolve(encoder)
    found = [one for key, values in factors.items() for one in _of_factor(base, key, values)]
    if not found:
        raise BenchError(f"Got nothing to vary of {base.name}; expected e.g. --vary size=96,224 --vary color.")
    return base, found


def _of_factor(base: EncoderSpec, key: str, values: Sequence[str]) -> list[Variation]:
    specs = {value: _variant(base, key, value) for value in values} or dict(_offered(base, key))
    found = [
        Variation(factor=key, value=value, spec=spec) for value, spec in specs.items() if spec.key != base.key
    ]  # fmt: skip
    if not found:
        raise BenchError(
            f"Got --vary {key} for {base.name}, which has no other {key} to be held against; expected values, as "
            f"--vary {key}=A,B. `bench encoders {split_options(base.full_name)[0]}` tells its options."
        )
    return found


def _offered(base: EncoderSpec, key: str) -> Iterator[tuple[str, EncoderSpec]]:
    """Yield (value, variant) of every value of an option that this encoder takes."""
    size = base.preprocess.size or 0
    for value in (str(size // 2), str(2 * size)) if key == "size" and size else OPTION_VALUES.get(key, ()):
        try:
            yield value, _variant(base, key, value)
        except EncoderError:
            continue


def _variant(base: EncoderSpec, key: str, value: str) -> EncoderSpec:
    name, options = split_options(base.full_name)
    options[key] = value
    return resolve(f"{name}@{','.join(f'{one}={text}' for one, text in options.items())}")
