"""`bench.run`: many fits on few and partly wrong labels, and the tables that say which method to trust."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pandas as pd

from bench.api import arguments
from bench.api.arguments import PathLike, call_text
from bench.api.data import Data, as_data
from bench.api.result import RunResult, read_result
from bench.api.words import python_words
from bench.data.warnings import skipped
from bench.fitting.ensembles import Ensemble
from bench.pipeline import run as run_request
from bench.progress import bars
from bench.protocol.confusion_targets import read_confusable
from bench.protocol.protocol import Protocol
from bench.report.write_up import bring_up_to_date
from bench.request import DEFAULT_HEADS, Request
from bench.storage.notices import take_notices
from encoders import split_names


def run(
    data: Data | PathLike,
    *,
    encoders: str | Sequence[str] = (),
    heads: str | Sequence[str] = DEFAULT_HEADS,
    shots: int | Sequence[int] = (1, 5, 10),
    noise: float | Sequence[float] = 0.0,
    noise_kind: str | Sequence[str] = "symmetric",
    confusable: str | Sequence[str] = (),
    foreign: str | Sequence[str] = (),
    draws: int | None = None,
    support_groups: str = "spread",
    budget: int | Sequence[int] = (),
    shot_unit: str = "instance",
    split: str = "group",
    select: str | Sequence[str] = "auto",
    transfer: PathLike | Sequence[PathLike] = (),
    params: PathLike | Sequence[PathLike] = (),
    scale_by: str = "pool",
    baselines: bool = True,
    ensembles: str | Sequence[str] = (),
    zero_shot: bool = False,
    prompts: PathLike | None = None,
    allow_missing: bool = False,
    name: str | None = None,
    out: PathLike | None = None,
    device: str = "auto",
    fit_device: str = "cpu",
    precision: str = "named",
    workers: int | None = None,
    memory: float | None = None,
    progress: bool = True,
) -> RunResult:
    """Fit every head on few, partly wrong labels over every encoder, and compare them on slides that were not seen.

    Parameters
    ----------
    data : Data, str or path
        What `load_data` returned, or a path for it.
    encoders : str or sequence of str, default=()
        Encoders or variants, e.g. ["dino@size=448", "texture"]. Empty: all that are embedded already.
    heads : str or sequence of str, default=("knn", "centroid", "logreg", "xgboost")
        Heads; `list_heads` lists them. "finetune" and "finetune-last" train the network of an encoder instead, all of
        it or its last layers, on the same draws; that takes seconds to minutes a fit.
    shots : int or sequence of int, default=(1, 5, 10)
        Labelled examples per class.
    noise : float or sequence of float, default=0
        Shares of wrong labels among them, from 0 to 1.
    noise_kind : str or sequence of str, default="symmetric"
        How labels go wrong, rows of their own for each, e.g. "symmetric" (any other class), "asymmetric" (the class it
        is mistaken for) or "group" (whole slides alike). A wrong name lists all; `bench run --help` tells them.
    confusable : str or sequence of str, default=()
        For "asymmetric": which class is mistaken for which, e.g. ["a>b", "b>a"]; "auto": as colour, texture and
        thumbnail confuse them; or the names of descriptors to go by. Nothing: each for the next in the alphabet.
    foreign : str or sequence of str, default=()
        For "open-set": labels that are no classes, whose items are put among the examples.
    draws : int, optional
        Random choices of the examples per level. None: 30, 20 or 10 by `shots`.
    support_groups : {"spread", "proportional", "concentrated"}, default="spread"
        From which slides the examples are: round the slides, as they come, or from as few as possible.
    budget : int or sequence of int, default=()
        Labels in all instead of per class, a series of its own.
    shot_unit : {"instance", "image"}, default="instance"
        What `shots` counts: instances (tiles, cells), or images with all their instances.
    split : str, default="group"
        What is never both learned from and tested on: "group" (slide, patient), "source" (lab, stain), or another kind
        of `bench run --help`. "random" ignores slides, and is a diagnostic that ranks nothing.
    select : str or sequence of str, default="auto"
        How a head's settings are chosen, rows of their own for each, e.g. "auto" (on the labelled examples), "fixed"
        (published) or "oracle" (on the test, never ranked). A wrong name lists all; `bench run --help` tells them.
    transfer : path or sequence of paths, default=()
        For select="transfer": runs of other data with select="oracle".
    params : path or sequence of paths, default=()
        Files of `bench tune`, each for rows of their own.
    scale_by : {"pool", "support"}, default="pool"
        What embeddings are centred and scaled by: all images of the training side, without their labels, or the
        labelled examples alone.
    baselines : bool, default=True
        Add what every encoder has to beat: guessing, image size, colour, texture, bare pixels, ...
    ensembles : str or sequence of str, default=()
        Two or more encoders as one, each text one ensemble: "concat:a,b" or "mean:a,b".
    zero_shot : bool, default=False
        Also class names in words instead of labels, for encoders of open_clip.
    prompts : str or path, optional
        The words for that, a file that starts as `bench prompts > FILE`.
    allow_missing : bool, default=False
        Go on without encoders that cannot be loaded, and say so; else that is an error.
    name : str, optional
        Name of the run's folder below `out`/runs. None: from the data.
    out : str or path, optional
        Folder of results. None: that of `data`, which is "results" unless told.
    device : str, default="auto"
        Where encoders run: "auto", "cpu", "cuda" or "cuda:N".
    fit_device : str, default="cpu"
        Where logistic regression is solved.
    precision : {"named", "auto"}, default="named"
        "named": as names of encoders say, float32 where they say nothing. "auto": the fastest way that keeps the
        embeddings, by a measurement on some of the images that is made once and remembered; `notes` tell which.
    workers : int, optional
        Processes that fit heads. None: one a core.
    memory : float, optional
        Memory of all these processes together in GB, by estimate. None: half of the machine's.
    progress : bool, default=True
        Show bars, in a terminal or a notebook.

    Returns
    -------
    RunResult
        `leaderboard`, `pairs`, `robustness`, `efficiency` and `finetuning` are tables of pandas, `folder` is where all
        of it lies.

    Raises
    ------
    BenchError
        For arguments that are not as above, an encoder that cannot be loaded, and data that the protocol cannot be run
        on, before anything is fitted.

    Notes
    -----
    Nothing is fitted or embedded twice: the same call again finds nothing to do, one that asks for more makes what is
    missing, and one that was interrupted goes on. Every method sees the same draws and the same wrong labels, so that
    comparisons are paired. Intervals are for other slides to learn from and other slides to be tested on.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
    >>> data = bench.load_data("demo/raw", group_pattern=r"([^/]+)__")
    >>> run = bench.run(data, encoders=["texture", "color-stats"], heads="centroid", shots=[1, 2], draws=3,
    ...                 baselines=False, workers=1)
    >>> run.leaderboard[["encoder", "head", "shots", "noise"]]
           encoder      head  shots  noise
    0      texture  centroid      1    0.0
    1  color-stats  centroid      1    0.0
    2      texture  centroid      2    0.0
    3  color-stats  centroid      2    0.0
    >>> print(run.verdict)  # doctest: +ELLIPSIS
    Best at 2 labels per class: texture with centroid, ...
    >>> run.pairs[["shots", "encoder_a", "encoder_b"]]
       shots encoder_a    encoder_b
    0      1   texture  color-stats
    1      2   texture  color-stats
    >>> bench.run(data, encoders="texture", shots="5")
    Traceback (most recent call last):
    bench.errors.BenchError: Got shots='5'; expected whole numbers from 1, e.g. shots=[1, 5, 10].
    """
    typed = call_text(run, locals())
    with python_words():
        source, folder = as_data(data, out)
        protocol = Protocol(
            shots=arguments.whole_numbers(shots, "shots", "[1, 5, 10]"),
            noise=arguments.shares(noise, "noise"),
            noise_kinds=tuple(arguments.words(noise_kind, "noise_kind", "'symmetric'")),
            draws=arguments.whole_or_none(draws, "draws"),
            support_groups=arguments.text(support_groups, "support_groups", "spread"),
            select=_with_tuned(arguments.words(select, "select", "['auto', 'fixed']"), params),
            transfer=arguments.paths(transfer, "transfer"),
            tuned=arguments.paths(params, "params"),
            confusable=read_confusable(",".join(arguments.words(confusable, "confusable", "['a>b', 'b>a']"))),
            foreign=tuple(arguments.words(foreign, "foreign", "['debris']")),
            budget=arguments.whole_numbers(budget, "budget", "[20, 50]"),
            split=arguments.text(split, "split", "group"),
            shot_unit=arguments.text(shot_unit, "shot_unit", "instance"),
            scale_by=arguments.text(scale_by, "scale_by", "pool"),
        )
        request = Request(
            source=source,
            protocol=protocol,
            encoders=arguments.encoder_names(encoders),
            heads=arguments.words(heads, "heads", "['knn', 'logreg']"),
            ensembles=_ensembles(ensembles),
            zero_shot=arguments.path_or_none(prompts, "prompts") or arguments.flag(zero_shot, "zero_shot"),
            out=folder,
            name=arguments.text_or_none(name, "name"),
            baselines=arguments.flag(baselines, "baselines"),
            allow_missing=arguments.flag(allow_missing, "allow_missing"),
            precision=arguments.text(precision, "precision", "auto"),
        )
        with bars(arguments.flag(progress, "progress")) as report:
            done = run_request(
                request,
                device=arguments.device(device, "device"),
                fit_device=arguments.device(fit_device, "fit_device"),
                workers=arguments.whole_or_none(workers, "workers") or os.cpu_count() or 1,
                memory=arguments.number_or_none(memory, "memory"),
                command=typed,
                on_progress=report,
            )
        lost = pd.DataFrame(list(done.extracted.problems.items()), columns=["path", "reason"])
        notes = [*done.notes, *([f"Left out: {done.left_out}"] if done.left_out else []),
                 *(f"Skipped {line}" for line in skipped(lost)), *take_notices(), done.summary()]  # fmt: skip
        return read_result(done.folder, tuple(notes))


def load_run(folder: PathLike) -> RunResult:
    """Read a run that was made before, by `run` or by the command line.

    Parameters
    ----------
    folder : str or path
        The folder of a run, e.g. "results/runs/NAME".

    Returns
    -------
    RunResult
        What `run` returned. Tables that are damaged are made again from the stored predictions.

    Raises
    ------
    BenchError
        Where there is no run, or its tables are damaged and cannot be made again.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
    >>> made = bench.run("demo/raw", encoders="texture", heads="centroid", shots=1, draws=3, baselines=False,
    ...                  name="mine", workers=1)
    >>> again = bench.load_run("results/runs/mine")
    >>> again.leaderboard.equals(made.leaderboard)
    True
    """
    with python_words():
        there = arguments.path(folder, "folder")
        note = bring_up_to_date(there) if there.is_dir() else ""
        return read_result(there, (note,) if note else ())


def _with_tuned(select: Sequence[str], params: object) -> tuple[str, ...]:
    """Return how settings are chosen, with the rows that files of `bench tune` are for."""
    return tuple(dict.fromkeys([*select, *(["tuned"] if arguments.paths(params, "params") else [])]))


def _ensembles(value: object) -> list[Ensemble]:
    parts = (text.partition(":") for text in arguments.texts(value, "ensembles", "['concat:dino,texture']"))
    return [Ensemble(kind, tuple(dict.fromkeys(split_names(names)))) for kind, _, names in parts]
