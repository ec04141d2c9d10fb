"""Which runs are of one dataset: by its content, and not by what its folder is called.

Runs whose images, regions and labels are the same are of one dataset, whatever it was called and wherever it lay. Two
datasets of one name get names that differ. Datasets that share most of their labelled images (a folder before and after
images were added) stay two datasets in tables, and count as one where datasets are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from bench.runs.record import read_instances

SHARED = 0.5  # of the labelled images of the smaller one: above that, two datasets count as one


@dataclass(frozen=True)
class DatasetOfRun:
    """How a run describes its dataset. content: see `bench.data.content`, or the name where it is not known."""

    name: str
    place: str
    content: str
    folder: Path


def name_datasets(runs: Sequence[DatasetOfRun]) -> tuple[dict[str, str], list[str]]:
    """Return (content -> the name of the dataset in every table, what a reader should know).

    The name is that of its folder, the first in the alphabet where copies have several. Where two datasets share it,
    the folder around it is added, and where they share that as well, the beginning of their content.
    """
    called = {content: min(run.name for run in runs if run.content == content) for content in _contents(runs)}
    places = {content: min(_placed(run) for run in runs if run.content == content) for content in called}
    names = {}
    for content, name in called.items():
        others = [other for other in called if other != content and called[other] == name]
        alike = [other for other in others if places[other] == places[content]]
        names[content] = name if not others else places[content] if not alike else f"{name}-{content[:8]}"
    notes = []
    for content, name in names.items():
        copies = sorted({run.name for run in runs if run.content == content})
        if len(copies) > 1:
            notes.append(f"{', '.join(copies)}: the same images and labels, one dataset, which counts once, as {name}")
    shared: dict[str, list[str]] = {}
    for content, name in called.items():
        shared.setdefault(name, []).append(names[content])
    notes += [
        f"{len(copies)} datasets are called {name}, and shown as {', '.join(sorted(copies))}"
        for name, copies in shared.items()
        if len(copies) > 1
    ]
    return names, notes


def families(runs: Sequence[DatasetOfRun], names: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return (content -> the content that it counts as where datasets are compared, what a reader should know)."""
    joined = {content: content for content in _contents(runs)}
    images = {content: _images(_first(runs, content)) for content in joined} if len(joined) > 1 else {}
    notes = []
    for a, b in combinations([content for content in joined if len(images.get(content, ()))], 2):
        smaller = min(len(images[a]), len(images[b]))
        same = len(images[a] & images[b])
        if same > SHARED * smaller:
            first, other = sorted((joined[a], joined[b]))
            joined = {content: first if at == other else at for content, at in joined.items()}
            notes.append(
                f"{names[a]} and {names[b]} share {same} labelled images of {smaller} in the smaller one: where "
                "datasets are compared they count as one, and its newest run counts"
            )
        elif shared := len({digest for digest, _ in images[a]} & {digest for digest, _ in images[b]}):
            some = "an image" if shared == 1 else f"{shared} images"
            notes.append(f"{names[a]} and {names[b]} share {some}, so they are not independent of each other")
    return joined, notes


def changed_encoders(keys: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what to know of encoders that are not the same in all runs. keys: run -> encoder -> what it is."""
    notes = []
    for name in sorted({name for encoders in keys.values() for name in encoders}):
        runs: dict[str, list[str]] = {}
        for run, encoders in keys.items():
            if name in encoders:
                runs.setdefault(encoders[name], []).append(run)
        if len(runs) > 1:
            same = "; ".join(sorted(", ".join(some) for some in runs.values()))
            notes.append(f"{name} is not the same encoder in all runs ({same}): its file, weights or code were changed")
    return notes


def _contents(runs: Sequence[DatasetOfRun]) -> list[str]:
    return sorted({run.content for run in runs})


def _placed(run: DatasetOfRun) -> str:
    return run.place or run.name


def _first(runs: Sequence[DatasetOfRun], content: str) -> Path:
    return next(run.folder for run in runs if run.content == content)


def _images(folder: Path) -> set[tuple[str, str]]:
    """Return (digest, label) of every labelled image that took part in a run; none where that cannot be read."""
    table = read_instances(folder)
    return set() if table is None else set(zip(table["digest"], table["label"], strict=True))
