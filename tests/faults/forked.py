"""One run of the command line in a fork of this process, and ways to kill it."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

STARTED: set[int] = set()  # what this process has forked


def call(words: tuple[str, ...]) -> int:
    """Run the command line in this process; returns its exit code, 1 where it broke."""
    import traceback

    from bench.cli import app

    sys.argv = ["bench", *words]
    try:
        app.main()
        return 0
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1


def start(words: tuple[str, ...], place: Path, prepare: Callable[[], None] = lambda: None) -> int:
    """Start a command in a fork of this process, in a session of its own; returns its number.

    What it says is added to <place>/said.txt. Costs are those of no clock, so that tables are the same to the byte.
    """
    pid = os.fork()
    if pid:
        STARTED.add(pid)
        return pid
    code = 1
    try:
        os.setsid()
        os.chdir(place)
        said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.environ["TMPDIR"] = str(place / "tmp")
        tempfile.tempdir = None
        no_clock()
        prepare()
        code = call(words)
        sys.stdout.flush()
        threading._shutdown()  # as the interpreter ends: joblib's workers hear that no more comes, and are not waited for
        atexit._run_exitfuncs()
    finally:
        os._exit(code)


def no_clock() -> None:
    """Let every encoder cost a millisecond."""
    from bench.embeddings.store import EmbeddingStore

    note = EmbeddingStore.note_cost
    EmbeddingStore.note_cost = lambda self, key, ms, hardware: note(self, key, 1.0, "any")  # type: ignore[method-assign]


def ended(pid: int) -> int:
    """Wait for a process; returns its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def finish(words: tuple[str, ...], place: Path) -> int:
    """Run a command to its end; returns its exit code."""
    return ended(start(words, place))


def kill_after(pid: int, seconds: float, *, alone: bool = False) -> bool:
    """Kill a process, with its session unless alone, after so long; returns whether it was still there."""
    time.sleep(seconds)
    with suppress(ProcessLookupError):
        (os.kill if alone else os.killpg)(pid, signal.SIGKILL)
    return ended(pid) == -signal.SIGKILL


def session_of(pid: int) -> list[int]:
    """Return the living processes of the session that a process began."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(session) == pid and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "kills.half"}


def at_step(step: int, tell: Path | None = None) -> Callable[[], None]:
    """Return what makes a process die before its step number `step` of writing tables; tell: write their number there.

    Half of every file is written, told of as a step, and then the rest.
    """

    def prepare() -> None:
        import bench.pipeline

        count, begun, out = [0], [False], os.path.abspath("out")

        def changes(event: str, given: tuple) -> bool:
            if event == "open":
                name, _, flags = given
                return isinstance(name, str) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) and inside(name)
            return event in CHANGES and (inside(given[0]) or given[-1] not in (-1, given[0]))

        def inside(name: object) -> bool:
            return isinstance(name, str | os.PathLike) and os.path.abspath(os.fspath(name)).startswith(out)

        def hook(event: str, given: tuple) -> None:
            if begun[0] and changes(event, given):
                count[0] += 1
                if count[0] == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        def write_bytes(path: Path, data: bytes) -> int:
            with path.open("wb") as file:
                file.write(data[: len(data) // 2])
                file.flush()
                sys.audit("kills.half", str(path))
                return len(data) // 2 + file.write(data[len(data) // 2 :])

        write_up = bench.pipeline.write_up

        def watched(*given: object, **named: object) -> object:
            begun[0] = True
            try:
                return write_up(*given, **named)
            finally:
                begun[0] = False
                if tell:
                    tell.write_text(str(count[0]))

        bench.pipeline.write_up = watched  # type: ignore[assignment]
        Path.write_bytes = write_bytes  # type: ignore[method-assign, assignment]
        sys.addaudithook(hook)

    return prepare
