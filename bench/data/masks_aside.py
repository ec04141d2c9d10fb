"""Masks among images: files that are no images of a class, as their names and their pixels say.

A name alone decides only where a program gives it (x_flows.tif). Else the pixels of some files of each kind are looked
at too: `seg` may be a class (a segmented neutrophil), and x_label.png an image of a labelled cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bench.data.mask_names import IMAGE, SUFFIXES, WORD, masks_beside, named_image, stem
from bench.data.mask_pixels import Look, look_of
from bench.images import IMAGE_SUFFIXES
from bench.text import counted

FOLDER = re.compile(rf"(?:\w+[ _\-])?(?:{WORD})", re.IGNORECASE)  # masks, cell_masks, labels, seg
IMAGES = re.compile(rf"{IMAGE}", re.IGNORECASE)
PART = re.compile(rf"[ _.\-](?:{WORD})[ _.\-]?\d+$", re.IGNORECASE)  # x_mask_0: one file for each cell
PRODUCT = re.compile(r"[ _\-](?:(?:cp_)?(?:outlines?|flows)|(?:cell)?prob(?:abilities|s)?)$", re.IGNORECASE)
ANY = re.compile(rf"{WORD}|outline|flows|prob", re.IGNORECASE)  # without which no name is of interest
ANY_IN_LOWER_CASE = re.compile(ANY.pattern)  # of letters in lower case: ten times as fast
LOOKED_AT = 5  # files of each kind in each class


@dataclass(frozen=True)
class Aside:
    """masks: file -> the image that it is of. doubtful: file -> why it may be of a class or a mask, for whole class
    folders. notes: sentences that count them.
    """

    masks: dict[str, str] = field(default_factory=dict)
    doubtful: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def masks_aside(paths: Iterable[str], root: Path, at: int = 0) -> Aside:
    """Return the files of a folder that are masks. at: how many folders lie above those of classes.

    A file is a mask if its pixels are those of one and it is named as that of an image beside it
    (`bench.data.mask_names`), or lies in a folder named as one of masks and has the name of an image elsewhere, or has
    images in the folder beside its own. A class folder in which that cannot be decided is doubtful.
    """
    endings = tuple(SUFFIXES)
    paths = [path for path in paths if path.lower().endswith(endings)]
    if not any(map(_is_of_interest, paths)):
        return Aside()
    paths.sort()
    looks = _Looks(root, at)
    notes: list[str] = []
    named = masks_beside(paths)
    beside = looks.masks(named)
    notes += _of_beside(beside, named)
    parts = _of_stems(paths, named)
    products = {path: image for path, image in parts.items() if PRODUCT.search(stem(path))}
    apart = products | looks.masks({path: image for path, image in parts.items() if path not in products})
    notes += _of_parts(apart)
    inside, doubtful = _in_folders(paths, looks, at, {**named, **parts}, notes)
    notes += _of_folders(inside, root)
    return Aside({**beside, **apart, **inside}, doubtful, tuple(notes))


def _is_of_interest(path: str) -> bool:
    return (ANY_IN_LOWER_CASE.search(path.lower()) if path.isascii() else ANY.search(path)) is not None


class _Looks:
    """What files look like: those of one kind in one class by a few of them, and each by itself where these differ."""

    def __init__(self, root: Path, at: int) -> None:
        self.root, self.at, self.look = root, at, cache(lambda path: look_of(root / path))

    def masks(self, files: dict[str, str]) -> dict[str, str]:
        """Return those of (file -> its image) that look like masks; files that are no images anyway are taken."""
        kinds: dict[tuple[str, str], list[str]] = {}
        for path, image in files.items():
            if path.lower().endswith(tuple(IMAGE_SUFFIXES)):
                bare = re.sub(r"\d+", "#", stem(path).replace(stem(image), "", 1))
                kinds.setdefault(("/".join(path.split("/")[: self.at + 1]), bare), []).append(path)
        pictures: set[str] = set()
        for paths in kinds.values():
            seen = self.of(paths)
            if seen == {Look.PICTURE}:
                pictures |= set(paths)
            elif Look.PICTURE in seen:
                pictures |= {path for path in paths if self.look(path) is Look.PICTURE}
        return {path: image for path, image in files.items() if path not in pictures}

    def of(self, paths: list[str]) -> set[Look]:
        """Return what a few of some files look like."""
        step = max(1, len(paths) // LOOKED_AT)
        return {self.look(path) for path in sorted(paths)[::step][:LOOKED_AT]}


def _of_stems(paths: list[str], named: dict[str, str]) -> dict[str, str]:
    """Return file -> image beside it, of files for one cell of it each, and of other products of programs."""
    folders = {(path.rpartition("/")[0], stem(path)): path for path in reversed(paths) if path not in named}
    found = {}
    for path in paths:
        bare = PRODUCT.sub("", PART.sub("", stem(path)))
        image = folders.get((path.rpartition("/")[0], bare))
        if path not in named and image is not None and bare != stem(path):
            found[path] = image
    return found


def _in_folders(
    paths: list[str], looks: _Looks, at: int, before: dict[str, str], notes: list[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return (file -> image, file -> why it is doubtful) of files in folders named as those of masks are."""
    inside = [
        path for path in paths if path not in before and any(FOLDER.fullmatch(part) for part in path.split("/")[at:-1])
    ]
    outer = {path for path in paths if path not in before} - set(inside)
    images = {stem(path): path for path in sorted(outer, reverse=True)}
    near = {path.rsplit("/", 2)[0]: path for path in sorted(outer, reverse=True) if _is_of_images(path)}
    folders: dict[str, dict[str, str]] = {}
    for path in inside:
        place = path.split("/")
        top = "/".join(place[: at + 1]) if FOLDER.fullmatch(place[at]) and len(place) > at + 1 else ""
        image = images.get(stem(path)) or images.get(named_image(path) or "")
        image = image or (None if top else near.get(path.rsplit("/", 2)[0]))
        if image is not None:
            folders.setdefault(top, {})[path] = image
    masks = looks.masks(folders.pop("", {}))
    doubtful: dict[str, str] = {}
    for top, files in folders.items():
        pictures = [path for path in files if path.lower().endswith(tuple(IMAGE_SUFFIXES))]
        seen = looks.of(pictures)
        first, name = min(files), top.split("/")[at]
        if seen <= {Look.MASK} and not (pictures and looks.of([files[path] for path in pictures]) == {Look.MASK}):
            masks |= files
        elif seen == {Look.PICTURE}:
            notes.append(
                f"'{name}' is taken for a class: its folder is named as one of masks are, but its files look like "
                f"pictures; if they are masks, --leave-out {name}"
            )
        else:
            why = (
                f"its folder is named as one of masks are and {first} as the image {files[first]}, and the pixels do "
                f"not tell which they are; if these are masks, --leave-out {name}; if it is a class, rename the folder"
            )
            doubtful |= {path: why for path in paths if path.startswith(f"{top}/")}
    return masks, doubtful


def _is_of_images(path: str) -> bool:
    place = path.split("/")
    return len(place) > 2 and IMAGES.fullmatch(place[-2]) is not None


def _of_beside(beside: dict[str, str], named: dict[str, str]) -> Iterable[str]:
    if beside:
        mask, image = min(beside.items())
        are = "file is the mask" if len(beside) == 1 else "files are masks"
        yield (
            f"{len(beside):,} {are} of images beside them and no images of a class, e.g. {mask} of {image}; "
            "--instances masks takes cells from them"
        )
    if pictures := sorted(named.keys() - beside.keys()):
        yield (
            f"{counted(len(pictures), 'file is', 'files are')} named as masks of images beside them, e.g. "
            f"{pictures[0]}, but look like pictures: they count as images of their class"
        )


def _of_parts(apart: dict[str, str]) -> Iterable[str]:
    if apart:
        part, image = min(apart.items())
        yield (
            f"{counted(len(apart), 'file')} made of images beside them, such as a mask of one cell, outlines or "
            f"probabilities, and no images of a class, e.g. {part} of {image}; none is used"
        )


def _of_folders(inside: dict[str, str], root: Path) -> Iterable[str]:
    if inside:
        mask, image = min(inside.items())
        top = mask.split("/")[0]
        use = f"; --instances masks --masks {root / top} takes cells from them" if FOLDER.fullmatch(top) else ""
        yield (
            f"{counted(len(inside), 'file')} in folders of masks and no images of a class, e.g. {mask} of {image}{use}"
        )
