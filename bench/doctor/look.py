"""All that `bench doctor` looks at, in one list."""

from __future__ import annotations

from pathlib import Path

from bench.doctor.devices import look_at_devices
from bench.doctor.disk import look_at_disk
from bench.doctor.finding import Finding
from bench.doctor.hub import look_at_hub
from bench.doctor.libraries import look_at_libraries
from bench.doctor.stored import look_at_store


def look(out: Path, *, online: bool = False, load: bool = False) -> list[Finding]:
    """Return what was found of libraries, devices, disk, hub and store.

    Nothing is written but links in the temporary folder, which go at the end. out: the results folder, which need not
    be there. online: ask whether the hub answers. load: import the libraries and ask PyTorch for its GPUs.
    """
    return [
        *look_at_libraries(), *look_at_devices(load=load), *look_at_disk(out), *look_at_hub(online=online),
        *look_at_store(out),
    ]  # fmt: skip
