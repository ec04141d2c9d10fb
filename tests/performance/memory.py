"""Peak memory of one draw: of a process that does this engine's part or a loop's, and nothing else.

    python tests/performance/memory.py FILE.npz knn here          printed: MB above what the process had before

FILE holds X, y, test, rows, Y of a `rows.Case` and `rows.Draw`. The loop does one label vector at every setting:
more take longer, not more memory. Linux only, for /proc.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from engine import alone
from loops import LOOPS, quieten, settings_of
from rows import Case, Draw
from threadpoolctl import threadpool_limits

from bench.heads import get_heads
from bench.heads.pool import Pool


def peaks(case: Case, drawn: Draw, name: str) -> dict[str, float]:
    """Return the MB of 'here' (the pool and a draw) and of every loop."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draw.npz"
        np.savez(path, X=case.X, y=case.y, test=case.test, rows=drawn.rows, Y=drawn.Y)
        command = [sys.executable, __file__, str(path), name]
        return {
            way: float(subprocess.run([*command, way], check=True, capture_output=True, text=True).stdout)
            for way in ("here", *LOOPS[name])
        }


def main(arguments: list[str] | None = None) -> None:
    """Print the MB of one way."""
    path, name, way = sys.argv[1:] if arguments is None else arguments
    quieten()
    file = np.load(path)
    case = Case("", file["X"], file["y"], file["rows"], file["test"])
    small = Draw(np.arange(4), np.eye(2, 4, dtype=int))
    with threadpool_limits(1):
        run(Case("", case.X[:64], np.arange(64) % 2, np.arange(4), np.arange(4, 8)), small, name, way)
        before = peak_mb()
        run(case, Draw(file["rows"], file["Y"]), name, way)
    print(peak_mb() - before)


def peak_mb() -> float:
    """Return the most memory this process had; ru_maxrss would begin with that of the process that started it."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


def run(case: Case, drawn: Draw, name: str, way: str) -> None:
    """Do one draw; the first, small one imports what is needed."""
    settings = settings_of(name)
    if way == "here":
        alone(Pool(case.X), case, drawn, get_heads([name])[0], settings)
        return
    loop = LOOPS[name][way]
    loop.run(case.X[drawn.rows].astype(loop.dtype), drawn.Y[:1], case.X_test.astype(loop.dtype), settings)


if __name__ == "__main__":
    main()
