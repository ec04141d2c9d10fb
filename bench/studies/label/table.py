"""The label table: a CSV that --data takes, written from the journal as a whole, and never over somebody else's.

Columns: path, label; x0, y0, x1, y1 of regions; group, source, split, mask and um_per_px where the data have them;
chosen_by where `bench next` proposed some (see `bench.data.chosen_by`); and unsure, where an image has no label because
whoever looked was not sure. Rows without a label take no part in a run."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.data.chosen_by import CHOSEN_BY
from bench.data.label_boxes import BOX
from bench.data.table_place import folder_before, path_text
from bench.errors import BenchError
from bench.storage.atomic import write_atomically
from bench.storage.locks import file_lock
from bench.storage.tables import guarded_name
from bench.studies.label.journal import Journal, Key, Label

MORE = ("group", "source", "split", "mask", "um_per_px", CHOSEN_BY)
UNSURE = "unsure"
ENDING = ".journal"
EXAMPLE = "labels.csv"


def journal_of(table: Path) -> Path:
    """Return where the journal of a label table lies: beside it."""
    return table.with_name(f"{table.name}{ENDING}")


def place_beside(data: Path) -> Path:
    """Return where the label table of a folder or a CSV is written if nobody says: beside it."""
    full = data.resolve()
    return full.with_name(f"{full.stem if full.is_file() else full.name}-labels.csv")


def about_labels(root: Path, to: Path, instances: str) -> dict[str, str]:
    """Return what a journal says of its labels, by which another start knows that it goes on from them."""
    return {"data": folder_before(root, to, EXAMPLE) or ".", "instances": instances}


def table_bytes(labels: Mapping[Key, Label], about: Mapping[Key, Mapping[str, str]], before: str) -> bytes:
    """Return the CSV of labels, sorted by path and box.

    about: what else is known of an item, by MORE. before: see `bench.data.table_place`.
    """
    keys = sorted(labels, key=lambda key: (str(key[0]), key[1:]))
    boxed = any(len(key) > 1 for key in keys)
    more = [name for name in MORE if any(about.get(key, {}).get(name) for key in keys)]
    unsure = any(labels[key] is None for key in keys)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["path", "label", *(BOX if boxed else ()), *more, *([UNSURE] if unsure else ())])
    for key in keys:
        label, known = labels[key], about.get(key, {})
        box = [str(number) for number in key[1:]] or [""] * len(BOX)
        writer.writerow([
            path_text(str(key[0]), before), guarded_name(label or ""), *(box if boxed else ()),
            *(_text(name, known.get(name, ""), before) for name in more),
            *([UNSURE if label is None else ""] if unsure else ()),
        ])  # fmt: skip
    return file.getvalue().encode()


def _text(name: str, value: str, before: str) -> str:
    return path_text(value, before) if name == "mask" and value else guarded_name(value)


def write_table(to: Path, data: bytes, journal: Journal) -> None:
    """Write the table. Its digest goes into the journal first, so that the next start knows it for ours."""
    digest = hashlib.sha256(data).hexdigest()
    if digest not in journal.state.tables:
        journal.add(table=digest)
    write_atomically(to, data)


@contextmanager
def opened_for(to: Path, about: Mapping[str, str]) -> Iterator[Journal]:
    """Yield the journal of a label table, which no other process has meanwhile.

    Raises BenchError for a table that was not written from it, or was changed since.
    """
    from filelock import Timeout

    journal_path = journal_of(to)
    if to.exists() and not journal_path.exists():
        raise BenchError(
            f"Got --to {to}, which is there already; expected a new file, as no labels are overwritten. To go on from "
            f"its labels: --data {to} --keep-labels, and another --to."
        )
    to.parent.mkdir(parents=True, exist_ok=True)
    lock = file_lock(to.with_name(f".{to.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BenchError(
            f"Got --to {to}, to which another `bench label` writes now; expected another file, or that one ended first."
        ) from None
    try:
        journal = Journal.open(journal_path, about)
        try:
            if to.exists() and hashlib.sha256(to.read_bytes()).hexdigest() not in journal.state.tables:
                raise BenchError(
                    f"Got --to {to}, which somebody changed since it was written; expected it as it was, as it would "
                    f"be written over. To go on from what it says now: --data {to} --keep-labels, and another --to."
                )
            yield journal
        finally:
            journal.close()
    finally:
        lock.release()
