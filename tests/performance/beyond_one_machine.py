"""What does a cluster cost beside the processes of one machine, where there is nothing to gain? Prints Markdown.

    python tests/performance/beyond_one_machine.py

The same work on the same processors: 10,000 small images through `extract` with color-stats, and 10,000 fits of the
centroid through `HeadFits`, by the local engine and by a Ray cluster of as many processors that is started here. The
two take turns, and the order changes from round to round. Seconds on the clock; the ratio is the median of those of the
rounds. Starting and leaving the cluster is told apart, as it is done once a command. Both leave the same bytes, which
is compared.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tables import table

from bench.embeddings.embed import DataSpec, Prepared, prepare
from bench.embeddings.extract import extract
from bench.embeddings.store import EmbeddingStore
from bench.fitting.head_fits import HeadFits
from bench.fitting.plan import Sweep, plan_sweep
from bench.fitting.tasks import fits_of
from bench.fitting.views import Embedded
from bench.protocol.protocol import Protocol
from bench.work.calls import Asked, Engine
from bench.work.engines import open_engine
from bench.work.local import LOCAL
from encoders import resolve

Tell = Callable[[object, object, object], None]
Run = Callable[[Engine, Path, bool, Tell], object]  # an empty folder, whether only a little is to be done, progress
HEADINGS = [
    "work",
    "local, s",
    "Ray, s",
    "local until the first piece, s",
    "Ray, the same",
    "Ray / local",
    "same bytes",
]
CLASSES, GROUPS, ITEMS, D = 4, 24, 4, 64


def main(arguments: list[str] | None = None) -> None:
    """Take turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--fits", type=int, default=10_000)
    parser.add_argument("--pixels", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        make_images(place / "raw", given.images, given.pixels)
        prepared = prepare(DataSpec(place / "raw"), place / "out")
        sweep, views = make_sweep(given.fits)
        fits = sum(fits_of(block, sweep) for block in sweep.blocks)
        fit = partial(HeadFits, views=views, workers=workers, scratch=place)
        work: dict[str, Run] = {
            f"{given.images:,} images, color-stats": lambda engine, to, few, tell: embed(prepared, to, engine, tell, few=few),
            f"{fits:,} fits, centroid": lambda engine, to, few, tell: fit(
                engine=engine, on_progress=tell
            ).make(sweep, sweep.blocks[:4] if few else sweep.blocks, to),
        }  # fmt: skip
        began = time.perf_counter()
        asked = Asked(name="ray", workers=workers, out=place)
        with open_engine(asked) as ray:
            started = time.perf_counter() - began
            rows = [
                measured(what, run, {"local": LOCAL, "Ray": ray}, place, given.rounds) for what, run in work.items()
            ]
            ended = time.perf_counter()
        left = time.perf_counter() - ended
    print(f"{workers} processors, {given.rounds} rounds, load of the machine {os.getloadavg()[0]:.1f} at the end.\n")
    print(table(HEADINGS, rows))
    print(f"\nOnce a command: {started:.1f} s to start a cluster here, {left:.1f} s to end it.")


def measured(what: str, run: Run, engines: dict[str, Engine], place: Path, rounds: int) -> list[str]:
    """Return the row of a table. A round of a little warms up: processes start and import their libraries."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    same = True
    for i in range(rounds + 1):
        bits = []
        for name in list(engines)[:: 1 if i % 2 else -1]:
            with tempfile.TemporaryDirectory(dir=place) as to:
                first: list[float] = []
                began = time.perf_counter()

                def tell(_: object, done: object, __: object, first: list[float] = first) -> None:
                    if done and not first:
                        first.append(time.perf_counter())

                run(engines[name], Path(to), not i, tell)
                if i:
                    took[name].append((time.perf_counter() - began, first[0] - began))
                bits.append({
                    str(path.relative_to(to)): hashlib.sha256(path.read_bytes()).hexdigest()
                    for path in Path(to).rglob("*.safetensors")
                })  # fmt: skip
        same = same and bits[0] == bits[1] and len(bits[0]) > 0
    local, ray = (np.array(took[name]) for name in ("local", "Ray"))  # (rounds, 2)
    ratio = ray[:, 0] / local[:, 0]
    seconds = [f"{np.median(one):.2f}" for one in (local[:, 0], ray[:, 0], local[:, 1], ray[:, 1])]
    ratios = [f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})"]
    return [what, *seconds, *ratios, "yes" if same else "NO"]


def make_images(folder: Path, count: int, side: int) -> None:
    """Write images of two classes as PNG: noise, shifted by another number of pixels in each."""
    noise = np.random.default_rng(0).normal(100, 30, side * side * 3 + count).clip(0, 255).astype(np.uint8)
    for k, label in enumerate("ab"):
        (folder / label).mkdir(parents=True)
        for i in range(count // 2):
            pixels = noise[2 * i + k :][: side * side * 3].reshape(side, side, 3)
            Image.fromarray(pixels).save(folder / label / f"{i}.png", compress_level=1)


def embed(prepared: Prepared, to: Path, engine: Engine, tell: Tell, *, few: bool) -> None:
    """Embed all images, or a few, into a store of their own."""
    instances = prepared.instances.head(600) if few else prepared.instances
    store = EmbeddingStore(to / "store")
    report = extract(
        instances,
        prepared.dataset.root,
        [resolve("color-stats")],
        store,
        engine=engine,
        on_progress=lambda done, total, name: tell(name, done, total),
    )
    assert sum(report.made.values()) == len(instances) and not report.problems


def make_sweep(fits: int) -> tuple[Sweep, dict[str, Embedded]]:
    """Return a sweep of so many fits, at 4 shot levels and 5 rates of wrong labels, of two made-up encoders."""
    rows = [
        (f"c{k}", f"c{k}g{g}", f"c{k}g{g}-{i}") for k in range(CLASSES) for g in range(GROUPS) for i in range(ITEMS)
    ]
    made = pd.DataFrame(rows, columns=["label", "group", "path"])
    made["instance"] = [hashlib.sha256(path.encode()).hexdigest()[:32] for path in made["path"]]
    made = made.assign(split=pd.NA, level="expert", image=made["path"])
    views = {}
    for name in ("one", "other"):
        X = (
            np.random.default_rng(len(name)).normal(size=(len(made), D))
            + np.eye(D)[pd.Categorical(made["label"]).codes]
        )
        key = hashlib.sha256(name.encode()).hexdigest()[:32]
        views[name] = Embedded(name, key, "unit", X.astype(np.float32))
    protocol = Protocol(shots=(1, 2, 5, 10), noise=(0.0, 0.1, 0.2, 0.3, 0.4), draws=10)

    def plan(draws: int) -> Sweep:
        keys = {name: (view.key, view.scaling) for name, view in views.items()}
        return plan_sweep(
            made, tuple(sorted(set(made["label"]))), replace(protocol, draws=draws), keys, ["centroid"], {}
        )

    few = plan(10)
    return plan(max(1, round(10 * fits / sum(fits_of(block, few) for block in few.blocks)))), views


if __name__ == "__main__":
    main()
