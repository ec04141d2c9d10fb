"""Options on who does the work: processes of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from bench.cli.options.encoders import CORES, check_device
from bench.cli.options.groups import COMPUTER, option
from bench.errors import BenchError
from bench.storage.buckets.address import is_address, spelled
from bench.work.calls import Asked, Engine
from bench.work.engines import open_engine


@dataclass(frozen=True)
class EngineOptions:
    """Who does the work."""

    engine: Annotated[str, option(COMPUTER, "Who does the work: {engines}.", "--engine", value="NAME")] = "local"
    address: Annotated[
        str,
        option(
            COMPUTER,
            "The Ray cluster to join: auto if this machine is one of its nodes, or HOST:PORT or ray://HOST:PORT. "
            "Without it a cluster is started here, with one processor per worker.",
            "--address", value="ADDRESS",
        ),
    ] = ""  # fmt: skip

    def check_devices(self, device: str, fit_device: str = "cpu") -> None:
        """Raise an error for a device that is not there, or that the engine cannot use."""
        if self.engine == "local":
            check_device(device)
            check_device(fit_device)
            return
        if device not in ("auto", "cpu", "cuda"):
            raise BenchError(f"Got --device {device} with --engine {self.engine}; expected auto, cpu or cuda: every "
                             "GPU of the cluster then has its own encoders.")  # fmt: skip
        if fit_device != "cpu":
            raise BenchError(f"Got --fit-device {fit_device} with --engine {self.engine}; expected cpu.")

    def check_precision(self, precision: str) -> None:
        """Raise an error for a precision that is to be measured where this machine is not the one that embeds."""
        if self.engine != "local" and precision == "auto":
            raise BenchError(
                f"Got --precision auto with --engine {self.engine}; expected --engine local, as it is measured on the "
                "machine that embeds. Name a precision instead, as NAME@precision=bfloat16."
            )

    def check_places(self, *places: Path) -> None:
        """Raise an error for an address of an object store that the engine cannot work on."""
        for place in places if self.engine != "local" else ():
            if is_address(place):
                raise BenchError(
                    f"Got {spelled(place)} with --engine {self.engine}; expected a folder that every node sees. "
                    "Without --engine, the same command on several machines shares the work through the object store."
                )

    def open(
        self, out: Path, *, workers: int = CORES, memory: float | None = None, sees: Sequence[Path] = ()
    ) -> AbstractContextManager[Engine]:
        """Return a context manager that yields the engine. out, sees: what every node has to see."""
        asked = Asked(
            name=self.engine, address=self.address, workers=workers, memory=memory, out=out,
            sees=[path for path in sees if path.exists()],
        )  # fmt: skip
        return open_engine(asked)
