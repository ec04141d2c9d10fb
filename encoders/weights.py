"""Weights on this machine: identity of a file, a checkpoint read without running it, identity of a model."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import EncoderError

if TYPE_CHECKING:
    import torch

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
#: What trainers wrap a state dict in, what data-parallel and compiled models and DINOv2's trainer put before its
#: names, and the parts that only its training needs.
WRAPPERS = ("state_dict", "model", "teacher")
PREFIXES = ("module.", "_orig_mod.", "backbone.")
TRAINING_ONLY = ("dino_head.", "ibot_head.")


def local_weights(text: str) -> tuple[str, str]:
    """Return (absolute path, "sha256:...") of a weights file; `~` allowed, relative to the working folder."""
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise EncoderError(
            f"Got weights={text}, and there is no file {path}; expected a checkpoint ({', '.join(SUFFIXES)})."
        )
    if path.suffix not in SUFFIXES:
        raise EncoderError(f"Got weights={text}; expected a file ending in {', '.join(SUFFIXES)}.")
    return str(path), f"sha256:{file_sha256(path)}"


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal, read once as long as its inode, size and times are the same."""
    stat = os.stat(path)
    return _sha256(str(path), (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))


@lru_cache(maxsize=256)
def _sha256(path: str, stat: tuple[int, ...]) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unchanged(path: str, weights: str, name: str) -> Path:
    """Return the path of a local weights file, checked to be still that of the spec: before it is read, and after."""
    found = f"sha256:{file_sha256(Path(path))}" if Path(path).is_file() else "no file"
    if found != weights:
        raise EncoderError(
            f"The weights {path} of encoder '{name}' changed after it was resolved ({weights[:15]} before, "
            f"{found[:15]} now); resolve it again."
        )
    return Path(path)


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read a checkpoint as names and tensors, on the CPU, without running any code that it may carry.

    safetensors, or a PyTorch file restricted to weights. A wrapping {"state_dict": ...} or {"model": ...} is
    removed, and so are the prefixes of data-parallel or compiled models.
    """
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            with quiet():
                content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise unreadable(path, error) from None
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise EncoderError(f"Got weights {path}, which hold no plain mapping of names to tensors; export a state dict.")
    return {_bare(name): tensor for name, tensor in content.items() if not name.startswith(TRAINING_ONLY)}


def unreadable(path: Path, error: Exception) -> EncoderError:
    """Return the error for a checkpoint that could not be read, or was refused because it carries code."""
    text = str(error)
    if isinstance(error, pickle.UnpicklingError) or "TorchScript" in text or "weights_only" in text:
        return EncoderError(
            f"Weights {path} refused: not a weights-only file, reading it would run code or fail. "
            "Export its state dict with safetensors, or with torch.save(model.state_dict(), ...)."
        )
    return EncoderError(f"Weights {path} cannot be read ({type(error).__name__}: {text[:120]}); is the file complete?")


def mismatch(name: str, keys: Iterable[str], source: str) -> EncoderError:
    """Return the error for weights that do not belong to an architecture, naming up to five of the keys."""
    keys = list(keys)
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return EncoderError(
        f"Weights {source} do not fit encoder '{name}': {'; '.join(keys[:5])}{more}. "
        "Expected a checkpoint of exactly this architecture."
    )


def state_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Return the sha256 over names, dtypes, shapes and bytes of a state dict, in the order of the names."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings and log lines of libraries: what the user should know is in our own errors."""
    root, null, disabled = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    # Without any handler, logging.warning() would install one on the root logger, for good.
    root.addHandler(null)
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.removeHandler(null)


def _bare(name: str) -> str:
    while name.startswith(PREFIXES):
        name = name.split(".", 1)[1]
    return name
