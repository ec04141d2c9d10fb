"""Encoders of others, a file of the user's or a plug-in: what they give is checked, and errors name file and line."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from .encode import check_finite, real_numbers
from .errors import EncoderError
from .spec import SCALINGS, EncoderSpec, LoadedEncoder, Placement, Preprocess

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
            f"Got an error in the encoder file {file}, {_place(error, file, function)}, {doing}: "
            f"{type(error).__name__}: {error}. Correct the file and run the same command again."
        ) from error


def spec_of_others(
    name: str, make: Callable[..., Any], options: Mapping[str, str], file: Path
) -> EncoderSpec:
    """Return the spec that others' code gives for options, checked, with an encoder that is checked as it is used.

    file: where the code is. Errors when it is made, built and when it encodes name file and line. What it gives has to
    be finite numbers (n, dim), and one vector for an image.
    """
    with blamed_on(file, f"when its options {dict(options)} were read" if options else "when it was asked what it is"):
        spec = make(**options)
    if not isinstance(spec, EncoderSpec):
        raise EncoderError(
            f"Got {type(spec).__name__} from encoder '{name}' of {file}; expected a function that returns an "
            "EncoderSpec."
        )
    _check_spec(spec, file)
    return replace(spec, build=_guarded_build(spec.build, file))


def _check_spec(spec: EncoderSpec, file: Path) -> None:
    """Raise EncoderError for a spec of which a field cannot be what it is."""
    wrong = {
        "build": (callable(spec.build), "a function (spec, placement)"),
        "dim": (
            isinstance(spec.dim, Integral) and not isinstance(spec.dim, bool) and spec.dim > 0,
            "a whole number above 0, the length of a vector",
        ),
        "preprocess": (isinstance(spec.preprocess, Preprocess), "an encoders.Preprocess"),
        "scaling": (spec.scaling in SCALINGS, f"one of {', '.join(SCALINGS)}"),
    }
    for name, (is_right, expected) in wrong.items():
        if not is_right:
            raise EncoderError(
                f"Got {name}={getattr(spec, name)!r} for encoder '{spec.name}' of {file}; expected {expected}."
            )


def _guarded_build(
    build: Callable[[EncoderSpec, Placement], LoadedEncoder], file: Path
) -> Callable[[EncoderSpec, Placement], LoadedEncoder]:
    def built(spec: EncoderSpec, placement: Placement) -> LoadedEncoder:
        with blamed_on(file, "when it was loaded"):
            loaded = build(spec, placement)
        if not isinstance(loaded, LoadedEncoder):
            raise EncoderError(
                f"Got {type(loaded).__name__} from `build` of encoder '{spec.name}' of {file}; expected an "
                "encoders.LoadedEncoder."
            )
        asked_twice = 0  # images of the largest batch of which one was encoded again by itself, up to 2

        def vectors_of(images: Sequence[Any]) -> np.ndarray:
            shapes = ", ".join(sorted({str(getattr(image, "shape", "?")) for image in images}))
            with blamed_on(file, f"when it was given {len(images)} images of shape {shapes}"):
                # Copies: other encoders get the same images, and what works on its image in place would change theirs.
                vectors = real_numbers(loaded.encode([image.copy() for image in images]))
            if vectors.shape != (len(images), spec.dim):
                raise EncoderError(
                    f"Encoder '{spec.name}' of {file} declares dim={spec.dim} and gave shape {vectors.shape} for "
                    f"{len(images)} images; expected {(len(images), spec.dim)}."
                )
            check_finite(vectors, spec.name)
            return vectors

        def encode(images: Sequence[Any]) -> np.ndarray:
            nonlocal asked_twice
            vectors = vectors_of(images)
            if asked_twice < min(len(images), 2):
                _check_same(vectors[-1], vectors_of(images[-1:])[0], spec.name, file)
                asked_twice = min(len(images), 2)
            return vectors

        return replace(loaded, encode=encode)

    return built


def _check_same(first: np.ndarray, again: np.ndarray, name: str, file: Path) -> None:
    """Refuse two vectors (d,) of one image, made in a batch and alone, that differ by more than rounding."""
    first, again = first.astype(np.float64), again.astype(np.float64)
    if np.linalg.norm(first - again) <= ROUNDING * np.linalg.norm(first):
        return
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
