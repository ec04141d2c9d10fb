"""A second layer of words over the maps of a dictionary of patches, tried as a rung of the ladder; see `ladder.py`.

Coates and Ng (2011), "Selecting receptive fields in deep networks": maps of the first layer that vary together are
gathered in groups, and every group gets a dictionary of its own, of patches of its maps. Both layers, pooled over the
image, are the vector. The words of the second layer are learned as those of the first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import conv2d, relu

from bench.embeddings.embed import DataSpec
from bench.studies.pretrain.dictionary import DictionarySettings, draw_patches, learn_words, level
from bench.studies.pretrain.run import read_material
from encoders import Preprocess, as_rgb, fit_input
from encoders.dictionary import FLOOR, module_of

POLICY = Preprocess(64, "squash", 1.0, "bilinear")
FIRST = DictionarySettings()
ACROSS, PATCH = 9, 3  # maps of the first layer are pooled to 9 x 9, and patches of 3 x 3 learned of them
GROUPS, MAPS, WORDS = 20, 40, 100  # groups of so many maps, and words of each
PATCHES, LOOKED_AT = 60_000, 1_000  # patches of a group, and images that are looked at to gather maps
AT_ONCE = 64


def maps_of(first: torch.nn.Module, pixels: np.ndarray) -> torch.Tensor:
    """Return the maps of the first layer, float32 (n, 2 K, 9, 9), of uint8 (n, 64, 64, 3)."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(pixels), AT_ONCE):
            x = torch.from_numpy(pixels[start : start + AT_ONCE]).permute(0, 3, 1, 2).float().div(255)
            found.append(first(x).view(len(x), -1, ACROSS, ACROSS))
    return torch.cat(found)


def gathered(maps: torch.Tensor, rng: np.random.Generator) -> np.ndarray:
    """Return groups of maps, (GROUPS, MAPS): a map drawn by chance, and those whose squares vary most with its own."""
    S = maps.permute(1, 0, 2, 3).flatten(1).square()  # (2 K, positions)
    S = (S - S.mean(1, keepdim=True)) / (S.std(1, keepdim=True) + 1e-6)
    seeds = rng.choice(len(S), GROUPS, replace=False)
    alike = (S[seeds] @ S.T).numpy()
    return np.argsort(-alike, axis=1, kind="stable")[:, :MAPS]


class TwoLayers:
    """What was learned: the first layer, groups of its maps, and a dictionary of each."""

    def __init__(self, pixels: np.ndarray, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        M, bias, _ = learn_words(level(draw_patches(pixels, FIRST.patch, FIRST.patches, rng)), FIRST.words, rng)
        state = {"weight": torch.from_numpy(M.reshape(-1, 3, FIRST.patch, FIRST.patch)), "bias": torch.from_numpy(bias)}
        self.first = module_of(state, ACROSS, FIRST.threshold)
        maps = maps_of(self.first, pixels[np.linspace(0, len(pixels) - 1, min(LOOKED_AT, len(pixels))).astype(int)])
        self.groups = gathered(maps, rng)
        self.second = [self._words(maps[:, torch.from_numpy(own)], rng) for own in self.groups]

    def _words(self, maps: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        image = torch.from_numpy(rng.integers(0, len(maps), PATCHES))
        top, left = rng.integers(0, ACROSS - PATCH + 1, (2, PATCHES))
        windows = maps.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # (n, MAPS, 7, 7, 3, 3)
        X = windows[image, :, torch.from_numpy(top), torch.from_numpy(left)].flatten(1).numpy()
        M, bias, _ = learn_words(level(X), WORDS, rng)
        return torch.from_numpy(M.reshape(WORDS, MAPS, PATCH, PATCH)), torch.from_numpy(bias)

    def vectors(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, 2 K + 2 GROUPS WORDS): the means of both layers."""
        maps = maps_of(self.first, pixels)
        found = [maps.mean((2, 3))]
        with torch.inference_mode():
            for own, (weight, bias) in zip(self.groups, self.second, strict=True):
                x = maps[:, torch.from_numpy(own)]
                each = torch.full((1, x.shape[1], PATCH, PATCH), 1 / (x.shape[1] * PATCH**2))
                mean, square = conv2d(x, each), conv2d(x * x, each)
                scale = torch.rsqrt((square - mean * mean).clamp_min(0) + FLOOR)
                a = conv2d(x, weight) * scale + bias[:, None, None]
                found.append(torch.cat([relu(a - FIRST.threshold), relu(-a - FIRST.threshold)], 1).mean((2, 3)))
        return torch.cat(found, 1).numpy()


def learned(pool: Path, work: Path) -> TwoLayers:
    """Learn both layers from the segments of the images below a folder."""
    source = DataSpec(pool, "segments")
    torch.set_num_threads(1)
    return TwoLayers(read_material(source, POLICY, 20_000, 1, beside=work).crops.pixels)


def write_vectors(layers: TwoLayers, data: Path, to: Path) -> None:
    """Write the vectors of all images of a folder of classes, as `--encoder file:` reads them."""
    paths = sorted(path for path in data.glob("*/*") if path.suffix.lower() in (".png", ".jpg", ".tif"))
    parts = []
    for start in range(0, len(paths), 512):
        images = [np.asarray(Image.open(path).convert("RGB")) for path in paths[start : start + 512]]
        parts.append(layers.vectors(np.stack([fit_input(as_rgb(image, POLICY), POLICY) for image in images])))
    names = np.array([path.relative_to(data).as_posix() for path in paths])
    np.savez(to, path=names, embedding=np.concatenate(parts))
