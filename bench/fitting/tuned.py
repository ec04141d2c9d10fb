"""Settings that `bench tune` found, as files, and how a run uses them without the labels they were found on.

    tuned.json     head -> setting, and what it was tuned on
    tuned_on.csv   beside it: the labels that were used, one a line: path, label, group, digest of the image

A run that is given the file leaves out every group that holds one of those images, for all of its rows: what is
learned from and tested on shares no label with what was tuned on.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench.data.datasets import Dataset
from bench.errors import BenchError, did_you_mean
from bench.heads import Head, Params, all_heads
from bench.heads.contract import Range
from bench.seeds import content_name
from bench.storage.tables import csv_bytes
from bench.storage.together import settle
from bench.storage.verified import is_sealed, json_bytes, parse_json
from bench.text import counted

FORMAT = "cell-classifier tuned settings 2"
LABELS = ["path", "label", "group", "digest"]
LABELS_FILE = "tuned_on.csv"


@dataclass(frozen=True)
class TunedSettings:
    """What a file says. settings: head -> setting, every hyper-parameter; images: digests of those tuned on."""

    path: Path
    settings: Mapping[str, Params]
    images: frozenset[str]


def tuned_files(
    head: Head, setting: Params, labels: pd.DataFrame, tuned_on: Mapping[str, Any], more: Mapping[str, Any]
) -> dict[str, bytes]:
    """Return both files by name. labels: the rows of the instance table that were tuned on."""
    used = labels[LABELS].drop_duplicates()
    counts = labels["label"].value_counts().sort_index().to_dict()
    about = {
        "format": FORMAT, "settings": {head.name: dict(setting)}, "versions": {head.name: head.version},
        "tuned_on": {**tuned_on, "labels": counts, "groups": labels["group"].nunique(), "labels_file": LABELS_FILE,
                     "labels_digest": _name(used["digest"])},
        **more,
    }  # fmt: skip
    return {LABELS_FILE: csv_bytes(used), "tuned.json": json_bytes(about, FORMAT, indent=1)}


def _name(digests: pd.Series) -> str:
    return content_name(sorted(set(digests.tolist())))


def read_tuned(path: Path) -> TunedSettings:
    """Read a file of settings. Raises BenchError for one that `bench tune` did not write, or for other heads."""
    settle(path.parent)
    try:
        data = path.read_bytes()
        about = parse_json(data)
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']!r}")
        if not is_sealed(data, FORMAT):
            raise ValueError("it was changed since it was written")
        settings, versions, tuned_on = about["settings"], about["versions"], about["tuned_on"]
        labels, images = path.parent / Path(tuned_on["labels_file"]).name, tuned_on["labels_digest"]
        given = {name: dict(setting) for name, setting in settings.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BenchError(
            f"Got --params {path}, which holds no settings ({error}); expected a tuned.json that `bench tune` wrote, "
            "such as results/tune/NAME/tuned.json."
        ) from None
    known = all_heads()
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or "."
            raise BenchError(f"Got --params {path} of head '{name}'{hint} Expected one of: {', '.join(known)}.")
    for head in (known[name] for name in given):
        if versions.get(head.name) != head.version:
            raise BenchError(
                f"Got --params {path}, tuned for version {versions.get(head.name)} of head '{head.name}'; expected "
                f"version {head.version}, whose settings may mean something else. Run its `bench tune` again."
            )
        check_setting(head, given[head.name], path)
    return TunedSettings(path, given, _images(path, labels, images))


def _images(path: Path, labels: Path, wanted: str) -> frozenset[str]:
    """Return the digests in the file of labels; BenchError where they are not those that were tuned on."""
    try:
        digests = pd.read_csv(io.BytesIO(labels.read_bytes()), dtype=str, keep_default_na=False)["digest"]
        if _name(digests) == wanted:
            return frozenset(digests)
        why = "was changed"
    except (OSError, ValueError, LookupError) as error:
        why = f"cannot be read ({error})"
    raise BenchError(
        f"Got --params {path}, but {labels.name} beside it {why}; expected it as `bench tune` wrote it: it says which "
        "labels were tuned on and must not be evaluated with. Run that `bench tune` again."
    )


def check_setting(head: Head, setting: Params, path: Path) -> None:
    """Raise BenchError for a setting that has other parameters than the head, or values outside its space."""
    if not head.space:
        raise BenchError(f"Got --params {path} with settings of head '{head.name}', which has nothing to tune.")
    for name in setting:
        if name not in head.default:
            raise BenchError(
                f"Got --params {path} with '{name}' for head '{head.name}'{did_you_mean(name, head.default) or '.'} "
                f"Expected {', '.join(head.default)}."
            )
    for name, published in head.default.items():
        if name not in setting:
            raise BenchError(f"Got --params {path} without '{name}' for head '{head.name}'; expected a value.")
        within = head.space.get(name, Range(choices=(published,)))
        if not _inside(setting[name], within):
            wanted = f"one of {within.choices}" if within.choices else f"{within.low} to {within.high}"
            kind = " in whole numbers" if _whole(within) else ""
            raise BenchError(
                f"Got --params {path} with {name}={setting[name]!r} for head '{head.name}'; expected {wanted}{kind}."
            )


def _whole(within: Range) -> bool:
    return not within.choices and isinstance(within.low, int) and isinstance(within.high, int)


def _inside(value: object, within: Range) -> bool:
    if within.choices:
        return value in within.choices
    if isinstance(value, bool) or not isinstance(value, int if _whole(within) else (int, float)):
        return False
    return within.low <= value <= within.high  # type: ignore[operator]


def tuned_settings(
    files: Sequence[Path], heads: Sequence[Head], shots: Sequence[int], table: pd.DataFrame
) -> dict[tuple[str, int], Params]:
    """Return (head, shots) -> setting for the heads that the files hold, the same at every shot level.

    table: the instances that will be learned from and scored, with column digest. Raises BenchError where a file
    is of a head that takes no part, where two are of one head, and where labels of these images were tuned on.
    """
    found: dict[str, TunedSettings] = {}
    names = [head.name for head in heads]
    for one in map(read_tuned, files):
        shared = int(table["digest"].isin(one.images).sum())
        if shared:
            raise BenchError(
                f"Got --params {one.path}, which was tuned on {shared} instances of this very data; expected data "
                "without the groups they are of, as scores would share their labels."
            )
        for name in one.settings:
            if name in found:
                both = f"{found[name].path} and {one.path}"
                raise BenchError(f"Got --params {both}, both of '{name}'; expected one a head.")
            if name not in names:
                raise BenchError(f"Got --params {one.path} of head '{name}' with --head {','.join(names)}; add {name}.")
            found[name] = one
    return {(name, n): one.settings[name] for name, one in found.items() for n in shots}


def leave_out(dataset: Dataset, instances: pd.DataFrame, files: Sequence[Path]) -> tuple[Dataset, pd.DataFrame, str]:
    """Leave the groups that hold an image that settings were tuned on out of a dataset and its instance table.

    What remains has a name of its own. The last thing returned says what was left out; it is among the dataset's
    notes too, and "" where nothing was. Raises BenchError where a class would be lost.
    """
    read = [read_tuned(path) for path in files]
    images = frozenset[str]().union(*(one.images for one in read))
    groups = set(instances.loc[instances["digest"].isin(images), "group"])
    if not groups:
        return dataset, instances, ""
    kept = instances[~instances["group"].isin(groups)].reset_index(drop=True)
    given = " ".join(f"--params {one.path}" for one in read)
    lost = sorted(set(instances["label"]) - set(kept["label"]))
    if lost:
        raise BenchError(
            f"Got {given}, tuned on labels in every group of class '{lost[0]}'; expected groups of it that were not "
            "tuned on. Add images from other slides, or evaluate on other data."
        )
    heads = ", ".join(dict.fromkeys(name for one in read for name in one.settings))
    gone = (
        f"{len(instances) - len(kept)} of {len(instances)} instances, in {counted(len(groups), 'group')}"
    )
    note = f"{gone} on whose labels settings of {heads} were tuned; no row of this leaderboard uses them"
    table = dataset.table[~dataset.table["group"].isin(groups)].reset_index(drop=True)
    notes = (*dataset.notes, f"left out: {note}")
    return replace(dataset, name=f"{dataset.name}-not-tuned-on", table=table, notes=notes), kept, note
