"""The script for Slurm is one array of the command as it was typed, within what a cluster takes, and safe to submit."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from bench.cli.options.slurm import MEMORY
from bench.errors import BenchError
from bench.work.slurm import MAX_ARRAY, USUAL, read_array, read_settings, slurm_script

HOSTILE = ["--out", "a b; touch harm", "--name", "$(touch harm)", "--data", 'it\'s "raw"\n#SBATCH --array=0-9']
DATA = ("--data", "raw", "--encoder", "texture")


@pytest.fixture
def call(bench, tmp_path, save_png):
    for label in ("neuron", "rbc"):
        save_png(tmp_path / "raw" / label / "a.png", seed=1)
    return bench


def test_an_array_has_as_many_workers_as_asked_for_and_so_many_at_once():
    assert read_array("40").text() == "0-39" and read_array("40%8").text() == "0-39%8"
    assert read_array(str(MAX_ARRAY)).text() == "0-1000"


@pytest.mark.parametrize("text", ["0", "-1", "4-8", "4%0", "4;rm", "", "4\n5", "1e3"])
def test_what_is_no_number_of_workers_is_refused(text):
    with pytest.raises(BenchError, match="expected a number of workers"):
        read_array(text)


def test_an_array_longer_than_the_cluster_takes_is_refused_and_a_larger_cluster_takes_it():
    with pytest.raises(BenchError, match="Got --slurm 1002; expected at most 1001 workers"):
        read_array("1002")
    assert read_array("1002", 4001).workers == 1002


def test_settings_are_options_of_sbatch_and_nothing_that_breaks_the_script():
    assert read_settings(["mem=8G", "gres=gpu:1"]) == {**USUAL, "mem": "8G", "gres": "gpu:1"}
    for text in ("mem", "mem=", "=8G", "mem=8G\nrm", "mem=8 G", "Mem=8G", "mem=`rm`", "--mem=8G"):
        with pytest.raises(BenchError, match="expected an option of sbatch"):
            read_settings([text])
    with pytest.raises(BenchError, match="the script rests on this one"):
        read_settings(["array=0-3"])


def test_memory_of_a_processor_takes_the_place_of_that_of_a_task():
    assert "mem" not in read_settings(["mem-per-cpu=4G"])
    with pytest.raises(BenchError, match="Got --slurm-set mem and mem-per-cpu; expected one of them"):
        read_settings(["mem=4G", "mem-per-cpu=4G"])


def test_words_reach_the_command_as_they_were_typed_and_run_nothing(tmp_path):
    show = [sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))"]
    folder = tmp_path / "it's $(touch harm)"
    folder.mkdir()
    script = slurm_script([*show, *HOSTILE], str(folder), read_array("3"), read_settings([]), own=['--workers "$CPUS"'])
    done = subprocess.run(["bash"], input=script, env={"CPUS": "2 3"}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ascii([*HOSTILE, "--workers", "2 3"]) and not done.stderr
    assert not [*folder.iterdir()] and [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_slurm_reads_one_array_however_the_words_look():
    """Slurm reads #SBATCH lines up to the first line that is a command."""
    script = slurm_script(["bench", *HOSTILE], "/x", read_array("3"), read_settings([]))
    head = script.split("\ncd ")[0].splitlines()
    assert [line for line in head if line.startswith("#SBATCH --array")] == ["#SBATCH --array=0-2"]
    assert "#SBATCH --requeue" in head and all(line.startswith("#") or not line for line in head)


def test_the_command_prints_itself_without_these_options_and_does_nothing_else(call, tmp_path):
    code, said = call(
        "run", *DATA, "--slurm", "4%2", "--slurm-set=mem=8G", "--slurm-set", "time=1:00:00", "--shots", "1,2"
    )
    assert code == 0 and "#SBATCH --array=0-3%2" in said and "#SBATCH --mem=8G" in said and "--slurm-set" not in said
    words = shlex.split(said[said.index("exec ") :].replace("\\ ", ""))
    own = ["--workers", "$SLURM_CPUS_PER_TASK", "--memory", shlex.split(MEMORY)[1]]
    assert words[2:] == ["-m", "bench", "run", *DATA, "--shots", "1,2", *own]
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_workers_and_memory_that_were_typed_stay(call):
    _, said = call("run", *DATA, "--workers", "3", "--memory=5", "--slurm", "4")
    assert "SLURM_CPUS_PER_TASK" not in said and "SLURM_MEM" not in said and "--workers 3 --memory=5" in said


@pytest.mark.parametrize(
    ("env", "gigabytes"),
    [
        ({"SLURM_MEM_PER_NODE": "500"}, "1"),
        ({"SLURM_MEM_PER_NODE": "16384", "SLURM_CPUS_PER_TASK": "2"}, "14"),
        ({"SLURM_MEM_PER_CPU": "4096", "SLURM_CPUS_PER_TASK": "8"}, "27"),
        ({}, "7"),
    ],
)
def test_memory_is_eight_tenths_of_the_tasks_and_never_nothing(env, gigabytes):
    done = subprocess.run(["bash", "-c", f"echo {MEMORY}"], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split()[1] == gigabytes


@pytest.mark.parametrize("other", [("--dry-run",), ("--engine", "ray")])
def test_it_is_refused_with_what_does_something_else(call, other):
    code, said = call("run", *DATA, "--slurm", "4", *other)
    assert code == 2 and "Got --slurm with --" in said


def test_its_options_are_refused_without_it(call):
    code, said = call("run", *DATA, "--slurm-set", "mem=8G")
    assert code == 2 and "Got --slurm-set without --slurm; expected both" in said


def test_a_config_file_cannot_make_workers_print_scripts(call, tmp_path):
    (tmp_path / "c.toml").write_text('[run]\nslurm = "4"\n')
    code, said = call("run", *DATA, "--config", "c.toml")
    assert code == 2 and "expected --slurm to be typed" in said
