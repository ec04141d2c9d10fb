"""CPU seconds and memory of whole commands as images grow: nothing to do, a table, a million cells, tables. Prints Markdown.

    OMP_NUM_THREADS=1 python tests/performance/scale.py --at scratch
    OMP_NUM_THREADS=1 python tests/performance/scale.py --at scratch --parts cells --fields 100

Parts, each of which can be run alone:

    images        `--images` tiny PNG of 4 classes in 100 slides and made-up embeddings of 768 numbers: extract, run,
                  the same run again (all is looked at; then remembered), leaderboard
    cells         `--fields` images with 1,000 boxes each and made-up embeddings of `--dim` numbers: the same
    table         the images and cells of these two parts without any embeddings: what `bench run` plans (--dry-run)
    predictions   `--methods` methods that answered for `--tested` rows in `--draws` draws, made up: the tables of them

A million cells take a million rows and not a million files, which are walked in the part `images`. Every command is a
process of its own with one thread. CPU s: user and system, of the process and those it waited for. Memory: the most
that it held at once, pages of mapped files among it. Images and embeddings that are there already (from a call before)
are not made again; runs are, and so is the store unless --keep-store is given.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES, SLIDES, IMAGE_DIM, BOXES, SIDE = 4, 100, 768, 1000, 10
ACROSS = 32  # boxes in a row of a field
BLOCK = 4096  # rows that are made at once, so that what is measured is not what makes them
SIGNAL = 0.15  # of the classes' centres, where the rows around them have 1
RUN = ("--shots", "5,50", "--draws", "3", "--head", "centroid,logreg,knn", "--no-baselines", "--no-report", "--workers", "1")
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
HEADER = ["part", "command", "CPU s", "wall s", "most memory, GB", "on disk after, GB"]
Line = list[str]


def main() -> None:
    """Print a line for every command, as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", type=Path, required=True, help="scratch folder, 10 GB for all parts")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--fields", type=int, default=1000, help="images of 1,000 boxes each")
    parser.add_argument("--dim", type=int, default=384, help="numbers in an embedding of a cell")
    parser.add_argument("--methods", type=int, default=100)
    parser.add_argument("--tested", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--keep-store", action="store_true", help="do not extract again")
    parser.add_argument("--write-predictions", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write_predictions:
        write_predictions(given)
        return
    given.at.mkdir(parents=True, exist_ok=True)
    print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER), flush=True)
    for part in given.parts.split(","):
        for line in PARTS[part](given):
            print("| " + " | ".join(line) + " |", flush=True)


def table(given: argparse.Namespace) -> Iterator[Line]:
    """Yield lines of what is planned without embeddings: the table of instances, splits and supports."""
    whole, boxes = given.at / f"images{given.images}", given.at / f"cells{given.fields}"
    if not (whole / "data").exists():
        write_images(whole / "data", given.images)
    if not (boxes / "labels.csv").exists():
        write_fields(boxes, given.fields)
    of_images = ("--data", "data", "--group-pattern", r"(s\d+)/")
    of_cells = ("--data", "labels.csv", "--group-column", "slide")
    parts = (f"{given.images:,} images", whole, of_images), (f"{given.fields * BOXES:,} cells", boxes, of_cells)
    for part, folder, asked in parts:
        plan = ["-m", "bench", "run", *asked, "--encoder", "color-stats", "--out", "planned", *RUN, "--dry-run"]
        for how in ("first", "again"):
            yield [part, f"run --dry-run ({how})", *measured(folder, plan)]


def images(given: argparse.Namespace) -> Iterator[Line]:
    """Yield lines of whole images with made-up embeddings."""
    N, folder = given.images, given.at / f"images{given.images}"
    if not (folder / "made.npz").exists():
        if not (folder / "data").exists():
            write_images(folder / "data", N)
        names = np.array([image_name(i, N) for i in range(N)])
        write_npz(folder / "made.npz", {"path": names}, N, IMAGE_DIM)
    asked = ["--data", "data", "--group-pattern", r"(s\d+)/", "--encoder", "made=file:made.npz"]
    yield from _whole(f"{N:,} images, d = {IMAGE_DIM}", folder, asked, keep=given.keep_store)


def cells(given: argparse.Namespace) -> Iterator[Line]:
    """Yield lines of cells with made-up embeddings."""
    N, folder = given.fields * BOXES, given.at / f"cells{given.fields}"
    if not (folder / f"made{given.dim}.npz").exists():
        if not (folder / "labels.csv").exists():
            write_fields(folder, given.fields)
        k = np.arange(N)
        x, y = corner_of(k)
        names = np.array([field_name(i) for i in range(given.fields)])
        places = {"path": names[k // BOXES], "x0": x, "y0": y, "x1": x + SIDE, "y1": y + SIDE}
        write_npz(folder / f"made{given.dim}.npz", places, N, given.dim)
    asked = ["--data", "labels.csv", "--group-column", "slide", "--encoder", f"made=file:made{given.dim}.npz"]
    yield from _whole(f"{N:,} cells of {given.fields:,} images, d = {given.dim}", folder, asked, keep=given.keep_store)


def _whole(part: str, folder: Path, asked: Sequence[str], *, keep: bool) -> Iterator[Line]:
    out = folder / "out"
    shutil.rmtree(out / "runs" if keep else out, ignore_errors=True)
    if not keep:
        yield [part, "extract", *measured(folder, ["-m", "bench", "extract", *asked, "--out", "out"])]
    run = ["-m", "bench", "run", *asked, "--out", "out", *RUN]
    yield [part, "run", *measured(folder, run)]
    shutil.rmtree(out / ".unchanged", ignore_errors=True)
    time.sleep(3)  # what changed just now is not remembered
    for how in ("all is looked at", "remembered"):
        yield [part, f"the same run again ({how})", *measured(folder, run)]
    yield [part, "leaderboard", *measured(folder, ["-m", "bench", "leaderboard", "--out", "out"])]
    yield [part, "leaderboard --rebuild", *measured(folder, ["-m", "bench", "leaderboard", "--rebuild", "--out", "out"])]


def predictions(given: argparse.Namespace) -> Iterator[Line]:
    """Yield the lines of tables from made-up predictions."""
    part = f"{given.methods} methods x {given.tested:,} rows x {given.draws} draws"
    folder = given.at / "predictions"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    same = ["--methods", str(given.methods), "--tested", str(given.tested), "--draws", str(given.draws)]
    here = [str(Path(__file__).resolve()), "--write-predictions", "--at", ".", *same]
    yield [part, "predictions and ledger written", *measured(folder, here)]
    yield [part, "leaderboard --rebuild", *measured(folder, ["-m", "bench", "leaderboard", "--rebuild", "--out", "out"])]


PARTS = {"images": images, "cells": cells, "table": table, "predictions": predictions}


def measured(folder: Path, words: Sequence[str]) -> Line:
    """Run Python in a process of its own; return CPU s, wall s, the most memory and what lies in out/ after, in GB."""
    start = time.perf_counter()
    with (folder / "log.txt").open("a") as log:
        log.write(" ".join(words) + "\n")
        log.flush()
        process = subprocess.Popen([sys.executable, *words], cwd=folder, env={**os.environ, **ONE_THREAD}, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}, see {folder / 'log.txt'}")
    disk = sum(path.stat().st_size for path in (folder / "out").rglob("*") if path.is_file())
    wall = time.perf_counter() - start
    return [f"{used.ru_utime + used.ru_stime:.2f}", f"{wall:.1f}", f"{used.ru_maxrss / 1024**2:.2f}", f"{disk / 1e9:.2f}"]


def image_name(i: int, N: int) -> str:
    """Return the path of an image: its class, its slide, its number. Every slide has one class."""
    slide = i * SLIDES // N
    return f"data/c{slide % CLASSES}/s{slide:03}/{i}.png"


def field_name(i: int) -> str:
    return f"fields/{i:05}.png"


def write_images(folder: Path, N: int) -> None:
    """Write N images of 2 x 2 pixels, no two of them alike."""
    for i in range(N):
        path = folder.parent / image_name(i, N)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.frombuffer(i.to_bytes(4, "big"), np.uint8).reshape(2, 2)).save(path)


def write_fields(folder: Path, fields: int) -> None:
    """Write images, and a table of labelled boxes in them."""
    (folder / "fields").mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "x0", "y0", "x1", "y1", "label", "slide"))
        for i in range(fields):
            pixels = np.zeros((SIDE * ACROSS, SIDE * ACROSS), np.uint8)
            pixels[:SIDE, :SIDE] = np.random.default_rng(i).integers(256, size=(SIDE, SIDE))
            Image.fromarray(pixels).save(folder / field_name(i))
            for k in range(i * BOXES, (i + 1) * BOXES):
                x, y = corner_of(k)
                box = (x, y, x + SIDE, y + SIDE)
                rows.writerow((field_name(i), *box, f"c{class_of(k)}", f"s{i * SLIDES // fields:03}"))


def corner_of(k: int | np.ndarray) -> tuple[int | np.ndarray, int | np.ndarray]:
    """Return the upper left corner of the box of a cell in its field, in pixels."""
    return SIDE * (k % BOXES % ACROSS), SIDE * (k % BOXES // ACROSS)


def class_of(k: int | np.ndarray) -> int | np.ndarray:
    """Return the class of a cell."""
    return k % CLASSES


def write_npz(path: Path, places: dict[str, np.ndarray], N: int, d: int) -> None:
    """Write an .npz of names and embeddings (N, d), block by block; a class is the last letter of a place, or in turn."""
    centres = np.random.default_rng(0).standard_normal((CLASSES, d)).astype("f4") * SIGNAL
    unfinished = path.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w", allowZip64=True) as file:
        for name, values in places.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values)
        with file.open("embedding.npy", "w", force_zip64=True) as member:
            about = {"descr": "<f4", "fortran_order": False, "shape": (N, d)}
            np.lib.format.write_array_header_1_0(member, about)
            for start in range(0, N, BLOCK):
                rows = np.arange(start, min(start + BLOCK, N))
                kinds = [int(text[6]) for text in places["path"][rows]] if "x0" not in places else class_of(rows)
                noise = np.random.default_rng([1, start]).standard_normal((len(rows), d), dtype=np.float32)
                member.write((centres[kinds] + noise).astype("<f4").tobytes())
    unfinished.rename(path)


def write_predictions(given: argparse.Namespace) -> None:
    """Write a run whose fits are made up: its units' predictions and ledger, and its record without tables."""
    import pandas as pd

    from bench.fitting.plan import plan_sweep
    from bench.protocol.protocol import Protocol
    from bench.runs.facts import EncoderFacts, RunFacts
    from bench.runs.ledger import write_part
    from bench.runs.predictions import Predictions, as_stored, write_unit
    from bench.runs.record import RunRecord, write_record_of
    from bench.runs.tested import scored_items

    N = given.tested  # slides of one class each: 25 a class are tested in folds, every row once a draw
    slide = np.arange(N) * SLIDES // N
    names = np.array([f"c{k}" for k in range(CLASSES)])
    rows = pd.DataFrame({
        "instance": [f"{i:032x}" for i in range(N)], "path": [f"{i}.png" for i in range(N)], "image": [f"{i:032x}" for i in range(N)],
        "label": names[slide % CLASSES], "group": [f"s{at:03}" for at in slide], "level": "expert", "source": None, "split": None,
    })  # fmt: skip
    heads = ("centroid", "logreg")
    encoders = {f"e{i:03}": (f"{i:032x}", "unit") for i in range(-(-given.methods // len(heads)))}
    sweep = plan_sweep(rows, names.tolist(), Protocol(shots=(5,), draws=given.draws), encoders, heads)
    tested = scored_items(rows, sweep.plan.test_rows(), sweep.classes)
    folder = Path("out/runs/made")
    for at, unit in enumerate(sweep.blocks[: given.methods]):
        rng = np.random.default_rng(at)
        P = rng.random((unit.draws, 1, len(tested.y), CLASSES), np.float32)
        P[..., np.arange(len(tested.y)), tested.y] += rng.uniform(0, 0.5)
        P /= P.sum(-1, keepdims=True)
        drawn = [[own for (_, seed, _), own in sweep.draws["class"].supports.items() if seed == s] for s in range(unit.draws)]
        made = Predictions(
            P=as_stored(P), realised=np.zeros((unit.draws, 1, CLASSES), "f4"), groups=np.full(unit.draws, 5, "f4"),
            support=np.array(drawn, np.int32),
        )  # fmt: skip
        write_unit(folder, unit, made)
        write_part(folder, unit, made, tested, sweep.classes)
    known = {name: EncoderFacts("other", IMAGE_DIM, False, 1.0) for name in encoders}
    facts = RunFacts(
        dataset="made", instances="whole", tier="", tier_reason="", split_rule=sweep.plan.rule, split_reason=sweep.plan.reason,
        draw="spread", classes=sweep.classes, encoders=known,
    )  # fmt: skip
    write_record_of(folder, RunRecord(sweep.blocks[: given.methods], sweep.table, sweep.plan, facts, (), ""), {}, {})


if __name__ == "__main__":
    main()
