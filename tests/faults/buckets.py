"""Workers of one `bench run` that share nothing but a bucket, killed with kill -9, over a store that fails.

    python -m tests.faults.buckets                  prints a Markdown table; some minutes
    python -m tests.faults.buckets --workers 4 --every 2 --faults 0.1 --seed 1

A local S3 server (`tests.faults.s3_server`) answers a share of the requests by 409, 500 and 503, half of the puts among
them although they were done, and is stopped for a few seconds again and again. Each worker has a cache folder of its own
and takes itself for a machine of its own, so that claims of the dead end by their age alone: after STALE_S here, that it
does not take all day. Every few seconds one of them is killed and started again, and every fifth one loses its disk, too: until all units are
there, and then once more for every worker, while tables are written.

Counted in the end, against one process that wrote to a local folder and was left alone:

    units     blocks of fits, parts of the ledger and shards: each there once, with the same bytes
    tables    those of the run and of the overview, byte by byte; in the page and the record but for the command
    extra     fits made more than once, of all that had to be made
    left      claims that are still there, once the same command has found nothing to do
    refused   workers that did not end well, when nobody killed them
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults.aftermath import Tree, tree
from tests.faults.forked import call, ended, start
from tests.faults.s3_server import S3, free_port

CLASSES, IMAGES = ("neuron", "rbc"), 20
SWEEP = ("--encoder", "color-stats,thumbnail,texture,color-histogram,grey-histogram,focus-spectrum", "--no-baselines",
         "--head", "centroid", "--shots", "1,2,3,4,5,6,7,8,9,10,11,12", "--noise", "0,0.4", "--workers", "1",
         "--no-report")  # fmt: skip
STALE_S, BEAT_S = 12.0, 2.0  # a stop of the server is no death of a worker
STOP_EVERY_S, STOPPED_S = 20.0, 4.0
PATIENCE_S = 1200.0


@dataclass
class Found:
    """What was done, and what is wrong."""

    workers: int
    kills: int = 0
    disks: int = 0
    stops: int = 0
    seconds: float = 0.0
    units: int = 0
    needed: int = 0
    made: int = 0
    twice: int = 0
    answers: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def extra(self) -> float:
        """Share of fits that were made more than once."""
        return self.made / self.needed - 1


def make_images(folder: Path) -> None:
    """Write lab/cells/raw/<class>/<i>.png."""
    for k, label in enumerate(CLASSES):
        for i in range(IMAGES):
            pixels = np.random.default_rng(100 * k + i).normal(100 + 6 * k, 30, (32, 32, 3)).clip(0, 255)
            path = folder / "lab" / "cells" / "raw" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)


def words(data: str, out: str, draws: int) -> tuple[str, ...]:
    """Return the command."""
    return ("run", "--data", data, "--out", out, *SWEEP, "--draws", str(draws))


def prepared(place: Path, s3: S3, name: str) -> Callable[[], None]:
    """Return what makes a process a worker on a machine of its own, whose fits are counted."""

    def prepare() -> None:
        import bench.work.bucket_claims as claims
        import bench.work.claims

        os.environ.update(s3.environment, CELL_CLASSIFIER_CACHE=str(place / "cache"))
        claims.machine = lambda: name  # type: ignore[attr-defined]
        bench.work.claims._machine = lambda: name  # type: ignore[attr-defined]
        bench.work.claims.STALE_S, claims.BEAT_S = STALE_S, BEAT_S
        count_fits(place / "fits.txt")
        cost_at_once()

    return prepare


def cost_at_once() -> None:
    """Note the cost of an encoder before it is used: it is measured after all of it, which a kill may not let come."""
    from bench.embeddings.store import EmbeddingStore

    declare = EmbeddingStore.declare

    def declared(self, key, *more):  # type: ignore[no-untyped-def]
        declare(self, key, *more)
        self.note_cost(key, 1.0, "any")

    EmbeddingStore.declare = declared  # type: ignore[method-assign]


def count_fits(to: Path) -> None:
    """Add a line to a file for every draw that was fitted by a head: unit, draw, split."""
    import bench.fitting.fit as fit

    one_draw = fit._fit_draw
    handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def counted(outputs, f, drawn, *more):  # type: ignore[no-untyped-def]
        one_draw(outputs, f, drawn, *more)
        os.write(handle, "".join(f"{one.unit.name} {drawn.seed} {f}\n" for one in outputs).encode())

    fit._fit_draw = counted


def new_place(folder: Path) -> Path:
    """Return a folder for one worker."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    (folder / "said.txt").touch()
    return folder


def punish(
    root: Path, s3: S3, found: Found, *, units: int, draws: int, every: float, faults: float, seed: int
) -> None:  # fmt: skip
    """Start the workers, kill and stop until all have ended."""
    rng = np.random.default_rng(seed)
    places = [new_place(root / f"worker{i}") for i in range(found.workers)]

    def begin(i: int) -> int:
        command = words("s3://lab/cells/raw", "s3://lab/out", draws)
        return start(command, places[i], prepared(places[i], s3, f"machine {i}"))

    s3.tell(f"faults {faults} {seed}")
    began = time.monotonic()
    alive = {i: begin(i) for i in range(found.workers)}
    next_kill, next_stop, up_at, next_look = began + every, began + STOP_EVERY_S / 2, 0.0, 0.0
    all_there, after = False, 0  # after: kills since
    while alive:
        now = time.monotonic()
        if now - began > PATIENCE_S:
            found.wrong.append(f"refused: {len(alive)} workers had not ended after {PATIENCE_S:.0f} s")
            for pid in alive.values():
                os.killpg(pid, signal.SIGKILL)
            break
        for i, pid in list(alive.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del alive[i]
                if code := os.waitstatus_to_exitcode(status):
                    said = " ".join((places[i] / "said.txt").read_text(errors="replace").split())
                    found.wrong.append(f"refused: worker {i} ended with {code}: ...{said[-600:]}")
        if not all_there and now > next_look and not up_at:
            next_look = now + 1.0
            all_there = sum("/predictions/" in key for key in s3.keys("lab")) >= units
        if now > next_kill and alive and after < found.workers:
            next_kill = now + every
            i = int(rng.choice(sorted(alive)))
            os.killpg(alive[i], signal.SIGKILL)
            os.waitpid(alive[i], 0)
            found.kills += 1
            after += all_there
            if found.kills % 5 == 0:
                found.disks += 1
                shutil.rmtree(places[i] / "cache", ignore_errors=True)
            alive[i] = begin(i)
        if up_at and now > up_at:
            s3.tell("start")
            up_at = 0.0
        elif not up_at and now > next_stop:
            s3.tell("stop")
            found.stops += 1
            up_at, next_stop = now + STOPPED_S, now + STOP_EVERY_S
        time.sleep(0.02)
    if up_at:
        s3.tell("start")
    found.seconds = time.monotonic() - began
    s3.tell("faults 0 0")
    time.sleep(STALE_S)
    if ended(begin(0)):
        found.wrong.append("refused: the same command again")
    found.answers = s3.tell("counts")
    count_extra(places, found)


def count_extra(places: list[Path], found: Found) -> None:
    """Count the fits that were made, and how many of them in blocks that were finished by more than one worker."""
    lines = [
        [line for line in (place / "fits.txt").read_text().splitlines() if line.count(" ") == 2] for place in places
    ]
    distinct = {line for own in lines for line in own}
    found.made, found.needed = sum(map(len, lines)), len(distinct)
    of_unit = Counter(line.split()[0] for line in distinct)
    finished = Counter(
        unit for own in lines for unit, n in Counter(line.split()[0] for line in own).items() if n >= of_unit[unit]
    )
    found.twice = sum((count - 1) * of_unit[unit] for unit, count in finished.items())


def compare(keys: dict[str, str], right: Tree, needed: int, s3: S3, found: Found) -> None:
    """Note what the bucket lacks, has too many of, or has with other bytes than a folder."""
    import json

    from bench.storage.verified import parse_json

    def read(key: str) -> bytes:
        return s3.read("lab", key)

    own = {key.removeprefix("out/"): digest for key, digest in keys.items() if key.startswith("out/")}
    units = {
        name
        for name in right
        if (name.endswith((".safetensors", ".parquet")) and name.count("/") > 2) or name.startswith("store/")
    }
    units = {name for name in units if not name.endswith("index.npz")}
    found.units = len(units)
    there = {name for name in own if name.split("/")[0] == "store" or "/predictions/" in name or "/ledger/" in name}
    claims = {name for name in own if "/claims/" in name}
    found.wrong += [f"left: {name}" for name in sorted(claims)]
    for name in sorted(units | there - claims):
        if own.get(name) != (hashlib.sha256(right[name]).hexdigest() if name in right else None):
            found.wrong.append(
                f"units: {name} {'differs' if name in own and name in right else 'is too many' if name in own else 'is missing'}"
            )
    for folder in ("runs/cells/", ""):
        record = read(f"out/{folder}run.json")
        at = f"{folder}tables/{hashlib.sha256(record).hexdigest()[:16]}/"
        for name in parse_json(record)["files"]:
            seen, wanted = read(f"out/{at}{name}").replace(b"s3://", b""), right[f"{folder}{name}"]
            if seen != wanted:
                found.wrong.append(f"tables: {folder}{name} differs")
        said, wanted_record = parse_json(record.replace(b"s3://", b"")), parse_json(right[f"{folder}run.json"])
        if {**said, "files": 0} != {**wanted_record, "files": 0} or said["files"].keys() != wanted_record[
            "files"
        ].keys():
            found.wrong.append(f"tables: {folder}run.json differs: {json.dumps(said)[:300]}")
    if found.needed != needed:
        found.wrong.append(f"extra: {found.needed} fits were made, of {needed} of one process")


def run_all(root: Path, *, workers: int, draws: int, every: float, faults: float, seed: int) -> Found:
    """Do all of it in a folder."""
    found = Found(workers)
    make_images(root)
    alone = new_place(root / "alone")
    shutil.copytree(root / "lab", alone / "lab")
    warm_up(alone, draws)
    local = words("lab/cells/raw", "lab/out", draws)
    assert finish_counted(local, alone) == 0, (alone / "said.txt").read_text()
    needed = Counter((alone / "fits.txt").read_text().splitlines())
    with S3(free_port()) as s3:
        s3.make_bucket("lab")
        for path in sorted((root / "lab").rglob("*.png")):
            s3.put("lab", path.relative_to(root / "lab").as_posix(), path.read_bytes())
        units = len(list((alone / "lab" / "out").rglob("predictions/*.safetensors")))
        punish(root, s3, found, units=units, draws=draws, every=every, faults=faults, seed=seed)
        compare(s3.keys("lab"), tree(alone / "lab" / "out"), len(needed), s3, found)
    return found


def warm_up(alone: Path, draws: int) -> None:
    """Import and compile everything, in this process, so that its forks start at once."""
    before, argv = Path.cwd(), sys.argv
    os.chdir(alone)
    try:
        with open(os.devnull, "w") as quiet:
            said, sys.stdout = sys.stdout, quiet
            try:
                assert call(words("lab/cells/raw", "tmp/warm", 2)) == 0
                import obstore  # noqa: F401  is imported, and not used, before the forks

                import bench.data.in_bucket
                import bench.report.in_bucket  # noqa: F401
            finally:
                sys.stdout = said
    finally:
        os.chdir(before)
        sys.argv = argv


def finish_counted(command: tuple[str, ...], place: Path) -> int:
    """Run a command to its end with its fits counted."""

    def prepare() -> None:
        count_fits(place / "fits.txt")
        cost_at_once()

    return ended(start(command, place, prepare))


HEAD = [
    "| workers | kills | disks lost | stops | s | units | fits needed | extra | of it in blocks finished twice | wrong |",
    "|" + "---:|" * 10,
]


def as_line(found: Found) -> str:
    """Return what was found as a line of a Markdown table."""
    return (f"| {found.workers} | {found.kills} | {found.disks} | {found.stops} | {found.seconds:.0f} | {found.units} "
            f"| {found.needed} | {100 * found.extra:.1f} % | {100 * found.twice / found.needed:.1f} % | {len(found.wrong)} |")  # fmt: skip


def main() -> int:
    """Read the numbers asked for, do it, and print the table; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two kills")
    parser.add_argument("--faults", type=float, default=0.1, help="share of requests that fail")
    parser.add_argument("--seed", type=int, default=0)
    folder = Path(tempfile.mkdtemp())  # not TemporaryDirectory, which every forked process would tidy up
    try:
        found = run_all(folder, **vars(parser.parse_args()))
        print(*HEAD, as_line(found), "", f"Answers: {found.answers}", *found.wrong, sep="\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(bool(found.wrong) or found.extra > 0.05)


if __name__ == "__main__":
    sys.exit(main())
