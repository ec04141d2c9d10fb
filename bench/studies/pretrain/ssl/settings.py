"""What can be chosen where a network is learned."""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import BenchError


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """How a network is learned.

    backbone: "timm:NAME", or "" for that of init, else the method's own. init: "random", "imagenet", a file of weights,
    an encoder, or a folder that `bench pretrain` wrote. steps: batches that are learned from; batch: instances in each.
    colour: "kept", "jittered" (channels lighter or darker by chance), or "grey". learning_rate: its highest; 0 for 1e-3
    from random weights and 5e-5 from others. teacher: the encoder that `distill` learns from, "" for its own choice.
    seed: of weights, order and views. keep_every: steps after which the state is written, so that a killed training
    goes on from there.
    """

    backbone: str = ""
    init: str = "random"
    steps: int = 1000
    batch: int = 128
    colour: str = "kept"
    learning_rate: float = 0.0
    teacher: str = ""
    seed: int = 0
    keep_every: int = 100

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch", 4), ("keep_every", 1)):
            if getattr(self, name) < least:
                option = name.replace("_", "-")
                raise BenchError(f"Got --{option} {getattr(self, name)}; expected at least {least}.")
        if not 0 <= self.learning_rate < 1:
            raise BenchError(f"Got --learning-rate {self.learning_rate}; expected a number from 0 to 1, as 0.001.")
