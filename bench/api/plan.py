"""`bench.plan`: how many labels and how many slides are enough, of runs that were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import pandas as pd

from bench.api import arguments
from bench.api.arguments import PathLike
from bench.api.words import in_python, python_words
from bench.errors import BenchError
from bench.report.pages.numbers import interval, points
from bench.report.write_up import bring_up_to_date
from bench.shown import Items, Part, Shows, Table, Title
from bench.studies.plan.ask import plan_of
from bench.studies.plan.minutes import PRICED
from bench.studies.plan.words import labels_text, sentences

HEAD = ("encoder", "head", "labels now", "score", "x 2", "x 4", "labels needed", "90%")


@runtime_checkable
class Made(Protocol):
    """What `bench.run` returns, as far as a plan needs it."""

    @property
    def folder(self) -> Path:
        """Where the run lies."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class PlanResult(Shows):
    """How many labels and slides a score takes, as `plan` returns it.

    It shows itself: as HTML in a notebook, as text elsewhere.

    Attributes
    ----------
    target : float
        The balanced accuracy on other slides that is asked for, 0 to 1.
    table : pandas.DataFrame
        One row per encoder with its best head: `labels_now` and `labels` per class (inf: beyond four times those there)
        with the 90% interval `labels_low` to `labels_high`, `slides_now` that the data have, `slides` that the labels
        come from and `more_slides` among them that the data do not have, `minutes`, `sure` (the probability of the
        target at four times the labels), and forecasts `score_x2`, `score_x4` with their 90% limits.
    wrong_labels : pandas.DataFrame
        The same columns of the best encoder, one row per share (`noise`) and kind (`noise_kind`) of labels that are
        wrong by chance; empty where the run has none.
    more_labels : int or None
        Labels per class that the best encoder still needs; None where no forecast reaches the target.
    more_slides : int or None
        Slides that they should come from and the data do not have, at the least.
    slides : pandas.DataFrame or None
        What as many labels of more or fewer slides score; None where the runs cannot tell.
    sentences : tuple of str
        The same in words, and what narrows the interval.

    See Also
    --------
    plan : Makes it.
    """

    target: float
    table: pd.DataFrame
    wrong_labels: pd.DataFrame
    more_labels: int | None
    more_slides: int | None
    slides: pd.DataFrame | None
    sentences: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.table)

    def _parts(self) -> list[Part]:
        rows = [
            (row["encoder"], row["head"], str(row["labels_now"]), points(row["score_now"]),
             *(f"{points(row[f'score_x{k}'])} [{interval(row[f'low_x{k}'], row[f'high_x{k}'])}]" for k in (2, 4)),
             *labels_text({str(name): value for name, value in row.items()}))
            for row in self.table.to_dict("records")
        ]  # fmt: skip
        caption = f"Labels per class needed for {points(self.target)}% on new slides; forecasts with 90% intervals"
        return [
            Title(text=self.sentences[0]), Table(head=HEAD, rows=rows, texts=2, caption=caption),
            Items(heading="To know", items=self.sentences[1:]),
        ]  # fmt: skip


def plan(*runs: Made | PathLike, target: float | None = None, minutes: Mapping[str, float] | None = None) -> PlanResult:
    """Say how many labels and slides a score takes, with a 90% interval; nothing is fitted.

    Parameters
    ----------
    *runs : RunResult, str or path
        Runs of the same data, or their folders. With one more that was made with support_groups="concentrated", what
        more slides are worth is told from what more labels are worth.
    target : float, optional
        The balanced accuracy on other slides, above guessing and below 1. None: the next multiple of .05.
    minutes : mapping, optional
        What one more costs, e.g. {"image": 0.1, "slide": 30}.

    Returns
    -------
    PlanResult
        `more_labels`, `more_slides`, and the forecasts of all encoders.

    Raises
    ------
    BenchError
        For runs of different data, runs with one number of labels, and a target that is no such score.

    Notes
    -----
    How far apart classes are told is an inverse power law of the labels (in [1]_ the score is), with a Gaussian
    process around it [2]_ and a prior fitted to curves of other data. Nothing is said beyond four times the labels.
    `results/plan` has how often the intervals held.

    References
    ----------
    .. [1] Figueroa, Zeng-Treitler, Kandula, Ngo (2012). Predicting sample size required for classification performance.
       BMC Medical Informatics and Decision Making 12:8.
    .. [2] Mehrtash et al. (2023). Appropriate extrapolation of learning curves. arXiv 2311.18025.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("more", bench.DemoSpec(images=24, size=(64, 64)))
    >>> data = bench.load_data("more/raw", group_pattern=r"([^/]+)__")
    >>> run = bench.run(data, encoders="texture", heads="ridge", shots=[1, 2, 4], draws=3, baselines=False,
    ...                 progress=False)
    >>> found = bench.plan(run, target=0.99)
    >>> found.table["labels_now"].tolist()
    [4]
    >>> bool((found.table["low_x4"] <= found.table["high_x4"]).all())
    True
    """
    with python_words():
        if not runs:
            raise BenchError("Got no run; expected one or more, e.g. bench.plan(run).")
        folders = [run.folder if isinstance(run, Made) else arguments.path(run, "runs") for run in runs]
        for folder in folders:
            if not folder.is_dir():
                raise BenchError(f"Got {folder}; expected the folder of a run, e.g. results/runs/NAME.")
            bring_up_to_date(folder)
        found = plan_of([Path(folder) for folder in folders], _target(target), _minutes(minutes))
        best = found.rows.iloc[0]
        known = pd.notna(best["slides"])
        return PlanResult(
            target=found.goal, table=found.rows, wrong_labels=found.wrong, slides=found.slides,
            more_labels=max(int(best["labels"] - best["labels_now"]), 0) if known else None,
            more_slides=int(best["more_slides"]) if known else None,
            sentences=tuple(map(in_python, sentences(found))),
        )  # fmt: skip


def _target(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise arguments.wrong("target", value, "a score between 0 and 1, e.g. target=0.85")
    return float(value)


def _minutes(value: object) -> dict[str, float] | None:
    if value is None:
        return None
    expected = "minutes of both, e.g. minutes={'image': 0.1, 'slide': 30}"
    if not isinstance(value, Mapping) or not set(value) <= set(PRICED):
        raise arguments.wrong("minutes", value, expected)
    if not all(isinstance(one, int | float) and 0 <= one < float("inf") for one in value.values()):
        raise arguments.wrong("minutes", value, expected)
    return {name: float(value.get(name, 0.0)) for name in PRICED}
