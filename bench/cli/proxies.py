"""`bench proxies`: what embeddings and labels tell of encoders without a sweep, and what choosing by it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bench.cli.console import console, print_data, print_notes, print_problems, print_rows, progress_bars
from bench.cli.options.data import DataOptions
from bench.cli.options.encoders import Device, Encoders, check_device, encoder_names
from bench.cli.options.groups import STUDY, option
from bench.cli.options.output import DEFAULT_OUT, Out, ToIfGiven
from bench.cli.startup import imports
from bench.cli.tables import make_column, make_table
from bench.data.layout import existing
from bench.errors import BenchError
from bench.storage.atomic import check_writable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from bench.embeddings.embed import Prepared

EXAMPLES = (
    "bench proxies --data Data/raw --encoder dino,resnet50,texture",
    "bench proxies --data Data/raw --run raw --to proxies.csv",
)
SHOWN = {
    "loo_ridge": "LOO ridge", "loo_knn": "LOO kNN", "logme": "LogME", "h_score": "H-score", "rankme": "RankMe",
    "chance": "any of them",
}  # fmt: skip


def proxies(
    source: DataOptions,
    encoder: Encoders = None,
    run: Annotated[
        str | None,
        option(
            STUDY,
            "A run on the same data, by name or folder: what choosing by a proxy would have cost.",
            "--run",
            value="RUN",
        ),
    ] = None,
    rows: Annotated[
        int,
        option(STUDY, "Instances looked at, the same for every encoder, drawn if there are more.", value="N", min=4),
    ] = 3000,
    to: ToIfGiven = None,
    out: Out = DEFAULT_OUT,
    device: Device = "auto",
) -> None:
    """Judge encoders in seconds, from embeddings and all labels, without a sweep.

    LOO ridge and LOO kNN are balanced accuracies, every row predicted without its group; where `bench next`
    picked labels, those of the labels that were drawn at random. LogME and H-score: higher is better. RankMe, the
    number of directions used, is no measure of quality but of collapse. Without --encoder: all that are stored for this
    data. Rows of an official test split are left out. --to writes a CSV with a row per encoder, and with --run the
    costs to NAME-regret.csv beside it.
    """
    existing(source.data)
    check_device(device)
    if to is not None:
        for place in (to, *([_regret_of(to)] if run is not None else [])):
            check_writable(place)

    with imports():
        import numpy as np
        import pandas as pd

        from bench.data.chosen_by import tested_rows
        from bench.data.warnings import data_warnings
        from bench.embeddings.embed import embed, prepare, stored_or_default
        from bench.fitting.scaling import scale_rows
        from bench.studies.proxies import PROXIES, cka_matrix, measure, selection_regret
        from encoders import check_aliases, resolve

    specs = [resolve(name) for name in encoder_names(encoder)]
    check_aliases(specs)
    with progress_bars() as report:
        prepared = prepare(source.spec(), out, report)
    print_data(prepared.dataset, data_warnings(prepared.dataset))
    said = prepared.dataset.problems["path"].tolist()
    specs = list({spec.name: spec for spec in specs or stored_or_default(prepared)}.values())
    board = None if run is None else _board(run, out, prepared, source.instances)
    with progress_bars() as report:
        prepared, _, embedded = embed(prepared, specs, device, report)
        chosen = _rows(prepared.instances, rows)
        table = prepared.instances.iloc[chosen]
        classes, y = np.unique(table["label"].to_numpy(str), return_inverse=True)
        group, tested = table["group"].to_numpy(str), tested_rows(table["split"])
        everything, found, why = np.arange(len(table)), {}, dict[str, None]()
        for i, spec in enumerate(spec for spec in specs if spec.name in embedded):
            report(f"judge {spec.name}", i, len(embedded))
            X = embedded[spec.name] = embedded[spec.name][chosen]
            own = measure(X, scale_rows(X, everything, group, spec.scaling), y, group, tested)
            found[spec.name] = {"dim": X.shape[1], **own.values}
            why |= {f"{spec.name}: no {SHOWN[name]}, as {reason}": None for name, reason in own.why.items()}
    judged = pd.DataFrame.from_dict(found, orient="index").rename_axis("encoder")
    alike = pd.DataFrame(cka_matrix([embedded[name] for name in judged.index]), judged.index, judged.index)
    print_rows(judged.reset_index())
    _print_judged(judged, f"{len(table):,} of {len(prepared.instances):,} instances, {len(np.unique(group))} groups")
    if len(judged) > 1:
        _print_alike(alike)
    for line in why:
        console.print(line)
    print_problems(prepared.dataset.problems, said)
    regret = None if board is None else selection_regret(judged[list(PROXIES)], board)
    if regret is not None:
        _print_regret(regret, str(run))
    if to is not None:
        _write(to, judged.join(alike.add_prefix("cka:")).reset_index(), regret)


def _rows(table: pd.DataFrame, most: int) -> np.ndarray:
    """Return the positions that are looked at: not of the official test, at most so many, by keyed hash."""
    import numpy as np

    from bench.seeds import keyed_uniform

    learned = np.flatnonzero(table["split"].fillna("").str.lower() != "test")
    drawn = keyed_uniform(("proxies",), table["instance"].iloc[learned].tolist())
    return np.sort(learned[np.argsort(drawn, kind="stable")[:most]])


def _board(run: str, out: Path, prepared: Prepared, instances: str) -> pd.DataFrame:
    """Return the leaderboard of a run; BenchError where there is none, or it is of other data."""
    from bench.data.content import content_of
    from bench.report.tables.merge import find_runs, read_board
    from bench.report.write_up import bring_up_to_date
    from bench.runs.place import content_of_run

    [folder] = find_runs(out, [run])
    print_notes(filter(None, [bring_up_to_date(folder)]))
    board = read_board(folder)
    was, called = (str(board[name].iloc[0]) for name in ("instances", "dataset"))
    if was != instances:
        raise BenchError(f"Got --run {run} with --instances {was}, and {instances} here; expected the same.")
    if content_of_run(folder) != content_of(prepared.dataset.table):
        raise BenchError(
            f"Got --run {run} of other images or labels ({called}) than --data {prepared.dataset.name}; expected a run "
            "of the same data."
        )
    return board


def _print_judged(judged: pd.DataFrame, title: str) -> None:
    names = [name for name in SHOWN if name in judged]
    columns = ["dim", *(SHOWN[name] for name in names)]
    table = make_table("encoder", *(make_column(name, justify="right") for name in columns), pad_edge=False)
    for name, row in judged.sort_values("loo_ridge", ascending=False, kind="stable").iterrows():
        scale = {"loo_ridge": 100, "loo_knn": 100}  # percent
        shown = [_number(row[x] * scale.get(x, 1), 3 if x in ("logme", "h_score") else 1) for x in names]
        table.add_row(str(name), f"{row['dim']:.0f}", *shown)
    table.title = title
    console.print(table, soft_wrap=False)


def _print_alike(alike: pd.DataFrame) -> None:
    numbers = [str(i + 1) for i in range(len(alike))]
    table = make_table("", "encoder", *(make_column(i, justify="right") for i in numbers), pad_edge=False)
    for i, (name, row) in zip(numbers, alike.iterrows(), strict=True):
        table.add_row(i, str(name), *(_number(value, 2) for value in row))
    table.title = "How alike encoders are (debiased linear CKA)"
    console.print(table, soft_wrap=False)


def _print_regret(regret: pd.DataFrame, run: str) -> None:
    from bench.report.tables.rows import cleanest

    least = cleanest(regret)
    table = make_table(
        "proxy",
        *(make_column(name, justify="right") for name in ("labels", "best", "chosen", "cost")),
        "encoder",
        pad_edge=False,
    )
    for row in least.sort_values("shots", kind="stable").to_dict("records"):
        scores = (_number(100 * row[name], 1) for name in ("best", "balanced_accuracy", "regret"))
        table.add_row(SHOWN[row["proxy"]], str(row["shots"]), *scores, row["chosen"])
    table.title = f"What choosing by a proxy costs in {run}: points of balanced accuracy below the best of these"
    console.print(table, soft_wrap=False)


def _number(value: float, digits: int) -> str:
    return "" if value != value else f"{value:.{digits}f}"


def _regret_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}-regret.csv")


def _write(path: Path, judged: pd.DataFrame, regret: pd.DataFrame | None) -> None:
    from bench.storage.atomic import write_beside
    from bench.storage.tables import csv_bytes

    tables = {path: judged} | ({} if regret is None else {_regret_of(path): regret})
    write_beside({place: csv_bytes(table) for place, table in tables.items()})
    console.print(f"Written: {', '.join(map(str, tables))}")
