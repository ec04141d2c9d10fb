"""A file of options: TOML, whose keys are the names of options without their dashes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean


def read_config(path: Path, command: Any) -> dict[str, Any]:
    """Return parameter -> value as it would be typed, of the options that a command takes from a TOML file.

    A table of the name of a command, such as [run], holds for that command alone and wins over what
    stands before it. BenchError for a file that is no TOML, an option that the command has not, and a value that no
    option can have.
    """
    try:
        known = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Notepad writes a mark first
    except OSError as error:
        raise BenchError(
            f"Got --config {path}, which cannot be read ({error.strerror}); expected a TOML file."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(
            f"Got --config {path}, which is not TOML ({error}); expected lines as shots = [1, 5]."
        ) from None
    options = {
        name.lstrip("-"): parameter
        for parameter in command.params
        if parameter.param_type_name == "option"
        for name in parameter.opts
        if name.startswith("--") and parameter.name != "config"
    }
    tables = {name: value for name, value in known.items() if isinstance(value, dict)}
    given = {name: value for name, value in known.items() if name not in tables} | tables.get(command.name, {})
    found = {}
    for name, value in given.items():
        if name not in options:
            raise BenchError(
                f"Got '{name}' in {path}, which is no option of `{command.name}`{did_you_mean(name, options) or '.'} "
                "Options that another command alone has belong in a table of its name, as [run]."
            )
        found[options[name].name] = as_typed(value, options[name], f"'{name}' in {path}")
    return found


def as_typed(value: Any, parameter: Any, where: str) -> Any:
    """Return a value of TOML as it would be typed."""
    if getattr(parameter, "is_flag", False):
        if not isinstance(value, bool):
            raise BenchError(f"Got {value!r} for {where}; expected true or false.")
        return value
    several = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in several):
        raise BenchError(f"Got {value!r} for {where}; expected a text, a number, or a list of them.")
    texts = [str(one) for one in several]
    if getattr(parameter, "multiple", False):
        return texts
    return ",".join(texts)
