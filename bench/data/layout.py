"""Where data are expected to be. It imports nothing, so that a folder that is not there is told at once."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError, did_you_mean

LAYOUT = "Expected <data>/<class>/<image>, e.g. Data/raw/neuron/a.png, or a CSV with columns path,label."


def existing(data: Path | str) -> Path:
    """Return the path of data, ~ resolved; BenchError where there is nothing."""
    data = Path(data).expanduser()
    if not data.exists():
        near = [p.name for p in data.parent.iterdir()] if data.parent.is_dir() else []
        raise BenchError(f"Got --data {data}, which does not exist{did_you_mean(data.name, near) or '.'} {LAYOUT}")
    return data
