"""How long does a whole sweep take, next to the loop of library fits that it replaces? Prints Markdown.

    OMP_NUM_THREADS=1 python tests/performance/whole_sweep.py

One made-up encoder, one split, 5 shot levels x 4 noise levels x 20 seeds, through `bench.fitting.head_fits`: from
embeddings to the ledger and the predictions on disk. `grids`: every setting of the heads is fitted and the best on the
test rows is chosen, which is what costs most of all kinds of selection that need no other data; xgboost at its
default. `fixed`: all heads at their defaults. The loops fit and predict, and write nothing; they are run on the first
seeds of every shot level alone, all noise levels, and multiplied. CPU seconds of all processes.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from loops import LOOPS, quieten, settings_of
from rows import made_up
from sweep import numbers
from tables import table, times
from threadpoolctl import threadpool_limits

from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import Sweep, plan_sweep
from bench.fitting.views import Embedded
from bench.protocol.noise import flip_labels
from bench.protocol.noise_context import NoiseContext
from bench.protocol.protocol import Protocol

HEADS = "logreg,knn,ridge,centroid,xgboost"
GROUPS = 36  # a class, so that a third of them is a fixed test
LEAST = 330  # rows a class for the same reason


def main(arguments: list[str] | None = None) -> None:
    """Run the sweeps and the loops and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--dims", type=int, default=768)
    parser.add_argument("--shots", default="1,5,10,50,200")
    parser.add_argument("--noise", default="0,0.1,0.2,0.4")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--loop-seeds", type=int, default=2)
    parser.add_argument("--heads", default=HEADS)
    parser.add_argument("--workers", default="1,2")
    given = parser.parse_args(arguments)
    quieten()
    heads = given.heads.split(",")
    instances, view = make_rows(given.classes, given.dims, max(numbers(given.shots)))

    def sweeps_of(kind: str, names: Sequence[str]) -> list[Sweep]:
        return [plan(instances, view, given, select, own) for select, own in parts_of(kind, names) if own]

    whole = {
        (kind, workers): run(sweeps_of(kind, heads), view, workers)
        for kind in ("grids", "fixed")
        for workers in numbers(given.workers)
    }
    lines, here, loops = [], 0.0, np.zeros(2)
    for name in heads:
        [sweep] = sweeps_of("grids", [name])
        own = run([sweep], view, 1)[1]
        took = loop_seconds(name, sweep, view, given)
        here, loops = here + own, loops + took
        fits = sum(unit.draws * len(unit.rates) for unit in sweep.blocks) * len(settings_of(name))
        lines.append([name, len(sweep.blocks[0].settings), fits, f"{own:.2f}", *against(took, own)])
    lines.append(["sum", "", "", f"{here:.2f}", *against(loops, here)])
    together = min(whole[key][1] for key in whole if key[0] == "grids")
    lines.append(["all in one sweep", "", "", f"{together:.2f}", *against(loops, together)])
    episodes = sum(unit.draws * len(unit.rates) for unit in sweep.blocks)
    print(f"K={given.classes}, d={given.dims}, {len(instances)} rows, {len(sweep.plan.test_rows())} tested, "
          f"{episodes} episodes; loops on {given.loop_seeds} of {given.seeds} seeds, multiplied\n")  # fmt: skip
    print(table(["sweep", "workers", "wall, s", "CPU, s", "on disk, MB"],
                [[*key, *(f"{number:.1f}" for number in took)] for key, took in whole.items()]))  # fmt: skip
    print(table(["head, 1 worker", "settings", "fits of the loop", "here, s", "first loop, s", "ratio", "second loop, s",
                 "ratio"], lines))  # fmt: skip


def against(loops: Iterable[float], here: float) -> list[str]:
    """Return seconds and ratio of every loop."""
    return [text for took in loops for text in (f"{took:.0f}", times(took / here))]


def make_rows(K: int, d: int, most: int) -> tuple[pd.DataFrame, Embedded]:
    """Return an instance table of K classes that lets `most` of each be drawn, and its view."""
    items = -(-max(LEAST, int(1.65 * most)) // GROUPS)
    rows = [(f"c{k:02}", f"c{k:02}g{g}", f"{k}-{g}-{i}") for k in range(K) for g in range(GROUPS) for i in range(items)]
    out = pd.DataFrame(rows, columns=["label", "group", "path"])
    out["instance"] = [hashlib.sha256(path.encode()).hexdigest()[:32] for path in out["path"]]
    view = Embedded("made-up", "0" * 32, "unit", made_up(pd.Categorical(out["label"]).codes.astype(int), d))
    return out.assign(split=pd.NA, level="expert", image=out["path"]), view


def parts_of(kind: str, heads: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return how settings are chosen and for which heads."""
    if kind == "fixed":
        return [("fixed", list(heads))]
    return [
        ("oracle", [name for name in heads if name != "xgboost"]),
        ("fixed", [name for name in heads if name == "xgboost"]),
    ]


def plan(
    instances: pd.DataFrame, view: Embedded, given: argparse.Namespace, select: str, heads: Sequence[str]
) -> Sweep:
    """Plan the sweep of some heads."""
    rates = tuple(float(rate) for rate in given.noise.split(","))
    protocol = Protocol(shots=tuple(numbers(given.shots)), noise=rates, draws=given.seeds, select=(select,))
    return plan_sweep(
        instances, sorted(set(instances["label"])), protocol, {view.name: (view.key, view.scaling)}, heads
    )


def run(sweeps: Sequence[Sweep], view: Embedded, workers: int) -> tuple[float, float, float]:
    """Return the wall seconds, the CPU seconds and the MB on disk of sweeps into one folder."""
    from joblib.externals.loky import get_reusable_executor

    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), cpu_seconds()
        for sweep in sweeps:
            reused, made = HeadFits(views={view.name: view}, workers=workers).make(sweep, sweep.blocks, Path(folder))
            assert (reused, made) == (0, len(sweep.blocks))
        wall = time.perf_counter() - wall
        if workers > 1:
            get_reusable_executor().shutdown(wait=True)  # a process is charged when it has ended
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        return wall, cpu_seconds() - cpu, size / 1e6


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those it started that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def loop_seconds(name: str, sweep: Sweep, view: Embedded, given: argparse.Namespace) -> np.ndarray:
    """Return the CPU seconds of every loop of a head (2,): those of the first seeds, multiplied."""
    [[split]] = sweep.plan.repeats
    groups = sweep.table["group"].to_numpy(str)
    X = view.scaled(split.train, groups)
    items, K, out = sweep.table["instance"].to_numpy(str), len(sweep.classes), np.zeros(2)
    with threadpool_limits(1):
        for (_, seed, _), rows in sweep.draws["class"].supports.items():
            if seed >= given.loop_seeds:
                continue
            partner = sweep.noise_inputs.targets[split.name]
            draw = NoiseContext(sweep.y[rows], items[rows].tolist(), groups[rows], K, seed, partner)
            [(kind, rates)] = sweep.protocol.rates().items()
            Y = np.stack([flip_labels(draw, kind, rate) for rate in rates])
            for at, loop in enumerate(LOOPS[name].values()):
                own_X, X_test = X[rows].astype(loop.dtype), X[split.test].astype(loop.dtype)
                started = time.thread_time()
                loop.run(own_X, Y, X_test, settings_of(name))
                out[at] += time.thread_time() - started
    return out * given.seeds / given.loop_seeds


if __name__ == "__main__":
    main()
