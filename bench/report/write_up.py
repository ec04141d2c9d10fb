"""A run's tables on disk: its leaderboard, what it was made of, and the overview of all runs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bench.disk.tables import read_csv, write_csv
from bench.fitting.sweep import Sweep
from bench.report.across import Across
from bench.report.efficiency import efficiency
from bench.report.facts import RunFacts
from bench.report.leaderboard import Leaderboard, build_leaderboard
from bench.report.markdown import render_markdown
from bench.report.merge import find_runs, merge_runs, read_runs
from bench.report.overview import render_merged, render_overview
from bench.report.pages import Typed, write_page
from bench.report.place import forget_copy, keep_earlier
from bench.report.record import Account, read_about, read_account, read_units, write_account
from bench.report.robustness import robustness
from bench.report.rows import results
from bench.report.sections import efficiency_section, pairs_section
from bench.seeds import content_name

FORMAT = 9  # raised when the same predictions would be written up differently


def write_up(
    folder: Path, out: Path, sweep: Sweep, facts: RunFacts, refused: Sequence[str], command: str
) -> tuple[Leaderboard, bool, str]:
    """Write the run's tables unless they are there for these very units.

    Returns (leaderboard, whether it was written, what became of the tables of another request that lay there, or "").
    """
    account = Account(sweep.units, sweep.table, sweep.plan, facts, tuple(refused), command)
    about = read_about(folder)
    if about.get("signature") == _signature(account) and not read_units(folder).empty:
        with suppress(OSError, ValueError, LookupError):  # damaged, so it is made anew
            return Leaderboard(read_csv(folder / "leaderboard.csv"), about["empty_fields"], about["flags"]), False, ""
    kept = keep_earlier(folder, {unit.name for unit in account.units})
    # A kill between two tables must not leave them under the name of the request before.
    (folder / "run.json").unlink(missing_ok=True)
    board = _write_tables(folder, account)
    forget_copy(folder, _signature(account))
    refresh_overview(out)
    return board, True, kept


def rebuild(folder: Path) -> Leaderboard:
    """Write a run's tables anew from its stored predictions; nothing is fitted. BenchError where some are missing."""
    return _write_tables(folder, read_account(folder))


def is_current(folder: Path) -> bool:
    """Return whether a run's tables are as this version writes them."""
    return read_about(folder).get("format") == FORMAT


def _signature(account: Account) -> str:
    units = [unit.name for unit in account.units]
    return content_name([FORMAT, units, list(account.refused), list(account.facts.warnings)])


def _write_tables(folder: Path, account: Account) -> Leaderboard:
    facts, null = account.facts, 1 / len(account.facts.classes)
    board = build_leaderboard(folder, account.units, account.table, account.plan, facts)
    shown = results(board.table)
    hurt, gained = robustness(shown, null, board.resamples), efficiency(shown, null, board.resamples)
    tables = {"leaderboard": board.table, "robustness": hurt, "efficiency": gained, "pairs": board.pairs}
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table)
    cautions = dict.fromkeys([*([facts.diagnostic] if facts.diagnostic else []), *board.flags.values(),
                              *facts.warnings, *account.refused])  # fmt: skip
    write_page(
        folder / "leaderboard.md", _render_run, replace(board, resamples={}), facts, list(cautions),
        Typed(account.command), hurt, gained,
    )  # fmt: skip
    about = {"signature": _signature(account), "format": FORMAT, "empty_fields": dict(board.empty),
             "flags": dict(board.flags)}  # fmt: skip
    write_account(folder, account, about)
    return board


def _render_run(
    board: Leaderboard, facts: RunFacts, cautions: Sequence[str], command: str, hurt: pd.DataFrame, gained: pd.DataFrame
) -> str:
    sections = [*efficiency_section(gained), *pairs_section(board.pairs, board.no_pairs)]
    return render_markdown(board, facts, cautions, command, hurt, sections)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV; where it has no rows, remove that of an earlier run."""
    if len(table):
        write_csv(path, table)
    else:
        path.unlink(missing_ok=True)


def refresh_overview(out: Path) -> None:
    """Rewrite <out>/leaderboard.csv and .md from the leaderboards of all runs below it."""
    runs, notes = read_runs(find_runs(out, []))
    merged = merge_runs(runs)
    write_table(out / "leaderboard.csv", merged.table)
    write_page(out / "leaderboard.md", render_overview, merged.table, notes=(*notes, *merged.notes))


def write_merged(out: Path, table: pd.DataFrame, found: Across, notes: Sequence[str]) -> None:
    """Write <out>/leaderboard.csv and .md of merged runs, and across.csv and across_pairs.csv."""
    for name, one in (("leaderboard", table), ("across", found.methods), ("across_pairs", found.pairs)):
        write_table(out / f"{name}.csv", one)
    write_page(out / "leaderboard.md", render_merged, table, found, notes)
