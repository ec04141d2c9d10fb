"""The fastest way of running an encoder that keeps its embeddings: tried on the user's own images, chosen once.

    <store>/precision/<key of float32>-<cpu or cuda>-<digest of the dataset's name>.json

A choice holds while at least half of the images that it was measured on are in the dataset, so that one to which images
are added keeps it, and another dataset of the same name does not get it. What is stored already comes first: a variant
whose embeddings are all stored is taken, and where there is no choice one of which at least half are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench.embeddings.embed import OnProgress, Prepared
from bench.embeddings.extract import bring_stored, in_order
from bench.embeddings.precision_check import FEWEST, note_passed, rows_to_compare, views_to_compare
from bench.embeddings.precision_trial import PLAIN, WAYS, Tried, Way, best_of, explain, try_ways
from bench.errors import BenchError
from bench.storage.buckets.mirror import commit, present
from bench.storage.verified import digest_of, json_bytes, read_json
from bench.work.engine import Job, share
from encoders import (
    EncoderError,
    EncoderSpec,
    Placement,
    check_aliases,
    find_placement,
    resolve,
    split_alias,
    split_options,
)

NAMED, AUTO = "named", "auto"


def check_precision_word(word: str) -> None:
    """Raise BenchError for a value of --precision that is none."""
    if word not in (NAMED, AUTO):
        raise BenchError(
            f"Got --precision {word}; expected {NAMED} (as the names of encoders say) or {AUTO} (measured). For one "
            "precision name it with the encoder, as NAME@precision=bfloat16."
        )


def choose_precisions(
    prepared: Prepared,
    asked: Sequence[tuple[EncoderSpec, str]],
    device: str = "auto",
    on_progress: OnProgress | None = None,
    *,
    measure: bool = True,
) -> tuple[list[EncoderSpec], tuple[str, ...]]:
    """Return (every encoder in the precision that is best here, a sentence for each that had a choice).

    asked: encoders and how each was typed; one with precision= or backend= stays as it is, and so does one that has no
    such options. measure: where no choice is kept, try the ways on the images; else that is said and float32 taken.
    """
    placement: Placement | None = None
    chosen, said = [], []
    for spec, typed in asked:
        ways = {} if _is_told(typed) or spec.reference != spec else variants(spec)
        if not ways:
            chosen.append(spec)
            continue
        from joblib import cpu_count

        placement = placement or find_placement(device, cpu_count())
        kind = placement.device.partition(":")[0]
        here = {way: variant for way, variant in ways.items() if kind in way.devices}
        choice = _Choice(prepared, spec, kind, {PLAIN: spec, **here})
        way, why = choice.kept() or (choice.made(placement, on_progress) if measure else (PLAIN, "not measured yet"))
        chosen.append(choice.ways[way])
        said.append(f"{spec.name}: {way.shown}, {why}{_called(chosen[-1], spec)}")
    check_aliases(chosen)
    return chosen, tuple(said)


def variants(spec: EncoderSpec) -> dict[Way, EncoderSpec]:
    """Return the ways in which an encoder can be run, but for float32 by torch; none of one without such options."""
    if spec.weights == "none":
        return {}
    base, given = split_options(spec.full_name)
    alias = f"{spec.name}=" if spec.variant else ""
    found = {}
    for way in WAYS:
        options = ",".join(f"{key}={value}" for key, value in {**given, **way.options}.items())
        try:
            variant = resolve(f"{alias}{base}@{options}")
        except EncoderError:  # it has no such option
            continue
        if variant.reference.key == spec.key != variant.key:
            found[way] = variant
    return found


class _Choice:
    """The choice for one encoder on one kind of device. ways: PLAIN and those that can be had, with their variants."""

    def __init__(self, prepared: Prepared, spec: EncoderSpec, kind: str, ways: Mapping[Way, EncoderSpec]) -> None:
        self.prepared, self.spec, self.ways = prepared, spec, ways
        self.table = in_order(prepared.instances)
        self.names = self.table["instance"].to_numpy(str)
        stem = f"{spec.key}-{kind}-{digest_of(prepared.dataset.name.encode())[:16]}"
        self.path: Path = prepared.store.root / "precision" / f"{stem}.json"

    def kept(self) -> tuple[Way, str] | None:
        """Return (what was chosen before or is stored already, why); None where that is neither."""
        store = self.prepared.store
        keys = {way: variant.key for way, variant in self.ways.items()}
        bring_stored(store, list(keys.values()), self.prepared.instances)
        stored = {way: float(store.has(key, self.names).mean()) for way, key in keys.items()}
        recalled = self.recalled()
        complete = [way for way, part in stored.items() if part == 1]
        if recalled and (recalled[0] in complete or not complete):
            return recalled[0], f"{recalled[1]}, as measured before"
        most = max(stored, key=lambda way: stored[way])
        if stored[most] >= 0.5:
            return most, "as its embeddings are stored" if complete else "as most of its embeddings are stored"
        return None

    def recalled(self) -> tuple[Way, str] | None:
        """Return what a kept choice says, where it was measured on images of this dataset."""
        present(self.path)
        record = read_json(self.path, self.path.stem)
        try:
            if record is None or np.isin(record["instances"], self.names).mean() < 0.5:
                return None
            tried = [Tried(**one) for one in record["tried"]]
        except (KeyError, TypeError):  # as another version wrote it
            return None
        best = best_of(tried)
        by_name = {way.shown: way for way in self.ways}
        way = by_name.get(best.way) if best else PLAIN
        return (way, explain(tried)) if way else None

    def made(self, placement: Placement, on_progress: OnProgress | None) -> tuple[Way, str]:
        """Measure, keep what comes out, and return it; where another process is measuring, wait for what it finds."""
        with self.prepared.store.claims() as claims:
            job = Job(names=(f"precision-{self.path.stem}",), what=None)
            for mine in share([job], claims, lambda name: self.recalled() is None):
                if mine is None:
                    continue
                views = views_to_compare(self.spec, self.prepared.store, self.table, self.prepared.dataset.root)
                if len(views) < FEWEST:
                    return PLAIN, f"as only {len(views)} images can be read, too few to measure on"
                try:
                    tried = try_ways(self.ways, views, placement, on_progress)
                except EncoderError:  # float32 cannot be had either: extraction says so
                    return PLAIN, "which cannot be loaded"
                self._keep(tried, len(views))
                claims.done(job.names[0])
        return self.recalled() or (PLAIN, "as what was measured could not be kept")

    def _keep(self, tried: Sequence[Tried], images: int) -> None:
        variants = {way.shown: variant for way, variant in self.ways.items()}
        for one in tried:
            if one.passes:
                note_passed(variants[one.way], self.prepared.store, one.cosine, images)
        measured_on = self.names[rows_to_compare(self.table)].tolist()
        record = {"encoder": self.spec.full_name, "tried": [asdict(one) for one in tried], "instances": measured_on}
        commit(self.path, json_bytes(record, self.path.stem), is_sound=lambda path: self.recalled() is not None)


def _is_told(typed: str) -> bool:
    """Return whether a precision or backend was typed, be it the default, which canonical names leave out."""
    return bool({"precision", "backend"} & split_options(split_alias(typed)[1])[1].keys())


def _called(variant: EncoderSpec, spec: EncoderSpec) -> str:
    return f"; called {variant.name}" if variant.name != spec.name else ""
