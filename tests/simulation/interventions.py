"""How many pixels of things in an image `intervene=zscore` makes white, beside a plain cut at three deviations.

    python -m tests.simulation.interventions IMAGES [--masks MASKS]

IMAGES: a folder of images, MASKS: one of masks by the same names (0: background). Without masks the brightest quarter
of every image counts as the thing. Channels that are flat are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

from encoders.interventions import zscore

ENDINGS = (".jpg", ".png", ".tif")


def cut(pixels: np.ndarray) -> np.ndarray:
    """Show -3 to 3 standard deviations from the mean as 0 to 255 and cut off the rest."""
    deviation = pixels.std((0, 1))
    standard = (pixels - pixels.mean((0, 1))) / np.where(deviation > 0, deviation, np.inf)
    return np.rint(np.clip(0.5 + standard / 6, 0, 1) * 255).astype(np.uint8)


WAYS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType({"cut at 3 deviations": cut, "zscore": zscore})


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--masks", type=Path)
    given = parser.parse_args(arguments)
    masks = {path.stem: path for path in given.masks.rglob("*") if path.suffix in ENDINGS} if given.masks else {}
    images = [path for path in sorted(given.images.rglob("*")) if path.suffix in ENDINGS and path not in masks.values()]
    found: dict[str, list[list[float]]] = {name: [] for name in WAYS}
    for path in images:
        with Image.open(path) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        pixels = pixels[..., np.ptp(pixels, axis=(0, 1)) > 0]
        if not pixels.shape[2]:
            continue
        if masks:
            with Image.open(masks[path.stem]) as opened:
                thing = np.asarray(opened) > 0
        else:
            grey = pixels.mean(2)
            thing = grey >= np.percentile(grey, 75)
        for name, way in WAYS.items():
            seen = way(pixels)[thing]
            levels = [len(np.unique(seen[:, c])) for c in range(seen.shape[1])]
            found[name].append([float((seen == 255).mean()), float((seen == 0).mean()), float(np.mean(levels))])
    print(f"{len(images)} images\n\n| way | white | black | levels of grey that are left |\n|---|---|---|---|")
    for name, rows in found.items():
        white, black, levels = np.mean(rows, axis=0)
        print(f"| {name} | {white:.1%} | {black:.1%} | {levels:.0f} |")


if __name__ == "__main__":
    main()
