"""Workers that share a bucket alone, killed, over a store that fails and is stopped."""

import subprocess
import sys

import pytest

from tests.faults.conftest import ROOT


@pytest.mark.slow
def test_workers_that_are_killed_over_a_failing_bucket_end_with_every_unit_once_and_the_tables_of_one_process():
    pytest.importorskip("obstore")
    pytest.importorskip("moto")
    words = ("--workers", "3", "--draws", "4", "--every", "4", "--seed", "1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.buckets", *words], cwd=ROOT, capture_output=True, text=True
    )
    table = [line for line in done.stdout.splitlines() if line.startswith("| 3 |")]
    assert table, done.stdout + done.stderr
    workers, kills, disks, stops, seconds, units, needed, extra, twice, wrong = table[0].strip("| ").split(" | ")
    assert int(kills) >= 3 and int(units) > 100 and float(extra.split()[0]) < 50, (
        table
    )  # how many is measured, not tested
    assert wrong == "0", done.stdout
