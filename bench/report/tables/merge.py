"""Several runs as one leaderboard: what may stand side by side, what is doubled, and the scores of every draw.

A dataset is its content, see `bench.report.tables.identity`. Rows may be compared that are of one dataset under one
protocol: the same instances, labels and groups (`data`), the same way to score (level), draw and split. The rows of a
protocol that several runs have are joined; of a row in two of them the newer counts, by the time of the runs'
predictions.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench.errors import BenchError
from bench.instances.blank import diagnostic_of
from bench.protocol.split_kinds import why_diagnostic
from bench.report.tables.columns import COLUMNS
from bench.report.tables.fits import ledger_of
from bench.report.tables.identity import DatasetOfRun, changed_encoders, families, name_datasets
from bench.report.tables.protocols import PROTOCOL
from bench.report.tables.rows import competing
from bench.runs.place import content_of_run
from bench.runs.record import AGAIN, read_about, read_record_of
from bench.storage.tables import parse_csv
from bench.storage.together import RECORD, read_member, settle

BOARD = "leaderboard.csv"
ROW = ["encoder", "head", "selection", "series", "shots", "noise_kind", "noise"]


@dataclass(frozen=True)
class StoredRun:
    """A run as it lies on disk.

    board: its leaderboard, the dataset by the name that tells it from all others. made: when its newest predictions
    were made, in seconds. known: its dataset, as the run describes it. counts_as: the name of the dataset where several
    are compared.
    """

    name: str
    folder: Path
    board: pd.DataFrame
    classes: tuple[str, ...]
    data: str
    made: float
    known: DatasetOfRun
    counts_as: str = ""


@dataclass(frozen=True)
class Merged:
    """One table of all runs, with the columns run and data added, and what a reader has to know of it."""

    table: pd.DataFrame
    notes: tuple[str, ...]


def find_runs(out: Path, names: Sequence[str]) -> list[Path]:
    """Return the folders of runs by name below <out>/runs or by path, each once; without names all of <out>."""
    known = sorted({path.parent for name in (BOARD, RECORD) for path in (out / "runs").glob(f"[!.]*/{name}")})
    if not names:
        if not known:
            said = f"`bench run --out {shlex.quote(str(out))}`"
            raise BenchError(f"Got no run in {out / 'runs'}; expected at least one, of {said}.")
        return known
    folders = []
    for name in names:
        places = [place for place in (out / "runs" / name, Path(name)) if is_run(place)]
        if not places:
            listed = f", or one of {', '.join(path.name for path in known)}" if known else ""
            raise BenchError(f"Got run {name}, which has no leaderboard.csv; expected the folder of a run{listed}.")
        folders.append(places[0])
    return list({path.resolve(): path for path in folders}.values())


def latest_run(out: Path) -> Path:
    """Return the folder of the run of <out> whose newest predictions were made last.

    A run that is a diagnostic as a whole, such as the random split of --leak, counts only where there is no other.
    """
    return max(find_runs(out, []), key=lambda folder: (not _is_diagnostic(folder), _made(folder), folder.name))


def is_run(folder: Path) -> bool:
    """Return whether a folder holds the tables of a run, or the record of tables that are lost."""
    settle(folder)
    return any((folder / name).is_file() for name in (BOARD, RECORD))


def read_runs(folders: Sequence[Path]) -> tuple[list[StoredRun], tuple[str, ...]]:
    """Return (runs, called as their folders are, and by the whole path where two are called alike; what to know).

    Datasets are the same where their content is; see `bench.report.tables.identity`.
    """
    names = [folder.name for folder in folders]
    runs, unread, keys = [], [], {}
    for folder in folders:
        try:
            runs.append(_read(folder, folder.name if names.count(folder.name) == 1 else str(folder)))
            keys[runs[-1].name] = dict(read_about(folder).get("encoder_keys", {}))
        except (OSError, ValueError, LookupError) as error:
            unread.append(f"the run {folder.name} is left out: {getattr(error, 'strerror', None) or error}")
    if not runs:
        raise BenchError(*(f"Got no run that can be used: {why}" for why in unread))
    known = [run.known for run in runs]
    called, notes = name_datasets(known)
    joined, more = families(known, called)
    return [
        replace(run, board=run.board.assign(dataset=called[run.known.content]),
                counts_as=called[joined[run.known.content]])
        for run in runs
    ], (*unread, *notes, *more, *changed_encoders(keys))  # fmt: skip


def read_board(folder: Path) -> pd.DataFrame:
    """Return a run's leaderboard. BenchError where it is missing, or is not what was written."""
    data = read_member(folder, BOARD)
    if data is None:
        missing = BOARD if read_about(folder) else RECORD
        raise BenchError(f"Got {folder}, whose {missing} is missing, or is not what was written there. {AGAIN}")
    return parse_csv(data)


def _is_diagnostic(folder: Path) -> bool:
    facts = read_about(folder).get("facts", {})
    return bool(why_diagnostic(str(facts.get("split_rule", ""))) or diagnostic_of(str(facts.get("instances", ""))))


def _made(folder: Path) -> float:
    """Return when the newest predictions of a run were made, in seconds; without any, when its tables were."""
    files = [*(folder / "predictions").glob("*.safetensors")] or [*folder.glob(BOARD), *folder.glob(RECORD)]
    return max(path.stat().st_mtime for path in files)


def _read(folder: Path, name: str) -> StoredRun:
    about, board = read_about(folder), read_board(folder)
    made = _made(folder)
    dataset = str(board["dataset"].iloc[0]) if len(board) else folder.name
    place = about.get("facts", {}).get("place", "")
    known = DatasetOfRun(dataset, place, content_of_run(folder) or dataset, folder)
    return StoredRun(name, folder, board, tuple(about.get("classes", ())), str(about.get("data", ""))[:8], made, known)


def merge_runs(runs: Sequence[StoredRun]) -> Merged:
    """Join the leaderboards of runs; see above for which rows are doubled and which are not compared."""
    order = sorted(runs, key=lambda run: (run.made, run.name))
    table = pd.concat([run.board.assign(run=run.name, data=run.data) for run in order], ignore_index=True)
    key = ["dataset", *PROTOCOL, *ROW]
    notes = [*_changed(table, key), *_several_protocols(table[table["draw"] != "none"])]
    table = table[~table.duplicated(key, keep="last")].reset_index(drop=True)
    several = table.groupby(["dataset", *PROTOCOL])["run"].transform("nunique") > 1
    relative = [column.key for column in COLUMNS if column.relative and column.key in table]
    if several.any() and relative:
        table[relative] = table[relative].mask(several)
        where = ", ".join(sorted(table.loc[several, "dataset"].unique()))
        notes.append(f"{where}: rows of several runs; ranks and differences to baselines hold within one and are empty")
    return Merged(table, tuple(notes))


def draw_scores(runs: Sequence[StoredRun], merged: Merged) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the score of every draw of the rows of a merged table, as `across` takes them, and what is left out.

    Of a dataset under several protocols the one of its newest run counts; diagnostics and rows of the oracle or of a
    budget take no part.
    """
    rows = competing(merged.table)
    rows = rows[(rows["shots"] > 0) & (rows["series"] != "budget")]  # a budget means other labels
    made_at = {run.name: run.made for run in runs}
    parts, notes = [], []
    rows = rows.assign(dataset=rows["run"].map({run.name: run.counts_as for run in runs}))
    for dataset, of_dataset in rows.groupby("dataset", sort=True):
        newest = of_dataset[PROTOCOL].iloc[int(of_dataset["run"].map(made_at).to_numpy().argmax())]
        kept = of_dataset[(of_dataset[PROTOCOL] == newest).all(axis=1)]
        if len(kept) < len(of_dataset):
            notes.append(f"{dataset}: across datasets only its newest run counts ({_protocol(newest)})")
        for run in (run for run in runs if run.name in set(kept["run"])):
            try:
                ledger = _like_csv(ledger_of(run.folder, read_record_of(run.folder)))
            except BenchError as error:
                notes.append(f"{run.name}: takes no part across datasets. {error}")
                continue
            ledger = ledger.merge(kept.loc[kept["run"] == run.name, ROW], on=ROW)
            null = 1 / len(run.classes)
            score = (ledger["balanced_accuracy"] - null) / (1 - null)
            parts.append(ledger[[*ROW, "seed"]].assign(dataset=dataset, score=score, draw=newest["draw"]))
    if not parts:
        return pd.DataFrame(columns=["dataset", *ROW, "seed", "score"]), tuple(notes)
    scores = pd.concat(parts, ignore_index=True)
    draws = scores.groupby("draw")["dataset"].unique()
    if len(draws) > 1:
        listed = "; ".join(f"{draw} {', '.join(names)}" for draw, names in draws.items())
        notes.append(f"the datasets differ in how labels were drawn ({listed}), which affects every comparison")
    return scores.drop(columns="draw"), tuple(notes)


def join_by_row(table: pd.DataFrame, runs: Sequence[StoredRun], more: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return a merged table with the further columns of `more`, for every run a table with the columns ROW."""
    named = [_like_csv(columns).assign(run=run.name) for run, columns in zip(runs, more, strict=True)]
    return table.merge(pd.concat(named, ignore_index=True), on=["run", *ROW], how="left")


def _like_csv(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with their noise rates as leaderboard.csv has them."""
    return rows.assign(noise=[float(f"{rate:.6g}") for rate in rows["noise"]])


def _changed(table: pd.DataFrame, key: list[str]) -> list[str]:
    """Say which rows two runs have with different scores."""
    both = table[table.duplicated(key, keep=False)]
    differ = both.groupby(key, dropna=False)["balanced_accuracy"].nunique() > 1
    if not differ.any():
        return []
    names = ", ".join(dict.fromkeys(both["run"]))
    return [f"{differ.sum()} rows are in several runs with different scores; the newest count, in this order: {names}"]


def _several_protocols(table: pd.DataFrame) -> list[str]:
    notes = []
    for dataset, rows in table.groupby("dataset", sort=True):
        protocols = rows[PROTOCOL].drop_duplicates()
        if len(protocols) > 1:
            listed = "; ".join(dict.fromkeys(_protocol(row) for _, row in protocols.iterrows()))
            several = bool(protocols.groupby("instances")["data"].nunique().max() > 1)
            by_name = "without groups, an image is one by its name"
            other = f" on other images, labels or groups ({by_name})" if several else ""
            notes.append(f"{dataset}: rows under {len(protocols)} protocols{other} ({listed}) should not be compared")
    return notes


def _protocol(row: pd.Series) -> str:
    drawn = f"{row['draw']} by {row['shot_unit']}"
    scaled = f", scaled by {row['scale_by']}" if row["scale_by"] == "support" else ""
    return f"{row['instances']} scored by {row['level']}, draw {drawn}{scaled}, split {row['split']}"
