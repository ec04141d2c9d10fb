"""Options that print a script for Slurm instead of doing the work."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from bench.cli.options.groups import COMPUTER, option
from bench.errors import BenchError
from bench.work.slurm import MAX_ARRAY, read_array, read_settings, slurm_script

NAMES = ("--slurm", "--slurm-set", "--slurm-max-array")
#: In GB, eight tenths of what the task has, which Slurm tells in MB of the node or of a processor; rounded up, as 0
#: would be nothing.
_MEGABYTES = "${SLURM_MEM_PER_NODE:-$(( ${SLURM_MEM_PER_CPU:-2048} * ${SLURM_CPUS_PER_TASK:-4} ))}"
MEMORY = f'--memory "$(( ({_MEGABYTES} * 8 + 9999) / 10000 ))"'


@dataclass(frozen=True)
class SlurmOptions:
    """A script for Slurm."""

    slurm: Annotated[
        str | None,
        option(
            COMPUTER,
            "Only print a Slurm script: an array of N identical workers that run this command, or N%M for M of them "
            "at a time. Add > job.sh to save it; its first lines say how to submit it.",
            "--slurm", value="N",
        ),
    ] = None  # fmt: skip
    slurm_set: Annotated[
        list[str] | None,
        option(
            COMPUTER,
            "With --slurm: an option of sbatch, e.g. time=12:00:00, mem=32G, cpus-per-task=8, gres=gpu:1. Repeat.",
            "--slurm-set", value="NAME=VALUE",
        ),
    ] = None  # fmt: skip
    slurm_max_array: Annotated[
        int,
        option(
            COMPUTER, "With --slurm: MaxArraySize of the cluster, the longest array that it accepts.",
            "--slurm-max-array", value="N", min=1,
        ),
    ] = MAX_ARRAY  # fmt: skip

    def check(self) -> None:
        """Raise BenchError where an option that goes with --slurm was typed without it."""
        typed = {word.partition("=")[0] for word in sys.argv[1:]}
        if self.slurm is None and (alone := [name for name in NAMES[1:] if name in typed]):
            raise BenchError(f"Got {alone[0]} without --slurm; expected both, e.g. --slurm 40, or neither.")

    def script(self, own: Sequence[tuple[str, str]]) -> str:
        """Return the script of the command that was typed, without these options.

        own: (option, what the script gives for it where it was not typed). Raises BenchError for a wrong value.
        """
        words = sys.argv[1:]
        if not any(word.partition("=")[0] == "--slurm" for word in words):
            raise BenchError(
                "Got slurm in a --config file; expected --slurm to be typed, as the workers read the file too."
            )
        typed = {word.partition("=")[0] for word in words}
        added = [text for name, text in own if name not in typed]
        array = read_array(str(self.slurm), self.slurm_max_array)
        command = [sys.executable, "-m", "bench", *_without(words)]
        return slurm_script(command, os.getcwd(), array, read_settings(self.slurm_set or []), own=added)


def _without(words: Sequence[str]) -> list[str]:
    """Return the words of a command line without NAMES and their values."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in NAMES:
            skip = True
        elif word.partition("=")[0] not in NAMES:
            kept.append(word)
    return kept
