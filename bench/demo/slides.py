"""What a slide does to a picture: stain, light, optics and camera, none of it knowing the class.

In: two density layers of a scene, `dense` (walls, lignin, membranes, nuclei) and `soft` (cytoplasm),
float32 (H, W) in [0, 1]. Out: uint8 (H, W, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bench.demo.spec import DemoSpec, keyed_rng


@dataclass(frozen=True)
class Stain:
    """light: 'bright' (absorbs), 'fluorescent' (emits) or 'relief' (differential interference contrast).
    ground, dense, soft: RGB in 0..255 of empty field, full dense layer and full soft layer.
    """

    name: str
    light: str
    ground: tuple[int, int, int]
    dense: tuple[int, int, int]
    soft: tuple[int, int, int]


STAINS = (
    Stain("haematoxylin-eosin", "bright", (245, 241, 245), (86, 48, 132), (228, 118, 160)),
    Stain("safranin-fast-green", "bright", (240, 243, 238), (188, 26, 66), (72, 178, 168)),
    Stain("toluidine-blue", "bright", (228, 237, 245), (28, 48, 140), (112, 164, 216)),
    Stain("giemsa", "bright", (242, 234, 222), (112, 56, 118), (214, 126, 122)),
    Stain("golgi-silver", "bright", (238, 212, 158), (44, 26, 14), (146, 100, 44)),
    Stain("pyronin-methyl-green", "bright", (241, 240, 246), (38, 128, 112), (206, 92, 170)),
    Stain("green-fluorescence", "fluorescent", (4, 12, 7), (96, 255, 110), (20, 150, 62)),
    Stain("red-fluorescence", "fluorescent", (12, 4, 5), (255, 112, 60), (176, 22, 30)),
    Stain("blue-red-fluorescence", "fluorescent", (5, 5, 14), (92, 216, 255), (188, 48, 88)),
    Stain("interference-contrast", "relief", (150, 151, 149), (150, 150, 150), (150, 150, 150)),
)
CONFOUNDED = {  # the usual stain of each class in the literature, which is what makes it a shortcut
    "neuron": "green-fluorescence",
    "phloem": "safranin-fast-green",
    "rbc": "giemsa",
    "xylem": "toluidine-blue",
}
TRAITS = ("strength", "dense", "soft", "hue", "exposure", "tilt_y", "tilt_x", "vignette", "blur", "noise", "scale")


@dataclass(frozen=True)
class Appearance:
    """One stain and one standard normal number per trait of TRAITS."""

    stain: Stain
    traits: dict[str, float]


def appearance_of(spec: DemoSpec, image_class: str, slide: int, index: int) -> Appearance:
    """Return how image (class, slide, index) was stained and taken.

    With g = group_effect, a trait is sqrt(g) z_slide + sqrt(1 - g) z_image with standard normal z: its variance
    over images is 1 whatever g, and two images of a slide correlate by g. The stain is the slide's with
    probability sqrt(g), so that two images both show it with probability g; else it is the image's own.
    """
    of_slide, of_image = keyed_rng(spec.seed, "slide", slide), keyed_rng(spec.seed, "image", image_class, slide, index)
    between, within = np.sqrt(spec.group_effect), np.sqrt(1 - spec.group_effect)
    z = between * of_slide.standard_normal(len(TRAITS)) + within * of_image.standard_normal(len(TRAITS))
    deck = keyed_rng(spec.seed, "stains").permutation(len(STAINS))  # slides take turns: few slides, many stains
    slide_stain, own_stain = deck[slide % len(STAINS)], of_image.integers(len(STAINS))
    stain = STAINS[slide_stain if of_image.random() < between else own_stain]
    traits = dict(zip(TRAITS, z.tolist(), strict=True))
    if spec.confounded:
        stain = next(stain for stain in STAINS if stain.name == CONFOUNDED[image_class])
        traits["hue"] *= 0.3
    return Appearance(stain, traits)


def photograph(
    dense: np.ndarray, soft: np.ndarray, look: Appearance, difficulty: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the picture of a scene, uint8 (H, W, 3): staining, optics, light and camera, in that order."""
    trait = look.traits
    contrast = (1 - 0.5 * difficulty) * np.exp(0.22 * trait["strength"])
    dense = contrast * np.exp(0.15 * trait["dense"]) * dense
    soft = contrast * np.exp(0.3 * trait["soft"]) * soft
    light = {"bright": _absorb, "fluorescent": _emit, "relief": _shear}[look.stain.light](dense, soft, look.stain)
    light = _turn_hue(light, 0.16 * trait["hue"])
    unit = min(dense.shape) / 192
    light = ndimage.gaussian_filter(light, (*[unit * 0.55 * np.exp(0.3 * trait["blur"])] * 2, 0))
    light = np.clip(light * _field(dense.shape, trait)[..., None], 0, 1)
    level = (0.014 + 0.02 * difficulty + 0.05 * difficulty**2) * np.exp(0.35 * trait["noise"])
    shot = rng.standard_normal(light.shape, dtype=np.float32) * np.sqrt(0.25 + light)  # grows with the light
    return np.round(255 * np.clip(light + level * shot, 0, 1)).astype(np.uint8)


def _absorb(dense: np.ndarray, soft: np.ndarray, stain: Stain) -> np.ndarray:
    """Beer-Lambert: each layer multiplies the light by its colour to the power of its density."""
    ground = np.array(stain.ground) / 255
    log_dense, log_soft = np.log(np.array(stain.dense) / 255 / ground), np.log(np.array(stain.soft) / 255 / ground)
    depth = dense[..., None] * log_dense + soft[..., None] * log_soft
    return (ground * np.exp(np.minimum(depth, 0))).astype(np.float32)


def _emit(dense: np.ndarray, soft: np.ndarray, stain: Stain) -> np.ndarray:
    """Fluorescence: the layers' light adds up over a dark ground, with a faint out-of-focus glow."""
    glow = ndimage.gaussian_filter(dense + soft, 0.04 * min(dense.shape))
    colours = [np.array(rgb) / 255 for rgb in (stain.ground, stain.dense, stain.soft)]
    light = colours[0] + (dense + 0.12 * glow)[..., None] * colours[1] + (soft + 0.08 * glow)[..., None] * colours[2]
    return (1 - np.exp(-1.25 * light)).astype(np.float32)  # the camera saturates softly


def _shear(dense: np.ndarray, soft: np.ndarray, stain: Stain) -> np.ndarray:
    """Interference contrast: grey shows the slope of the optical path along one diagonal, as relief."""
    path = ndimage.gaussian_filter(0.8 * dense + soft, 0.8)
    slope = ndimage.sobel(path, 0) + ndimage.sobel(path, 1)
    grey = stain.ground[0] / 255 + 0.22 * np.tanh(0.55 * slope) - 0.05 * path
    return np.repeat(grey[..., None], 3, axis=2).astype(np.float32)


def _turn_hue(light: np.ndarray, angle: float) -> np.ndarray:
    """Rotate colours about the grey axis by `angle` radians; grey stays grey."""
    cos, third = np.cos(angle), (1 - np.cos(angle)) / 3
    sin = np.sin(angle) / np.sqrt(3)
    turn = np.full((3, 3), third) + np.eye(3) * cos + sin * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    return light @ turn.T.astype(np.float32)


def _field(size: tuple[int, ...], trait: dict[str, float]) -> np.ndarray:
    """Return the illumination (H, W): exposure, a tilted plane, and a fall towards the corners."""
    y, x = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]), indexing="ij")
    plane = 0.055 * (trait["tilt_y"] * y + trait["tilt_x"] * x)
    corners = 0.09 * np.exp(0.4 * trait["vignette"]) * (x**2 + y**2) / 2
    return (np.exp(0.05 * trait["exposure"]) * (1 + plane - corners)).astype(np.float32)
