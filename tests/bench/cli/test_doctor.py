"""`bench doctor`: a line per thing, the exit code, and nothing that is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
STATES = {"ok", "note", "problem"}


def test_what_is_missing_fails_nothing(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = bench("doctor")
    assert code == 0 and "`bench run` can work" in text and "nothing is stored in results yet" in text
    assert list(tmp_path.iterdir()) == []


def test_what_stops_a_run_is_named_and_the_exit_code_is_1(bench, tmp_path):
    (tmp_path / "results").write_text("a file")
    code, text = bench("doctor", "--out", tmp_path / "results")
    assert code == 1 and "`bench run` cannot work: results (--out)" in text and "Traceback" not in text


def test_quiet_shows_what_needs_attention_alone(bench, tmp_path):
    code, text = bench("doctor", "--quiet", "--out", tmp_path / "results")
    assert code == 0 and " ok " not in text and "note" in text


def test_rows_as_json_have_a_state_and_what_to_do_and_nothing_heavy_is_imported_for_them(tmp_path):
    code = (
        "import sys; sys.argv = ['bench', 'doctor', '--json']\nfrom bench.cli import app as cli\n"
        "try:\n    cli.main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "print([m for m in ('torch', 'timm', 'pandas', 'scipy') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=_with_root()
    )
    rows = json.loads(done.stdout)
    assert {row["part"] for row in rows} == {"libraries", "devices", "disk", "hub", "store"}
    assert all(row["state"] in STATES and row["found"] for row in rows)
    assert all(row["do"] for row in rows if row["state"] == "problem")
    assert done.stderr.splitlines()[-1] == "[]"


def _with_root() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}
