"""The words that zero-shot classification uses for each class: templates and names, from a small file or by default.

The file is TOML; both parts may be left out:

    templates = ["a microscopy image of {}", "a fluorescence micrograph of {}"]

    [classes]
    rbc = ["red blood cells", "erythrocytes"]
    neuron = "nerve cells with long processes"

A class gets one prompt for every template and name. Without [classes] the names are those of the classes with
spaces for underscores.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.data.spellings import one_form
from bench.errors import BenchError, did_you_mean
from bench.text import plain

#: An ensemble in the manner of Radford et al. (2021), for what is seen under a microscope.
TEMPLATES = (
    "a microscopy image of {}",
    "a photo of {} through a microscope",
    "a light micrograph of {}",
    "a brightfield image of {}",
    "a phase contrast image of {}",
    "a fluorescence micrograph of {}",
    "a stained slide showing {}",
    "a close-up of {} at high magnification",
    "a blurry microscopy image of {}",
    "biological material under the microscope: {}",
)

Prompts = Mapping[str, tuple[str, ...]]  # class -> its prompts, in the order of the classes


def make_prompts(classes: Sequence[str], file: Path | None = None) -> Prompts:
    """Return the prompts of every class; BenchError for a file that does not give them."""
    given = _read(file) if file else {}
    unknown = [key for key in given if key not in ("templates", "classes")]
    if unknown:
        raise BenchError(f"Got '{unknown[0]}' in {file}; expected templates and [classes].")
    templates = _texts(given.get("templates", TEMPLATES), f"templates of {file}")
    for template in templates:
        if "{}" not in template:
            raise BenchError(f"Got template '{template}' in {file}; expected {{}} where the name of the class goes.")
    names = given.get("classes", {name: _spoken(name) for name in classes})
    if not isinstance(names, dict):
        raise BenchError(f"Got classes = {names!r} in {file}; expected a table [classes] with a line for each class.")
    same = {one_form(name): name for name in classes}  # a file written on another system may spell them otherwise
    names = {name if name in classes else same.get(one_form(name), name): texts for name, texts in names.items()}
    for name in names:
        if name not in classes:
            expected = did_you_mean(name, classes) or f"; expected {', '.join(classes)}."
            raise BenchError(f"Got class '{name}' in {file}{expected}")
    missing = [name for name in classes if name not in names]
    if missing:
        raise BenchError(f"Got no names for class '{missing[0]}' in {file}; expected some for every class of the data.")
    return {
        name: tuple(
            template.replace("{}", text)
            for text in _texts(names[name], f"class '{name}' of {file}")
            for template in templates
        )
        for name in classes
    }


def prompts_file(classes: Sequence[str]) -> str:
    """Return the default prompts as the text of a file to edit."""
    templates = "".join(f"  {_quoted(template)},\n" for template in TEMPLATES)
    names = "".join(f"{_quoted(name)} = [{_quoted(_spoken(name))}]\n" for name in classes)
    return (
        "# {} is where each name goes. A class may have several names or descriptions.\n"
        f"templates = [\n{templates}]\n\n[classes]\n{names}"
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # Notepad writes a mark first
    except OSError as error:
        raise BenchError(
            f"Got prompts {file}, which cannot be read ({error.strerror}); expected a TOML file."
        ) from None
    except ValueError as error:
        raise BenchError(
            f"Got prompts {file}, which is no TOML ({error}); `bench prompts` prints a file to start from."
        ) from None


def _texts(given: object, where: str) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or not texts:
        raise BenchError(f"Got {given!r} for {where}; expected a text or a list of at least one.")
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise BenchError(f"Got {text!r} in {where}; expected a text that is not empty.")
    return list(dict.fromkeys(text.strip() for text in texts))


def _spoken(name: str) -> str:
    return " ".join(name.replace("_", " ").split()) or name


def _quoted(text: str) -> str:
    # A JSON string is a basic string of TOML; characters that are not seen are spelt out as TOML does.
    return "".join(c if plain(c) == c else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))
