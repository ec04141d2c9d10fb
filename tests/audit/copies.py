"""Planted copies: how many are found, and how many pairs are named that are none.

python tests/audit/copies.py --data bccd_cells --rows 300 --planted 100

Images are drawn from a folder, and some are added again, turned, mirrored, saved as JPEG or WebP, in another light,
grey, of another size or cropped; half overlaps are the left and the right two thirds of an image. A false pair is one of
a planted image with another image than its original. Pairs within the drawn images are listed by name, to be looked at.
"""

from __future__ import annotations

import argparse
import io
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from bench.studies.audit.copies import EIGHT, SIDE, find_copies
from bench.studies.audit.saved_again import LARGEST, Full
from encoders.orientations import ORIENTED, orientation

CROPPED = 0.9  # of each side that a crop keeps


def small(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)).mean(-1)


def full(image: Image.Image) -> Full | None:
    pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    return Full(pixels=pixels) if image.width * image.height <= LARGEST else None


def full_at(images: Sequence[Image.Image], i: int) -> Full | None:
    return full(images[i])


def saved(image: Image.Image, quality: int, form: str = "JPEG") -> Image.Image:
    file = io.BytesIO()
    image.convert("RGB").save(file, form, quality=quality)
    return Image.open(file)


def turned(image: Image.Image, k: int) -> Image.Image:
    return Image.fromarray(orientation(np.asarray(image.convert("RGB")), k))


def lit(image: Image.Image, by: float) -> Image.Image:
    return Image.fromarray(np.clip(np.asarray(image.convert("RGB")) * by, 0, 255).astype(np.uint8))


def smaller(image: Image.Image) -> Image.Image:
    w, h = image.size
    return resized(image, round(0.9 * w), round(0.9 * h))


def resized(image: Image.Image, w: int, h: int) -> Image.Image:
    return image.convert("RGB").resize((w, h), Image.Resampling.BILINEAR)


def cropped(image: Image.Image) -> Image.Image:
    chance = random.Random(str(image.size) + str(np.asarray(image).sum()))
    w, h = (int(CROPPED * side) for side in image.size)
    x, y = chance.randint(0, image.size[0] - w), chance.randint(0, image.size[1] - h)
    return image.crop((x, y, x + w, y + h))


PLANTED: dict[str, Callable[[Image.Image], Image.Image]] = {
    **{EIGHT[k]: lambda image, k=k: turned(image, k) for k in range(1, ORIENTED)},
    **{f"JPEG {quality}": lambda image, quality=quality: saved(image, quality) for quality in (30, 50, 70, 90)},
    "WebP 50": lambda image: saved(image, 50, "WEBP"),
    "2 px larger": lambda image: resized(image, image.width + 2, image.height + 2),
    "1 px smaller": lambda image: resized(image, image.width - 1, image.height - 1),
    "grey": lambda image: image.convert("L"),
    "20% brighter": lambda image: lit(image, 1.2), "20% darker": lambda image: lit(image, 0.8),
    "90% scale": smaller, "cropped by a tenth": cropped,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--planted", type=int, default=100)
    asked = parser.parse_args()
    files = sorted(str(path) for path in asked.data.glob("*/*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    random.Random(1).shuffle(files)
    images = [Image.open(path) for path in files[: asked.rows]]
    drawn = np.stack([small(image) for image in images])
    n, own = len(images), find_copies(drawn, full_size=partial(full_at, images))
    print(f"{asked.data.name}: {n} images, {len(own)} pairs among them as they are")
    for pair in own.to_dict("records"):
        print(f"  {files[pair['first']]} {files[pair['second']]} {pair['how']} {pair['correlation']:.2f}")
    planted = range(min(asked.planted, n))
    for name, change in PLANTED.items():
        seen = [*images, *(change(images[i]) for i in planted)]
        pixels = np.concatenate([drawn, [small(image) for image in seen[n:]]])
        found = find_copies(pixels, full_size=partial(full_at, seen))
        mine = found[(found["second"] >= n) & (found["first"] < n)]
        right = mine["second"] - n == mine["first"]
        known = {
            frozenset(pair) for pair in zip(own["first"], own["second"], strict=True)
        }  # a copy of a copy is one too
        false = [(a, b - n) for a, b in zip(mine["first"], mine["second"], strict=True)
                 if b - n != a and frozenset((a, b - n)) not in known]  # fmt: skip
        print(f"  {name}: {int(right.sum())} of {len(planted)} found, {len(false)} false pairs", flush=True)
    halves = [image.convert("RGB") for image in images[: len(planted)]]
    left = [image.crop((0, 0, int(image.width / 1.5), image.height)) for image in halves]
    right_part = [image.crop((image.width - int(image.width / 1.5), 0, *image.size)) for image in halves]
    seen = [*images[len(planted) :], *left, *right_part]
    pixels = np.concatenate([drawn[len(planted) :], [small(image) for image in seen[n - len(planted) :]]])
    found = find_copies(pixels, full_size=partial(full_at, seen))
    start = n - len(planted)
    right = (found["first"] >= start) & (found["second"] - found["first"] == len(planted))
    print(f"  half overlap: {int(right.sum())} of {len(planted)} found")


if __name__ == "__main__":
    main()
