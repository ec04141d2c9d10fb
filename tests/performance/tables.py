"""Markdown tables of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from compare import Solved
from loops import LOOPS
from measure import ADDED, HERE, Measured

TARGETS = {"logreg": 50, "knn": 30, "ridge": 20, "xgboost": 8}


def table(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(str(text) for text in row) + " |" for row in rows) + "\n"


def ms(seconds: float) -> str:
    """Return milliseconds with three digits."""
    return "" if np.isnan(seconds) else f"{1000 * seconds:.3g}" if seconds < 1 else f"{1000 * seconds:.0f}"


def times(ratio: float) -> str:
    """Return a ratio with two or three digits."""
    return "" if np.isnan(ratio) else f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def by_shots(some: Sequence[Measured]) -> str:
    """Return the table of one case and head: seconds, ratios and likeness at every shot level."""
    first, second = LOOPS[some[0].head]
    header = ["shots", "here, ms", "if added, ms", f"{first}, ms", "ratio", "ratio if added", f"{second}, ms", "ratio",
              "equal classes: least", "mean", "its own: least", "largest loss gap (told), evaluations",
              "accuracy, %: here, first, second", "here - first"]  # fmt: skip
    lines = []
    for one in some:
        here, added, a, b = one.with_pool, one.median(ADDED), one.median(first), one.median(second)
        lines.append([
            one.shots, ms(here), ms(added), ms(a), times(a / here), times(a / added), ms(b), times(b / here),
            *shares_of(one.alike), *shares_of(one.alike_second)[:1],
            gaps_of(one.solved), accuracies(one), apart([one]),
        ])  # fmt: skip
    return table(header, lines)


def shares_of(alike: Sequence[np.ndarray]) -> tuple[str, str]:
    """Return the least and the mean of shares, without NaN; nothing where there are none."""
    if not np.isfinite(alike).any():
        return "", ""
    return f"{np.nanmin(alike):.4f}", f"{np.nanmean(alike):.4f}"


def gaps_of(solved: Sequence[Solved]) -> str:
    """Return the largest gap, the largest told, and the mean evaluations a fit."""
    if not solved:
        return ""
    gap, told = (max(getattr(one, name) for one in solved) for name in ("gap", "told"))
    return f"{gap:.0e} ({told:.0e}), {np.mean([one.evaluations for one in solved]):.1f}"


def accuracies(one: Measured) -> str:
    """Return the mean accuracy of every way."""
    return ", ".join(f"{np.mean(own):.1f}" for way, own in one.accuracy.items() if way != ADDED)


def apart(some: Sequence[Measured]) -> str:
    """Return the difference in accuracy to the first loop, in points, with its standard error over the draws."""
    first = next(iter(LOOPS[some[0].head]))
    own = np.concatenate([np.subtract(one.accuracy[HERE], one.accuracy[first]) for one in some])
    if len(own) < 2:
        return "".join(f"{value:+.2f}" for value in own)
    return f"{own.mean():+.2f} ± {own.std(ddof=1) / len(own) ** 0.5:.2f}"


def totals(found: Sequence[Measured]) -> str:
    """Return one line a case and head: a draw of every shot level at which the first loop ran, beside the target."""
    header = ["rows", "K", "d", "head", "here, ms", "of it the pool", "ratio", "target", "ratio if added",
              "to the second loop", "equal classes: least", "mean", "largest loss gap (told), evaluations", "accuracy, points"]  # fmt: skip
    lines = []
    for some in grouped([one for one in found if one.seconds[next(iter(LOOPS[one.head]))]]):
        one = some[0]
        first, second = LOOPS[one.head]
        here, added, a, b = (
            sum(seconds)
            for seconds in zip(
                *((s.with_pool, s.median(ADDED), s.median(first), s.median(second)) for s in some), strict=True
            )
        )
        alike = [share for s in some for shares in s.alike for share in shares.ravel()]
        lines.append([
            one.case.name, one.case.K, one.case.d, one.head, ms(here), f"{sum(s.pool for s in some) / here:.0%}", times(a / here),
            TARGETS.get(one.head, ""), times(a / added), times(b / here), *shares_of(alike),
            gaps_of([solved for s in some for solved in s.solved]), apart(some),
        ])  # fmt: skip
    return table(header, lines)


def grouped(found: Sequence[Measured]) -> list[list[Measured]]:
    """Return what was measured by case and head, shots rising."""
    out: dict[tuple[int, str], list[Measured]] = {}
    for one in sorted(found, key=lambda one: one.shots):
        out.setdefault((id(one.case), one.head), []).append(one)
    return list(out.values())


def by_setting(found: Sequence[Measured]) -> str:
    """Return the least and the mean share of equal classes of every setting, over all draws and label vectors."""
    heads = list(dict.fromkeys(one.head for one in found))
    most = max(len(one.settings) for one in found)
    lines = []
    for name in heads:
        own = [shares for one in found if one.head == name for shares in one.alike]
        cells = [", ".join(shares_of(column)) for column in np.concatenate(own).T] if own else []
        lines.append([name, *cells, *[""] * (most - len(cells))])
    return table(["equal classes: least, mean", *(f"setting {i + 1}" for i in range(most))], lines)


def growth(found: Sequence[Measured]) -> str:
    """Return log-log slopes of the seconds of a draw along shots, K and d, here (without the pool) and of the first loop.

    n, the rows of a support, is shots x K.
    """
    axes: dict[str, Callable[[Measured], int]] = {
        "shots": lambda one: one.shots,
        "K": lambda one: one.case.K,
        "d": lambda one: one.case.d,
    }
    lines = []
    for name in dict.fromkeys(one.head for one in found):
        first = next(iter(LOOPS[name]))
        own = [one for one in found if one.head == name and one.seconds[first]]
        for axis, of in axes.items():
            others = [each for key, each in axes.items() if key != axis]
            along: dict[tuple[object, ...], list[Measured]] = {}
            for one in own:
                along.setdefault((one.case.name, *(other(one) for other in others)), []).append(one)
            for cells in slopes([sorted(some, key=of) for some in along.values()], of, (HERE, first)):
                lines.append([name, axis, *cells])
    return table(["head", "axis", "from, to", "here", "loop"], lines)


def slopes(lines: Sequence[Sequence[Measured]], of: Callable[[Measured], int], ways: Sequence[str]) -> list[list[str]]:
    """Return [from and to, median slope of every way] over the whole axis and between the two largest values."""
    lines = [line for line in lines if len(line) > 1]
    out = []
    for span in (slice(None), slice(-2, None)) if lines and len(lines[0]) > 2 else (slice(None),) if lines else ():
        parts = [line[span] for line in lines]
        ends = f"{of(parts[0][0])}, {of(parts[0][-1])}"
        fits = [[slope([of(one) for one in part], [one.median(way) for one in part]) for part in parts] for way in ways]
        out.append([ends, *(f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})" for values in fits)])
    return out


def slope(x: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the slope of log seconds on log x."""
    return float(np.polyfit(np.log(x), np.log(seconds), 1)[0])


def width_table(found: Mapping[tuple[str, str, int], tuple[float, float]]) -> str:
    """Return seconds and slopes along the number of label vectors and of settings."""
    lines = []
    for name, axis in dict.fromkeys((name, axis) for name, axis, _ in found):
        own = {length: seconds for (head, other, length), seconds in found.items() if (head, other) == (name, axis)}
        if len(own) < 2:
            continue
        cells = [f"{', '.join(ms(both[i]) for both in own.values())}" for i in (0, 1)]
        fits = [f"{slope(list(own), [both[i] for both in own.values()]):.2f}" for i in (0, 1)]
        lines.append([name, axis, ", ".join(map(str, own)), cells[0], fits[0], cells[1], fits[1]])
    return table(["head", "axis", "lengths", "here, ms", "slope", "loop, ms", "slope"], lines)
