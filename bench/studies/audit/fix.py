"""The table in which a user decides what becomes of each label, and the label table that follows from it.

fix.csv has a row per image, or region, that a finding proposes to change. The column action is empty; the user writes

    keep      the label stays (so does every row that is left empty)
    relabel   the label becomes what stands under proposed, which may be edited
    drop      the image takes no part any more

The corrected table is a new file that --data takes; images and labels that are there stay as they are. Rows of an
official test split are left as they are unless that is asked for: a test that is corrected by what a model believes
looks better than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.data.chosen_by import CHOSEN_BY
from bench.data.csv_table import read_table
from bench.data.datasets import Dataset
from bench.data.groups import groups_were_given
from bench.data.label_boxes import BOX
from bench.data.table_place import folder_before, path_text
from bench.errors import BenchError, did_you_mean
from bench.storage.atomic import write_atomically
from bench.storage.tables import csv_bytes, name_of
from bench.studies.label.journal import Key

FIX = "fix.csv"
COLUMNS = ["path", *BOX, "group", "split", "label", "proposed", "action", "reason"]
ACTIONS = ("keep", "relabel", "drop")
WRITTEN = ["path", "label", *BOX, "group", "source", "split", "mask", "um_per_px", CHOSEN_BY]


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """What was done: rows that were relabelled and dropped, and rows of the test split that were not touched.

    new: of each class that the data had not, that it is new and which may have been meant.
    """

    path: Path
    rows: int
    relabelled: int
    dropped: int
    test_left: int
    new: tuple[str, ...] = ()


def apply_fix(
    dataset: Dataset, fix: Path, to: Path, *, test_too: bool = False, marks: Mapping[Key, str] | None = None
) -> Corrected:
    """Write the label table of a dataset with the decisions of a fix.csv; nothing else is changed.

    marks: how images came to be labelled, see `bench.data.chosen_by`, which is kept.

    Raises BenchError for decisions that cannot be read or are of other labels, and a place from which the images could
    not be named.
    """
    table, labels = dataset.table.copy(), dataset.table["label"].tolist()
    always = {"path", "label", *(["group"] if groups_were_given(table) else [])}
    tested = (table["split"] == "test").to_numpy(bool, na_value=False)
    decided = read_fix(fix)
    at = {key: row for row, key in enumerate(_keys(table))}
    drop, relabelled, test_left = set(), 0, 0
    for line, key, row in zip(decided.index + 2, _keys(decided), decided.to_dict("records"), strict=True):
        if row["action"] == "keep":
            continue
        if key not in at or labels[at[key]] != row["label"]:
            raise BenchError(
                f"Got '{row['path']}' with label '{row['label']}' in line {line} of {fix.name}, which the data have "
                "not; expected an image of these data with the label that it has now. Run `bench audit` again."
            )
        here = at[key]
        if tested[here] and not test_too:
            test_left += 1
        elif row["action"] == "drop":
            drop.add(here)
        else:
            labels[here] = row["proposed"]
            relabelled += 1
    known = set(table["label"])
    new = tuple(
        f"no image had the class '{name}' before{did_you_mean(name, known)}" for name in sorted(set(labels) - known)
    )
    table = table.assign(label=pd.Series(labels, index=table.index, dtype="string"))
    table[CHOSEN_BY] = [(marks or {}).get((key[0], *map(int, filter(None, key[1:])))) for key in _keys(table)]
    table = table.drop(index=table.index[sorted(drop)])
    if table["label"].nunique() < 2:
        raise BenchError(f"Got {fix.name}, which leaves fewer than two classes; expected at least two. Keep more.")
    table = _from_there(dataset.root, to, table)
    kept = [name for name in WRITTEN if name in always or (name != "group" and table[name].notna().any())]
    write_atomically(to, csv_bytes(table[kept]))
    return Corrected(path=to, rows=len(table), relabelled=relabelled, dropped=len(drop), test_left=test_left, new=new)


def read_fix(path: Path) -> pd.DataFrame:
    """Return the decisions of a fix.csv, "keep" where none is made; BenchError names the line that cannot be read."""
    if not path.is_file():
        raise BenchError(f"Got --apply {path}, which is no file; expected the {FIX} that `bench audit` wrote.")
    read = read_table(path, f"It takes the {FIX} that `bench audit` wrote.")
    missing = [name for name in ("path", "label", "proposed", "action") if name not in read]
    if missing:
        raise BenchError(
            f"Got {path.name} without the column {missing[0]}; expected those of {FIX}: {', '.join(COLUMNS)}."
        )
    table = pd.DataFrame({name: read[name].fillna("").map(name_of) for name in COLUMNS if name in read}).astype(object)
    written = table["action"].str.lower()
    table["action"] = written.replace("", "keep")
    for line, (action, proposed) in enumerate(zip(table["action"], table["proposed"], strict=True), start=2):
        if action not in ACTIONS:
            raise BenchError(
                f"Got action '{action}' in line {line} of {path.name}{did_you_mean(action, ACTIONS) or '.'} Expected "
                f"{', '.join(ACTIONS)}, or nothing, which keeps the label."
            )
        if action == "relabel" and not proposed:
            raise BenchError(f"Got relabel in line {line} of {path.name} without a class; expected one under proposed.")
    _refuse_two(table[written != ""], path)
    twice = table[table["action"] != "keep"]
    return table.drop(index=twice.index[pd.Series(_keys(twice), index=twice.index).duplicated()])


def _refuse_two(decided: pd.DataFrame, path: Path) -> None:
    """Raise BenchError where decisions that were written down on one image differ; a row left empty is none."""
    said = decided["action"].mask(decided["action"] == "relabel", "relabel to " + decided["proposed"])
    for (name, *_), own in said.groupby(pd.Series(_keys(decided), index=decided.index, dtype=object)):
        if own.nunique() > 1:
            raise BenchError(f"Got two decisions on {name} in {path.name}, {' and '.join(own.unique())}; expected one.")


def _keys(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return what names each row: its path and box."""
    boxes = [
        [("" if pd.isna(x) or x == "" else str(int(float(x)))) for x in table[name]]
        if name in table
        else [""] * len(table)
        for name in BOX
    ]
    return list(zip(table["path"].astype(str), *boxes, strict=True))


def _from_there(root: Path, to: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose images and masks are named from the folder of the new table."""
    before = folder_before(root, to, "corrected.csv")
    if to.exists():
        raise BenchError(f"Got --to {to}, which is there already; expected a new file, as no labels are overwritten.")
    return table.assign(
        **{name: table[name].map(lambda path: path_text(path, before), na_action="ignore") for name in ("path", "mask")}
    )
