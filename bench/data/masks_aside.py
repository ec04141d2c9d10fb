"""Masks among images: files that are no images of a class, as their names say that they are masks of one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from bench.data.mask_names import SUFFIXES, WORD, masks_beside, named_image, stem
from bench.data.spellings import counted

FOLDER = re.compile(rf"(?:\w+[ _\-])?(?:{WORD})", re.IGNORECASE)  # masks, cell_masks, labels, seg

ANY = re.compile(WORD, re.IGNORECASE)  # without which no name is that of a mask


def masks_aside(paths: Iterable[str], root: Path) -> tuple[dict[str, str], list[str]]:
    """Return (mask -> its image, sentences that count them) of the files of a folder.

    A file is a mask if it is named as that of an image beside it (`bench.data.mask_names`), or lies in a folder that
    is named as one of masks are and has the name of an image elsewhere.
    """
    paths = [path for path in paths if path.lower().endswith(tuple(SUFFIXES))]
    if not any(map(ANY.search, paths)):
        return {}, []
    paths.sort()
    beside = masks_beside(paths)
    inside = {path for path in paths if any(FOLDER.fullmatch(part) for part in path.split("/")[:-1])} - beside.keys()
    images = {stem(path): path for path in reversed(paths) if path not in inside and path not in beside}
    of_name = {path: images.get(stem(path)) or images.get(named_image(path) or "") for path in inside}
    apart = {path: image for path, image in of_name.items() if image is not None}
    notes = []
    if beside:
        mask, image = min(beside.items())
        are = "file is the mask" if len(beside) == 1 else "files are masks"
        notes.append(
            f"{len(beside):,} {are} of images beside them and no images of a class, e.g. {mask} of {image}; "
            "--instances masks takes cells from them"
        )
    if apart:
        mask, image = min(apart.items())
        top = mask.split("/")[0]
        use = f"; --instances masks --masks {root / top} takes cells from them" if FOLDER.fullmatch(top) else ""
        notes.append(
            f"{counted(len(apart), 'file')} in folders of masks, by their names, and no images of a class, e.g. {mask} "
            f"of {image}{use}"
        )
    return {**beside, **apart}, notes
