"""What does a sweep's work cost here, next to the loop of library fits that one would write? Prints Markdown.

    OMP_NUM_THREADS=1 python tests/performance/sweep.py                                K=8, d=768, some minutes
    OMP_NUM_THREADS=1 python tests/performance/sweep.py --classes 3,8,20 --dims 384,768,1536 --shots 1,10,50,200
    OMP_NUM_THREADS=1 python tests/performance/sweep.py --embeddings FILE.npz ...      what `bench export` wrote

The work of a head on a draw is all its label vectors (one for each noise rate) at all settings of its grid, from the
rows to the predicted classes of the test rows. This engine and the loops do it turn and turn about; CPU seconds of one
thread, medians over the draws. `here`: the head alone, with its part of what all draws of one pool share (cosines
with the test rows, axes), as of 20 draws a shot level. `if added`: where other heads have used the same draw. Equal classes:
the share of test rows, its least and its mean over label vectors, settings and draws, against the first loop; `its
own` is that of the second loop. The gap is (f - f') / f' for this engine's loss f and the first loop's f', the largest;
in brackets what the engine tells. Accuracy is balanced, on clean labels, the mean over settings. A loop that takes
longer than --patience seconds is run on one draw, and one that takes ten times as long not at more shots.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from loops import LOOPS, quieten
from measure import Measured, measure_case, widths
from memory import peaks
from rows import Case, draw, exported, synthetic
from tables import by_setting, by_shots, grouped, growth, ms, table, totals, width_table
from threadpoolctl import threadpool_limits

HEADS = "logreg,knn,centroid,ridge,xgboost"


def main(arguments: list[str] | None = None) -> None:
    """Measure every case and print its tables, then those of all cases."""
    given = options(arguments)
    quieten()
    rates = [float(rate) for rate in given.noise.split(",")]
    heads, shots = given.heads.split(","), numbers(given.shots)
    import faiss  # noqa: F401  before the limit, which holds for what is loaded
    import xgboost  # noqa: F401

    found: list[Measured] = []
    wide: dict[tuple[str, str, int], tuple[float, float]] = {}
    memory: list[list[object]] = []
    with threadpool_limits(1):
        for case in cases(given):
            own, parts = measure_case(case, heads, shots, rates, given.draws, given.patience)
            found += own
            print(f"## {case.name}: K={case.K}, d={case.d}, N={len(case.X)}, {len(case.test)} tested, "
                  f"{len(rates)} label vectors, {given.draws} draws\n")  # fmt: skip
            print("Once for all draws, ms: " + ", ".join(f"{part} {ms(took)}" for part, took in parts.items()) + "\n")
            for some in grouped(own):
                print(f"### {some[0].head}, {len(some[0].settings)} settings\n\n{by_shots(some)}", flush=True)
            for n in numbers(given.memory):
                if drawn := draw(case, n, 0, rates):
                    memory += [[case.name, case.K, case.d, n, name, *in_mb(peaks(case, drawn, name))] for name in heads]
            if given.wide and not wide and (drawn := draw(case, given.wide, 0, rates)):
                wide = widths(case, heads, given.wide, numbers(given.vectors), numbers(given.points), given.patience)
    if not found:
        raise SystemExit(f"Got shots {given.shots}, more than some class has; give fewer.")
    print(f"## A draw of every shot level, beside the targets\n\n{totals(found)}")
    print(f"## Setting by setting\n\n{by_setting(found)}")
    print(f"## Growth: slopes of log seconds, median (range)\n\n{growth(found)}")
    if wide:
        print(f"## Growth with label vectors m and settings L, {given.wide} shots\n\n{width_table(wide)}")
    if memory:
        header = ["rows", "K", "d", "shots", "head", "here, pool and draw, MB", "first loop, MB", "second loop, MB"]
        print(f"## Peak memory\n\n{table(header, memory)}")


def options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", default="8")
    parser.add_argument("--dims", default="768")
    parser.add_argument("--shots", default="1,5,10,50,200")
    parser.add_argument("--heads", default=HEADS, help=f"of {', '.join(LOOPS)}")
    parser.add_argument("--noise", default="0,0.1,0.2,0.4", help="a label vector for each rate")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--patience", type=float, default=4, help="seconds, see above")
    parser.add_argument("--embeddings", type=Path, nargs="*", default=[], help="draw from these, not from made-up rows")
    parser.add_argument("--group-separator", default="__", help="the group is the file's name up to here")
    parser.add_argument("--memory", default="50", help="shots at which peak memory is measured; '' for none")
    parser.add_argument("--wide", type=int, default=10, help="shots at which m and L vary, in the first case; 0: none")
    parser.add_argument("--vectors", default="1,2,4,8", help="values of m")
    parser.add_argument("--points", default="1,2,5,10", help="values of L")
    return parser.parse_args(arguments)


def numbers(text: str) -> list[int]:
    """Return whole numbers that are separated by commas."""
    return [int(number) for number in text.split(",") if number]


def cases(given: argparse.Namespace) -> Iterator[Case]:
    """Make one case after the other."""
    if given.embeddings:
        yield from (exported(path, given.group_separator) for path in given.embeddings)
        return
    for K in numbers(given.classes):
        for d in numbers(given.dims):
            yield synthetic(K, d, max(numbers(given.shots)))


def in_mb(found: dict[str, float]) -> list[str]:
    """Return MB as text."""
    return [f"{value:.0f}" for value in found.values()]


if __name__ == "__main__":
    main()
