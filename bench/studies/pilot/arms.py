"""The arms of a pilot: ways to come to an encoder of one architecture, from the same images and with the same input.

Those that learn do so by the method and the steps that were asked for. The others are what learning has to beat: the
weights as they are, the same with their norms measured again on the images, and random ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bench.errors import BenchError, did_you_mean
from bench.studies.pretrain.crops import Crops
from bench.studies.pretrain.dictionary import DictionarySettings
from bench.studies.pretrain.method import Learned, Ready, Tools
from bench.studies.pretrain.methods import METHODS
from bench.studies.pretrain.ssl.backbones import Wanted, architecture_of, with_pool
from bench.studies.pretrain.ssl.learn import norms_measured
from bench.studies.pretrain.ssl.objectives import OBJECTIVES
from bench.studies.pretrain.ssl.settings import NetworkSettings
from bench.studies.pretrain.ssl.starts import find_backbone
from bench.work.threads import torch_threads
from encoders import Preprocess

ASKED = "as asked"  # the method that the user names
KEPT, MEASURED = "weights as they are", "norms measured again"  # of arms that learn nothing
BASE = "imagenet"  # what all arms are held against
FIRST = "continued"  # the arm that the pilot was made for


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to an encoder. what: in words. method: of `METHODS`, or one of the three above. init: of a network; drawn:
    whether it depends on a seed."""

    what: str
    method: str
    init: str = ""
    drawn: bool = True


ARMS: Mapping[str, Arm] = MappingProxyType(
    {
        "imagenet": Arm(what="ImageNet weights as they are", method=KEPT, init="imagenet", drawn=False),
        "continued": Arm(what="ImageNet weights that learned on", method=ASKED, init="imagenet"),
        "scratch": Arm(what="random weights that learned", method=ASKED, init="random"),
        "norms": Arm(
            what="ImageNet weights, norms measured again on the images", method=MEASURED, init="imagenet", drawn=False
        ),
        "dictionary": Arm(what="a dictionary of patches of the images", method="dictionary"),
        "random": Arm(what="random weights as they are", method=KEPT, init="random"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Training:
    """What all arms that learn have in common. method: of networks. The rest: see `NetworkSettings`."""

    method: str = "vicreg"
    backbone: str = "timm:tf_efficientnet_lite0"  # whose ImageNet weights are installed along
    steps: int = 300
    batch: int = 64
    size: int = 96

    def settings(self, init: str, seed: int) -> NetworkSettings:
        """Return the settings of a network that starts so."""
        return NetworkSettings(
            backbone=self.backbone, init=init, steps=self.steps, batch=self.batch, seed=seed
        )


def arms_of(names: Sequence[str], method: str) -> dict[str, Arm]:
    """Return the arms of these names, all that can be for none; BenchError for one that there is not, or no base."""
    if method not in OBJECTIVES:
        hint = did_you_mean(method, OBJECTIVES) or "."
        raise BenchError(f"Got --method {method}{hint} Expected a method for networks: {', '.join(OBJECTIVES)}.")
    for name in names:
        if name not in ARMS:
            raise BenchError(
                f"Got --arms {name}{did_you_mean(name, ARMS) or '.'} Expected some of {', '.join(ARMS)}."
            )
    if names and BASE not in names:
        raise BenchError(f"Got --arms {','.join(names)}; expected {BASE} among them, which all are held against.")
    if not names and OBJECTIVES[method].foresee and not OBJECTIVES[method].distils:
        names = [name for name, arm in ARMS.items() if (arm.method, arm.init) != (ASKED, "random")]
    return {name: arm for name, arm in ARMS.items() if not names or name in names}


def ready_of(arm: Arm, training: Training, seed: int) -> Ready:
    """Return what makes the encoder of an arm, checked; BenchError for what cannot be."""
    if arm.method == "dictionary":
        return METHODS["dictionary"].prepare(DictionarySettings(seed=seed), training.size, "rgb")
    if arm.method == ASKED:
        return METHODS[training.method].prepare(training.settings(arm.init, seed), training.size, "rgb")
    return prepare_kept(arm, training, seed)


def prepare_kept(arm: Arm, training: Training, seed: int) -> Ready:
    """Return what writes a network that learns nothing, with its norms measured on the images where the arm says so."""
    settings = training.settings(arm.init, seed)
    wanted = Wanted(
        architecture=architecture_of(settings.backbone), default="", arguments={}, size=training.size, seed=seed
    )
    backbone = find_backbone(arm.init, wanted)
    backbone = with_pool(backbone, OBJECTIVES[training.method].pool(backbone), training.size)  # read as the others are

    def keep(crops: Crops, tools: Tools) -> Learned:
        if arm.method == MEASURED:
            with torch_threads(tools.workers):
                norms_measured(backbone, crops.pixels)
        made: dict[str, Any] = {"seed": seed, "init": arm.init, "weights_at_first": backbone.weights}
        return Learned(
            kind="network", settings=backbone.settings(), dim=backbone.dim, facts=(), figures={}, made=made,
            what=f"A network, {backbone.architecture} of timm: {arm.what}.",
            tensors={name: tensor.numpy() for name, tensor in backbone.model.state_dict().items()},
        )  # fmt: skip

    policy = Preprocess(training.size, "squash", 1.0, "bilinear", backbone.mean, backbone.std)
    return Ready(policy=policy, learn=keep)
