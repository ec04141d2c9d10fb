"""From a name to an encoder: "dino", "dino@size=448,color=grey", "timm:MODEL", "file.py:NAME", plug-ins.

Every module of this package is searched for entries, so a new encoder is one decorated function in one file.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from .checkpoint import checkpoint_spec, is_checkpoint
from .encode import check_finite, real_numbers
from .errors import EncoderError, did_you_mean, meant_path
from .options import COMMON_READERS, IMAGE_READERS, OPTIONS, common_defaults, read_options, split_alias, split_options
from .panels import FORMERLY, PANELS
from .plugins import check_loaded, load_plugin, plugins
from .spec import EncoderSpec, LoadedEncoder, Placement, Preprocess
from .user_code import USER_MODULE, blamed_on, spec_of_others

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_ALIAS = re.compile(r"[A-Za-z0-9][\w.-]*")

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry:
    """A registered encoder: its name, the maker of its spec from options, and where it was defined.

    file: where the code of others is, a file of the user's or a plug-in; None for what is of this package.
    """

    name: str
    make: Callable[..., EncoderSpec]
    origin: str
    file: Path | None = None

    def spec(self, options: dict[str, str]) -> EncoderSpec:
        """Return the spec of the variant with these options; that of others' code is checked as it encodes."""
        return self.make(**options) if self.file is None else spec_of_others(self.name, self.make, options, self.file)


_ENTRIES: dict[str, Entry] = {}


def register(name: str) -> Callable[[F], F]:
    """Register a function `(**options) -> EncoderSpec` as the encoder `name` (lower case, digits, -, .)."""

    def mark(function: F) -> F:
        _add(name, function, function)
        return function

    return mark


def descriptor(
    name: str, *, dim: int, version: int = 1, family: str = "descriptor",
    preprocess: Preprocess | None = None, scaling: str = "standard", library: tuple[str, str] = ("", ""),
    cutout: bool = False,
) -> Callable[[F], F]:  # fmt: skip
    """Register a function image -> vector (dim,) as the encoder `name`; no network, no weights.

    The function gets uint8 (H, W, 3) of the instance's native size, or as `preprocess` says; every channel
    holds the luma where that is its color. version: raise it when an image would give another vector. library, cutout:
    see `EncoderSpec`.
    """
    policy = preprocess or Preprocess(size=None)

    def mark(function: F) -> F:
        declared = EncoderSpec(
            name=name, family=family, source=f"descriptor:{name}", dim=dim, preprocess=policy, weights="none",
            scaling=scaling, licence="none needed", pretraining="none", trivial=True, code=str(version),
            checked="code", about=(function.__doc__ or "").strip().partition("\n")[0],
            build=partial(_build_descriptor, function), library=library, cutout=cutout,
        )  # fmt: skip
        _add(name, partial(_descriptor_variant, declared), function)
        return function

    return mark


def resolve(text: str) -> EncoderSpec:
    """Return the spec of "[ALIAS=]NAME[@key=value,...]"; no weights are loaded or fetched.

    ALIAS is the name that the spec has then, and no part of its identity. NAME is a registered name,
    timm:MODEL[.TAG], open_clip:MODEL/TAG, hf-hub:ORG/MODEL (its config.json is fetched where it is not cached),
    file:VECTORS.parquet (see `outside`), path/to/file.py:NAME, or the folder of an encoder that was made here, as
    ./cells.encoder.
    """
    if not text.isprintable():
        raise EncoderError(f"Got encoder {text!a}; expected characters that can be seen. Rename the file or folder.")
    alias, rest = split_alias(text)
    if alias:
        return _called(alias, resolve(rest))
    name, options = split_options(text)
    path, colon, attribute = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(path, attribute, options)
    if is_checkpoint(name):
        return checkpoint_spec(name, options)
    prefix, colon, model_id = name.partition(":")
    if colon:
        from .prefixes import PREFIXES

        if prefix not in PREFIXES:
            known = ", ".join(f"{p}:" for p in PREFIXES)
            raise EncoderError(f"Got encoder '{name}'; expected one of the prefixes {known} or FILE.py:NAME.")
        try:
            return PREFIXES[prefix](model_id, options)
        except ImportError as error:
            raise EncoderError(
                f"Encoder '{name}' needs a package that cannot be imported ({error}); install it first."
            ) from error
    return _entry(name).spec(options)


def _called(alias: str, spec: EncoderSpec) -> EncoderSpec:
    if not _ALIAS.fullmatch(alias) or alias in OPTIONS:
        raise EncoderError(
            f"Got alias '{alias}' of {spec.name}; expected letters, digits, '-', '_' or '.', and not the name of an "
            f"option, as in my-net={spec.full_name}."
        )
    if spec.variant:
        raise EncoderError(f"Got aliases '{alias}' and '{spec.name}' of {spec.variant}; expected one.")
    if alias in names() or alias in PANELS or alias in FORMERLY:
        raise EncoderError(f"Got alias '{alias}' of {spec.name}, which is an encoder itself; expected another word.")
    return replace(spec, name=alias, variant=spec.name)


def check_aliases(specs: Sequence[EncoderSpec]) -> None:
    """Raise EncoderError where an alias stands for two encoders, or one encoder is asked for under two names."""
    by_name: dict[str, EncoderSpec] = {}
    by_key: dict[str, EncoderSpec] = {}
    for spec in specs:
        same = by_key.setdefault(spec.key, spec)
        if same.name != spec.name and (same.variant or spec.variant):
            raise EncoderError(f"Got {spec.full_name} as '{same.name}' and as '{spec.name}'; expected one name.")
        other = by_name.setdefault(spec.name, spec)
        if other.key != spec.key and (other.variant or spec.variant):
            raise EncoderError(
                f"Got '{spec.name}' for {other.full_name} and for {spec.full_name}; expected an alias for each."
            )


def names() -> list[str]:
    """Return the names of all encoders that are registered here or by an installed plug-in, sorted."""
    _discover()
    return sorted(set(_ENTRIES) | set(plugins()))


def _entry(name: str) -> Entry:
    _discover()
    if name not in _ENTRIES and name in plugins():
        load_plugin(name)
        check_loaded(name, _ENTRIES)
    if (panel := FORMERLY.get(name, name)) in PANELS:
        own = ", ".join(PANELS[panel])
        raise EncoderError(f"Got '{name}', a panel, where one encoder is wanted; name one of {own}.")
    if name not in _ENTRIES:
        hint = meant_path(name) or did_you_mean(name, names()) or "."
        raise EncoderError(f"Got encoder '{name}'{hint} `bench encoders` lists all.")
    return _ENTRIES[name]


def _add(name: str, make: Callable[..., EncoderSpec], function: Callable[..., Any]) -> None:
    if not _NAME.fullmatch(name):
        raise EncoderError(f"Got encoder name '{name}'; expected lower-case letters, digits, '-' and '.'.")
    entry = Entry(name, make, f"{function.__module__}.{function.__qualname__}", _file_of_others(function))
    function.encoder_entry = entry  # type: ignore[attr-defined]
    if function.__module__.startswith(USER_MODULE):
        return  # named by its file, so it may be called like one of ours
    if name in _ENTRIES and _ENTRIES[name].origin != entry.origin:
        raise EncoderError(f"Encoder '{name}' is registered twice, by {_ENTRIES[name].origin} and {entry.origin}.")
    _ENTRIES[name] = entry


@lru_cache(maxsize=1)
def _discover() -> None:
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(sys.modules[package].__path__):
        importlib.import_module(f"{package}.{module.name}")


def is_ours(name: str) -> bool:
    """Return whether this package has an encoder of that name."""
    _discover()
    return name in _ENTRIES and _ENTRIES[name].file is None


def _file_of_others(function: Callable[..., Any]) -> Path | None:
    """Return the file of a function; None where it is of this package."""
    if function.__module__.partition(".")[0] == __name__.partition(".")[0]:
        return None
    in_a_notebook = str(getattr(getattr(function, "__code__", None), "co_filename", function.__module__))
    return Path(str(getattr(sys.modules.get(function.__module__), "__file__", None) or in_a_notebook))


def _from_file(path: str, name: str, options: dict[str, str]) -> EncoderSpec:
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise EncoderError(f"Got encoder '{path}:{name}', and there is no file {file}.")
    text = file.read_bytes()  # once: what is hashed is what is run, and not a file of Python's cache that looks as new
    code = hashlib.sha256(text).hexdigest()
    entries = [value.encoder_entry for value in vars(_user_module(file, code, text)).values() if _is_entry(value)]
    found = {entry.name: entry for entry in entries}
    if name not in found:
        raise EncoderError(
            f"Got encoder '{name}' of {path}{did_you_mean(name, found) or '.'} The file registers: "
            f"{', '.join(sorted(found)) or 'nothing; decorate one with encoders.descriptor'}."
        )
    spec = found[name].spec(options)
    return replace(spec, name=f"{path}:{spec.name}", code=f"{spec.code}+{code}" if spec.code else code)


def _is_entry(value: object) -> bool:
    return isinstance(getattr(value, "encoder_entry", None), Entry) and (
        getattr(value, "__module__", "").startswith(USER_MODULE)
    )


def _user_module(file: Path, code: str, text: bytes) -> ModuleType:
    module_name = f"{USER_MODULE}{hashlib.sha256(str(file).encode()).hexdigest()[:8]}_{code[:16]}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None  # the name ends in .py
    module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
    try:
        with blamed_on(file, "when it was imported"):
            exec(compile(text, str(file), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _descriptor_variant(declared: EncoderSpec, **options: object) -> EncoderSpec:
    readers = dict(COMMON_READERS)
    if declared.preprocess.color == "grey":  # what is defined on the luma has no colour variant
        del readers["color"]
    values, name = read_options(declared.name, options, readers, common_defaults(declared.preprocess, options))
    chosen: dict[str, Any] = {key: values[key] for key in IMAGE_READERS}
    preprocess = replace(declared.preprocess, **chosen)
    return replace(declared, name=name, preprocess=preprocess, orient8=str(values["orient8"]))


def _blamed(function: Callable[..., Any], doing: str) -> AbstractContextManager[None]:
    """Return what names file and line of an error where a function is of others, and does nothing elsewhere."""
    file = _file_of_others(function)
    return nullcontext() if file is None else blamed_on(file, doing, function)


def _build_descriptor(
    function: Callable[[np.ndarray], np.ndarray], spec: EncoderSpec, placement: Placement
) -> LoadedEncoder:
    module, part = spec.library
    if module and importlib.util.find_spec(module) is None:
        raise EncoderError(f"Encoder '{spec.name}' needs {module}, which is not installed: pip install '.[{part}]'.")

    def encode(images: Any) -> np.ndarray:
        vectors = np.empty((len(images), spec.dim), np.float32)
        for row, image in enumerate(images):
            try:
                with _blamed(function, f"when it was given an image of shape {np.shape(image)}, at position {row}"):
                    vector = real_numbers(function(image))
            except (EncoderError, MemoryError):
                raise
            except Exception as error:
                raise EncoderError(
                    f"Encoder '{spec.name}' failed on the image at position {row}, of shape "
                    f"{np.shape(image)} ({type(error).__name__}: {error})."
                ) from error
            if vector.shape != (spec.dim,):
                raise EncoderError(f"Encoder '{spec.name}' declares dim={spec.dim} and gave shape {vector.shape}.")
            vectors[row] = vector
        check_finite(vectors, spec.name)
        return vectors

    return LoadedEncoder(spec, encode, "")
