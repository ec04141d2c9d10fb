"""A script for Slurm: one array of identical workers that share what is to be done, of which any may die.

Which worker makes what is not written down: each runs the same command, claims what is missing and leaves what others
hold (`bench.work.claims`). So an array of any length does all of it, a task that is lost costs nothing but time, and
no array has to be cut because a cluster limits the length of arrays.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.errors import BenchError

MAX_ARRAY = 1001  # Slurm's default MaxArraySize: the largest index is one less
MEMORY = ("mem", "mem-per-cpu", "mem-per-gpu")  # of which sbatch takes one
USUAL = {"job-name": "bench", "time": "04:00:00", "cpus-per-task": "4", "mem": "16G"}
_NAME, _VALUE = re.compile(r"[a-z][a-z0-9-]*"), re.compile(r"[\w.,:;@%/+=()\[\]-]+")
FIXED = ("array", "requeue", "open-mode", "output", "dependency", "wrap")  # what the script rests on


@dataclass(frozen=True, kw_only=True)
class Array:
    """How many workers there are, and how many of them at once; 0 where Slurm may start all."""

    workers: int
    at_once: int = 0

    def text(self) -> str:
        """Return the value of sbatch's --array, e.g. "0-9%4"."""
        return f"0-{self.workers - 1}" + (f"%{self.at_once}" if self.at_once else "")


def read_array(text: str, longest: int = MAX_ARRAY) -> Array:
    """Return the array of a text N, or N%M of which M at once. Raises BenchError where it is none or too long.

    >>> read_array("40%8").text()
    '0-39%8'
    """
    found = re.fullmatch(r"([1-9]\d{0,8})(?:%([1-9]\d{0,8}))?", text)
    if found is None:
        raise BenchError(f"Got --slurm {text}; expected a number of workers, e.g. 40, or 40%8 for 8 of them at a time.")
    array = Array(workers=int(found[1]), at_once=int(found[2] or 0))
    if array.workers > longest:
        raise BenchError(
            f"Got --slurm {text}; expected at most {longest} workers, the longest array that Slurm takes unless it is "
            "set up otherwise. Fewer workers do all of it as well. `scontrol show config | grep MaxArraySize` tells "
            "what yours takes; give that as --slurm-max-array."
        )
    return array


def read_settings(texts: Sequence[str]) -> dict[str, str]:
    """Return the options of sbatch of texts NAME=VALUE, those of USUAL where they are not given.

    Raises BenchError for what is no such text, or would break the script.
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, has_value, value = text.partition("=")
        if not (_NAME.fullmatch(name) and has_value and _VALUE.fullmatch(value)):
            raise BenchError(
                f"Got --slurm-set {text!r}; expected an option of sbatch without its dashes, and a value without "
                "spaces, e.g. time=12:00:00, mem=32G, gres=gpu:1 or partition=short."
            )
        if name in FIXED:
            raise BenchError(f"Got --slurm-set {text}; expected another option, as the script rests on this one.")
        settings[name] = value
    of_memory = [name for name in settings if name in MEMORY]
    if len(of_memory) > 1:
        raise BenchError(f"Got --slurm-set {' and '.join(of_memory)}; expected one of them, as sbatch takes one.")
    usual = {name: value for name, value in USUAL.items() if not (of_memory and name in MEMORY)}
    return {**usual, **settings}


def slurm_script(
    command: Sequence[str], folder: str, array: Array, settings: Mapping[str, str], *, own: Sequence[str] = ()
) -> str:
    """Return the script, which sbatch takes.

    command: words as they were typed, which are quoted. folder: where it is run. own: what the script adds to the
    command for the shell to read, e.g. a variable of Slurm in quotes.
    """
    name = settings["job-name"]
    lines = [f"#SBATCH --{option}={value}" for option, value in settings.items()]
    call = " \\\n    ".join([shlex.join(command), *own])
    return f"""#!/bin/bash
# {array.workers} identical workers, of which any number may die. Save this as job.sh and submit it twice:
#
#     array=$(sbatch --parsable job.sh)
#     sbatch --dependency=afterany:$array --array=0 job.sh
#
# The second is one more worker, for when all others have ended: it makes what the dead have left, and the tables.
# To go on after that, submit them again: what was made is kept.
#SBATCH --array={array.text()}
{chr(10).join(lines)}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={name}-%A_%a.out

cd {shlex.quote(folder)} || exit 1
exec {call}
"""
