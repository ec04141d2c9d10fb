"""Compiled code is kept by the content of all files that it may be made of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core import config

from bench.loops import compiling


def test_a_change_of_any_file_gives_another_folder(tmp_path):
    (tmp_path / "a.py").write_text("1")
    before = compiling.content(tmp_path)
    (tmp_path / "b.py").write_text("2")
    more = compiling.content(tmp_path)
    (tmp_path / "a.py").write_text("3")
    assert len({before, more, compiling.content(tmp_path)}) == 3


def test_folders_of_other_contents_are_removed_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    for name in ("kernels-0123456789abcdef", "other"):
        (tmp_path / name).mkdir()
    folder = compiling.cache_folder()
    assert folder == tmp_path / f"kernels-{compiling.content(*compiling.ROOMS)}"
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, "other"}


def test_where_nothing_can_be_written_code_is_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "/dev/null/no")
    assert compiling.cache_folder() is None
    monkeypatch.setattr(compiling, "FOLDER", None)

    def twice(x):
        return 2 * x

    assert compiling._compiler()(twice)(3) == 6


def test_numba_keeps_other_code_where_it_did(tmp_path, monkeypatch):
    before = config.CACHE_DIR
    monkeypatch.setattr(compiling, "FOLDER", tmp_path)
    compiling._compiler()(lambda x: x)
    assert before == config.CACHE_DIR


ROOT = Path(__file__).resolve().parents[3]
FIRST = "import sys; sys.path.insert(0, 'tests/conformance'); import numpy as np; from test_heads_bits import *;"
ALONE = FIRST + """
from bench.solvers import kernels, left_out_kernels, loss_kernels
support, Y = draw(60, 20, 3)
for name in sys.argv[1].split(","):
    head = all_heads()[name]
    for function in filter(None, (head.scores, head.loo)):
        function(Support(support.X, support.X_test), Y[:2], 3, settings_of(head)[:2])
rooms = kernels, left_out_kernels, loss_kernels
for function in {name: f for room in rooms for name, f in vars(room).items() if hasattr(f, "py_func")}.values():
    for found in function.overloads.values():
        name = found.fndesc.mangled_name
        code = {f.name for f in found.library.get_defined_functions() if "_ZN5bench" in f.name}
        print(function.py_func.__name__, len(code), *(other for other in code if name not in other))
"""
BITS = FIRST + """
import hashlib
for name in sys.argv[1].split(","):
    head, digest = all_heads()[name], hashlib.sha256()
    for K, n in ((2, 12), (3, 60), (8, 300)):
        support, Y = draw(n, 40, K)
        for function in filter(None, (head.scores, head.loo)):
            for array in function(Support(support.X, support.X_test), Y[:3], K, settings_of(head)[:4]):
                digest.update(b"" if array is None else array.tobytes())
    print(name, digest.hexdigest())
"""


def told_by(script: str, heads: str, cache: Path) -> str:
    """Return what a process of its own prints, which keeps compiled code in `cache`."""
    known = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, heads]
    return subprocess.run(command, cwd=ROOT, env=known, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_compiled_code_has_all_that_it_calls_within_it(tmp_path):
    lines = told_by(ALONE, "logreg,ridge", tmp_path).splitlines()
    assert len(lines) > 20 and {"solve_path", "move_scores", "receive"} <= {line.split()[0] for line in lines}
    assert [line for line in lines if len(line.split()) > 2] == []


@pytest.mark.slow
def test_bits_do_not_depend_on_what_was_compiled_loaded_or_used_before(tmp_path):
    cold, warm = (told_by(BITS, "logreg,logreg-gce", tmp_path).splitlines() for _ in range(2))
    assert len(cold) == 2 and cold == warm
    assert told_by(BITS, "logreg-gce,logreg", tmp_path).splitlines() == cold[::-1]
