"""What a run's tables say beside the numbers: the dataset, how it was split, what the encoders are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.instances.blank import diagnostic_of
from bench.protocol.split_kinds import why_diagnostic

ROLE_DIAGNOSTIC = "diagnostic"  # of an encoder, beside "encoder" and "baseline"
ENSEMBLE = "ensemble"  # the family of several encoders as one


@dataclass(frozen=True)
class EncoderFacts:
    """What the leaderboard says of an encoder.

    trivial: whether it is a baseline, which every encoder has to beat. diagnostic: why its scores are diagnostics, ""
    where they are results; intact: the encoder from which something was taken away, "" where nothing was. variant: what
    is known everywhere where the user gave an alias, else "".
    """

    family: str
    dim: int
    trivial: bool
    ms_per_image: float
    diagnostic: str = ""
    intact: str = ""
    variant: str = ""


@dataclass(frozen=True)
class RunFacts:
    """What holds for every row of a run.

    dataset: what the data is called. content: what it is, see `bench.data.content`; place: where it lay.
    """

    dataset: str
    instances: str
    tier: str
    tier_reason: str
    split_rule: str
    split_reason: str
    draw: str
    classes: tuple[str, ...]
    encoders: Mapping[str, EncoderFacts]
    warnings: tuple[str, ...] = ()
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of the zero-shot rows
    noise: Mapping[str, str] = field(default_factory=dict)  # kind -> how labels go wrong
    content: str = ""
    place: str = ""

    @property
    def diagnostic(self) -> str:
        """Why the whole run is a diagnostic, so nothing is compared; "" where it is none."""
        return why_diagnostic(self.split_rule) or diagnostic_of(self.instances)

    def role(self, encoder: str) -> str:
        """Return what the rows of an encoder are: "encoder", "baseline" or "diagnostic"."""
        known = self.encoders[encoder]
        if self.diagnostic or known.diagnostic:
            return ROLE_DIAGNOSTIC
        return "baseline" if known.trivial else "encoder"
