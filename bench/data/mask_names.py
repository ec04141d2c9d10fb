"""Which file is the mask of which image, by their names: the names that people and programs give.

The mask of plate/x.tif may be called x, x_mask, x_masks, x_cp_masks, x_seg, x_labels, mask_x and the like, with any
ending of a picture, .ome.tif among them, or .npy; between the words stands one of " _-.". That of x_img.tif, img_x.tif
and the like may be called so, too. Names are compared in one Unicode form (NFC), since macOS stores them in another.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

from bench.images import IMAGE_SUFFIXES, split_series
from bench.images.label_values import LABEL_SUFFIXES

SUFFIXES = IMAGE_SUFFIXES | LABEL_SUFFIXES  # endings that a mask may have
WHAT = "simple|cells?|nuclei|nucleus|nuclear|cyto|cp|cellpose|stardist|instances?|labels?|gt|final"
WORD = r"masks?|labels?|labell?ed|lbls?|seg|segm|segmentations?|instances?|annotations?|gt|ground[ _\-]?truths?"
AFTER = re.compile(rf"[ _.\-](?:(?:{WHAT})[ _\-]?)*(?:{WORD})$", re.IGNORECASE)
BEFORE = re.compile(rf"^(?:(?:count )?masks? of |(?:{WORD})[ _\-])", re.IGNORECASE)  # Fiji: Mask of x.tif

IMAGE = r"im|img|images?|raw"
IMAGE_WORD = re.compile(rf"[ _.\-](?:{IMAGE})$|^(?:{IMAGE})[ _.\-]", re.IGNORECASE)


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


def keys_of_images(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return image -> the stems by which its mask may call it: its own, and that without a word such as img.

    Without the word it is called only where no other file of its folder has that stem.
    """
    paths = list(paths)
    whole = {path: stem(path) for path in paths}
    bare = {path: IMAGE_WORD.sub("", name) for path, name in whole.items()}
    taken = Counter((_folder(path), name) for path in paths for name in {whole[path], bare[path]})
    free = {path: bare[path] not in ("", whole[path]) and taken[_folder(path), bare[path]] == 1 for path in paths}
    return {path: [whole[path], *([bare[path]] if free[path] else [])] for path in paths}


def masks_beside(paths: Iterable[str]) -> dict[str, str]:
    """Return mask -> image for files of a folder that are named as the mask of another in the same folder.

    paths: posix, relative to one root. A file that says it is a mask is one only where its image lies beside it.
    """
    paths = sorted(paths)
    images: dict[tuple[str, str], str] = {}
    keys = keys_of_images(path for path in paths if not path.lower().endswith(tuple(LABEL_SUFFIXES)))
    for path in reversed(keys):  # so that the first of several stays
        images |= {(_folder(path), key): path for key in keys[path]}
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
    keys = keys_of_images(dict.fromkeys(split_series(image)[0] for image in images))
    count = Counter(key for image in images for key in keys[split_series(image)[0]])
    pictures = Counter(split_series(image)[0] for image in images)
    found = {}
    for image in images:
        file, number = split_series(image)
        if number and pictures[file] > 1:
            continue  # of several pictures of one file: which of them the mask is of is not told
        place = set().union(*(at_place.get((_folder(image), key), set()) for key in keys[file]))
        alone = [key for key in keys[file] if count[key] == 1 and not beside]
        anywhere = set().union(*(of_name.get(key, set()) for key in alone))
        if candidates := sorted((place or anywhere) - {image} if beside else place or anywhere):
            found[image] = candidates
    return found


def _folder(path: str) -> str:
    return unicodedata.normalize("NFC", path.rpartition("/")[0])
