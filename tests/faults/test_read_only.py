"""A results folder that may only be read: what is there is shown, and what would have to be written is refused in words."""

from __future__ import annotations

import errno
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.errors import BenchError
from bench.storage import scratch
from bench.storage.scratch import scratch as make_scratch

ROOT = Path(__file__).resolve().parents[2]
COMMON = "--data raw --encoder color-stats,thumbnail --no-baselines --out out --head knn --shots 1 --workers 2 --name r"
DONE = f"run {COMMON} --draws 2"
COMMANDS = {
    DONE: "Nothing to do: out/runs/r is up to date",
    "leaderboard --out out": "2 rows of 1 run (r)",
    "store --out out": "2 variants",
    "store check --out out": "2 shards are sound",
    "store clean --out out": "Nothing to remove",
    "export --data raw --encoder thumbnail --out out --to e.npz": "12 embeddings written",
    "data check --data raw --out out": "ase study.",
}
REFUSED = {
    f"run {COMMON} --draws 3": "cannot be written (Read-only file system); expected a folder that can be written to",
    "run --data raw --encoder texture --no-baselines --out out --head knn --shots 1 --draws 2":
        "cannot be written (Read-only file system); expected a folder that can be written to",
    "leaderboard --out out --rebuild": "cannot be written (Read-only file system)",
    "tune --data raw --encoder thumbnail --out out --shots 1 --draws 2 --trials 2":
        "cannot be written (Read-only file system)",
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("closed")
    for k, label in enumerate("ab"):
        for i in range(6):
            path = folder / "raw" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(10 * k + i).integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    for words in (DONE, "leaderboard --out out"):
        done = subprocess.run([sys.executable, "-m", "bench", *shlex.split(words)], cwd=folder, env=environment())
        assert done.returncode == 0
    return folder


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


def read_only(place: Path, before: str, *commands: str) -> list[tuple[int, str]]:
    """Run commands where out is mounted read-only after the shell command `before`; returns (code, text) of each."""
    bench = f"{shlex.quote(sys.executable)} -m bench"
    script = "mount --bind out out && mount -o remount,ro,bind out || exit 77; "
    script += "mount -t tmpfs none /dev/shm; "  # where other tests that kill processes leave semaphores
    script += "".join(f"{bench} {words} 2>&1; printf '\\ncode %s\\n' $?; " for words in commands)
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{before}{script}"],
        cwd=place,
        env=environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine does not let a user mount a file system of his own")
    parts = re.split(r"\ncode (\d+)\n", done.stdout)
    return [(int(code), " ".join(text.split())) for text, code in zip(parts[::2], parts[1::2], strict=False)]


def test_what_is_there_is_shown_and_what_is_not_is_refused_in_a_line(place):
    before = {path: path.stat().st_mtime_ns for path in (place / "out").rglob("*")}
    found = read_only(place, "", *COMMANDS, *REFUSED)
    assert len(found) == len(COMMANDS) + len(REFUSED)
    for (words, wanted), (code, text) in zip([*COMMANDS.items(), *REFUSED.items()], found, strict=True):
        assert "Traceback" not in text, text
        assert wanted in text, (words, text)
        assert code == (2 if words in REFUSED else 0), (words, text)
        if words in REFUSED:
            assert text.count("Error:") == 1
    assert {path: path.stat().st_mtime_ns for path in (place / "out").rglob("*")} == before


DAMAGE = {
    "an overview that is not up to date": ("touch -d 2001-01-01 out/leaderboard.md; ", 0, "the overview beside the runs is not up to date"),
    "a damaged table": ("echo >> out/runs/r/leaderboard.csv; ", 2, "cannot be written (Read-only file system)"),
    "a lost record": ("rm out/runs/r/run.json; ", 2, "cannot be written (Read-only file system)"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_tables_that_would_have_to_be_made_again_are_not_served_and_it_is_said_why(place, tmp_path, damage):
    before, code, wanted = DAMAGE[damage]
    copied = (
        f"cp -a {shlex.quote(str(place))}/. {shlex.quote(str(tmp_path))}; cd {shlex.quote(str(tmp_path))}; {before}"
    )
    [(ended, text)] = read_only(place, copied, DONE)
    assert ended == code and wanted in text and "Traceback" not in text, text
    assert ("Nothing to do" in text) == (code == 0)


def test_scratch_is_made_elsewhere_where_a_folder_may_only_be_read_and_refused_where_it_is_full(tmp_path, monkeypatch):
    made, number = scratch._made, [errno.EROFS]

    def closed(place: Path) -> Path:
        if place == tmp_path:
            raise OSError(number[0], os.strerror(number[0]))
        return made(place)

    monkeypatch.setattr(scratch, "_made", closed)
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(tmp_path / "elsewhere"))
    with make_scratch(tmp_path) as folder:
        assert folder.parent == tmp_path / "elsewhere" and folder.is_dir()
    assert not folder.exists()
    number[0] = errno.ENOSPC
    with pytest.raises(BenchError, match="no space left"), make_scratch(tmp_path):
        pass
