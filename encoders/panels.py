"""Panels: several encoders under one name, `--encoder baselines`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .errors import EncoderError

#: "baselines": what a learned encoder has to beat, and costs less than a network. All of them, on one core: 40 ms an
#: image of 224 px, where MobileNetV2 takes 70 and ResNet-18 125; most are of native size, and take 15 ms at 128 px and
#: 200 at 512, two thirds of it `texture`. Networks with random weights cost what networks cost, so they are asked for
#: by name.
PANELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "baselines": (
            "constant", "image-size", "color-stats", "color-histogram", "grey-histogram", "focus-spectrum", "texture",
            "thumbnail", "raw-pixels",
        ),
    }
)  # fmt: skip

#: What is compared where nothing is named: its weights are installed along, so that no network is needed.
DEFAULT = "efficientnet-lite0"

#: What panels were called before, so that a script from then goes on working.
FORMERLY: Mapping[str, str] = MappingProxyType({"trivial": "baselines"})


def expand(names: Iterable[str]) -> list[str]:
    """Return the names with every panel replaced by what it stands for, each name once, in order.

    Raises EncoderError for a panel with options, which its encoders would not all have.
    """
    found: list[str] = []
    for name in names:
        base, at, _ = name.partition("@")
        base = FORMERLY.get(base, base)
        if at and base in PANELS:
            own = ", ".join(PANELS[base])
            raise EncoderError(f"Got '{name}'; a panel takes no options. Give them to those of its encoders: {own}.")
        found += PANELS.get(base, (name,)) if not at else (name,)
    return list(dict.fromkeys(found))
