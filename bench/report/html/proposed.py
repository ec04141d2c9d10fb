"""What `bench next` proposed on the images of a run: its list, where the results have one, with pictures.

The list and the run need not name an image alike: `bench next --data images` says x.png where `bench run --data
labels.csv` says images/x.png. A list does not say of which data it is, so it is taken for one of these images where
most of its files lie below the images of the run, in one folder, and most images with a label in both have the same.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd

from bench.data.chosen_by import CHOSEN_BY
from bench.data.label_boxes import BOX
from bench.data.manifest import scan
from bench.data.paths import refuse_paths
from bench.embeddings.thumbnails import thumbnails
from bench.images import file_of
from bench.report.html.anonymous import hidden
from bench.report.html.cells import ROW
from bench.report.html.context import Proposed
from bench.report.html.regions import places_of, webp_address
from bench.seeds import content_name
from bench.storage.tables import parse_csv
from bench.storage.together import FILES, read_record
from bench.storage.verified import digest_of, read_or_none

FOLDER, TABLE = "next", "next.csv"
NEW, CHECK = "new", "check"  # tasks of rows: to be labelled, or looked at again; others have a label and only count
NEAR = 3
COLUMNS = (
    "path", *BOX, "order", "task", CHOSEN_BY, "why", "group", "label",
    *(name for k in range(1, NEAR + 1) for name in (f"near{k}", f"near{k}_label")),
)  # fmt: skip
TEXTS = [name for name in COLUMNS if name not in (*BOX, "order")]
SHOWN = 48  # images of a list, at most


def read_proposed(folder: Path, table: pd.DataFrame, root: Path | None) -> Proposed | None:
    """Return the list of these images that has the most left to label, None where there is none.

    folder: of all lists. table: the instances of the run, below `root`; None where nobody knows where they lie.
    """
    found = [] if root is None else [_of_one(place, table, root) for place in sorted(folder.glob("[!.]*"))]
    return max(filter(None, found), key=lambda one: len(one.new), default=None)


def with_pictures(found: Proposed, root: Path, store: Path, *, follow_links: bool) -> Proposed:
    """Return the list with the pictures of its first images; what cannot be read has none."""
    rows = pd.concat([found.new.head(SHOWN), found.checks.head(SHOWN)], ignore_index=True)
    rows["path"] = found.lies_in + rows["path"].astype(str)
    refused = refuse_paths(root, rows["path"].unique(), follow_links=follow_links)
    rows = rows[~rows["path"].isin(list(refused))].reset_index(drop=True)
    if rows.empty:
        return found
    files = scan(root, rows["path"], None)
    rows["digest"] = rows["path"].map(dict(zip(files["path"], files["digest"], strict=True)))
    named = [
        content_name([FOLDER, digest, *place]) for digest, place in zip(rows["digest"], places_of(rows), strict=True)
    ]
    rows = rows.assign(instance=named, blank=None).astype(dict.fromkeys(BOX, "Int64"))
    made, _ = thumbnails(rows, root, range(len(rows)), store=store, follow_links=follow_links)
    return replace(found, pictures={int(rows[ROW].iloc[i]): webp_address(data) for i, data in sorted(made.items())})


def without_its_names(found: Proposed, classes: Sequence[str]) -> Proposed:
    """Return the list without names of files, slides and of itself."""
    texts = [*found.new["path"], *found.checks["path"], *found.new["group"], *found.checks["group"]]
    hide = hidden([*map(str, texts), *(PurePosixPath(str(text)).stem for text in texts)], keep=classes)

    def nameless(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(path="", group="", why=[hide(str(text)) for text in rows["why"]])

    return replace(found, name="", new=nameless(found.new), checks=nameless(found.checks))


def _of_one(place: Path, table: pd.DataFrame, root: Path) -> Proposed | None:
    """Return the list of a folder, where it is of these images."""
    data = _as_written(place) if place.is_dir() else None
    listed = parse_csv(data, texts=TEXTS) if data is not None else pd.DataFrame()
    if listed.empty or not {*COLUMNS} <= {*listed}:
        return None
    listed[ROW] = range(len(listed))
    start = folder_of_all(listed, table, root)
    if start is None:
        return None
    new = listed[listed["task"] == NEW]
    called = new.assign(path=start + new["path"].astype(str))
    labelled = set(places_of(table[table["path"].isin(called["path"])]))
    by_now = [place in labelled for place in places_of(called)]
    return Proposed(
        name=place.name, lies_in=start, new=new[[not one for one in by_now]].reset_index(drop=True),
        checks=listed[listed["task"] == CHECK].reset_index(drop=True), labelled=sum(by_now),
        counts=int((~listed["task"].isin([NEW, CHECK])).sum()),
    )  # fmt: skip


def _as_written(place: Path) -> bytes | None:
    """Return the list of a folder, None where there is none. One that somebody changed is left to them as it is."""
    wanted = read_record(place).get(FILES, {}).get(TABLE)
    data = read_or_none(place / TABLE) if wanted else None
    return data if data is not None and digest_of(data) == wanted else None


def folder_of_all(listed: pd.DataFrame, table: pd.DataFrame, root: Path) -> str | None:
    """Return the folder below `root` in which the images of a list lie, as 'images/' or '', None if it is of others."""
    named = labels_of_list(listed)
    paths = list(dict.fromkeys([*listed["path"].astype(str), *named]))
    names = table["path"].astype(str).str.rpartition("/")[2]
    table = table[names.isin({path.rpartition("/")[2] for path in paths})]  # of a million rows those that may be meant
    of_name: dict[str, list[str]] = defaultdict(list)
    for known in dict.fromkeys(table["path"].astype(str)):
        of_name[known.rpartition("/")[2]].append(known)
    starts = Counter(
        known.removesuffix(path)
        for path in paths
        for known in of_name.get(path.rpartition("/")[2], ())
        if known == path or known.endswith(f"/{path}")
    )
    if not starts:
        return None
    start = min(starts, key=lambda one: (-starts[one], one))
    labels: dict[str, set[str]] = defaultdict(set)
    for path, label in zip(table["path"].astype(str), table["label"].astype(str), strict=True):
        labels[path].add(label)
    both = [bool(labels[start + path] & own) for path, own in named.items() if start + path in labels]
    there = [os.path.isfile(file_of(root / (start + path))[0]) for path in paths]
    return start if _most(there) and _most(both) else None


def _most(found: Sequence[bool]) -> bool:
    return 2 * sum(found) >= len(found)


def labels_of_list(listed: pd.DataFrame) -> Mapping[str, set[str]]:
    """Return image -> the labels that a list says it, or regions in it, have so far."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, label in [("path", "label"), *((f"near{k}", f"near{k}_label") for k in range(1, NEAR + 1))]:
        for image, own in listed[[path, label]].dropna().astype(str).itertuples(index=False):
            found[image].add(own)
    return found
