"""Which file is the mask of which image, by their names: the names that people and programs give.

The mask of plate/x.tif may be called x, x_mask, x_masks, x_cp_masks, x_seg, x_labels, mask_x and the like, with any
ending of a picture, .ome.tif among them, or .npy; between the words stands one of " _-.". Names are compared in one
Unicode form (NFC), since macOS stores them in another.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from bench.images import IMAGE_SUFFIXES, split_series
from bench.images.label_values import LABEL_SUFFIXES

SUFFIXES = IMAGE_SUFFIXES | LABEL_SUFFIXES  # endings that a mask may have
WHAT = "cells?|nuclei|nucleus|nuclear|cyto|cp|cellpose|stardist|instances?|labels?|gt|final"
WORD = r"masks?|labels?|labell?ed|lbls?|seg|segm|segmentations?|instances?|annotations?|gt"
AFTER = re.compile(rf"[ _.\-](?:(?:{WHAT})[ _\-]?)*(?:{WORD})$", re.IGNORECASE)
BEFORE = re.compile(rf"^(?:{WORD})[ _\-]", re.IGNORECASE)


def stem(path: str) -> str:
    """Return the name of a file without its folder and its ending, .ome.tif being one ending; in NFC."""
    name = split_series(unicodedata.normalize("NFC", path.rsplit("/", 1)[-1]))[0]
    bare, dot, ending = name.rpartition(".")
    if not bare or f"{dot}{ending}".lower() not in SUFFIXES:
        return name
    return bare[:-4] if bare.lower().endswith(".ome") and len(bare) > 4 else bare


def named_image(path: str) -> str | None:
    """Return the stem of the image that a file names as its own by saying that it is a mask, None where it does not."""
    whole = stem(path)
    bare = AFTER.sub("", whole)
    bare = BEFORE.sub("", whole) if bare == whole else bare
    return stem(bare) if bare not in ("", whole) else None  # also x.tif_mask.png


def masks_beside(paths: Iterable[str]) -> dict[str, str]:
    """Return mask -> image for files of a folder that are named as the mask of another in the same folder.

    paths: posix, relative to one root. A file that says it is a mask is one only where its image lies beside it.
    """
    paths = sorted(paths)
    images: dict[tuple[str, str], str] = {}
    for path in reversed(paths):  # so that the first of several stays
        if not path.lower().endswith(tuple(LABEL_SUFFIXES)):
            images[_folder(path), stem(path)] = path
    named = {path: images.get((_folder(path), named_image(path) or "")) for path in paths}
    return {path: image for path, image in named.items() if image is not None and image != path}


def candidates_of(images: Iterable[str], files: Iterable[str], *, beside: bool = False) -> dict[str, list[str]]:
    """Return image -> the files that are its mask by their names, sorted; images without one are left out.

    Those at the image's own place below their folder come first; where there are none, those of its name anywhere, if
    only one image has that name. beside: the files lie among the images, so that one must say that it is a mask.
    """
    images = list(images)
    at_place: dict[tuple[str, str], set[str]] = defaultdict(set)
    of_name: dict[str, set[str]] = defaultdict(set)
    for file in files:
        for name in {named_image(file), None if beside else stem(file)} - {None}:
            at_place[_folder(file), str(name)].add(file)
            of_name[str(name)].add(file)
    count: dict[str, int] = defaultdict(int)
    for image in images:
        count[stem(image)] += 1
    found = {}
    for image in images:
        place = at_place.get((_folder(image), stem(image)), set())
        if split_series(image)[1] and sum(_is_of(image, other) for other in images) > 1:
            continue  # of several pictures of one file: which of them the mask is of is not told
        anywhere = of_name.get(stem(image), set()) if count[stem(image)] == 1 and not beside else set()
        if candidates := sorted((place or anywhere) - {image} if beside else place or anywhere):
            found[image] = candidates
    return found


def _is_of(image: str, other: str) -> bool:
    return split_series(image)[0] == split_series(other)[0]


def _folder(path: str) -> str:
    return unicodedata.normalize("NFC", path.rpartition("/")[0])
