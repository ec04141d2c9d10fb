"""Where a run's tables lie: one folder per name and dataset, and what happens to tables that another request left.

<out>/runs/<name>/                  the run, of whichever dataset first had that name (dataset.json says which)
<out>/runs/<name>-<content>/        the run of another dataset that is called alike
<out>/runs/<name>-earlier-<request>/  tables of an earlier request under that name, where the latest lacks rows of it
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from bench.runs.borrow import give
from bench.runs.record import INSTANCES_FILE, read_about, read_units
from bench.storage.atomic import create_whole, refusal
from bench.storage.tables import csv_bytes, parse_csv
from bench.storage.together import read_member
from bench.storage.verified import CORRUPT, json_bytes, read_json

MARK = "dataset.json"
EARLIER = "-earlier-"
LEAK = "leak.csv"


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
            folder.rmdir()
            folder.parent.rmdir()  # where there is no other run


def content_in(folder: Path) -> str:
    """Return the content of the dataset that a run's folder belongs to, "" where nobody's is there.

    Where its tables say it, they are believed, so that a mark that was exchanged with another run's does no harm.
    """
    return content_of_run(folder) or str((read_json(folder / MARK, MARK) or {}).get("content", ""))


def content_of_run(folder: Path) -> str:
    """Return the content of the dataset that a run's tables are about, "" where it has none that can be read."""
    known = read_about(folder).get("facts", {})
    if read_member(folder, INSTANCES_FILE) is None:  # damaged, or the record of another run
        return ""
    return str(known.get("content", ""))


def _take(folder: Path, content: str) -> str:
    """Return whose a folder is: the dataset's that is asking, where it was nobody's."""
    owner = content_in(folder)
    if owner:
        return owner
    try:
        folder.mkdir(parents=True, exist_ok=True)
        create_whole(folder / MARK, json_bytes({"content": content}, MARK))
    except FileExistsError:
        return content_in(folder)
    except OSError as error:
        raise refusal(folder / MARK, error) from error
    return content


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
    with suppress(OSError):
        (folder / LEAK).unlink()  # of the request before, and made by few
    asked = ", ".join(dict.fromkeys(lost["encoder"]))
    return (
        f"{folder} held rows that this request does not ask for (of {asked}); its tables are kept in {kept}, and its "
        "fits are used again when they are asked for"
    )


def keep_tables(folder: Path, file: str, table: pd.DataFrame, key: Sequence[str]) -> str:
    """Keep what a folder holds in one of its own where its table has rows that the one to be written lacks.

    file: the table that is there; table: what it is replaced by; key: columns that name a row. Returns what was done.
    """
    try:
        before = parse_csv((folder / file).read_bytes())
        asked = parse_csv(csv_bytes(table))  # as it will be read, with as many digits
        there, wanted = (set(map(str, one[list(key)].to_numpy().tolist())) for one in (before, asked))
        name = hashlib.sha256((folder / file).read_bytes()).hexdigest()[:8]
    except (OSError, ValueError, LookupError):
        return ""
    kept = folder.with_name(f"{folder.name}{EARLIER}{name}")
    if there <= wanted:
        return ""
    if not kept.exists():
        _copy_tables(folder, kept, [])
    return f"{folder} held rows that this request does not ask for; its tables are kept in {kept}"


def forget_copy(folder: Path, signature: str) -> None:
    """Remove the tables that `keep_earlier` kept of the very request that a folder now holds."""
    kept = folder.with_name(f"{folder.name}{EARLIER}{signature[:8]}")
    if read_about(kept).get("signature") == signature:
        with suppress(OSError):
            grave = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}.tmp")
            kept.rename(grave)
            shutil.rmtree(grave)


def _copy_tables(folder: Path, kept: Path, units: list[str]) -> None:
    """Copy a run's tables, and link its predictions, to a folder that appears whole."""
    made = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}.tmp")
    try:
        made.mkdir()
        for path in folder.iterdir():
            if path.is_file() and not path.name.startswith(".") and path.suffix != CORRUPT:
                shutil.copy2(path, made / path.name)
        for unit in units:
            give(folder / "predictions" / f"{unit}.safetensors", made / "predictions" / f"{unit}.safetensors")
        for part in (folder / "ledger").glob("*.parquet"):
            give(part, made / "ledger" / part.name)
        made.rename(kept)
    except OSError as error:
        shutil.rmtree(made, ignore_errors=True)
        raise refusal(kept, error) from error
