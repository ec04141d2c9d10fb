"""From the folder of a run to what its report is made of: stored tables, predictions, embeddings and images."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.embeddings.store import EmbeddingStore
from bench.embeddings.thumbnails import thumbnails
from bench.errors import BenchError
from bench.report.html.anonymous import without_names, without_paths
from bench.report.html.context import (
    PCA,
    Items,
    Level,
    Map,
    Method,
    Proposed,
    ReportContext,
    detailed_of,
    headline_level,
    level_of_row,
    method_of,
    methods_of,
    rows_of,
)
from bench.report.html.details import labels_and_groups, read_items
from bench.report.html.differences import all_differences
from bench.report.html.embedding_map import make_map, sampled
from bench.report.html.proposed import FOLDER as LISTS
from bench.report.html.proposed import read_proposed, with_pictures, without_its_names
from bench.report.html.regions import places_of, webp_address
from bench.report.html.tables import counted_as, tables_of
from bench.report.pages.sections.context import RunPage
from bench.report.tables.columns import COLUMNS
from bench.report.tables.empty import no_pairs
from bench.report.tables.leaderboard import Leaderboard
from bench.report.tables.merge import BOARD
from bench.report.tables.sides import Sides
from bench.runs.record import AGAIN, RunRecord, encoder_keys, read_about, read_record_of
from bench.storage.tables import parse_csv
from bench.storage.together import FILES, read_member

MISTAKES = 500  # items that are shown beside those of the map: those that were mistaken most often
TABLES = ("robustness", "efficiency", "finetuning")
MADE_WITH = ("numpy", "scipy", "scikit-learn", "pandas", "torch", "pillow")
USUAL_DATA = "Data/raw"
AUDITS, AUDITED = "audit", 48  # folder of all audits; labels of one that are shown


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a report is to look: with images or without, with names of files or without. images: where they lie, None:
    where the command of the run says. map: how embeddings are drawn in two dimensions, of `embedding_map.WAYS`."""

    images: Path | None = None
    pictures: bool = True
    anonymous: bool = False
    map: str = PCA


def read_report(folder: Path, look: Look | None = None) -> ReportContext:
    """Return what the report of a run is made of. Raises BenchError where its tables or predictions are lost."""
    look = look or Look()
    record = read_record_of(folder)
    run = stored_page(folder, record)
    board = run.board.table
    level = headline_level(board)
    methods, detailed = methods_of(board, level), detailed_of(board, level)
    why: dict[str, str] = {}
    items = _items(folder, record, detailed, level, why)
    rows = {method_of(row): row for row in rows_of(board) if level_of_row(row) == level}
    counted = [counted_as(rows[method], record.facts.split_rule) for method in detailed]
    differences = _differences(folder, record, methods, level, why)
    store = folder.parent.parent / "store"
    found = _map(record, detailed, (store, look.map), why)
    y, groups = labels_and_groups(record)
    audit = doubted(read_audit(folder.parent.parent / AUDITS, record.facts.content), record.table)
    first = [] if audit is None else audit["row"].head(AUDITED).astype(int).tolist()
    shown = sorted({*shown_rows(items, found), *first})
    pictures = _pictures(record, look, folder, shown, why)
    if look.anonymous:
        run = without_names(run, record.table)
    context = ReportContext(
        run=run, level=level, methods=methods, detailed=detailed, items=items, map=found, shown=shown,
        tables=tables_of(items, detailed, record.facts.classes, differences, counted), pictures=pictures,
        labels=[record.facts.classes[k] if k >= 0 else "" for k in y], names=_names(record, look.anonymous),
        groups=_numbered(groups) if look.anonymous else groups, made_with=made_with(folder), audit=audit,
        proposed=_proposed(record, look, folder), why=why,
    )  # fmt: skip
    return without_paths(context) if look.anonymous else context


def stored_page(folder: Path, record: RunRecord) -> RunPage:
    """Return the tables of a run as they are stored, and what stands beside them."""
    about, data = read_about(folder), read_member(folder, BOARD)
    if data is None:
        raise BenchError(f"Got {folder}, whose {BOARD} is missing or not what was written; expected it there. {AGAIN}")
    board = parse_csv(data)
    lacking = [column.key for column in COLUMNS if column.key not in board]
    if lacking:
        raise BenchError(
            f"Got {folder}, whose {BOARD} has no column {lacking[0]}: an earlier version wrote it. Say "
            f"`bench leaderboard {shlex.quote(str(folder))} --rebuild`, which fits nothing."
        )
    sides = Sides.of(record.table, record.plan, record.facts)
    stored = {name: read_member(folder, f"{name}.csv") for name in (*TABLES, "pairs")}
    tables = {name: parse_csv(csv) if csv is not None else pd.DataFrame() for name, csv in stored.items()}
    shown = Leaderboard(
        table=board, empty=about.get("empty_fields", {}), flags=about.get("flags", {}), pairs=tables["pairs"],
        no_pairs=no_pairs(sides.tested, record.facts),
    )  # fmt: skip
    return RunPage(
        board=shown, facts=record.facts, refused=record.refused, command=record.command,
        **{name: tables[name] for name in TABLES},
    )  # fmt: skip


def shown_rows(items: Items | None, found: Map | None, most: int = MISTAKES) -> list[int]:
    """Return the rows of the instance table that are shown as pictures: those of the map, and the worst mistakes."""
    rows: set[int] = set(map(int, found.rows)) if found else set()
    if items is None:
        return sorted(rows)
    wrong = items.draws - np.take_along_axis(items.named, items.y[None, :, None].astype(np.int64), 2)[..., 0]
    order = items.rows[np.argsort(-wrong.sum(0), kind="stable")]
    return sorted([*rows, *[int(row) for row in order if int(row) not in rows][:most]])


def read_audit(folder: Path, content: str) -> pd.DataFrame | None:
    """Return the findings of the audit of a dataset, None where there is none. folder: of all audits."""
    for place in sorted(folder.glob("[!.]*")) if content else ():
        if place.is_dir() and read_about(place).get("data") == content:
            data = read_member(place, "audit.csv")
            if data is not None:
                return parse_csv(data, texts=("path", "label", "suggested"))
    return None


def doubted(audit: pd.DataFrame | None, table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the labels that an audit doubts, most suspicious first, with their `row` in the instance table."""
    if audit is None or not {"kind", "path", "label", "suggested", "p_wrong", *BOX} <= {*audit}:
        return None
    own = audit[audit["kind"] == "label"]
    place = {where: row for row, where in reversed(list(enumerate(places_of(table))))}
    rows = [place.get(where, -1) for where in places_of(own)]
    found = own.assign(row=rows)
    return found[found["row"] >= 0].reset_index(drop=True)


def made_with(folder: Path) -> list[tuple[str, str]]:
    """Return (what, which) of everything that a run and its report were made of."""
    about = read_about(folder)
    rows = [("run", str(about.get("signature", ""))), ("data", str(about.get("data", "")))]
    rows += [(f"encoder {name}", str(key)) for name, key in about.get("encoder_keys", {}).items()]
    rows += [(str(name), str(digest)) for name, digest in about.get(FILES, {}).items()]
    rows += [("Python", platform.python_version()), ("cell-classifier", _version("cell-classifier"))]
    return rows + [(name, _version(name)) for name in MADE_WITH]


def images_of(command: str, folder: Path = Path()) -> Path | None:
    """Return the folder of images that the command of a run names, None where it names none or they are not there."""
    data = data_of(command, folder)
    return data if data is None or data.is_dir() else data.parent


def data_of(command: str, folder: Path = Path()) -> Path | None:
    """Return the folder or CSV that the command of a run names, None where it names none or it is not there.

    folder: of the run; the images of a quickstart lie beside its results.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if not words or words[0] != "bench":
        return None
    if words[1:2] == ["quickstart"]:
        data = folder.parent.parent.parent / "demo" / "raw"
        return data if data.is_dir() else None
    given = [after for word, after in zip(words, [*words[1:], ""], strict=True) if word == "--data"]
    given += [word.partition("=")[2] for word in words if word.startswith("--data=")]
    data = Path((given[-1] if given else USUAL_DATA) or USUAL_DATA).expanduser()
    return data if data.exists() else None


def _items(
    folder: Path, record: RunRecord, methods: Sequence[Method], level: Level | None, why: dict[str, str]
) -> Items | None:
    if level is None or not methods:
        why["items"] = "no method of this run learned from labels"
        return None
    return read_items(folder, record, methods, level)


def _differences(
    folder: Path, record: RunRecord, methods: Sequence[Method], level: Level | None, why: dict[str, str]
) -> pd.DataFrame:
    if level is None or not level.shots:
        why["differences"] = "no methods of this run share labels"
        return pd.DataFrame()
    return all_differences(folder, record, methods, level)


def _map(record: RunRecord, methods: Sequence[Method], made: tuple[Path, str], why: dict[str, str]) -> Map | None:
    store, way = made
    keys = encoder_keys(record.units)
    wanted = {method.encoder: keys[method.encoder] for method in methods if method.encoder in keys}
    names = record.table["instance"].astype(str).tolist()
    found, reason = make_map(EmbeddingStore(store), wanted, names, sampled(names), way)
    why |= {"map": reason} if reason else {}
    return found


def _pictures(
    record: RunRecord, look: Look, folder: Path, rows: Sequence[int], why: dict[str, str]
) -> Mapping[int, str]:
    if not look.pictures:
        why["pictures"] = "this report was made without images"
        return {}
    root = look.images or images_of(record.command, folder)
    if root is None:
        why["pictures"] = "the images are not where the run read them; say --images FOLDER"
        return {}
    follow = "--follow-links" in record.command
    made, lacking = thumbnails(record.table, root, rows, store=folder.parent.parent / "store", follow_links=follow)
    if lacking:
        why["pictures"] = f"{lacking:,} of {len(rows):,} images are not there any more, or were changed since the run"
    return {row: webp_address(data) for row, data in sorted(made.items())}


def _proposed(record: RunRecord, look: Look, folder: Path) -> Proposed | None:
    results, root = folder.parent.parent, look.images or images_of(record.command, folder)
    found = read_proposed(results / LISTS, record.table, root)
    if found is not None and root is not None and look.pictures:
        follow = "--follow-links" in record.command
        found = with_pictures(found, root, results / "store", follow_links=follow)
    return without_its_names(found, record.facts.classes) if found and look.anonymous else found


def _names(record: RunRecord, anonymous: bool) -> list[str]:
    """Return what the instances are called: by path, and by place where an image has several."""
    if anonymous:
        return [f"image {i + 1}" for i in range(len(record.table))]
    boxes = record.table[BOX].to_numpy(dtype=object)
    paths = record.table["path"].astype(str)
    return [
        path if pd.isna(box[0]) else f"{path} ({', '.join(map(str, box))})"
        for path, box in zip(paths, boxes, strict=True)
    ]


def _numbered(groups: Sequence[str]) -> list[str]:
    known = {name: f"group {i + 1}" for i, name in enumerate(sorted(set(groups)))}
    return [known[name] for name in groups]


def _version(name: str) -> str:
    with suppress(PackageNotFoundError):
        return version(name)
    return "not installed"
