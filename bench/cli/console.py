"""What the command line shows: tables on standard output, progress and errors on standard error."""

from __future__ import annotations

import logging
import math
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bench.cli.interrupts import heed_interrupt
from bench.cli.streams import DataConsole
from bench.cli.tables import make_column, make_table
from bench.text import counted, sentence

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.check import DataCheck
    from bench.data.datasets import Dataset
    from bench.fitting.forecast import Forecast

WIDE = None if sys.stdout is not None and sys.stdout.isatty() else 160  # a file or a pipe has no width to fit into
console = DataConsole(width=WIDE)
errors = DataConsole(stderr=True)


@dataclass
class Speech:
    """How a command speaks: quiet (results and errors alone), verbose, in JSON; context: the call, as it was typed."""

    quiet: bool = False
    verbose: bool = False
    json: bool = False
    context: Any = None


speech = Speech()


def speak(*, quiet: bool = False, verbose: bool = False, json: bool = False, context: Any = None) -> None:
    """Set how everything here speaks until the next call: with json, all texts go to standard error."""
    speech.quiet, speech.verbose, speech.json, speech.context = quiet, verbose, json, context
    console.stderr = json
    console.quiet = errors.quiet = False


def print_rows(rows: pd.DataFrame | Sequence[Mapping[str, object]]) -> None:
    """Write the rows of a command's table as JSON, where that was asked for: a list of objects, null for no value."""
    if not speech.json:
        return
    import json

    records = rows.to_dict("records") if hasattr(rows, "to_dict") else rows
    shown = [{name: _as_json(value) for name, value in row.items()} for row in records]
    console.stderr = False
    console.write_document(json.dumps(shown, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    console.stderr = True


def _as_json(value: Any) -> Any:
    """Return a value as JSON has it; NaN, NA and infinity, which it has not, are null."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) else None if value is None or value != value else str(value)


def print_error(*lines: object, first: str = "Error: ") -> None:
    """Print the lines of an error on standard error."""
    for i, line in enumerate(lines):
        errors.print(f"{'' if i else first}{line}")


def speak_for_libraries() -> None:
    """Print what libraries warn of, and the trace of an error that nobody foresaw, through the same door."""

    class Spoken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            errors.print(f"{record.levelname.capitalize()} of {record.name}: {record.getMessage()}")

    def warn(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
        errors.print(f"{category.__name__}: {message}")

    def fail(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        errors.print(*"".join(traceback.format_exception(kind, error, trace)).splitlines(), sep="\n")

    logging.lastResort = Spoken(logging.WARNING)
    warnings.showwarning = warn
    sys.excepthook = fail


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function (what, done, total) that draws one bar with its remaining time per stage, and per head."""
    if speech.quiet:
        yield lambda what, done, total: heed_interrupt()
    else:
        from bench.progress import terminal_bars

        with terminal_bars(errors, heed_interrupt) as report:
            yield report
    heed_interrupt()


def print_board(board: pd.DataFrame) -> None:
    """Print the rows without labels, where there are any, and those with the most, no noise, best first.

    Diagnostics come after all results.
    """
    from bench.report.tables.rows import cleanest, is_diagnostic, main_series

    clean = cleanest(main_series(board))
    for shots in sorted({int(n) for n in clean["shots"]} & {0, int(clean["shots"].max())}):
        rows = clean[clean["shots"] == shots]
        diagnostic = is_diagnostic(rows)
        for part, what in ((rows[~diagnostic], ""), (rows[diagnostic], "Diagnostics, which are never ranked: ")):
            if len(part):
                _print_rows(part, shots, what)


def _print_rows(top: pd.DataFrame, shots: int, what: str) -> None:
    from bench.report.tables.rows import best_first, head_label, labels_of

    top = best_first(top)
    shown = f"the first 20 of {len(top)} rows; " if len(top) > 20 else ""
    heads = ("head", "balanced accuracy", "95% interval", "spread", "ranks", "over baselines")
    table = make_table(make_column("encoder", overflow="fold", min_width=15), *heads, pad_edge=False)
    for row in top.head(20).to_dict("records"):
        rank = "" if row["rank_low"] != row["rank_low"] else f"{row['rank_low']:.0f}-{row['rank_high']:.0f}"
        over = "" if row["delta_trivial"] != row["delta_trivial"] else f"{100 * row['delta_trivial']:+.1f}"
        spread = "" if row["spread"] != row["spread"] else f"{100 * row['spread']:.1f}"
        table.add_row(row["encoder"], head_label(row), f"{100 * row['balanced_accuracy']:.1f}",
                      f"{100 * row['ci_low']:.0f}-{100 * row['ci_high']:.0f}", spread, rank, over)  # fmt: skip
    table.title = f"{what}{labels_of(top, shots)} ({shown}{int(top['n_groups'].iloc[0])} groups tested)"
    console.print(table, soft_wrap=False)


def print_leak(leak: pd.DataFrame) -> None:
    """Print what a split at random scores higher than one by group, at the most labels, clean."""
    from bench.report.tables.rows import cleanest, head_label, labels_of, main_series

    rows = cleanest(main_series(leak))
    rows = rows[rows["shots"] == rows["shots"].max()]
    names = ("split by group", "split at random", "leak")
    table = make_table("encoder", "head", *(make_column(name, justify="right") for name in names), pad_edge=False)
    for row in rows.head(20).to_dict("records"):
        scores = (f"{100 * row['by_group']:.1f}", f"{100 * row['at_random']:.1f}", f"{100 * row['leak']:+.1f}")
        table.add_row(row["encoder"], head_label(row), *scores)
    table.title = f"Leak audit: balanced accuracy at {labels_of(rows, int(rows['shots'].max()))}, largest leak first"
    console.print(table, soft_wrap=False)


def print_check(check: DataCheck) -> None:
    """Print what `bench data check` found."""
    dataset = check.dataset
    print_lost(dataset.lost)
    classes = make_table("class", "labelled regions", "images", "groups", "sources")
    for row in check.classes.to_dict("records"):
        classes.add_row(*(str(row[name]) for name in ("class", "rows", "images", "groups", "sources")))
    images = counted(dataset.table["path"].nunique(), "image")
    console.print(f"{dataset.name}: {images} in {counted(check.n_groups, 'group')}")
    console.print(classes, soft_wrap=False)
    formats = make_table("pixels", "channels", "pages", "images")
    for row in check.formats.to_dict("records"):
        formats.add_row(*(str(row[name]) for name in ("dtype", "channels", "pages", "images")))
    console.print(formats, soft_wrap=False)
    low, mid, high = (f"{row['width']:.0f} x {row['height']:.0f}" for row in check.sizes.to_dict("records"))
    console.print(
        f"Width x height in pixels: smallest {low}, median {mid}, largest {high} (width and height separately)"
    )
    of_lost = dataset.problems["path"].str.split("/").str[0].isin(list(dataset.lost))  # told above
    print_problems(dataset.problems[~of_lost])
    print_notes(check.warnings)
    for row in check.slips.to_dict("records"):
        for path in row["paths"]:
            where = f"slide {row['group']}, with {row['among']} of {row['of']}"
            console.print(f"Look at {path}: {row['label']} in {where}")
    console.print(f"{check.tier.capitalize()}. {check.tier_reason}")


def print_instances(counts: pd.DataFrame, cells: Iterable[str]) -> None:
    """Print the instances of every class, and cells: the labels that experts gave cells."""
    names = ("class", "images", "instances", "least", "median", "most")
    table = make_table(*names, title="Instances, and how many an image has")
    for row in counts.to_dict("records"):
        table.add_row(*(f"{row[name]:,g}" if isinstance(row[name], float) else str(row[name]) for name in names))
    console.print(table, soft_wrap=False)
    counted = Counter(cells).most_common()
    if counted:
        listed = ", ".join(f"{name} {count:,}" for name, count in counted)
        console.print(f"Labels that experts gave cells: {listed}")


def print_notes(notes: Iterable[str]) -> None:
    """Print a line per thing that a user should know."""
    for note in () if speech.quiet else notes:
        console.print(f"Note: {sentence(note)}")


def print_problems(problems: pd.DataFrame, said: Collection[str] = ()) -> None:
    """Print a line per file that was skipped, with its reason; many that were for one reason are counted.

    said: paths that were printed before.
    """
    from bench.data.warnings import skipped

    for line in () if speech.quiet else skipped(problems[~problems["path"].isin(list(said))]):
        console.print(f"Skipped {line}")


def print_lost(lost: Mapping[str, str]) -> None:
    """Print which classes have no usable image, and why."""
    if lost:
        what, it = ("1 class has", "it") if len(lost) == 1 else (f"{len(lost)} classes have", "them")
        console.print(
            f"{what} no image that can be used, and `bench run` stops at that. Add images, or go on without {it} by "
            f"adding --leave-out {','.join(lost)}:"
        )
        for name, reason in lost.items():
            console.print(f"  {name}: {reason}")
        console.print("")


def print_data(dataset: Dataset, warned: Iterable[str]) -> None:
    """Print what is to be known of a dataset before its scores are believed, as `bench data check` does.

    warned: its `bench.data.warnings.data_warnings`.
    """
    print_problems(dataset.problems)
    print_notes(warned)


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return ""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def print_forecast(forecast: Forecast) -> None:
    """Print the fits of a sweep by head and shots, what is done already and about how long the rest takes."""
    names = ("head", "selection", "noise", "labels", "encoders", "draws", "splits", "rates", "fits", "done", "time")
    table = make_table(*(make_column(name, justify="left" if i < 3 else "right") for i, name in enumerate(names)))
    for row in forecast.table.to_dict("records"):
        counts = [f"{row[name]:,}" for name in ("shots", "encoders", "seeds", "splits", "noise", "fits", "done")]
        counts[0] += " in all" * (row["series"] == "budget")
        table.add_row(row["head"], row["selection"], row["noise_kind"], *counts, _duration(row["seconds"]))
    console.print(table, soft_wrap=False)
    if forecast.left_out:
        console.print(f"Left out: {forecast.left_out}.")
    print_notes(forecast.precisions)
    for reason in forecast.refused:
        console.print(f"Not run: {reason}.")
    for encoder, count in forecast.missing.items():
        console.print(f"Not embedded yet: {count:,} instances with {encoder}; random rows were timed.")
    trained = forecast.table["seconds"].isna()
    if trained.any():
        left = (forecast.table["fits"] - forecast.table["done"])[trained].sum()
        console.print(
            f"Fine-tuning: {left:,} trainings are left, whose time is not estimated: each takes seconds to minutes on "
            "a CPU, and longer with larger networks and inputs."
        )
    fits, done = forecast.table["fits"].sum(), forecast.table["done"].sum()
    console.print(
        f"{fits:,} fits, {done:,} done already. About {_duration(forecast.seconds)} for the rest with "
        f"{forecast.at_once} process{'es' * (forecast.at_once > 1)}, an estimate from one draw of each kind"
        f"{' (embedding comes on top)' if forecast.missing else ''}; about {forecast.bytes / 1e6:,.0f} MB to store."
    )
