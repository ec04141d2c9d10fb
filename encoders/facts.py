"""What a library says of a model, kept on disk: naming timm:MODEL costs its library's import only once.

One JSON file per question below the user's cache folder (CELL_CLASSIFIER_CACHE, else XDG_CACHE_HOME or
~/.cache), which names the library's version, the code that asked and the question itself, and carries a
checksum. Whatever does not fit is ignored, and asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache, wraps
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from .spec import Preprocess

T = TypeVar("T")


def remembered(kind: type[T], library: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Keep the answers of a function of texts that returns a `kind`, a dataclass, as long as `library` stays.

    kind: its fields are numbers, texts and, under the name preprocess, a Preprocess.
    """

    def mark(ask: Callable[..., T]) -> Callable[..., T]:
        @lru_cache(maxsize=256)
        @wraps(ask)
        def recall(*question: str) -> T:
            about = _about(ask, library, question)
            if about is None:
                return ask(*question)
            path = _folder() / f"{_digest(about)}.json"
            found = _read(path, about)
            if found is not None:
                with suppress(TypeError, KeyError):
                    preprocess: dict[str, Any] = {
                        k: tuple(v) if isinstance(v, list) else v for k, v in found["preprocess"].items()
                    }
                    return kind(**{**found, "preprocess": Preprocess(**preprocess)})
            facts = ask(*question)
            _write(path, about, asdict(facts))  # type: ignore[call-overload]
            return facts

        return recall

    return mark


def _about(ask: Callable[..., Any], library: str, question: tuple[str, ...]) -> dict[str, Any] | None:
    """Return all that an answer depends on; None where the library has no version to hold it to."""
    try:
        version = metadata.version(library)
        code = Path(str(sys.modules[ask.__module__].__file__)).read_bytes()
    except (metadata.PackageNotFoundError, OSError):
        return None
    return {"library": f"{library} {version}", "code": hashlib.sha256(code).hexdigest(), "question": list(question)}


def _folder() -> Path:
    own = os.environ.get("CELL_CLASSIFIER_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(own or os.path.join(base, "cell-classifier")).expanduser() / "facts"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _read(path: Path, about: dict[str, Any]) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_bytes())
        sound = record["about"] == about and record["sha256"] == _digest([about, record["facts"]])
        return record["facts"] if sound else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, about: dict[str, Any], facts: dict[str, Any]) -> None:
    record = {"about": about, "facts": facts, "sha256": _digest([about, facts])}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with suppress(OSError):  # a cache that cannot be written saves nothing and harms nothing
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(record), encoding="utf-8")
        temporary.replace(path)
