"""A persistent study of one head's settings: trials by Optuna, scored over few-shot episodes.

The study is a journal, <folder>/study.journal, to which every worker appends; Optuna advises it for several
processes of one machine. A trial is one setting; its episodes are the same draws for all trials, and a trial whose
balanced accuracy is worse than the best so far, by a signed-rank test over the draws they share, ends early. (Optuna's
median rule holds the best of a trial's running means against the median of the others' last; draws that are easy come
first for all.)
The sampler starts anew from a seed for every trial, so a study that was cut and goes on is, with one worker,
the study that was not cut.

    study.journal   every line sealed; appended under its own lock, which the system lets go of when its holder dies
    study.lock      held while trials are counted and begun, and while a damaged journal is mended
    trial-N.lock    held while trial N runs; a running trial whose lock is free is dead, and is done again
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.heads import get_heads
from bench.heads.contract import Range
from bench.seeds import content_name, keyed_uniform
from bench.statistics.metrics import balanced_accuracy, log_loss
from bench.storage.atomic import refusal
from bench.storage.locks import file_lock
from bench.studies.tune.journal import DamagedJournal
from bench.studies.tune.open_study import open_study
from bench.work.calls import Call, Engine, Processes
from bench.work.local import LOCAL

if TYPE_CHECKING:
    import optuna
from bench.studies.tune.half import Half

ENOUGH = 5  # complete trials from which importance is told
OFTEN = 3  # a journal that is damaged more often while it is written lies on a bad disk


@dataclass(frozen=True)
class Task:
    """What a study is about. identity: everything its numbers depend on; episodes: draws a trial is scored on."""

    folder: Path
    head: str
    half: Half
    episodes: int
    identity: Mapping[str, Any]


def run_study(
    task: Task, trials: int, workers: int = 1, on_progress: Callable[[int, int], None] | None = None, *,
    engine: Engine = LOCAL,
) -> int:  # fmt: skip
    """Go on until the study has `trials` trials in all; returns how many this call made. One BLAS thread a worker.

    Of a damaged journal the trials before the damage count; what was lost is made again.
    """
    made = damaged = 0
    workers, _ = engine.size(workers)
    task = replace(task, folder=task.folder.absolute())  # a process that is used again is where it was started
    _ = task.half.scalings  # made once, here, and sent to every worker with the rest
    try:
        task.folder.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                with file_lock(task.folder / "study.lock"):
                    going = _going(task)
                done = sum(trial.state.is_finished() for trial in going)
                if on_progress:
                    on_progress(min(done, trials), trials)
                if done >= trials:
                    return made
                missing = trials - len(going)
                if missing <= 0:  # the last ones are being made by another command
                    time.sleep(0.1)
                    continue
                for one in _make_trials(task, trials, missing, workers, engine):
                    made += one
                    done += one
                    if on_progress:
                        on_progress(min(done, trials), trials)
            except DamagedJournal:  # since it was opened; whoever opens it next mends it
                damaged += 1
                if damaged > OFTEN:
                    raise BenchError(
                        f"Got {task.folder / 'study.journal'} damaged {damaged} times while it was written; expected "
                        "a disk that keeps what is written. Give --out another folder."
                    ) from None
    except OSError as error:
        raise refusal(task.folder / "study.journal", error) from error


def _make_trials(task: Task, total: int, missing: int, workers: int, engine: Engine) -> Iterator[bool]:
    calls = (
        Call(name=f"trial {total - missing + i} of {task.head}", do=_run_trial, own=(total,), shared=(task,))
        for i in range(missing)
    )
    yield from engine.each(calls, Processes(at_once=min(workers, missing), ahead="2*n_jobs"))


def read_trials(task: Task) -> pd.DataFrame:
    """Return the trials that ended, in their order.

    Columns: trial, state ('complete' or 'pruned'), episodes, log_loss and balanced_accuracy (means over
    them), seconds, default (whether it is the published setting), and one column per parameter.
    """
    with file_lock(task.folder / "study.lock"):
        study = open_study(task.folder, task.identity)
    rows = []
    for trial in study.get_trials(deepcopy=False, states=_states("COMPLETE", "PRUNED")):
        kept = {name: trial.user_attrs.get(name) for name in ("episodes", "log_loss", "balanced_accuracy", "seconds")}
        default = bool(trial.user_attrs.get("default"))
        rows.append({"trial": trial.number, "state": trial.state.name.lower(), **kept, "default": default,
                     **trial.params})  # fmt: skip
    return pd.DataFrame(rows)


def best_trial(trials: pd.DataFrame) -> pd.Series:
    """Return the complete trial with the best balanced accuracy; of equals the one with the least log loss."""
    complete = trials[trials["state"] == "complete"]
    return complete.sort_values(["balanced_accuracy", "log_loss"], ascending=[False, True], kind="stable").iloc[0]


def importance(task: Task) -> dict[str, float]:
    """Return each parameter's share of the variance of balanced accuracy (fANOVA, Hutter et al. 2014), largest first.

    Empty where the complete trials are too few or too alike to tell.
    """
    import optuna

    with file_lock(task.folder / "study.lock"):
        study = open_study(task.folder, task.identity)
    if len(study.get_trials(deepcopy=False, states=_states("COMPLETE"))) < ENOUGH:
        return {}
    with suppress(ValueError, RuntimeError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
        return {name: share for name, share in found.items() if np.isfinite(share)}
    return {}


def _run_trial(total: int, task: Task) -> bool:
    """Make one more trial; returns whether one was missing."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        started = _next_trial(task, total)
        if started is None:
            return False
        study, trial, lock = started
        try:
            _score(task, study, trial)
        finally:  # where it was cut off the trial is still running, and nobody holds its lock
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)
    return True


def _next_trial(task: Task, total: int) -> tuple[optuna.Study, optuna.Trial, Any] | None:
    import optuna

    with file_lock(task.folder / "study.lock"):
        going = _going(task)
        study = open_study(task.folder, task.identity)
        if len(going) >= total:
            return None
        seed = int(keyed_uniform(("tune", content_name(task.identity)), [str(len(going))])[0] * 2**32)
        study.sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
        [head] = get_heads([task.head])
        waiting = study.get_trials(deepcopy=False, states=_states("WAITING"))
        if not any(trial.user_attrs.get("default") for trial in [*going, *waiting]):
            published = {name: task.half.published(head)[name] for name in head.space}
            study.enqueue_trial(published, user_attrs={"default": True})
        trial = study.ask({name: _distribution(space) for name, space in head.space.items()})
        lock = file_lock(task.folder / f"trial-{trial.number}.lock")
        lock.acquire(timeout=0)
        return study, trial, lock


def _score(task: Task, study: optuna.Study, trial: optuna.Trial) -> None:
    """Score a setting episode by episode. The published one is never cut short: it is what others are held against."""
    [head] = get_heads([task.head])
    setting = {**head.default, **trial.params}
    truth = task.half.tested.y
    start = time.perf_counter()
    losses: list[float] = []
    accuracies: list[float] = []
    state = "COMPLETE"
    for seed in range(task.episodes):
        P = task.half.score(head, [setting], seed)[0]
        losses.append(float(log_loss(P, truth)))
        accuracies.append(float(balanced_accuracy(P, truth)))
        trial.report(accuracies[-1], seed)
        if seed + 1 < task.episodes and not trial.user_attrs.get("default") and trial.should_prune():
            state = "PRUNED"
            break
    about = {
        "episodes": len(losses), "log_loss": float(np.mean(losses)), "seconds": time.perf_counter() - start,
        "balanced_accuracy": float(np.mean(accuracies)),
    }  # fmt: skip
    for name, value in about.items():
        trial.set_user_attr(name, value)
    [end] = _states(state)
    study.tell(trial, None if state == "PRUNED" else about["balanced_accuracy"], state=end)


def _going(task: Task) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that ended or are being made; those whose maker died are marked as failed. Under study.lock."""
    from filelock import Timeout

    study = open_study(task.folder, task.identity)
    [failed] = _states("FAIL")
    for trial in study.get_trials(deepcopy=False, states=_states("RUNNING")):
        lock = file_lock(task.folder / f"trial-{trial.number}.lock")
        with suppress(Timeout):
            lock.acquire(timeout=0)
            study.tell(trial.number, state=failed)
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)
    return study.get_trials(deepcopy=False, states=_states("COMPLETE", "PRUNED", "RUNNING"))


def _states(*names: str) -> tuple[optuna.trial.TrialState, ...]:
    from optuna.trial import TrialState

    return tuple(TrialState[name] for name in names)


def _distribution(space: Range) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if space.choices:
        return CategoricalDistribution(space.choices)
    kind = IntDistribution if isinstance(space.low, int) and isinstance(space.high, int) else FloatDistribution
    return kind(space.low, space.high, log=space.log)  # type: ignore[arg-type]
