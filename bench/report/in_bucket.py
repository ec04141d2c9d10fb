"""The tables of runs in a bucket: taken over before a command works on them, and counted there after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.errors import BenchError
from bench.report.write_up import refresh_overview
from bench.runs.place import LEAK, OF_REPORT
from bench.storage.buckets.mirror import mirror_of, send, shown
from bench.storage.buckets.together import is_published, publish, pull
from bench.work.bucket_claims import claims_in

RUN = re.compile(r"\w[\w.-]*")
BESIDE = (*OF_REPORT, LEAK)  # what is put beside the tables
UNITS = ("predictions", "ledger")
AT_ONCE = 8
TRIES = 8  # writings of others that may come in between


def bring_results(out: Path, names: Sequence[str] = ()) -> None:
    """Take over the tables of the runs that a list shows, of those named, and the overview; nothing where out is local.

    Raises BenchError where the store has not what their records say.
    """
    mirror = mirror_of(out)
    if mirror is None:
        return
    listed = mirror.client.names(mirror.key(out / "runs"))
    runs = sorted({name for name in (*listed, *names) if RUN.fullmatch(name)})
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pull") as pool:
        for _ in pool.map(lambda name: pull(out / "runs" / name, BESIDE), runs):
            pass
    pull(out)


def publish_run(out: Path, folder: Path) -> bool:
    """Let the tables of a run count in the bucket, with those of others that lie here and were not published yet.

    False where another request's tables came in between: they are taken over, and the run's have to be written again.
    """
    if mirror_of(out) is None:
        return True
    for other in sorted(folder.parent.glob("[!.]*")):  # tables that were kept, or of the random split, or not published
        if other != folder and not is_published(other):  # as their command was ended before
            send(path for place in UNITS for path in sorted((other / place).glob("[!.]*")))
            publish(other, BESIDE)
    if publish(folder, BESIDE):
        return True
    bring_results(out, [folder.name])
    return False


def publish_overview(out: Path, write: Callable[[], None] | None = None) -> None:
    """Let the overview of all runs count in the bucket; where another came in between it is written again.

    write: what writes it (default: `refresh_overview`).
    """
    for _ in range(TRIES):
        if publish(out):
            return
        bring_results(out)
        (write or (lambda: refresh_overview(out)))()
    raise BenchError(
        f"Got {shown(out)}, whose overview others replaced {TRIES} times meanwhile; expected a pause. Run "
        f"`bench leaderboard --out {shown(out)}` later; all else is done."
    )


def _sweep(out: Path, folder: Path) -> None:
    """Remove the claims of the dead of a run and of the store, also where there was nothing left to do."""
    for place in (out / "store", folder) if mirror_of(out) is not None else ():
        claims_in(place / "claims").sweep()


def until_published(out: Path) -> Iterator[Callable[[Path], None]]:
    """Yield until the tables of a run count, and then let the overview count.

    What is yielded is to be told the folder of the run, once it is made: others may have published in between, and it
    has to be made again.
    """
    for _ in range(TRIES):
        folders: list[Path] = []
        yield folders.append
        [folder] = folders
        if publish_run(out, folder):
            publish_overview(out)
            _sweep(out, folder)
            return
    raise BenchError(
        f"Got {shown(folder)}, whose tables others replaced {TRIES} times meanwhile; expected one request at a time "
        "under a name. Give --name another one; its fits are kept."
    )
