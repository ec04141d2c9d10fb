"""Whatever is damaged in a results folder, no command serves a wrong number, ends in a traceback, or does not end.

One results folder is made whole: two runs, a tuning, labels of cells against labels of images, kept pixels, claims of the
dead. Then files of it are flipped, cut, emptied, removed or exchanged with another of their kind, as a disk or a person
does it (size and times kept where they can be), and the commands that read the folder are called. What they leave must
be the tables of the whole folder, or none. Every folder is dealt with by a process of its own, forked from one that has
imported everything.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import re
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.cli import app as cli
from bench.storage import shard_index
from bench.work import claims
from tests.faults.harms import DAMAGE, damage, digit

ROOM = ("--encoder", "thumbnail", "--out", "out")
SWEEP = ("--encoder", "color-stats,thumbnail", "--head", "knn,centroid", "--shots", "1,2", "--noise", "0,0.4",
         "--draws", "3", "--workers", "1", "--no-baselines", "--out", "out")  # fmt: skip
MORE = {
    "tune": ("tune", "--data", "a", *ROOM, "--shots", "1", "--draws", "2", "--trials", "3", "--workers", "1", "--name", "t"),
    "granularity": ("granularity", "--data", "a", *ROOM, "--instances", "tiles:8", "--pure", "--image-labels", "0,1",
                    "--cell-labels", "0,1,2", "--draws", "2", "--bag-head", "mean-pool", "--name", "g"),
}  # fmt: skip
TABLES = {
    **{f"runs/{name}": ("leaderboard.csv", "pairs.csv", "robustness.csv", "efficiency.csv") for name in "ab"},
    "tune/t": ("trials.csv", "importance.csv"),
    "granularity/g": ("curves.csv", "exchange.csv", "frontier.csv"),
}
MEASURED = ["ms_per_image", "seconds", "trial"]  # by a clock, or counted over what was lost as well
HANGS_S = 900.0  # of a folder; a few seconds are usual


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


def listed(folder: Path) -> set[str]:
    """Return the files that the record of a folder vouches for; it may be of another folder, or damaged."""
    try:
        return {*json.loads((folder / "run.json").read_bytes()).get("files", {})}
    except FileNotFoundError:
        return set()
    except (ValueError, AttributeError):  # damaged, and no command has read it yet
        return {table for tables in TABLES.values() for table in tables}


def is_served(folder: Path, table: str) -> bool:
    return (folder / table).exists() and table in listed(folder)


@dataclass(frozen=True)
class Whole:
    """A results folder as it was made: its tables by name of the run, and the embeddings that are exported.

    kept: where it lies; place: where it was made, and where every copy of it is damaged, as files are known by their path.
    """

    kept: Path
    place: Path
    tables: dict[tuple[str, str], pd.DataFrame | None]
    exported: dict[str, np.ndarray]

    def wrong(self, where: Mapping[str, str] = MappingProxyType({})) -> list[str]:
        """Return the tables and embeddings that are there and are not those of the whole folder.

        where: in which folder a command said that its tables are. A table that no record beside it lists counts as lost.
        """
        found = []
        for (name, table), right in self.tables.items():
            folder = Path("out") / where.get(name, name)
            there = numbers(folder / table) if table in listed(folder) else None
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
def whole(tmp_path_factory) -> Iterator[Whole]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_index, "WORTH_WRITING", 1)  # else an index is kept from sixteen shards on
        yield make_whole(tmp_path_factory.mktemp("whole"))


def make_whole(base: Path) -> Whole:
    folder = base / "place"
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
        for words in (("extract", "--data", "a", *ROOM, "--keep-pixels"), *MORE.values()):
            code, text = call(*words)
            assert code == 0, text
        for name in ("a", "b"):
            code, text = run(name)
            assert code == 0, text
        assert call("leaderboard", "--out", "out")[0] == 0
        assert exported()[0] == 0
        tables = {(name, table): numbers(Path("out") / name / table) for name in TABLES for table in TABLES[name]}
        with np.load("e.npz") as file:
            vectors = {key: file[key] for key in ("embedding",) if key in file.files}
        assert vectors and sum(table is not None for table in tables.values()) >= 11
        for path in folder.rglob("*.png"):
            os.utime(path, (1e9, 1e9))
        Path("e.npz").unlink()
        leave_claims()
        assert list(Path("out").rglob("index.npz"))
    finally:
        os.chdir(before)
    folder.rename(base / "kept")
    return Whole(base / "kept", folder, tables, vectors)


def leave_claims() -> None:
    """Leave a claim on all that can be made again, by a process that is dead."""
    if (pid := os.fork()) == 0:
        for path in sorted(Path("out").rglob("*.safetensors")):
            variant = path.parent.parent.name == "store"
            place = Path("out/store/claims") if variant else path.parent.parent / "claims"
            claims.Claims(place).take(f"{path.parent.name}-{path.stem}" if variant else path.stem)
        os._exit(0)
    os.waitpid(pid, 0)
    assert len(list(Path("out").rglob("*.claim"))) > 10


COMMANDS = {
    "run": lambda: run("a"),
    "leaderboard": lambda: call("leaderboard", "--out", "out"),
    "rebuild": lambda: call("leaderboard", "--out", "out", "--rebuild"),
    "check": lambda: call("store", "check", "--out", "out"),
    "export": exported,
}


Harms = list[tuple[str, str, str]]


def harm_and_read(whole: Whole, seed: int) -> tuple[Harms, list[str]]:
    """Damage one to 24 files of a copy of the folder, call two commands and then all; return (what, faults)."""
    rng = random.Random(seed)
    shutil.copytree(whole.kept, whole.place)
    os.chdir(whole.place)
    done = [damage(rng) for _ in range(rng.choice((1, 4, 8, 16, 24)))]
    faults = []
    for name in rng.sample(sorted(COMMANDS), 2):
        code, text = COMMANDS[name]()
        if code not in (0, 2):
            faults.append(f"{name} ended with {code}: {text[-1500:]}")
        if code == 0:
            faults += [f"after {name}: {wrong} is wrong" for wrong in served(whole, name, text)]
    again = {f"run {name}": lambda name=name: run(name) for name in "ab"}
    again |= {
        verb: lambda words=words: call(*words) for verb, words in MORE.items()
        if rng.random() < 0.1 or any(verb in path for _, _, path in done)
    }  # fmt: skip
    where: dict[str, str] = {}
    for name, command in again.items():
        code, text = command()
        if code:
            faults.append(f"{name} again ended with {code}: {text[-1500:]}")
        else:
            where |= placed(text, name.split()[-1] if "run" in name else "g")
    faults += [f"at the end: {wrong} is wrong" for wrong in whole.wrong(where)]
    faults += [f"at the end: {name}/{table} is missing" for (name, table), right in whole.tables.items()
               if right is not None and not is_served(Path("out") / where.get(name, name), table)]  # fmt: skip
    return done, faults


def apart(whole: Whole, harm: Callable[[], tuple[Harms, list[str]]]) -> tuple[Harms, list[str]]:
    """Harm a folder and read it in a process of its own, and say so where it does not end."""
    answer = whole.place.with_suffix(".pickle")
    shutil.rmtree(whole.place, ignore_errors=True)
    pid = os.fork()
    if pid == 0:
        try:
            claims.STALE_S = 1.0  # a damaged claim is honoured so long
            answer.write_bytes(pickle.dumps(harm()))
        except BaseException:
            answer.write_bytes(pickle.dumps(([], [f"not expected: {traceback.format_exc()}"])))
        finally:
            os._exit(0)
    began = time.monotonic()
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() - began > HANGS_S:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return [], [f"no end after {HANGS_S:.0f} s"]
        time.sleep(0.02)
    return pickle.loads(answer.read_bytes())


def placed(text: str, name: str) -> dict[str, str]:
    """Return where a command says that its tables are, by where they usually are: not there where damage made that
    folder another dataset's.
    """
    said = re.search(r"(?:Leaderboard|Written): out/(\S+)/", text)
    return {} if said is None else {"/".join([said[1].split("/")[0], name]): said[1]}


def served(whole: Whole, command: str, text: str) -> list[str]:
    """Return what a command that ended well serves and that is wrong: it vouches for what it has just read."""
    answers = {"run": "runs/a/", "export": "embedding", "check": "none"}
    where = placed(text, "a") if command == "run" else {}
    found = [wrong for wrong in whole.wrong(where) if wrong.startswith(answers.get(command, "runs/"))]
    if command not in ("leaderboard", "rebuild"):
        return found
    board = pd.read_csv("out/leaderboard.csv")
    columns = ["encoder", "head", "shots", "noise", "balanced_accuracy"]
    for (name, table), right in whole.tables.items():
        if table == "leaderboard.csv":
            own = board.loc[board["run"] == Path(name).name, columns].sort_values(columns).reset_index(drop=True)
            if len(own) and not own.equals(right[columns].sort_values(columns).reset_index(drop=True)):
                found.append(f"{name} in the overview")
    return found


def fuzz(whole: Whole, seeds: range) -> None:
    counts, faults, began = Counter[tuple[str, str]](), [], time.monotonic()
    for seed in seeds:
        done, found = apart(whole, partial(harm_and_read, whole, seed))
        counts.update((kind, what) for what, kind, _ in done)
        said = "; ".join(f"{what} {path}" for what, _, path in done)
        faults += [f"seed {seed}, {said}: {one}" for one in found]
        if found or seed % 20 == 19:
            print(f"\nto seed {seed}, {time.monotonic() - began:.0f} s, {len(faults)} faults", *found, sep="\n")
            print(as_table(counts), flush=True)
    print(f"\n{len(seeds)} folders, {counts.total()} harms, {len(faults)} faults\n{as_table(counts)}")
    assert not faults, "\n\n".join(faults)


def as_table(counts: Counter[tuple[str, str]]) -> str:
    """Return how often which harm was done to which kind of file, as a Markdown table."""
    harms = [*DAMAGE, "gone", "swap"]
    rows = {kind: [counts[kind, what] for what in harms] for kind in sorted({kind for kind, _ in counts})}
    rows["all"] = [sum(own[i] for own in rows.values()) for i in range(len(harms))]
    lines = [f"| file | {' | '.join(harms)} | all |", "|---|" + "---:|" * (len(harms) + 1)]
    return "\n".join(
        [*lines, *(f"| {kind} | {' | '.join(map(str, own))} | {sum(own)} |" for kind, own in rows.items())]
    )


def test_of_some_damaged_folders_none_serves_a_wrong_number_or_ends_in_a_traceback(whole):
    fuzz(whole, range(6))


@pytest.mark.parametrize("owner", ["granularity/g", "tune/t", "runs/a", ""])
def test_tables_beside_the_record_of_another_folder_are_served_by_nobody(whole, owner):
    done, faults = apart(whole, lambda: under_another_record(whole, Path("out") / owner))
    assert done and not faults, "\n".join(faults)


def under_another_record(whole: Whole, owner: Path) -> tuple[Harms, list[str]]:
    """Exchange the record of a run with another folder's, damage its tables, and read them."""
    shutil.copytree(whole.kept, whole.place)
    os.chdir(whole.place)
    folder, rng = Path("out/runs/b"), random.Random(0)
    mine, other = (folder / "run.json").read_bytes(), (owner / "run.json").read_bytes()
    (folder / "run.json").write_bytes(other)
    (owner / "run.json").write_bytes(mine)
    tables = [table for table in TABLES["runs/b"] if (folder / table).exists()]
    for table in tables:
        (folder / table).write_bytes(digit((folder / table).read_bytes(), rng))
    code, text = call("leaderboard", "--out", "out")
    faults = [
        f"after leaderboard: {wrong} is wrong"
        for wrong in (whole.wrong() if code else served(whole, "leaderboard", text))
    ]
    if code not in (0, 2) or "the run b is left out" not in " ".join(text.split()):
        faults.append(f"leaderboard ended with {code}: {text}")
    code, text = run("b")
    faults += [f"at the end: {wrong} is wrong" for wrong in whole.wrong() if wrong.startswith("runs/b")]
    faults += [f"at the end: {table} is missing: {text}" for table in tables if not is_served(folder, table)]
    return [("swap", "runs/*/run.json", str(owner))], faults


@pytest.mark.slow
def test_of_many_damaged_folders_none_serves_a_wrong_number_or_ends_in_a_traceback(whole):
    """A minute for 8; CELL_FUZZ=from:to takes other seeds, such as 100:700. With -s it prints what was harmed."""
    first, last = map(int, os.environ.get("CELL_FUZZ", "100:108").split(":"))
    fuzz(whole, range(first, last))
