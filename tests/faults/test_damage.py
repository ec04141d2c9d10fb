"""Whatever is damaged in a results folder, no command serves a wrong number or ends in a traceback.

One folder of results is made whole. Then files of it are flipped, cut, emptied, removed or exchanged with another of
their kind, as a disk or a person does it (size and times kept where they can be), and the commands that read the folder
are called. What they leave must be the tables of the whole folder, or none.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import sys
import traceback
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.cli import app as cli

SWEEP = ("--encoder", "color-stats,thumbnail", "--head", "knn,centroid", "--shots", "1,2", "--noise", "0,0.4",
         "--draws", "3", "--workers", "1", "--no-trivial", "--out", "out")  # fmt: skip
TABLES = ("leaderboard.csv", "pairs.csv", "robustness.csv", "efficiency.csv")
MEASURED = ["ms_per_image"]  # by a clock


def call(*words: str) -> tuple[int, str]:
    """Run the command line in this process; returns (exit code, what it said, -1 and the traceback where it broke)."""
    said, before = io.StringIO(), sys.argv
    sys.argv = ["bench", *words]
    try:
        with redirect_stdout(said), redirect_stderr(said):
            cli.main()
        return 0, said.getvalue()
    except SystemExit as end:
        return int(end.code or 0), said.getvalue()
    except Exception:
        return -1, traceback.format_exc()
    finally:
        sys.argv = before


def run(name: str, *more: str) -> tuple[int, str]:
    return call("run", "--data", name, *SWEEP, "--name", name, *more)


def numbers(path: Path) -> pd.DataFrame | None:
    try:
        return pd.read_csv(path).drop(columns=MEASURED, errors="ignore")
    except FileNotFoundError:
        return None
    except ValueError:  # damaged, and no command has read it yet
        return pd.DataFrame()


@dataclass(frozen=True)
class Whole:
    """A results folder as it was made: its tables by name of the run, and the embeddings that are exported."""

    folder: Path
    tables: dict[tuple[str, str], pd.DataFrame | None]
    exported: dict[str, np.ndarray]

    def wrong(self) -> list[str]:
        """Return the tables and embeddings that are there and are not those of the whole folder."""
        found = []
        for (name, table), right in self.tables.items():
            there = numbers(Path("out/runs") / name / table)
            if there is not None and (right is None or not there.equals(right)):
                found.append(f"{name}/{table}")
        if Path("e.npz").exists():
            with np.load("e.npz") as file:
                found += [key for key, right in self.exported.items() if not np.array_equal(file[key], right)]
        return found


def exported() -> tuple[int, str]:
    Path("e.npz").unlink(missing_ok=True)
    return call("export", "--data", "a", "--encoder", "thumbnail", "--out", "out", "--to", "e.npz")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    for number, name in enumerate(("a", "b")):
        for k, label in enumerate(("neuron", "rbc")):
            for i in range(6):
                rng = np.random.default_rng(100 * number + 10 * k + i)
                pixels = rng.normal(100 + 6 * k + 3 * number, 30, (16, 16, 3)).clip(0, 255).astype(np.uint8)
                path = folder / name / label / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    before = Path.cwd()
    os.chdir(folder)
    try:
        for name in ("a", "b"):
            code, text = run(name)
            assert code == 0, text
        assert call("leaderboard", "--out", "out")[0] == 0
        assert exported()[0] == 0
        tables = {(name, table): numbers(Path("out/runs") / name / table) for name in ("a", "b") for table in TABLES}
        with np.load("e.npz") as file:
            vectors = {key: file[key] for key in ("embedding",) if key in file.files}
        assert vectors and sum(table is not None for table in tables.values()) >= 6
        for path in folder.rglob("*.png"):
            os.utime(path, (1e9, 1e9))
        Path("e.npz").unlink()
    finally:
        os.chdir(before)
    return Whole(folder, tables, vectors)


def flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def digit(data: bytes, rng: random.Random) -> bytes:
    """Change a digit where there is one, so that what is read stays a number."""
    places = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return flip(data, rng)
    at = rng.choice(places)
    return data[:at] + bytes([48 + (data[at] - 47) % 10]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


DAMAGE = {"flip": flip, "digit": digit, "cut": cut, "empty": lambda data, rng: b""}


def damage(rng: random.Random) -> str:
    """Do one harm to a file below out; returns what was done to which kind."""
    files = sorted(path for path in Path("out").rglob("*") if path.is_file() and path.stat().st_size)
    kinds: dict[str, list[Path]] = {}
    for path in files:
        kinds.setdefault(f"{path.parent.name if len(path.stem) < 32 else ''}*{path.suffix}", []).append(path)
        kinds.setdefault(path.name if len(path.stem) < 32 else f"{path.parent.parent.name}/*{path.suffix}", []).append(path)
    kind = rng.choice(sorted(kinds))
    path, what = rng.choice(kinds[kind]), rng.choice([*DAMAGE, "gone", "swap"])
    stat = path.stat()
    others = [other for other in files if other != path and (other.name == path.name or (
        other.suffix == path.suffix and len(other.stem) == len(path.stem) == 32))]  # fmt: skip
    if what == "swap" and others:
        other = rng.choice(others)
        first, second = path.read_bytes(), other.read_bytes()
        path.write_bytes(second)
        other.write_bytes(first)
        return f"swap {path} with {other}"
    if what == "gone":
        path.unlink()
        return f"gone {path}"
    what = what if what in DAMAGE else "flip"
    path.write_bytes(DAMAGE[what](path.read_bytes(), rng))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return f"{what} {path}"


COMMANDS = {
    "run": lambda: run("a"),
    "leaderboard": lambda: call("leaderboard", "--out", "out"),
    "rebuild": lambda: call("leaderboard", "--out", "out", "--rebuild"),
    "check": lambda: call("store", "check", "--out", "out"),
    "export": exported,
}


def harm_and_read(whole: Whole, place: Path, seed: int) -> tuple[str, list[str]]:
    """Damage one to three files of a copy of the folder, call two commands and then the runs; return (what, faults)."""
    rng = random.Random(seed)
    shutil.copytree(whole.folder, place)
    os.chdir(place)
    done = "; ".join(damage(rng) for _ in range(rng.choice((1, 1, 1, 2, 3))))
    faults = []
    for name in rng.sample(sorted(COMMANDS), 2):
        code, text = COMMANDS[name]()
        if code not in (0, 2):
            faults.append(f"{name} ended with {code}: {text[-1500:]}")
        if code == 0:
            faults += [f"after {name}: {wrong} is wrong" for wrong in served(whole, name)]
    for name in ("a", "b"):
        code, text = run(name)
        if code:
            faults.append(f"run {name} again ended with {code}: {text[-1500:]}")
    faults += [f"at the end: {wrong} is wrong" for wrong in whole.wrong()]
    faults += [f"at the end: {name}/{table} is missing" for (name, table), right in whole.tables.items()
               if right is not None and not (Path("out/runs") / name / table).exists()]  # fmt: skip
    return done, faults


def served(whole: Whole, command: str) -> list[str]:
    """Return what a command that ended well serves and that is wrong: it vouches for what it has just read."""
    answers = {"run": "a/", "export": "embedding", "check": "none"}
    found = [wrong for wrong in whole.wrong() if wrong.startswith(answers.get(command, ""))]
    if command not in ("leaderboard", "rebuild"):
        return found
    board = pd.read_csv("out/leaderboard.csv")
    columns = ["encoder", "head", "shots", "noise", "balanced_accuracy"]
    for (name, table), right in whole.tables.items():
        if table == "leaderboard.csv":
            own = board.loc[board["run"] == name, columns].sort_values(columns).reset_index(drop=True)
            if len(own) and not own.equals(right[columns].sort_values(columns).reset_index(drop=True)):
                found.append(f"{name} in the overview")
    return found


def fuzz(whole: Whole, tmp_path: Path, seeds: range) -> None:
    before, counts, faults = Path.cwd(), Counter[str](), []
    try:
        for seed in seeds:
            done, found = harm_and_read(whole, tmp_path / str(seed), seed)
            counts.update(one.split()[0] for one in done.split("; "))
            faults += [f"seed {seed}, {done}: {one}" for one in found]
            os.chdir(before)
            shutil.rmtree(tmp_path / str(seed))
    finally:
        os.chdir(before)
    print(f"{len(seeds)} folders, {sum(counts.values())} harms {dict(counts)}, {len(faults)} faults")
    assert not faults, "\n\n".join(faults)


def test_of_some_damaged_folders_none_serves_a_wrong_number_or_ends_in_a_traceback(whole, tmp_path):
    fuzz(whole, tmp_path, range(6))


@pytest.mark.slow
def test_of_many_damaged_folders_none_serves_a_wrong_number_or_ends_in_a_traceback(whole, tmp_path):
    """A few minutes for 60; CELL_FUZZ=from:to takes other seeds, such as 100:700."""
    first, last = map(int, os.environ.get("CELL_FUZZ", "100:160").split(":"))
    fuzz(whole, tmp_path, range(first, last))
