"""Where a run's tables lie: one folder per name and dataset, and what happens to tables that another request left.

<out>/runs/<name>/                  the run, of whichever dataset first had that name (dataset.json says which)
<out>/runs/<name>-<content>/        the run of another dataset that is called alike
<out>/runs/<name>-earlier-<request>/  tables of an earlier request under that name, where the latest lacks rows of it
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from bench.runs.blocks import part_name
from bench.runs.borrow import give
from bench.runs.record import INSTANCES_FILE, read_about, read_units
from bench.storage.atomic import create_whole, refusal, write_atomically
from bench.storage.buckets.mirror import committed, drop, present
from bench.storage.owner import temporary
from bench.storage.tables import csv_bytes, parse_csv
from bench.storage.together import FILES, held, read_member
from bench.storage.verified import CORRUPT, digest_of, json_bytes, read_json, read_or_none

MARK = "dataset.json"
EARLIER = "-earlier-"
LEAK = "leak.csv"
REPORT = "report.html"
OF_REPORT = (REPORT, "differences.csv", "confusion.csv", "recall.csv", "calibration.csv")


def place_run(runs: Path, name: str, content: str, *, take: bool = True) -> tuple[Path, str]:
    """Return (the folder below `runs` for a run of a dataset, why it is not called `name`, or "").

    take: write down that the folder is that dataset's, so that one which runs at the same time takes another.
    """
    folder = runs / name
    owner = _take(folder, content) if take else content_in(folder)
    if owner in ("", content):
        return folder, ""
    own = runs / f"{name}-{content[:8]}"
    if take:
        _take(own, content)
    return own, f"{folder} is of other images or labels and stays as it is; this run is {own}"


def give_back(folder: Path) -> None:
    """Let go of a folder in which nothing was made, so that a request that is refused leaves no run."""
    with suppress(OSError):
        if os.listdir(folder) == [MARK]:
            (folder / MARK).unlink()
            drop(folder / MARK)
            folder.rmdir()
            folder.parent.rmdir()  # where there is no other run


def content_in(folder: Path) -> str:
    """Return the content of the dataset that a run's folder belongs to, "" where nobody's is there.

    Where its tables say it, they are believed, so that a mark that was exchanged with another run's does no harm.
    """
    present(folder / MARK)
    said = content_of_run(folder) or _content_recorded(folder)
    return said or str((read_json(folder / MARK, MARK) or {}).get("content", ""))


def content_of_run(folder: Path) -> str:
    """Return the content of the dataset that a run's tables are about, "" where it has none that can be read."""
    known = read_about(folder).get("facts", {})
    if read_member(folder, INSTANCES_FILE) is None:  # damaged, or the record of another run
        return ""
    return str(known.get("content", ""))


def _content_recorded(folder: Path) -> str:
    """Return the content that a record names itself, as that of `bench granularity`, beside a table that is sound."""
    about = read_about(folder)
    sound = any(read_member(folder, name) is not None for name in about.get(FILES, {}))
    return str(about.get("content", "")) if sound else ""


def _take(folder: Path, content: str) -> str:
    """Return whose a folder is: the dataset's that is asking, where it was nobody's."""
    owner = content_in(folder)
    if owner:
        return owner
    try:
        folder.mkdir(parents=True, exist_ok=True)
        create_whole(folder / MARK, committed(folder / MARK, json_bytes({"content": content}, MARK)))
    except FileExistsError:
        return content_in(folder)
    except OSError as error:
        raise refusal(folder / MARK, error) from error
    return content_in(folder) or content  # in a bucket another may have been first


def keep_earlier(folder: Path, units: set[str]) -> str:
    """Keep the tables of the request before in a folder of their own where they have rows that this one lacks.

    units: names of what is written next. Returns what was done, "" where nothing had to be.
    """
    about, before = read_about(folder), read_units(folder)
    lost = before[~before["unit"].isin(units)]
    if not about.get("signature") or lost.empty:
        return ""
    kept = folder.with_name(f"{folder.name}{EARLIER}{about['signature'][:8]}")
    if not kept.exists():
        _copy_tables(folder, kept, before["unit"].tolist())
    asked = ", ".join(dict.fromkeys(lost["encoder"]))
    return (
        f"{folder} held results that this command does not ask for (of {asked}); its earlier tables are kept in "
        f"{kept}, and its fits are reused when you ask for them again"
    )


def keep_tables(folder: Path, file: str, table: pd.DataFrame, key: Sequence[str]) -> str:
    """Keep what a folder holds in one of its own where its table has rows that the one to be written lacks.

    file: the table that is there; table: what it is replaced by; key: columns that name a row. Returns what was done.
    One that is damaged is not kept: it is set aside, under another name.
    """
    data = read_member(folder, file)
    if data is None:
        return ""
    tables = (parse_csv(one) for one in (data, csv_bytes(table)))  # as it will be read, with as many digits
    there, wanted = (set(map(str, one[[*key]].to_numpy().tolist())) if {*key} <= {*one} else set() for one in tables)
    kept = folder.with_name(f"{folder.name}{EARLIER}{digest_of(data)[:8]}")
    if there <= wanted:
        return ""
    if not kept.exists():
        _copy_tables(folder, kept, [])
    return f"{folder} held results that this command does not ask for; its earlier tables are kept in {kept}"


def forget_copy(folder: Path, signature: str) -> bool:
    """Remove the tables that `keep_earlier` kept of the request that a folder now holds; returns whether it had."""
    kept = folder.with_name(f"{folder.name}{EARLIER}{signature[:8]}")
    if kept.exists() and read_about(kept).get("signature") == signature:
        with suppress(OSError):
            grave = temporary(kept.parent, "earlier")
            kept.rename(grave)
            shutil.rmtree(grave)
            return True
    return False


def write_leak(folder: Path, table: pd.DataFrame, signature: str) -> bool:
    """Write what a random split scores too high beside the tables it was held against, those of a signature.

    Returns False where another request has replaced these since; what it is of is not there any more.
    """
    data = csv_bytes(table)
    if read_about(folder).get("signature") == signature and read_or_none(folder / LEAK) == data:
        return True
    try:
        with held(folder) as record:
            if record.get("signature") != signature:
                return False
            write_atomically(folder / LEAK, data)
    except OSError as error:
        raise refusal(folder / LEAK, error) from error
    return True


def _copy_tables(folder: Path, kept: Path, units: list[str]) -> None:
    """Copy a run's tables, and link its predictions, to a folder that appears whole."""
    made = temporary(kept.parent, "earlier")
    try:
        made.mkdir()
        with held(folder):
            for path in folder.iterdir():
                if path.is_file() and not path.name.startswith(".") and path.suffix != CORRUPT:
                    shutil.copy2(path, made / path.name)
        for unit in units:
            give(folder / "predictions" / f"{unit}.safetensors", made / "predictions" / f"{unit}.safetensors")
            part = f"{part_name(unit)}.parquet"
            give(folder / "ledger" / part, made / "ledger" / part)
        made.rename(kept)
    except OSError as error:
        shutil.rmtree(made, ignore_errors=True)
        if not kept.is_dir():  # else another process was first
            raise refusal(kept, error) from error
