"""`bench audit`: which labels, slides and images are wrong, and a table in which you decide."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from bench.cli.console import console, print_data, print_notes, print_rows, progress_bars, speech
from bench.cli.options.data import DataOptions
from bench.cli.options.encoders import CORES, Device, Encoders, FromRun, Heads, Workers, encoder_names
from bench.cli.options.engine import EngineOptions
from bench.cli.options.groups import BASIC, STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Name, Out, ToIfGiven
from bench.cli.options.protocol import Draws
from bench.cli.options.reading import words
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table
from bench.data.layout import existing
from bench.errors import BenchError
from bench.text import counted

if TYPE_CHECKING:
    from bench.studies.audit.run import Audit

EXAMPLES = (
    "bench audit --data Data/raw --group-pattern '([^/]+)__' --encoder efficientnet-lite0,lite0-cells",
    "bench audit --data Data/raw --from raw",
    "bench audit --data Data/raw --apply results/audit/raw/fix.csv --to Data/corrected.csv",
)
SHOWN = 12


def audit(
    source: DataOptions,
    engine: EngineOptions,
    encoder: Encoders = None,
    run: FromRun = None,
    apply: Annotated[
        Path | None,
        option(
            BASIC,
            "A fix.csv with your decisions: only write the corrected label table to --to.",
            "--apply",
            value="FILE",
        ),
    ] = None,
    to: ToIfGiven = None,
    test_too: Annotated[
        bool,
        option(
            STUDY,
            "With --apply: also correct labels of an official test split, which are otherwise left as they are.",
            "--test-too",
        ),
    ] = False,
    head: Heads = "knn,ridge,logreg,lda,centroid",
    draws: Draws = None,
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
    name: Name = None,
    workers: Workers = CORES,
) -> None:
    """List labels, slides and images that look wrong, with a table in which you decide what to do about each.

    Labels are judged by models trained on other slides. Copies are found even if they were turned, cropped or saved
    again. It writes audit.csv, audit.md and fix.csv. Fill in the column action of fix.csv (keep, relabel, drop); then
    --apply writes a new label table. Your images and present labels are never changed.
    """  # fmt: skip
    existing(source.data)
    if (apply is None) != (to is None):
        given, missing = ("--to", "--apply") if apply is None else ("--apply", "--to")
        raise BenchError(
            f"Got {given} without {missing}; expected both, as --apply FILE --to FILE writes a label table."
        )
    if test_too and apply is None:
        raise BenchError("Got --test-too without --apply; expected it with the table of your decisions.")
    if apply is not None and to is not None:
        _apply(source, apply, to, out, test_too)
        return
    engine.check_devices(device)

    with imports():
        from bench.studies.audit.labels import DRAWS
        from bench.studies.audit.run import AuditRequest
        from bench.studies.audit.run import audit as run_audit

    request = AuditRequest(
        source=source.spec(), encoders=encoder_names(encoder), run=run, heads=words(head),
        draws=DRAWS if draws is None else draws, out=out, name=name,
    )  # fmt: skip
    with engine.open(out, workers=workers, sees=[source.data]) as opened, progress_bars() as report:
        found = run_audit(
            request, command=shlex.join(["bench", *sys.argv[1:]]), device=device, workers=workers, engine=opened,
            on_progress=report, on_data=print_data,
        )  # fmt: skip
    _show(found)


def _show(found: Audit) -> None:
    from bench.report.pages.numbers import places, whole
    from bench.report.pages.plain_text import plain_words
    from bench.studies.audit.findings import FIXABLE, LABEL
    from bench.studies.audit.fix import FIX
    from bench.studies.audit.page import PAGE, on_test, shown, verdict

    print_notes(found.notes)
    print_rows(found.findings)
    labels = shown(found.findings[found.findings["kind"] == LABEL])
    others = shown(found.findings[found.findings["kind"] != LABEL])
    if labels:
        right = (make_column(text, justify="right") for text in ("wrong in %", "rank"))
        table = make_table("image", "label", "more likely", *right)
        for row in labels[:SHOWN]:
            table.add_row(row["path"], row["label"], row["suggested"], whole(row["p_wrong"]),
                          places(row["rank_low"], row["rank_high"]))  # fmt: skip
        table.title = _of_all(len(labels), "label that looks wrong", "labels that look wrong")
        console.print(table, soft_wrap=False)
    if others:
        table = make_table("finding", "what", "why")
        for row in others[:SHOWN]:
            table.add_row(row["kind"], _what(row), row["reason"])
        table.title = _of_all(len(others), "other finding", "other findings")
        console.print(table, soft_wrap=False)
    console.print(plain_words(verdict(found.about)))
    if found.about.test:
        console.print(plain_words(on_test(found.about.test)))
    console.print(f"Full results: {found.folder / PAGE}")
    if len(found.findings) and not found.findings["kind"].isin(FIXABLE).any():
        console.print(f"{FIX} has no row, as nothing here is about single images that could be relabelled or dropped.")
    elif len(found.findings):
        console.print(
            f"Next: look at the images and write keep, relabel or drop in the column action of {found.folder / FIX}. "
            f"Then bench audit with --apply {found.folder / FIX} and --to TABLE.csv writes a new label table; "
            "TABLE.csv has to lie beside or above the images."
        )


def _of_all(count: int, one: str, many: str) -> str:
    """Return the title of a table of the first findings, e.g. "The first 12 of 61 labels" or "1 label"."""
    found = counted(count, one, many)
    return f"The first {SHOWN} of {found}" if count > SHOWN else found


def _what(row: Mapping[str, Any]) -> str:
    """Return the image, the class, or the group of a finding, with the other one of two groups."""
    two = row["group"] and row["other_group"] and not row["path"]
    return f"{row['group']} and {row['other_group']}" if two else str(row["path"] or row["group"] or row["label"])


def _apply(source: DataOptions, fix: Path, to: Path, out: Path, test_too: bool) -> None:
    with imports():
        from bench.data.datasets import load_dataset
        from bench.storage.shadow import shadow
        from bench.studies.audit.fix import apply_fix
        from bench.studies.label.marks import read_marks

    with shadow(out / "store") as cache:
        dataset = load_dataset(
            source.data, group_pattern=source.group_pattern, group_column=source.group_column, cache=cache,
            reading=source.reading(),
        )  # fmt: skip
    marks = read_marks(source.data) if source.data.is_file() else {}
    done = apply_fix(dataset, fix, to, test_too=test_too, marks=marks)
    print_rows([{"path": str(to), "rows": done.rows, "relabelled": done.relabelled, "dropped": done.dropped,
                 "test_left": done.test_left}])  # fmt: skip
    changed, dropped = counted(done.relabelled, "label"), counted(done.dropped, "image")
    console.print(f"{changed} changed, {dropped} left out: {to} has {counted(done.rows, 'row')}.")
    print_notes(done.new)
    if done.test_left:
        console.print(
            f"{counted(done.test_left, 'decision is', 'decisions are')} on labels of the official test split, "
            "which were not changed: scores on a corrected test set are over-optimistic. --test-too corrects them; "
            "then report both scores."
        )
    console.print(f"Next: {_next_run(to)}")


def _next_run(table: Path) -> str:
    """Return the command that runs on the new table, which has the groups of the data, and no class left out."""
    from bench.cli import next_step

    typed, known = next_step.typed_options(speech.context), next_step.options_of(speech.context, "run")
    gone = dict.fromkeys(("--group-pattern", "--group-column", "--leave-out", "--name", "--head", "--draws"))
    return next_step.proposal("run", typed, known, {"--data": str(table), **gone})
