"""Labels in the names of folders: the images below a folder, with the class that each has by its place.

The first folder of a path is the class, `neuron/a.png`; where all of them are named as splits are, the second is,
`train/neuron/a.png`. A folder that seems a class but gives no image is told of, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os.path import splitext
from pathlib import Path

import numpy as np
import pandas as pd

from bench.data.label_boxes import BOX
from bench.data.label_csv import SPLITS
from bench.data.layout import LAYOUT, layout_for
from bench.data.masks_aside import FOLDER, masks_aside
from bench.data.spellings import one_form
from bench.data.strewn import results_note, strewn_note
from bench.data.walk import DOCUMENTS, Walk, look_through
from bench.errors import BenchError
from bench.images import IMAGE_SUFFIXES
from bench.text import counted

SHOWN = 4  # endings of files that are no images


@dataclass(frozen=True)
class Labelled:
    """rows: the dataset table so far, sorted by path. stat int64 (n, 3): of their files. lost: class -> why none of its
    images can be had. refused: path -> why. ignored: sentences that count what is no image.
    """

    rows: pd.DataFrame
    stat: np.ndarray
    refused: dict[str, str]
    lost: dict[str, str]
    walk: Walk
    ignored: tuple[str, ...] = ()


def read_label_folder(root: Path, notes: list[str], *, follow_links: bool = False) -> Labelled:
    """Return the images below a folder with the classes that their folders name; no rows where there is no image."""
    walk = look_through(root, follow_links=follow_links)
    at = 1 if _are_splits(path for path in walk.paths if "/" in path) else 0
    found = masks_aside([*walk.paths, *walk.others], root, at)
    aside = found.masks
    unused = aside.keys() | found.doubtful.keys()
    stray = {path for path in walk.paths if path not in unused and path.count("/") <= at}
    kept = [i for i, path in enumerate(walk.paths) if path not in stray and path not in unused]
    paths = [walk.paths[i] for i in kept]  # in the order of the walk, which examples are taken by
    parts = [path.split("/", at + 1) for path in paths]
    forms = {name: one_form(name) for name in {part[at] for part in parts}}
    labels = [forms[part[at]] for part in parts]
    others = [path for path in walk.others if path not in aside]
    notes += [*_of_splits(parts, at), *found.notes, *_of_folders(paths, parts, labels, at)]
    ignored = ignored_files(walk, others)
    refused = walk.refused | dict.fromkeys(sorted(stray), "lies outside the class folders, so its class is not known")
    order = sorted(range(len(paths)), key=paths.__getitem__)
    stat = np.array(walk.stats, np.int64).reshape(-1, 3)[kept][order]
    splits = [SPLITS[parts[i][0].lower()] for i in order] if at else None
    rows = rows_of([paths[i] for i in order], [labels[i] for i in order], splits)
    lost = _lost_classes(walk, others, set(forms.values()), at)
    lost = {name: why for name, why in lost.items() if not _holds(walk, aside, name, at)}
    lost |= {one_form(path.split("/")[at]): why for path, why in found.doubtful.items()}
    return Labelled(rows, stat, refused, lost, walk, ignored)


def ignored_files(walk: Walk, others: list[str]) -> tuple[str, ...]:
    """Return sentences that count what is no image. others: paths of such files."""
    return (*_of_other_files(others), *strewn_note(walk.strewn), *results_note(walk.results))


def rows_of(paths: list[str], labels: list[str], splits: list[str] | None) -> pd.DataFrame:
    """Return the dataset table so far of images, a row each, with what folders do not tell missing."""
    rows = pd.DataFrame({"path": pd.Series(paths, dtype="str"), "label": pd.Series(labels, dtype="str")})
    for column in (*BOX, "group", "source", "split", "mask"):
        rows[column] = pd.Series(pd.NA, index=rows.index, dtype="Int64" if column in BOX else "string")
    if splits is not None:
        rows["split"] = pd.Series(splits, dtype="string")
    rows["um_per_px"] = pd.Series(pd.NA, index=rows.index, dtype="Float64")
    rows["level"] = "expert"
    return rows


def no_images(root: Path, found: Labelled, *, labelled: bool = True) -> BenchError:
    """Return the error for a folder in which no class folder holds an image, or without labels no folder at all."""
    walk = found.walk
    stray = [path for path in walk.paths if "/" not in path]
    tables = ", ".join(sorted(walk.tables))
    hint = f" Labels may be in {tables}: --data {root / min(walk.tables)}." if tables else ""
    if stray:
        return BenchError(f"Got the image {min(stray)} directly in {root}, not inside a class folder.{hint} {LAYOUT}")
    why = "".join(f" {path} {reason}." for path, reason in sorted(walk.refused.items())[:1])
    others = f" It holds {_endings(walk.others)}." if walk.others else ""
    known = ", ".join(sorted(IMAGE_SUFFIXES & {".jpg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".czi", ".nd2"}))
    layout = layout_for(labelled=labelled)
    return BenchError(f"Got {root}, which holds no images ({known}, ...).{others}{why}{hint} {layout}")


def _are_splits(paths: Iterator[str]) -> bool:
    """Return whether the folders at the top are train, test and the like, with two folders or more in them."""
    inner: dict[str, set[str]] = {}
    for path in paths:
        top, *rest = path.split("/")
        inner.setdefault(top, set()).update(rest[:1] if len(rest) > 1 else ())
    if len(inner) < 2 or not all(name.lower() in SPLITS for name in inner):
        return False
    return len(set.union(*inner.values())) > 1


def _lost_classes(walk: Walk, others: list[str], have: set[str], at: int) -> dict[str, str]:
    """Return class -> why it has no image, for each folder that seems to be one: at the top, or in those (at 1)."""
    files: dict[str, list[str]] = {}
    for path in others:
        files.setdefault(_start(_printable(path), at), []).append(path)
    refused: dict[str, tuple[str, str]] = {}
    for path, reason in sorted(walk.refused.items()):
        refused.setdefault(_start(path, at), (path, reason))
    why: dict[str, str] = {}
    for folder in sorted(_printable(path) for path in walk.folders if path.count("/") == at):
        label, inside = one_form(folder.split("/")[at]), files.get(folder, [])
        path, reason = refused.get(folder, ("", ""))
        if label in have or label in why:
            continue
        if path:
            why[label] = f"it {reason}" if path == folder else f"{path} {reason}"
        elif not inside:
            why[label] = "it is an empty folder"
        elif any(splitext(path)[1].lower() not in DOCUMENTS for path in inside):
            why[label] = f"it holds no image that is read, but {_endings(inside)}"
    return why


def _holds(walk: Walk, aside: dict[str, str], name: str, at: int) -> bool:
    """Return whether a class folder is one of masks of images in other folders, and holds nothing that was refused."""
    if not FOLDER.fullmatch(name):
        return False
    inside = [path for path in aside if path.count("/") > at and path.split("/")[at] == name]
    return bool(inside) and not any(name in path.split("/")[at : at + 1] for path in walk.refused)


def _of_splits(parts: list[list[str]], at: int) -> Iterator[str]:
    tops = sorted({part[0] for part in parts})
    if at:
        yield f"the folders {', '.join(tops)} are taken for an official split, and the folders in them for classes"
    elif taken := [name for name in tops if name.lower() in SPLITS]:
        are = "is a class" if len(taken) == 1 else "are classes"
        yield (
            f"{' and '.join(taken)} {are} here, as not all folders at the top are named train, val or test; if the "
            "classes are the folders inside, move the others away, or write a CSV with columns path,label,split"
        )


def _of_folders(paths: list[str], parts: list[list[str]], labels: list[str], at: int) -> Iterator[str]:
    """Say which folders are one class, and which folders in classes look as if they were classes or slides.

    parts: of the paths, the folder of the class at `at` and all below it after that.
    """
    spelled: dict[str, set[str]] = {}
    for part, label in zip(parts, labels, strict=True):
        spelled.setdefault(label, set()).add(part[at])
    for label, names in spelled.items():
        if len(names) > 1:
            spaces = len({name.strip() for name in names}) == 1
            how = "spaces at the ends" if spaces else "how letters such as ö are stored (macOS and Windows differ)"
            yield f"{len(names)} folders are the class '{label}': their names differ only in {how}"
    deeper = [
        (path, one_form(part[at + 1].split("/", 1)[0]), label)
        for path, part, label in zip(paths, parts, labels, strict=True)
        if "/" in part[at + 1]
    ]
    other = [(path, inner) for path, inner, label in deeper if inner != label]
    astray = [(path, label) for path, inner, label in deeper if inner != label and inner in spelled]
    if astray:
        path, label = astray[0]
        yield (
            f"{counted(len(astray), 'image')} in a folder named as another class, inside of a class, e.g. {path}, "
            f"which counts as '{label}': was the folder moved there by mistake?"
        )
    elif len({inner for _, inner in other}) > 1:
        yield (
            f"{counted(len(other), 'image')} in folders inside of class folders, e.g. {other[0][0]}, have the class of "
            "the outer folder; if the inner ones are slides or patients, add --group-pattern "
            f"'^{'[^/]+/' * (at + 1)}([^/]+)/'"
        )


def _of_other_files(others: list[str]) -> Iterator[str]:
    tables = [path for path in others if "/" not in path and splitext(path)[1].lower() in (".csv", ".tsv")]
    others = [path for path in others if path not in tables]
    if tables:
        is_are = "is" if len(tables) == 1 else "are"
        yield f"{', '.join(tables[:SHOWN])} {is_are} not used, without a column of paths and one of labels"
    if len(others) == 1:
        yield f"{others[0]} was ignored, as its ending is not that of an image"
    elif others:
        yield f"{len(others):,} files were ignored, as their endings are not those of images: {_endings(others)}"


def _endings(paths: list[str]) -> str:
    """Return "3 .webp (c/0.webp, ...), 1 .txt (c/n.txt)", the most frequent endings first."""
    by_ending: dict[str, list[str]] = {}
    for path in paths:
        by_ending.setdefault(splitext(path)[1].lower() or "without an ending", []).append(path)
    kinds = sorted(by_ending, key=lambda ending: (-len(by_ending[ending]), ending))
    listed = [
        f"{len(by_ending[kind]):,} {kind} ({min(by_ending[kind])}{', ...' if len(by_ending[kind]) > 1 else ''})"
        for kind in kinds[:SHOWN]
    ]
    return ", ".join(listed) + (f" and {len(kinds) - SHOWN} other endings" if len(kinds) > SHOWN else "")


def _start(path: str, at: int) -> str:
    """Return the folders of a path down to that which may be a class."""
    return "/".join(path.split("/")[: at + 1])


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
