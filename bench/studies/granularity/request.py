"""What is asked of `bench granularity`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.embeddings.embed import DataSpec
from bench.errors import BenchError
from bench.storage.folder_name import check_folder_name
from bench.studies.granularity.design import Levels
from bench.studies.granularity.simulate import Recipe

DEFAULT_SIZE = 10  # cells of a simulated image


@dataclass(frozen=True, kw_only=True)
class GranularityRequest:
    """What is asked. purities, size: of simulated images, none where images are as they are.

    minutes: a person's, for one label of 'image' and of 'cell'. classes: none means all that have labels enough.
    pure: the label of an image is that of each of its cells. none: the name of a class of cells that are none of these.
    """

    source: DataSpec
    encoders: Sequence[str]
    levels: Levels
    heads: tuple[str, ...]
    classes: tuple[str, ...]
    purities: tuple[float, ...]
    size: int | None
    minutes: dict[str, float]
    out: Path
    name: str | None
    pure: bool = False
    none: str = ""

    def __post_init__(self) -> None:
        if self.none and (self.pure or self.recipes):
            raise BenchError(
                f"Got --none-class {self.none} with {'--pure' if self.pure else 'simulated images'}, where every cell "
                "is of one of the classes; expected images with labelled cells of other types. Leave one of the two "
                "out."
            )

    @property
    def recipes(self) -> list[Recipe]:
        """How images are simulated; none where they are as they are."""
        if not self.purities and self.size is None:
            return []
        return [Recipe(purity, self.size or DEFAULT_SIZE) for purity in self.purities or (1.0,)]

    def folder(self, dataset: str) -> Path:
        """Return where the tables of a dataset of that name lie. Raises BenchError for a name that names no folder."""
        check_folder_name(self.name)
        cut = re.sub(r"[^a-zA-Z0-9.]", "", self.source.instances)
        parts = [dataset, "" if cut == "whole" else cut, "simulated" if self.recipes else ""]
        return self.out / "granularity" / (self.name or "-".join(filter(None, parts)))
