"""What a run made, as tables in memory, and how it shows itself: the verdict, what to know, the best rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.api import arguments
from bench.api.words import in_python, python_words
from bench.errors import BenchError
from bench.report.pages.plain_text import plain_words
from bench.report.pages.sections.verdict import summary
from bench.report.tables.merge import BOARD
from bench.report.tables.pairs import COLUMNS as PAIRS
from bench.report.tables.rows import best_first, cleanest, head_label, is_diagnostic, labels_of, main_series
from bench.runs.record import read_about
from bench.shown import Items, Part, Shows, Table, Title
from bench.storage.tables import parse_csv
from bench.storage.together import read_member

if TYPE_CHECKING:
    from bench.api.plan import PlanResult

SHOWN = 20  # rows of a table
HEAD = ("encoder", "head", "balanced accuracy", "95% interval", "spread", "rank", "over baselines")
COUNTS = ("shots", "seeds", "n_train_groups", "n_test", "n_groups", "dim")  # columns of whole numbers
NOTHING_TO_RANK = "Nothing here is ranked: every row is a diagnostic, an oracle row, or without labels."


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RunResult(Shows):
    """The tables of a run, as `run` and `load_run` return them.

    It shows itself: as HTML in a notebook, as text elsewhere; the verdict first, then what to know before the first
    number, then the best rows at the most labels.

    Attributes
    ----------
    leaderboard : pandas.DataFrame
        One row per encoder x head x selection x shots x noise. `balanced_accuracy` (0 to 1) with its 95% interval
        `ci_low` to `ci_high`, `rank_low` to `rank_high`, `delta_trivial` (what it is better than the best baseline),
        `p_chance_best`, and more; `role` tells encoders, baselines and diagnostics apart. Floats have six digits, as
        in the file.
    pairs : pandas.DataFrame
        Every method against the best one of its level: `difference` with its interval, `p`, and `p_joint`, which
        allows for having picked the best on this test. Without rows where test groups are too few to compare.
    robustness : pandas.DataFrame
        What wrong labels cost; without rows where there are none.
    efficiency : pandas.DataFrame
        What more labels bring; without rows where there is a single level.
    finetuning : pandas.DataFrame
        What training a network gains over the same network frozen; without rows where none was trained.
    verdict : str
        The best row, and what to expect of it, in a sentence.
    warnings : tuple of str
        What to know before believing a score.
    notes : tuple of str
        What was reused, made, skipped or not run.
    folder : pathlib.Path
        Where the run lies; `leaderboard.md` in it is the page to read and to share.

    See Also
    --------
    run : Makes it.
    load_run : Reads one that was made before.
    """

    folder: Path
    leaderboard: pd.DataFrame
    pairs: pd.DataFrame
    robustness: pd.DataFrame
    efficiency: pd.DataFrame
    finetuning: pd.DataFrame
    verdict: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def report(
        self,
        to: str | Path | None = None,
        *,
        images: str | Path | None = None,
        anonymous: bool = False,
        map: str = "pca",
    ) -> Path:
        """Show the run as one HTML file, to look at; nothing is fitted.

        Parameters
        ----------
        to : str or path, optional
            The file, which ends in .html. None: `report.html` in the run's folder, with the tables that it shows
            beside it.
        images : str or path, optional
            The folder of images that the data were loaded from. None: where the command of the run says; of a run that
            was made in Python there are no images then.
        anonymous : bool, default=False
            Leave out paths and the names of files, groups and the dataset.
        map : {"pca", "umap"}, default="pca"
            How embeddings are drawn in two dimensions: along two principal components, or such that neighbours stay
            together, which needs `pip install '.[umap]'`.

        Returns
        -------
        pathlib.Path
            Where the file is.

        Raises
        ------
        BenchError
            Where `to` does not end in .html, tables or predictions of the run are missing, or nothing can be written.

        Examples
        --------
        >>> import bench
        >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
        >>> data = bench.load_data("demo/raw", group_pattern=r"([^/]+)__")
        >>> run = bench.run(data, encoders="texture", heads="knn", shots=1, draws=2, baselines=False, progress=False)
        >>> run.report("cells.html", images="demo/raw").name
        'cells.html'
        """
        from bench.report.html.embedding_map import check_way
        from bench.report.html.read import Look
        from bench.report.html.report import write_report

        with python_words():
            look = Look(
                images=arguments.path_or_none(images, "images"), anonymous=arguments.flag(anonymous, "anonymous"),
                map=arguments.text(map, "map", "pca"),
            )  # fmt: skip
            check_way(look.map)
            return write_report(self.folder, arguments.path_or_none(to, "to"), look)

    def plan(self, target: float | None = None, minutes: Mapping[str, float] | None = None) -> PlanResult:
        """Say how many labels and slides a score takes, as `bench.plan` of this run alone does; nothing is fitted.

        Parameters
        ----------
        target : float, optional
            The balanced accuracy on other slides. None: the next multiple of .05.
        minutes : mapping, optional
            What one more costs, e.g. {"image": 0.1, "slide": 30}.

        Returns
        -------
        PlanResult
            `more_labels`, `more_slides`, and the forecasts of all encoders.

        Raises
        ------
        BenchError
            For a run with one number of labels, and a target that is no such score.

        Examples
        --------
        >>> import bench
        >>> index = bench.write_demo("more", bench.DemoSpec(images=24, size=(64, 64)))
        >>> run = bench.run("more/raw", encoders="texture", heads="ridge", shots=[1, 2], draws=2, baselines=False,
        ...                 progress=False)
        >>> run.plan(target=0.9).table["labels_now"].tolist()
        [2]
        """
        from bench.api.plan import plan

        return plan(self, target=target, minutes=minutes)

    def __len__(self) -> int:
        return len(self.leaderboard)

    def _parts(self) -> list[Part]:
        return [
            Title(text=self.verdict),
            Items(heading="Read this first", items=self.warnings),
            *_tables(self.leaderboard),
            Items(heading="Notes", items=self.notes),
            f"The page: {self.folder / 'leaderboard.md'}",
        ]


def read_result(folder: Path, notes: tuple[str, ...] = ()) -> RunResult:
    """Return what lies in the folder of a run. Raises BenchError where there is no run, or its tables are damaged."""
    about = read_about(folder)
    board = _table(folder, BOARD)
    if board is None or "facts" not in about:
        raise BenchError(
            f"Got {folder}, which holds no whole run; expected a folder that bench.run made, such as "
            "results/runs/NAME. Run it again: nothing that was fitted is fitted twice."
        )
    facts = about["facts"]
    diagnostic = [about["diagnostic"]] if about.get("diagnostic") else []
    warnings = dict.fromkeys([*diagnostic, *about["flags"].values(), *facts["warnings"], *about["refused"]])
    tables = {name: _table(folder, f"{name}.csv") for name in ("pairs", "robustness", "efficiency", "finetuning")}
    empty = {"pairs": pd.DataFrame(columns=PAIRS)}
    return RunResult(
        folder=folder, leaderboard=board, verdict=in_python(plain_words(summary(board))) or NOTHING_TO_RANK,
        warnings=(f"{facts['tier'].capitalize()}: {facts['tier_reason']}", *map(in_python, warnings)),
        notes=tuple(map(in_python, notes)),
        **{name: empty.get(name, pd.DataFrame()) if table is None else table for name, table in tables.items()},
    )  # fmt: skip


def _table(folder: Path, name: str) -> pd.DataFrame | None:
    data = read_member(folder, name)
    if data is None:
        return None
    table = parse_csv(data)
    # A column that happens to hold whole numbers alone, as a noise of 0, is read as such.
    return table.astype({str(at): float for at in table.select_dtypes("integer") if at not in COUNTS})


def _tables(board: pd.DataFrame) -> list[Table]:
    """Return the rows with the most labels, and those without any, at the least noise; diagnostics apart."""
    rows = cleanest(main_series(board))
    found = []
    for shots in sorted({int(n) for n in rows["shots"]} & {0, int(rows["shots"].max())}, reverse=True):
        level = rows[rows["shots"] == shots]
        diagnostic = is_diagnostic(level)
        for part, what in ((level[~diagnostic], ""), (level[diagnostic], "Diagnostics, which are never ranked: ")):
            if len(part):
                found.append(_level(part, shots, what))
    return found


def _level(rows: pd.DataFrame, shots: int, what: str) -> Table:
    noise = float(rows["noise"].iloc[0])
    labels = f"{labels_of(rows, shots)}, {f'{noise:.0%} of them wrong' if noise else 'clean'}"
    some = f"; the first {SHOWN} of {len(rows)} rows" if len(rows) > SHOWN else ""
    cells = [_row(row) for row in best_first(rows).head(SHOWN).to_dict("records")]
    kept = [at for at in range(len(HEAD)) if any(row[at] for row in cells)]  # e.g. no ranks where groups are few
    return Table(
        head=[HEAD[at] for at in kept], rows=[[row[at] for at in kept] for row in cells], texts=2,
        caption=f"{what}{labels}; percent, {int(rows['n_groups'].iloc[0])} groups tested{some}",
    )  # fmt: skip


def _row(row: Mapping[Hashable, Any]) -> tuple[str, ...]:
    return (
        row["encoder"], head_label(row), f"{100 * row['balanced_accuracy']:.1f}",
        f"{100 * row['ci_low']:.0f}-{100 * row['ci_high']:.0f}",
        "" if pd.isna(row["spread"]) else f"{100 * row['spread']:.1f}",
        "" if pd.isna(row["rank_low"]) else _places(row["rank_low"], row["rank_high"]),
        "" if pd.isna(row["delta_trivial"]) else f"{100 * row['delta_trivial']:+.1f}",
    )  # fmt: skip


def _places(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.0f}-{high:.0f}"
