"""A run's tables on disk: its leaderboard, what it was made of, and the overview of all runs beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from bench.errors import BenchError
from bench.fitting.plan import Sweep
from bench.report.pages.overview import overview
from bench.report.pages.page import page_bytes
from bench.report.pages.run_page import run_page
from bench.report.pages.sections.context import RunPage
from bench.report.pages.sections.datasets import Overview
from bench.report.tables.across import Across
from bench.report.tables.columns import COLUMNS
from bench.report.tables.efficiency import efficiency
from bench.report.tables.finetuning import finetuning
from bench.report.tables.leaderboard import Leaderboard, build_leaderboard
from bench.report.tables.merge import BOARD, find_runs, merge_runs, read_runs
from bench.report.tables.robustness import robustness
from bench.report.tables.rows import results
from bench.runs.facts import RunFacts
from bench.runs.place import LEAK, OF_REPORT, forget_copy, keep_earlier
from bench.runs.record import RunRecord, encoder_keys, read_about, read_record_of, write_record_of
from bench.seeds import content_name
from bench.storage.atomic import forbidden
from bench.storage.buckets.together import pull
from bench.storage.tables import csv_bytes, parse_csv
from bench.storage.together import FILES, RECORD, put_together, read_member, read_record, unsound
from bench.storage.verified import digest_of

NO_MORE: Mapping[str, bytes | None] = MappingProxyType({})
OVERVIEW = ("leaderboard", "across", "across_pairs")
LAYOUT = 12  # raised when the same predictions would be written up differently
# A column that is new, gone or called differently needs no other number.
FORMAT = content_name([LAYOUT, [(column.key, column.meaning) for column in COLUMNS]])


def write_up(
    folder: Path, out: Path, sweep: Sweep, facts: RunFacts, *, refused: Sequence[str], command: str
) -> tuple[Leaderboard, bool, str]:
    """Write the run's tables unless they are there for these very units.

    Returns (leaderboard, whether it was written, what was damaged there or became of another request's tables, or "").
    """
    record = RunRecord(sweep.blocks, sweep.table, sweep.plan, facts, tuple(refused), command)
    pull(folder, (*OF_REPORT, LEAK))  # in a bucket another may have written them meanwhile
    about = read_about(folder)
    shown = encoder_keys(record.units)  # an encoder may be asked for by another alias
    same = about.get("signature") == _signature(record) and about.get("encoder_keys", shown) == shown
    bad = unsound(folder)
    if same and not bad:
        data = read_member(folder, BOARD)
        if data is not None:
            copied = forget_copy(folder, about["signature"])  # left where what would replace the tables was ended
            late = copied or _overview_is_older(out, folder)  # what wrote the tables was ended before it wrote that too
            why = _refreshed(out) if late else ""
            board = Leaderboard(table=parse_csv(data), empty=about["empty_fields"], flags=about["flags"])
            return board, late and not why, why
    kept = _made_again(folder, bad) if same else keep_earlier(folder, {unit.name for unit in record.units})
    board = _write_tables(folder, record, {} if same else {LEAK: None})  # which is of the request before
    forget_copy(folder, _signature(record))
    refresh_overview(out)
    return board, True, kept


def _refreshed(out: Path) -> str:
    """Rewrite the overview; returns why that cannot be done in a folder that may only be read, else ""."""
    try:
        refresh_overview(out)
    except BenchError as error:
        if not forbidden(error):
            raise
        return f"the overview beside the runs is not up to date. {error}"
    return ""


def rebuild(folder: Path) -> Leaderboard:
    """Write a run's tables again from its stored predictions; nothing is fitted. BenchError where some are missing."""
    return _write_tables(folder, read_record_of(folder))


def bring_up_to_date(folder: Path) -> str:
    """Write a run's tables again where they are damaged, missing or of an earlier version.

    Returns what a reader has to know, "" where nothing. Tables that cannot be made again are served as they are where
    they are sound; `bench.report.tables.merge.read_runs` leaves out the others.
    """
    bad = unsound(folder)
    if read_about(folder).get("format") == FORMAT and not bad:
        return ""
    try:
        rebuild(folder)
    except (BenchError, OSError) as error:
        state = "damaged or missing" if bad or not read_about(folder) else "of an earlier version"
        return f"tables of {folder} are {state} and cannot be made again. {error}"
    return _made_again(folder, bad)


def _made_again(folder: Path, bad: Sequence[str]) -> str:
    if not bad:
        return ""
    return f"{', '.join(bad)} of {folder}: damaged or missing; its tables are made again from the stored predictions"


def _signature(record: RunRecord) -> str:
    units = [unit.name for unit in record.units]
    return content_name([FORMAT, units, list(record.refused), list(record.facts.warnings)])


def _write_tables(folder: Path, record: RunRecord, more: Mapping[str, bytes | None] = NO_MORE) -> Leaderboard:
    """Make all tables of a run and its page, and put them in place together. more: files that are put or go with
    them."""
    null = 1 / len(record.facts.classes)
    board = build_leaderboard(folder, record.units, record.table, record.plan, record.facts)
    shown = results(board.table)
    run = RunPage(
        board=board, facts=record.facts, refused=record.refused, command=record.command,
        robustness=robustness(shown, null, board.resamples), efficiency=efficiency(shown, null, board.resamples),
        finetuning=finetuning(folder, record),
    )  # fmt: skip
    tables = {
        "leaderboard": board.table, "robustness": run.robustness, "efficiency": run.efficiency, "pairs": board.pairs,
        "finetuning": run.finetuning,
    }  # fmt: skip
    files: dict[str, bytes | None] = dict.fromkeys(OF_REPORT)  # a report of other tables goes
    files |= {f"{name}.csv": table_bytes(table) for name, table in tables.items()}
    about = {
        "signature": _signature(record), "format": FORMAT, "empty_fields": dict(board.empty), "flags": dict(board.flags)
    }  # fmt: skip
    write_record_of(folder, record, {**files, "leaderboard.md": page_bytes(run_page(run)), **more}, about)
    return board


def table_bytes(table: pd.DataFrame) -> bytes | None:
    """Return a table as the bytes of a CSV file, None where it has no rows: there is no such file then."""
    return csv_bytes(table) if len(table) else None


def _overview_is_older(out: Path, folder: Path) -> bool:
    pages = (out / "leaderboard.md", folder / RECORD)  # the last that is written of each
    overview_made, record_made = (path.stat().st_mtime_ns if path.exists() else 0 for path in pages)
    return overview_made < record_made or bool(unsound(out))


def refresh_overview(out: Path) -> None:
    """Rewrite <out>/leaderboard.csv and .md from the leaderboards of all runs below it; across.csv goes."""
    folders = find_runs(out, [])
    made = [note for folder in folders if (note := bring_up_to_date(folder))]
    runs, notes = read_runs(folders)
    merged = merge_runs(runs)
    page = overview(Overview(table=merged.table, notes=(*made, *notes, *merged.notes)))
    put_together(out, _overview_files(page_bytes(page), {"leaderboard": merged.table}), {})


def write_merged(out: Path, table: pd.DataFrame, across: Across, notes: Sequence[str]) -> None:
    """Write <out>/leaderboard.csv and .md of merged runs, and across.csv and across_pairs.csv."""
    page = page_bytes(overview(Overview(table=table, notes=tuple(notes), across=across)))
    files = _overview_files(page, {"leaderboard": table, "across": across.methods, "across_pairs": across.pairs})
    if not _lie_there(out, files):
        put_together(out, files, {})


def _overview_files(page: bytes, tables: Mapping[str, pd.DataFrame]) -> dict[str, bytes | None]:
    """Return the files of an overview; a table that it has not is None, so that one of another overview goes."""
    files = {f"{name}.csv": table_bytes(tables[name]) if name in tables else None for name in OVERVIEW}
    return {**files, "leaderboard.md": page}


def _lie_there(folder: Path, files: Mapping[str, bytes | None]) -> bool:
    """Return whether a folder holds these very files, so that nothing has to be written."""
    wanted = {name: data for name, data in files.items() if data is not None}
    known = read_record(folder).get(FILES, {})
    return known == {name: digest_of(data) for name, data in wanted.items()} and not unsound(folder)
