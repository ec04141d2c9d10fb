"""Encoders that cannot be had: an unknown name, weights that are not here, no network, a package that is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import BenchError
from encoders import EncoderError, EncoderSpec, check_aliases, resolve


def resolve_all(names: Sequence[str], *, allow_missing: bool | None) -> tuple[list[EncoderSpec], dict[str, str]]:
    """Return (the specs of names, name -> why of those that stand for no encoder); see `refuse_missing`.

    Raises EncoderError where one encoder has two names, or one name two encoders.
    """
    specs, missing = [], {}
    for name in names:
        try:
            specs.append(resolve(name))
        except EncoderError as error:
            missing[name] = str(error)
    refuse_missing(missing, allow_missing=allow_missing)
    check_aliases(specs)
    return specs, missing


def refuse_missing(missing: Mapping[str, str], *, allow_missing: bool | None) -> None:
    """Raise BenchError where an encoder is missing, unless that is allowed; None: where no option allows it.

    missing: name -> why.
    """
    if missing and not allow_missing:
        leave = f"leave {'it' if len(missing) == 1 else 'them'} out"
        do = f"or {leave}" if allow_missing is None else f"{leave}, or give --allow-missing to go on with the others"
        raise BenchError(
            *missing.values(),
            f"So {', '.join(missing)} cannot take part, and nothing was embedded or fitted. Correct that, {do}.",
        )


def left_out(missing: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is told of encoders that are missing, a sentence each."""
    return tuple(f"{name} took no part, as it is missing. {reason}" for name, reason in missing.items())
