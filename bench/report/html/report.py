"""The door for reports: one file per run, and beside it the tables that it shows and the run has not."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.report.html.read import Look, read_report
from bench.report.html.render import render
from bench.runs.place import REPORT
from bench.storage.atomic import refusal, write_atomically, write_beside
from bench.storage.tables import csv_bytes
from bench.storage.together import held, read_record

ENDING = ".html"


def write_report(folder: Path, to: Path | None = None, look: Look | None = None) -> Path:
    """Write the report of a run and return where it is. Nothing is fitted.

    to: the file, which ends in .html; None: `report.html` in the run's folder, with its tables beside it. Raises
    BenchError where `to` ends otherwise, where tables, predictions or the place to write to are missing, and where
    another request replaced the tables meanwhile.
    """
    if to is not None and to.suffix.lower() != ENDING:
        raise BenchError(f"Got --to {to}; expected a file whose name ends in {ENDING}, as the report is a web page.")
    before = read_record(folder)
    context = read_report(folder, look)
    page = render(context)
    if to is not None:
        write_atomically(to, page)
        return to
    tables = {folder / f"{name}.csv": csv_bytes(table) for name, table in context.tables.items() if len(table)}
    try:
        with held(folder) as record:
            if record != before:
                raise BenchError(
                    f"Got other tables in {folder} while their report was made; expected the same until its end. Say "
                    "`bench report` once the other run is done."
                )
            write_beside({**tables, folder / REPORT: page})
    except OSError as error:
        raise refusal(folder / REPORT, error) from error
    return folder / REPORT
