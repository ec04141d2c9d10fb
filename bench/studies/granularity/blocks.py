"""Blocks of fits, the unit of work: one encoder, one method (a bag head at numbers of labels), some draws.

A block is named by content: by everything that its numbers depend on, and by nothing else. So what one request made
serves every other that asks for some of the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bench.data.content import rows_of
from bench.fitting.plan import VERSION as PROTOCOL_VERSION
from bench.fitting.views import View
from bench.heads import get_heads
from bench.seeds import content_name
from bench.studies.granularity.design import Design
from bench.studies.granularity.heads import BagHead
from bench.studies.granularity.methods import Method, Planned
from bench.studies.granularity.none_of_these import VERSION as NONE_VERSION
from bench.studies.granularity.predictions import Predictions, read_predictions
from bench.studies.granularity.simulate import Recipe

FORMAT = "cell-classifier granularity predictions 1"
VERSION = 1  # raised when the same description would give other numbers
DRAWS = 10  # of a block at most; as many as there are partitions of repeated folds


@dataclass(frozen=True, kw_only=True)
class BagBlock:
    """One block of fits. method: what it is called in tables; head: what makes it; draws: their numbers.

    made_of: what else the numbers depend on, see `describe`.
    """

    method: Method
    head: BagHead
    draws: range
    made_of: Mapping[str, Any]

    @property
    def identity(self) -> dict[str, Any]:
        """Everything the numbers depend on. The head of `bench.heads` is named with its version as well."""
        [base] = get_heads([self.head.base])
        return {
            **self.made_of,
            "head": [self.head.name.partition(":")[0], self.head.version, dict(self.head.settings)],
            "base": [base.name, base.version],
            "images": self.method.images,
            "cells": self.method.cells,
            "draws": [self.draws.start, self.draws.stop],
        }

    @cached_property
    def name(self) -> str:
        """32 hex characters that name the block by content."""
        return content_name([FORMAT, self.identity])

    def path(self, folder: Path) -> Path:
        """Return where the block's predictions lie in a folder of results."""
        return folder / "predictions" / f"{self.name}.safetensors"

    def _with_more_draws(self) -> list[BagBlock]:
        """Return the blocks that hold the draws of this one first: made by requests for more draws."""
        longer = range(self.draws.stop + 1, self.draws.start + DRAWS + 1)
        return [replace(self, draws=range(self.draws.start, stop)) for stop in longer]

    def exists(self, folder: Path) -> bool:
        """Return whether its predictions are there, unread, by themselves or as the first of more draws."""
        return any(block.path(folder).exists() for block in (self, *self._with_more_draws()))

    def read(self, folder: Path) -> Predictions | None:
        """Return its predictions, or None when they are missing; what is damaged is set aside first."""
        for block in (self, *self._with_more_draws()):
            found = read_predictions(block.path(folder))
            if found is not None:
                count = len(self.draws)
                return Predictions(images=found.images[:count], cells=found.cells[:count])
        return None


def describe(table: pd.DataFrame, design: Design, recipe: Recipe | None) -> dict[str, Any]:
    """Return what the numbers of a design depend on besides the encoder: the rows, their labels and splits, the rules.

    table: that the design was made of; an image counts by which rows share it and not by what its file is called.
    recipe: of simulated images, None where images are as they are.
    """
    columns = ["instance", "digest", "label", "cell_label", "group", "split", "shows"]
    known = table[[name for name in columns if name in table]]
    data = [list(known), rows_of(known.assign(image=pd.factorize(table["image"])[0]), [*known, "image"])]
    return {
        "granularity": VERSION, "protocol": PROTOCOL_VERSION, "data": content_name(data),
        "classes": list(design.classes), "none": [design.none, NONE_VERSION] if design.none else "",
        "rule": design.plan.rule,
        "recipe": None if recipe is None else [recipe.purity, recipe.size],
    }  # fmt: skip


def cut_blocks(planned: Planned, design: Design, view: View, made_of: Mapping[str, Any]) -> list[BagBlock]:
    """Return the blocks of a design's methods by one encoder, those of a method one after the other."""
    about = {**made_of, "encoder": view.key, "scaling": view.scaling}
    some = [range(first, min(first + DRAWS, design.seeds)) for first in range(0, design.seeds, DRAWS)]
    return [
        BagBlock(method=method, head=head, draws=draws, made_of=about)
        for method, head in planned.items() for draws in some
    ]  # fmt: skip
