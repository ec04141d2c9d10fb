"""The facts that stand beside the numbers of a run's tables, gathered from its data and its sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.data.check import tier_of
from bench.data.warnings import skipped_warning
from bench.embeddings.embed import Prepared
from bench.fitting.plan import Sweep
from bench.protocol.budget import lacking
from bench.protocol.noise import KINDS
from bench.protocol.noise_in_words import company_of, describe_noise, luck_of
from bench.runs.facts import EncoderFacts, RunFacts


def describe_run(
    prepared: Prepared, instances: str, sweep: Sweep, known: Mapping[str, EncoderFacts], *, warned: Sequence[str]
) -> RunFacts:
    """Return what holds for every row of a run. instances: as they were asked for; known: by encoder.

    warned: the `data_warnings` of the dataset.
    """
    dataset = prepared.dataset
    tier, reason = tier_of(dataset)
    warnings = [*skipped_warning(dataset.problems), *warned]
    warnings += lacking(sweep.draws["total"], sweep.y, sweep.classes)
    return RunFacts(
        dataset=dataset.name, instances=instances, tier=tier, tier_reason=reason,
        split_rule=sweep.plan.rule, split_reason=sweep.plan.reason, draw=sweep.protocol.support_groups,
        classes=sweep.classes, encoders=known, warnings=(*warnings, *sweep.plan.notes), noise=_noise_words(sweep),
    )  # fmt: skip


def _noise_words(sweep: Sweep) -> dict[str, str]:
    """Return how labels go wrong, by kind of noise; nothing where all are clean."""
    protocol, highest = sweep.protocol, max(sweep.protocol.noise)
    if not highest:
        return {}
    luck = luck_of(highest, [unit.labels(len(sweep.classes)) for unit in sweep.blocks if unit.shots])
    by_slide = any(KINDS[kind].by_slide for kind in protocol.noise_kinds)
    company = company_of(sweep.draws["class"], sweep.table["group"].to_numpy(str)) if by_slide else ""
    return describe_noise(protocol.noise_kinds, sweep.classes, sweep.noise_inputs, protocol.confusable, luck, company)
