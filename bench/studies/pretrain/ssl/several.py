"""Learning on several devices of a machine: a process for each, which has a share of every batch (`shares`)."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bench.errors import BenchError
from bench.storage.scratch import scratch
from bench.storage.verified import read_sealed
from bench.studies.pretrain.method import Learned, Tools
from bench.studies.pretrain.ssl.shares import ALONE, Team
from bench.studies.pretrain.ssl.state import NAME
from bench.work.crew import Say, in_crew
from bench.work.threads import torch_threads
from encoders import find_placement

# Longest wait of a process for the others, while the first looks at images or writes. A death ends all at once
# (`bench.work.crew`), so this is for what should never be.
LONGEST_WAIT = timedelta(minutes=30)


def find_devices(device: str) -> list[str]:
    """Return the devices of --device: every GPU of this machine for "auto" and "cuda", else those named, by commas.

    Raises EncoderError for one that is not there, BenchError for several that do not go together.
    """
    found = [find_placement(name.strip(), 1).device for name in device.split(",")]
    if found == ["cuda"]:
        import torch

        count = torch.cuda.device_count()
        return [f"cuda:{i}" for i in range(count)] if count > 1 else found
    gpus = [name for name in found if name.startswith("cuda:")]
    if len(found) > 1 and gpus and (len(gpus) < len(found) or len(set(gpus)) < len(gpus)):
        raise BenchError(f"Got --device {device}; expected one device, or several GPUs, each once, as cuda:0,cuda:1.")
    if len(found) > 1 and "cuda" in found:
        raise BenchError(f"Got --device {device}; expected cuda, which is every GPU, or numbers, as cuda:0,cuda:1.")
    return found


def learn_on(devices: Sequence[str], learn: Callable[[Tools, Team], Learned | None], tools: Tools) -> Learned:
    """Learn on one device in this process, or on several, each in a process of its own; the first one's is returned."""
    if len(devices) == 1:
        with torch_threads(tools.workers):
            made = learn(replace(tools, device=devices[0]), ALONE)
    else:
        made = _learn_in_crew(devices, learn, tools)
    assert made is not None
    return made


def _learn_in_crew(
    devices: Sequence[str], learn: Callable[[Tools, Team], Learned | None], tools: Tools
) -> Learned | None:
    read_sealed(tools.state / NAME, NAME)  # one that is damaged is set aside here, by one process, which says so
    heard = tools.on_progress or (lambda *what: None)
    tools = replace(tools, workers=max(1, tools.workers // len(devices)), on_progress=None)
    with scratch(tools.state.parent) as folder:

        def work(rank: int, say: Say) -> Learned | None:
            kind, team = seen_alone(devices[rank]), Team(rank=rank, count=len(devices))
            with torch_threads(tools.workers), joined(team, kind, folder):
                return learn(replace(tools, device=kind, on_progress=None if rank else say), team)

        names = [f"{i + 1} on {name}" for i, name in enumerate(devices)]
        made = in_crew(names, work, heard)
    kind = "processes of the processor" if devices[0] == "cpu" else "GPUs"
    fact = f"Learned on {len(devices)} {kind} at once, each of which had a share of every batch."
    return made and replace(made, facts=(*made.facts, fact))


def seen_alone(device: str) -> str:
    """Let this process see one GPU alone, before it has used any; returns "cuda" or "cpu"."""
    kind, _, number = device.partition(":")
    if kind == "cuda":
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = seen.split(",")[int(number)] if seen else number
    return kind


@contextmanager
def joined(team: Team, device: str, folder: Path) -> Iterator[None]:
    """Meet the other processes of a team, by a file in a folder, and part from them where nothing went wrong.

    Where something did, the others are left waiting until all are ended, so that the cause is told and not its effects.
    """
    from torch import distributed

    backend = "nccl" if device == "cuda" and distributed.is_nccl_available() else "gloo"
    loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if loopback and sys.platform != "win32":  # else gloo goes by the machine's name, which may lead to a firewall
        os.environ["GLOO_SOCKET_IFNAME"] = loopback[0]
    store = distributed.FileStore(str(folder / "meeting"), team.count)
    distributed.init_process_group(
        backend, store=store, rank=team.rank, world_size=team.count, timeout=LONGEST_WAIT
    )  # fmt: skip
    yield
    distributed.destroy_process_group()
