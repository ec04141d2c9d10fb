"""Open the study of a folder: the journal is mended where it is damaged, and has to be of what is asked."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.storage.locks import file_lock
from bench.studies.tune.journal import DamagedJournal, SealedJournal, mend_journal

if TYPE_CHECKING:
    import optuna

P_WORSE = 0.1  # a trial ends where the test gives less to its being no worse than the best; 4 episodes can
OTHERS_S = 60.0  # how long trials that are being made may go on while a damaged journal waits to be mended


def open_study(folder: Path, identity: Mapping[str, Any]) -> optuna.Study:
    """Open the study, or begin it; a damaged journal is mended first. Under study.lock.

    Raises BenchError where the folder holds a study of something else.
    """
    path = folder / "study.journal"
    try:
        try:
            study = _load(path)
        except DamagedJournal:
            _mend(folder)
            study = _load(path)
    except (ValueError, KeyError) as error:
        raise BenchError(f"Got {path}, which is not a journal of trials ({error}); remove its folder.") from error
    known = study.user_attrs.get("identity")
    about = json.loads(json.dumps(dict(identity)))
    if known is None:
        study.set_user_attr("identity", about)
    elif known != about:
        changed = sorted(name for name in {*known, *about} if known.get(name) != about.get(name))
        raise BenchError(
            f"Got {folder}, a study of other {', '.join(changed)}; expected the same data, encoder, head, shots "
            "and episodes as when it began. Give the new one another --name."
        )
    return study


def _load(path: Path) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.JournalStorage(SealedJournal(path))  # type: ignore[arg-type]
        pruner = optuna.pruners.WilcoxonPruner(p_threshold=P_WORSE)
    return optuna.create_study(
        storage=storage, study_name="tune", direction="maximize", load_if_exists=True, pruner=pruner
    )


def _mend(folder: Path) -> None:
    """Mend the journal when nobody writes it: no trial begins while study.lock is held, and those begun are awaited."""
    from filelock import Timeout

    path = folder / "study.journal"
    for held in sorted(folder.glob("trial-*.lock")):
        try:
            with file_lock(held).acquire(timeout=OTHERS_S):
                held.unlink(missing_ok=True)
        except Timeout:
            raise BenchError(
                f"Got {path}, which is damaged, while another command still makes {held.stem} of it; expected it to "
                "be alone. Run the same command again when that one has ended."
            ) from None
    mend_journal(path)
