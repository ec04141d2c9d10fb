"""A run's tables on disk: its leaderboard, what it was made of, and the overview of all runs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bench.errors import BenchError
from bench.fitting.plan import Sweep
from bench.report.pages.markdown import render_markdown
from bench.report.pages.overview import render_merged, render_overview
from bench.report.pages.page import Typed, page_bytes, write_page
from bench.report.pages.sections import efficiency_section, pairs_section
from bench.report.tables.across import Across
from bench.report.tables.efficiency import efficiency
from bench.report.tables.leaderboard import Leaderboard, build_leaderboard
from bench.report.tables.merge import BOARD, find_runs, merge_runs, read_runs
from bench.report.tables.robustness import robustness
from bench.report.tables.rows import results
from bench.runs.facts import RunFacts
from bench.runs.place import forget_copy, keep_earlier
from bench.runs.record import RunRecord, encoder_keys, read_about, read_record_of, write_record_of
from bench.seeds import content_name
from bench.storage.atomic import write_atomically
from bench.storage.tables import csv_bytes, parse_csv
from bench.storage.together import RECORD, read_member, unsound

FORMAT = 10  # raised when the same predictions would be written up differently


def write_up(
    folder: Path, out: Path, sweep: Sweep, facts: RunFacts, refused: Sequence[str], command: str
) -> tuple[Leaderboard, bool, str]:
    """Write the run's tables unless they are there for these very units.

    Returns (leaderboard, whether it was written, what was damaged there or became of another request's tables, or "").
    """
    account = RunRecord(sweep.blocks, sweep.table, sweep.plan, facts, tuple(refused), command)
    about = read_about(folder)
    shown = encoder_keys(account.units)  # an encoder may be asked for by another alias
    same = about.get("signature") == _signature(account) and about.get("encoder_keys", shown) == shown
    bad = unsound(folder)
    if same and not bad:
        data = read_member(folder, BOARD)
        if data is not None:
            late = _overview_is_older(out, folder)  # what wrote the tables was ended before it wrote that as well
            if late:
                refresh_overview(out)
            return Leaderboard(parse_csv(data), about["empty_fields"], about["flags"]), late, ""
    kept = _made_anew(folder, bad) if same else keep_earlier(folder, {unit.name for unit in account.units})
    board = _write_tables(folder, account)
    forget_copy(folder, _signature(account))
    refresh_overview(out)
    return board, True, kept


def rebuild(folder: Path) -> Leaderboard:
    """Write a run's tables anew from its stored predictions; nothing is fitted. BenchError where some are missing."""
    return _write_tables(folder, read_record_of(folder))


def bring_up_to_date(folder: Path) -> str:
    """Write a run's tables anew where they are damaged, missing or of an earlier version.

    Returns what a reader has to know, "" where nothing. Tables that cannot be made anew are served as they are where
    they are sound; `bench.report.tables.merge.read_runs` leaves out the others.
    """
    bad = unsound(folder)
    if read_about(folder).get("format") == FORMAT and not bad:
        return ""
    try:
        rebuild(folder)
    except (BenchError, OSError) as error:
        what = "damaged or missing" if bad or not read_about(folder) else "of an earlier version"
        return f"tables of {folder} are {what} and cannot be made anew. {error}"
    return _made_anew(folder, bad)


def _made_anew(folder: Path, bad: Sequence[str]) -> str:
    if not bad:
        return ""
    return f"{', '.join(bad)} of {folder}: damaged or missing; its tables are made anew from the stored predictions"


def _signature(account: RunRecord) -> str:
    units = [unit.name for unit in account.units]
    return content_name([FORMAT, units, list(account.refused), list(account.facts.warnings)])


def _write_tables(folder: Path, account: RunRecord) -> Leaderboard:
    facts, null = account.facts, 1 / len(account.facts.classes)
    board = build_leaderboard(folder, account.units, account.table, account.plan, facts)
    shown = results(board.table)
    hurt, gained = robustness(shown, null, board.resamples), efficiency(shown, null, board.resamples)
    tables = {"leaderboard": board.table, "robustness": hurt, "efficiency": gained, "pairs": board.pairs}
    files = {f"{name}.csv": table_bytes(table) for name, table in tables.items()}
    cautions = dict.fromkeys([*([facts.diagnostic] if facts.diagnostic else []), *board.flags.values(),
                              *facts.warnings, *account.refused])  # fmt: skip
    page = page_bytes(
        _render_run, replace(board, resamples={}), facts, list(cautions), Typed(account.command), hurt, gained
    )
    about = {"signature": _signature(account), "format": FORMAT, "empty_fields": dict(board.empty),
             "flags": dict(board.flags)}  # fmt: skip
    write_record_of(folder, account, {**files, "leaderboard.md": page}, about)
    return board


def _render_run(
    board: Leaderboard, facts: RunFacts, cautions: Sequence[str], command: str, hurt: pd.DataFrame, gained: pd.DataFrame
) -> str:
    sections = [*efficiency_section(gained), *pairs_section(board.pairs, board.no_pairs)]
    return render_markdown(board, facts, cautions, command, hurt, sections)


def table_bytes(table: pd.DataFrame) -> bytes | None:
    """Return a table as the bytes of a CSV file, None where it has no rows: there is no such file then."""
    return csv_bytes(table) if len(table) else None


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV; where it has no rows, remove that of an earlier run."""
    data = table_bytes(table)
    if data is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, data)


def _overview_is_older(out: Path, folder: Path) -> bool:
    pages = (out / "leaderboard.md", folder / RECORD)  # the last that is written of each
    overview, record = (path.stat().st_mtime_ns if path.exists() else 0 for path in pages)
    return overview < record


def refresh_overview(out: Path) -> None:
    """Rewrite <out>/leaderboard.csv and .md from the leaderboards of all runs below it."""
    folders = find_runs(out, [])
    made = [note for folder in folders if (note := bring_up_to_date(folder))]
    runs, notes = read_runs(folders)
    merged = merge_runs(runs)
    write_table(out / BOARD, merged.table)
    write_page(out / "leaderboard.md", render_overview, merged.table, notes=(*made, *notes, *merged.notes))


def write_merged(out: Path, table: pd.DataFrame, found: Across, notes: Sequence[str]) -> None:
    """Write <out>/leaderboard.csv and .md of merged runs, and across.csv and across_pairs.csv."""
    for name, one in (("leaderboard", table), ("across", found.methods), ("across_pairs", found.pairs)):
        write_table(out / f"{name}.csv", one)
    write_page(out / "leaderboard.md", render_merged, table, found, notes)
