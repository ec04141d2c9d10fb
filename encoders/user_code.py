"""Errors of code that a user wrote: a file of encoders. They are told by file and line, not by a trace."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .errors import EncoderError
from .spec import EncoderSpec, LoadedEncoder, Placement

USER_MODULE = "encoders_user_"  # how the names of the modules begin that are made of such files
ROUNDING = 0.02  # of a vector's length: more than a network in half precision differs by between sizes of a batch


@contextmanager
def blamed_on(file: Path, doing: str, function: Any = None) -> Iterator[None]:
    """Turn an error that arises inside into an EncoderError that names the line of the file.

    doing: what was going on, as "when it was called for an image of shape (24, 24, 3)". function: where it is defined
    is named where no line of the file is at fault by itself. An error that is meant for the user and a lack of memory
    pass.
    """
    try:
        yield
    except (EncoderError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise EncoderError(
            f"Got an error in your encoder file {file}, {_place(error, file, function)}, {doing}: "
            f"{type(error).__name__}: {error}. Correct the file and run the same command again."
        ) from error


def guarded(spec: EncoderSpec, file: Path) -> EncoderSpec:
    """Return a spec of a user's file whose errors, when it is built and when it encodes, name file and line."""
    if spec.build is None:
        raise EncoderError(f"Got encoder '{spec.name}', which has no `build`; expected a function (spec, placement).")
    return replace(spec, build=_guarded_build(spec.build, file))


def _guarded_build(
    build: Callable[[EncoderSpec, Placement], LoadedEncoder], file: Path
) -> Callable[[EncoderSpec, Placement], LoadedEncoder]:
    def built(spec: EncoderSpec, placement: Placement) -> LoadedEncoder:
        with blamed_on(file, "when it was loaded"):
            loaded = build(spec, placement)
        asked_twice = False

        def vectors_of(images: Sequence[Any]) -> Any:
            shapes = ", ".join(sorted({str(getattr(image, "shape", "?")) for image in images}))
            with blamed_on(file, f"when it was given {len(images)} images of shape {shapes}"):
                # Copies: other encoders get the same images, and what works on its image in place would change theirs.
                return loaded.encode([image.copy() for image in images])

        def encode(images: Sequence[Any]) -> Any:
            nonlocal asked_twice
            vectors = vectors_of(images)
            if not asked_twice and len(images):
                _check_same(vectors[-1], vectors_of(images[-1:])[0], spec.name, file)
                asked_twice = True
            return vectors

        return replace(loaded, encode=encode)

    return built


def _check_same(first: np.ndarray, again: np.ndarray, name: str, file: Path) -> None:
    """Refuse two vectors (d,) of one image, made in a batch and alone, that differ by more than rounding."""
    first, again = np.asarray(first, np.float64), np.asarray(again, np.float64)
    if first.shape == again.shape and not np.linalg.norm(first - again) > ROUNDING * np.linalg.norm(first):
        return  # also where one of them is NaN, which is refused for itself
    raise EncoderError(
        f"Got two vectors of one image from encoder '{name}' of {file}: one in a batch, and another for the image by "
        "itself. Expected a vector that depends on its image alone. Set the seed of what is drawn at random for every "
        "image, keep nothing between calls, and call .eval() on a network, for its dropout and batch norms."
    )


def _place(error: BaseException, file: Path, function: Any) -> str:
    """Return "line 6, in brightness (`return 1 / 0`)": the last line of the file that took part in an error."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"line {error.lineno} (`{(error.text or '').strip()}`)"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    if frames:
        last = frames[-1]
        where = "" if last.name == "<module>" else f", in {last.name}"
        return f"line {last.lineno}{where} (`{(last.line or '').strip()}`)"
    code = getattr(function, "__code__", None)
    return f"line {code.co_firstlineno}, in {code.co_name}" if code is not None else "at a line that is not known"
