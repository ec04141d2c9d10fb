"""Files that lie or are broken, under 2 GB of address space: each is named, the others are embedded."""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

_found = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))  # no package
assert _found and _found.loader
hostile = sys.modules["hostile"] = importlib.util.module_from_spec(_found)
_found.loader.exec_module(hostile)

ROOT = Path(__file__).resolve().parents[2]
SPACE = 2_000_000_000
SCRIPT = """
import sys
from pathlib import Path
from bench.embeddings.embed import DataSpec, extract_encoders, prepare
from encoders import resolve
prepared, report = extract_encoders(prepare(DataSpec(Path(sys.argv[1])), sys.argv[2]), [resolve("color-stats")])
print(sum(report.made.values()))
print(*sorted(prepared.dataset.problems["path"]), sep="\\n")
print(*prepared.dataset.problems["reason"], sep="\\n", file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits address space as Linux does")
def test_of_300_hostile_files_each_is_named_and_the_sound_ones_are_embedded_in_2_gb(tmp_path):
    files = dict(hostile.hostile())
    assert len(files) == 300
    for i, label in enumerate(("a", "b")):
        folder = tmp_path / "raw" / label
        folder.mkdir(parents=True)
        for k in range(5):
            (folder / f"sound{k}.png").write_bytes(hostile.saved("PNG", 5 * i + k))
        for name in list(files)[i::2]:
            (folder / name).write_bytes(files[name])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "raw"), str(tmp_path / "out")], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}, timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE)), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    made, *named = done.stdout.split("\n")[:-1]
    lying = {name for name in files if "whole" not in name}
    assert {Path(path).name for path in named} == lying
    assert int(made) == 10 + len(files) - len(lying)
    assert "Traceback" not in done.stderr
