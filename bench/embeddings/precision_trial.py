"""The ways of running an encoder on a device, tried on images: which keep its embeddings, and how fast they are."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np

from bench.embeddings.embed import OnProgress
from bench.embeddings.precision_check import centred_cosine, keeps
from encoders import EncoderError, EncoderSpec, LoadedEncoder, Placement, one_thread_each
from encoders.backends import CPU_BATCH, GPU_BATCH

FASTER = 1.15  # a variant has to be so many times as fast as float32 by torch
ROUNDS = 3
CONTENDS = 1.3  # after the first round only those go on whose time is at most so many times that of the fastest


@dataclass(frozen=True, kw_only=True, eq=False)
class Way:
    """A way of running a network. options: of the variant; devices: where; needs: a module that has to be installed."""

    shown: str
    options: Mapping[str, str]
    devices: tuple[str, ...]
    needs: str = ""


PLAIN = Way(shown="float32", options={}, devices=("cpu", "cuda"))
WAYS = (
    Way(shown="bfloat16", options={"precision": "bfloat16"}, devices=("cpu", "cuda")),
    Way(shown="float32 by OpenVINO", options={"backend": "openvino"}, devices=("cpu",), needs="openvino"),
    Way(
        shown="bfloat16 by OpenVINO", options={"backend": "openvino", "precision": "bfloat16"}, devices=("cpu",),
        needs="openvino",
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A way as it was measured. way: as it is shown. passes: it keeps the embeddings.

    cosine: mean centred cosine to float32 by torch. speed: times as fast, the median of rounds; 0 where not timed. why:
    it cannot be run, or "".
    """

    way: str
    passes: bool = False
    cosine: float = 0.0
    speed: float = 0.0
    why: str = ""


def try_ways(
    ways: Mapping[Way, EncoderSpec], views: Sequence[np.ndarray], placement: Placement, on_progress: OnProgress | None
) -> list[Tried]:
    """Return what each way but PLAIN is like: first whether it keeps the embeddings of the views, then how fast it is.

    All of them are in memory at once, so that rounds can be interleaved: what else the machine does then slows all.
    Raises EncoderError where float32 cannot be loaded.
    """
    name, steps = ways[PLAIN].name, len(ways) + ROUNDS

    def tell(done: int) -> None:
        if on_progress:
            on_progress(f"measure {name}", done, steps)

    loaded = {PLAIN: ways[PLAIN].load(placement)}
    reference = loaded[PLAIN].encode(views)
    found: dict[Way, Tried] = {}
    for done, (way, variant) in enumerate(ways.items()):
        tell(done)
        if way is PLAIN or (way.needs and find_spec(way.needs) is None):
            continue
        try:
            encoder = variant.load(placement)
            cosine = float(centred_cosine(encoder.encode(views), reference).mean())
        except EncoderError as error:
            found[way] = Tried(way=way.shown, why=str(error))
            continue
        found[way] = Tried(way=way.shown, passes=keeps(variant, cosine), cosine=cosine)
        if found[way].passes:
            loaded[way] = encoder
    if len(loaded) > 1:
        speeds = time_ways(loaded, views, placement, lambda done: tell(len(ways) + done))
        found |= {way: replace(found[way], speed=speed) for way, speed in speeds.items()}
    tell(steps)
    return list(found.values())


def time_ways(
    loaded: Mapping[Way, LoadedEncoder],
    views: Sequence[np.ndarray],
    placement: Placement,
    on_round: Callable[[int], None],
) -> dict[Way, float]:
    """Return how many times as fast as PLAIN each other way is, the median over rounds in which all take turns.

    Every thread encodes one full batch at a time, as extraction has it. All have run once before, which is the warm-up.
    """
    on_cpu = placement.device == "cpu"
    batch = [views[at % len(views)] for at in range(CPU_BATCH if on_cpu else 2 * GPU_BATCH)]
    rounds: list[dict[Way, float]] = []
    going = dict(loaded)
    with one_thread_each(), ThreadPoolExecutor(placement.workers) as pool:
        for number in range(ROUNDS):
            on_round(number)
            rounds.append({way: _seconds(encoder, batch, pool, placement) for way, encoder in going.items()})
            limit = CONTENDS * min(rounds[0].values())
            going = {way: loaded[way] for way, spent in rounds[0].items() if spent <= limit or way is PLAIN}
    ratios = {way: [one[PLAIN] / one[way] for one in rounds if way in one] for way in loaded if way is not PLAIN}
    return {way: statistics.median(found) for way, found in ratios.items()}


def _seconds(
    encoder: LoadedEncoder, batch: Sequence[np.ndarray], pool: ThreadPoolExecutor, placement: Placement
) -> float:
    """Return how long the batch takes: once on every thread where they may encode at once, else once."""
    times = placement.workers if encoder.parallel else 1
    start = time.perf_counter()
    list(pool.map(encoder.encode, [batch] * times))
    return time.perf_counter() - start


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """Return the fastest that keeps the embeddings and is faster than float32 by the margin; None where none is."""
    able = [one for one in tried if one.passes and one.speed >= FASTER]
    return max(able, key=lambda one: one.speed, default=None)


def explain(tried: Sequence[Tried]) -> str:
    """Return why the best of what was tried was chosen, or none of it."""
    best = best_of(tried)
    if best:
        return f"{best.speed:.1f} times as fast as float32, cosine {_cosine(best.cosine)}"
    return "; ".join(map(_against, tried)) or "nothing else can be run here"


def _against(one: Tried) -> str:
    """Return why a way was not chosen."""
    if one.why:
        return f"{one.way} cannot be run ({one.why.rstrip('.')})"
    if not one.passes:
        return f"{one.way} changes the embeddings (cosine {_cosine(one.cosine)})"
    return f"{one.way} is {one.speed:.1f} times as fast"


def _cosine(value: float) -> str:
    """Return a cosine with four digits, cut and not rounded: what is under the limit of .9999 is not shown as it."""
    return f"{np.floor(10_000 * value) / 10_000:.4f}".replace("0.", ".", 1)
