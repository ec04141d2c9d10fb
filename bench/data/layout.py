"""Where data are expected to be. It imports nothing, so that a folder that is not there is told at once."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError, did_you_mean

LAYOUT = "Expected <data>/<class>/<image>, e.g. Data/raw/neuron/a.png, or a CSV with columns path,label."
IMAGES = "Expected a folder with images in it or in folders below it, or a CSV with a column path."  # without labels


def layout_for(*, labelled: bool) -> str:
    """Return the sentence that says how data have to lie, with labels or without."""
    return LAYOUT if labelled else IMAGES


def existing(data: Path | str, option: str = "--data") -> Path:
    """Return the path of data, ~ resolved; BenchError, which names the option, where there is nothing."""
    data = Path(data).expanduser()
    if not data.exists():
        near = [p.name for p in data.parent.iterdir()] if data.parent.is_dir() else []
        raise BenchError(f"Got {option} {data}, which does not exist{did_you_mean(data.name, near) or '.'} {LAYOUT}")
    return data
