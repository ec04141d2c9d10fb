"""Fixtures for encoders: an empty Hugging Face cache and no hub within reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from encoders import EncoderError, resolve


@pytest.fixture(scope="module", autouse=True)
def _one_thread_everywhere(one_thread: None) -> None:
    """Run every test of this folder on one thread."""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Hugging Face cache without any model; the folder of models is returned."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf" / "hub"


@pytest.fixture
def refuses_changed_weights() -> Callable[[Path], None]:
    """A check of an encoder's folder: weights that change are refused when it is loaded and when it is named again."""

    def check(folder: Path) -> None:
        spec, path = resolve(str(folder)), folder / "weights.safetensors"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        with pytest.raises(EncoderError, match="changed after it was resolved"):
            spec.load()
        with pytest.raises(EncoderError, match="is not what encoder.json beside it was written with"):
            resolve(str(folder))

    return check
