"""Kill `bench run` with kill -9, over and over, and count what is wrong afterwards.

    python -m tests.faults.kills                       all of it, some minutes; prints a Markdown table
    python -m tests.faults.kills --tables 12 --moments 8 --pairs 4 --parents 2

Four ways, each in folders of their own, with two requests, A and B, that share a name and so replace each other's tables:

    tables    A and B in turn, each killed at one step of the writing of its tables. Steps are what it asks of the file
              system (and the middle of every file); the kills are spread evenly over all of them.
    moments   everything from nothing, killed at any moment of its life, by the clock.
    pairs     A and B at once, one of them killed at any moment.
    parents   two processes fit; the one that started them is killed alone, while they work.

After each kill: `bench store clean --yes`, then the tables as they lie, then A or B to its end. Counted are

    wrong       tables that are not, byte by byte, those of an uninterrupted run
    mixed       folders that hold tables of both requests at once, or half of what belongs together
    orphans     processes that are still there 10 s after the kill
    left        temporary files, claims and the like that are still there after `bench store clean`
    refused     commands that did not end well, when nobody killed them

A kill is cheap as all runs are forked from a process that has imported everything.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults.aftermath import Count, Tree, clean, kept_state, look, new_place, refuse, same, tables, tree
from tests.faults.forked import at_step, call, ended, finish, kill_after, session_of, start

BASE = ("run", "--data", "raw", "--encoder", "color-stats,thumbnail", "--no-baselines", "--shots", "1,2", "--noise", "0,0.4",
        "--out", "out", "--name", "r", "--workers", "1")  # fmt: skip
REQUESTS = {"A": (*BASE, "--head", "knn", "--draws", "2"), "B": (*BASE, "--head", "centroid", "--draws", "3")}
BEFORE = (*BASE, "--head", "knn", "--draws", "3")  # what both of a pair replace
MANY = (*BASE[:-1], "2", "--head", "knn,centroid,ridge", "--draws", "20")
OTHER = {"A": "B", "B": "A"}
PATIENCE_S = 60.0


def make_images(folder: Path) -> None:
    """Write raw/<class>/<i>.png, two classes of six."""
    for k, label in enumerate(("neuron", "rbc")):
        for i in range(6):
            pixels = np.random.default_rng(10 * k + i).normal(100 + 9 * k, 30, (16, 16, 3)).clip(0, 255)
            path = folder / "raw" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            os.utime(path, (1e9, 1e9))  # long ago: read once and then known


@dataclass(frozen=True)
class Whole:
    """Uninterrupted runs. after: request -> the whole results folder after it, where the other was before. steps: of
    the writing of its tables. alone: request -> the same from nothing. life_s: of a run from nothing."""

    state: Path
    after: Mapping[str, Tree]
    steps: Mapping[str, int]
    alone: Mapping[str, Tree]
    life_s: float

    def of_run(self) -> dict[str, Tree]:
        """Return request -> the tables in the folder of the run."""
        return {name: tables(seen, "runs/r/") for name, seen in self.after.items()}

    def overview(self) -> dict[str, Tree]:
        """Return request -> the tables beside the runs."""
        return {name: tables(seen, "") for name, seen in self.after.items()}

    def kept(self) -> dict[str, str]:
        """Return the folder that keeps a request's tables -> the request."""
        return {
            name[: name.index("/", 5) + 1]: OTHER[request]
            for request, seen in self.after.items() for name in seen if name.startswith("runs/r-earlier-")
        }  # fmt: skip


def make_whole(root: Path) -> Whole:
    """Run everything without a kill."""
    alone, life = {}, 0.0
    for name, words in REQUESTS.items():
        place = new_place(root)
        began = time.perf_counter()
        assert finish(words, place) == 0, (place / "said.txt").read_text()
        life = time.perf_counter() - began
        alone[name] = tree(place / "out")
    place = new_place(root)
    after, steps = {}, {}
    for name in ("A", "B", "A", "B", "A"):
        assert ended(start(REQUESTS[name], place, at_step(0, place / "steps"))) == 0, (place / "said.txt").read_text()
        steps[name], after[name] = int((place / "steps").read_text()), tree(place / "out")
    return Whole(kept_state(place, "whole"), after, steps, alone, life)


def kill_tables(root: Path, whole: Whole, kills: int) -> Count:
    """A and B in turn, killed at the steps of the writing of their tables, spread evenly over all of them."""
    count, place = Count(), new_place(root, whole.state)
    began = time.perf_counter()
    for i in range(kills):
        asked, before = ("B", "A") if i % 2 == 0 else ("A", "B")
        turns = (kills + 1) // 2 if i % 2 == 0 else kills // 2
        step = 1 + (i // 2) * (whole.steps[asked] - 1) // max(1, turns - 1)
        text = f"{asked} killed at step {step} of {whole.steps[asked]}"
        code = ended(start(REQUESTS[asked], place, at_step(step)))
        count.kills += code == -signal.SIGKILL
        count.missed += code != -signal.SIGKILL
        after_kill(place, whole, count, text)
        first = asked if i % 4 < 2 else before  # either is asked for next
        for name in dict.fromkeys((first, asked)):
            if finish(REQUESTS[name], place):
                refuse(place, count, f"{text}: {name} again")
            if name == asked:
                same(tree(place / "out"), whole.after[name], count, f"{text}, then {first} and {name}")
            else:
                look(tree(place / "out"), {name: whole.of_run()[name]}, "runs/r/", count, text, all_of_it=True)
    count.seconds = time.perf_counter() - began
    return count


def after_kill(place: Path, whole: Whole, count: Count, text: str) -> None:
    """Look at the tables as they lie, and at what is left."""
    clean(place, count, text)
    seen = tree(place / "out")
    look(seen, whole.of_run(), "runs/r/", count, text)
    look(seen, whole.overview(), "", count, text)
    for folder, request in whole.kept().items():
        look(seen, {request: whole.of_run()[request]}, folder, count, text, all_of_it=True)


def kill_moments(root: Path, whole: Whole, kills: int, rng: np.random.Generator) -> Count:
    """A from nothing, killed at any moment; the next one goes on in the same folder until it is done."""
    count, place = Count(), new_place(root)
    began = time.perf_counter()
    while count.kills < kills:
        moment = rng.uniform(0.02, 1.0) * whole.life_s
        text = f"A killed after {moment:.2f} s"
        killed = kill_after(start(REQUESTS["A"], place), moment)
        count.kills += killed
        count.missed += not killed
        if killed:
            clean(place, count, text)
            seen = tree(place / "out")
            for folder in ("runs/r/", ""):
                look(seen, {"A": tables(whole.alone["A"], folder)}, folder, count, text)
            state = kept_state(place, "cut")
            if finish(REQUESTS["A"], place):
                refuse(place, count, f"{text}: the same again")
            same(tree(place / "out"), whole.alone["A"], count, f"{text}, then the same again")
            place = new_place(root, state)
        else:
            place = new_place(root)
    count.seconds = time.perf_counter() - began
    return count


def kill_pairs(root: Path, whole: Whole, kills: int, rng: np.random.Generator) -> Count:
    """A and B at once over the tables of a third request; one of them is killed."""
    count, place = Count(), new_place(root, whole.state)
    began = time.perf_counter()
    assert finish(BEFORE, place) == 0
    base = kept_state(place, "base")
    started = time.perf_counter()
    assert finish(REQUESTS["A"], place) == 0
    life = time.perf_counter() - started
    i = 0
    while count.kills < kills:
        place = new_place(root, base)
        victim, other = ("A", "B") if i % 2 else ("B", "A")
        i += 1
        moment = rng.uniform(0.05, 1.3) * life  # two at once take longer than one
        text = f"{victim} killed after {moment:.2f} s beside {other}"
        pids = {name: start(REQUESTS[name], place) for name in rng.permutation(["A", "B"]).tolist()}
        killed = kill_after(pids[victim], moment)
        count.kills += killed
        count.missed += not killed
        if code := ended(pids[other]):
            refuse(place, count, f"{text}: {other} ended with {code}")
        clean(place, count, text)
        look(tree(place / "out"), whole.of_run(), "runs/r/", count, text, all_of_it=True)  # of either, whole
        for name in ("A", "B"):
            if finish(REQUESTS[name], place):
                refuse(place, count, f"{text}: {name} again")
            seen = tree(place / "out")
            look(seen, {name: whole.of_run()[name]}, "runs/r/", count, text, all_of_it=True)
            for folder, request in whole.kept().items():
                look(seen, {request: whole.of_run()[request]}, folder, count, text, all_of_it=True)
    count.seconds = time.perf_counter() - began
    return count


def kill_parents(root: Path, whole: Whole, kills: int, rng: np.random.Generator) -> Count:
    """Two processes fit; the one that started them is killed alone. They have to be gone within a minute."""
    count = Count()
    place = new_place(root, whole.state)
    began = time.perf_counter()
    assert finish(MANY, place) == 0, (place / "said.txt").read_text()
    right = tree(place / "out")
    while count.kills < kills:
        place = new_place(root, whole.state)
        fits = len(list((place / "out").rglob("predictions/*")))
        pid = start(MANY, place)
        # In turn: as soon as they are started, while they import, and while they fit.
        fitting = count.kills % 3 == 2
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and (
            len(list((place / "out").rglob("predictions/*"))) == fits if fitting else len(session_of(pid)) < 4
        ):
            time.sleep(0.01)
        try:
            killed = kill_after(pid, rng.uniform(0.0, 0.2 if fitting else 3.0), alone=True)
        except ChildProcessError:  # it had ended before
            killed = False
        dead = time.perf_counter()
        count.kills += killed
        count.missed += not killed
        text = f"parent killed with {len(list((place / 'out').rglob('predictions/*'))) - fits} blocks made"
        while killed and session_of(pid) and time.perf_counter() - dead < PATIENCE_S:
            time.sleep(0.02)
        if killed:
            count.slowest_s = max(count.slowest_s, time.perf_counter() - dead)
        for orphan in session_of(pid):
            count.note("orphans", f"{text}: {orphan}")
            os.kill(orphan, signal.SIGKILL)
        clean(place, count, text)
        if finish((*MANY[:-6], "--workers", "1", *MANY[-4:]), place):
            refuse(place, count, f"{text}: the same again")
        seen = tree(place / "out")
        # The command is part of the page and of run.json, and says how many processes.
        without = {name for name in right if name.endswith(("leaderboard.md", "run.json", "report.html"))}
        same({n: d for n, d in seen.items() if n not in without}, {n: d for n, d in right.items() if n not in without},
             count, text)  # fmt: skip
    count.seconds = time.perf_counter() - began
    return count


def kill_all(
    root: Path, *, tables: int, moments: int, pairs: int, parents: int, seed: int = 0
) -> Iterator[tuple[str, Count]]:
    """Do all four ways so many times in a folder; yields (way, what was found)."""
    rng = np.random.default_rng(seed)
    make_images(root / "cells")
    warm = new_place(root)
    before, argv = Path.cwd(), sys.argv
    os.chdir(warm)
    try:
        with open(os.devnull, "w") as quiet:
            said, sys.stdout = sys.stdout, quiet
            try:
                for words in (*REQUESTS.values(), ("leaderboard", "--out", "out"), ("store", "clean", "--out", "out")):
                    assert call(words) == 0
            finally:
                sys.stdout = said
    finally:
        os.chdir(before)
        sys.argv = argv
    whole = make_whole(root)
    ways: Mapping[str, Callable[[], Count]] = {
        f"tables, {whole.steps['A']} and {whole.steps['B']} steps": lambda: kill_tables(root, whole, tables),
        f"moments of {whole.life_s:.2f} s": lambda: kill_moments(root, whole, moments, rng),
        "pairs": lambda: kill_pairs(root, whole, pairs, rng),
        "parents": lambda: kill_parents(root, whole, parents, rng),
    }
    for asked, (name, way) in zip((tables, moments, pairs, parents), ways.items(), strict=True):
        if asked:
            yield name, way()


WRONG = ("wrong", "mixed", "orphans", "left", "refused")


HEAD = ["| way | kills | ended before | " + " | ".join(WRONG) + " | last process gone after | s a kill |",
        "|---|" + "---:|" * (len(WRONG) + 4)]  # fmt: skip


def as_line(name: str, one: Count) -> str:
    """Return what was found in one way as a line of a Markdown table."""
    found = " | ".join(str(one.found[what]) for what in WRONG)
    slowest = f"{one.slowest_s:.1f} s" if one.slowest_s else ""
    return f"| {name} | {one.kills} | {one.missed} | {found} | {slowest} | {one.seconds / max(1, one.kills):.1f} |"


def main() -> int:
    """Read the numbers asked for, kill, and print the table; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=60)
    parser.add_argument("--moments", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--parents", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = vars(parser.parse_args())
    folder = Path(tempfile.mkdtemp())  # not TemporaryDirectory, which every forked process would tidy up
    where: list[str] = []
    try:
        print(*HEAD, sep="\n", flush=True)
        for name, one in kill_all(folder, **asked):
            print(as_line(name, one), flush=True)
            where += [f"{name}: {text}" for text in one.where]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(*where, sep="\n")
    return int(bool(where))


if __name__ == "__main__":
    sys.exit(main())
