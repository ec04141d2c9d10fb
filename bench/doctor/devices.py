"""What computes here: processors, memory, GPUs, and whether PyTorch can use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.doctor.finding import Finding
from bench.doctor.libraries import build_of

PART = "devices"
LITTLE = 4e9  # bytes of memory; a run of a large network needs more
PATIENCE = 5.0  # seconds for nvidia-smi, which hangs where a driver does
LOAD_PATIENCE = 180.0  # seconds for the libraries, which come from a disk that may be slow
ASK = ("nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")
#: Imports what a run imports, in a process of its own, and says what PyTorch sees.
LOAD = """
import json, torch, torchvision, timm, open_clip, sklearn, faiss, xgboost
cuda = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
print(json.dumps(cuda + ["mps"] * torch.backends.mps.is_available()))
"""


def look_at_devices(*, load: bool = False) -> Iterator[Finding]:
    """Yield findings on processors, memory and GPUs. load: also import the libraries and ask PyTorch, in seconds."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    of = f" of {os.cpu_count()}" if cores != os.cpu_count() else ""
    yield Finding(part=PART, what="CPU", state="ok", found=f"{cores}{of} cores")
    if total := memory():
        little = total < LITTLE
        yield Finding(
            part=PART, what="memory", state="note" if little else "ok", found=f"{total / 1e9:.1f} GB",
            do="use small networks, and few --workers" if little else "",
        )  # fmt: skip
    gpus = nvidia_gpus()
    yield from (Finding(part=PART, what=f"GPU {i}", state="ok", found=text) for i, text in enumerate(gpus))
    if not gpus:
        yield Finding(part=PART, what="GPU", state="note", found="no NVIDIA GPU found; everything runs on the CPU")
    elif build_of("torch") == "cpu":
        yield Finding(
            part=PART, what="PyTorch on GPU", state="problem", found="this build of PyTorch is for the CPU alone",
            do="install PyTorch and torchvision with CUDA, by the command of PyTorch's installation page",
        )  # fmt: skip
    elif not load:
        found, do = "not asked, as that takes seconds", "bench doctor --load asks PyTorch"
        yield Finding(part=PART, what="PyTorch on GPU", state="note", found=found, do=do)
    if load:
        yield from _loaded(len(gpus))


def memory() -> float:
    """Return the bytes of memory that this process may use, NaN-free; 0 where it cannot be told."""
    if not hasattr(os, "sysconf"):
        return 0.0
    total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # of a container
        total = min(total, float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total


def nvidia_gpus() -> list[str]:
    """Return a text for each GPU that the driver of NVIDIA tells of: name, free and total memory."""
    try:
        done = subprocess.run(ASK, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    for line in done.stdout.splitlines():
        name, total, free = (field.strip() for field in [*line.rsplit(",", 2), "", ""][:3])
        with suppress(ValueError):  # memory may be [N/A]
            name = f"{name}, {float(free) / 1024:.0f} of {float(total) / 1024:.0f} GiB free"
        found.append(name)
    return found


def _loaded(gpus: int) -> Iterator[Finding]:
    """Yield whether the libraries can be imported, and which GPUs PyTorch sees."""
    try:
        done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=LOAD_PATIENCE)
    except subprocess.TimeoutExpired:
        found = f"not imported within {LOAD_PATIENCE:.0f} s"
        yield Finding(part=PART, what="libraries", state="problem", found=found, do="try again; is the disk slow?")
        return
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:300]
        do = "install it again; docs/install.md tells of builds that do not go together"
        yield Finding(part=PART, what="libraries", state="problem", found=said, do=do, stops=True)
        return
    yield Finding(part=PART, what="libraries", state="ok", found="PyTorch, timm and the others can be imported")
    seen = json.loads(done.stdout.splitlines()[-1])
    lacking = len(seen) < gpus
    if seen or gpus:
        yield Finding(
            part=PART, what="PyTorch on GPU", state="problem" if lacking else "ok",
            found=f"PyTorch sees {', '.join(seen) or 'no GPU'}",
            do="check CUDA_VISIBLE_DEVICES, and that the driver is as new as the CUDA of PyTorch" if lacking else "",
        )  # fmt: skip
