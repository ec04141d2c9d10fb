"""The encoders and heads of a run, for another question to take over."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.heads import all_heads
from bench.report.tables.merge import BOARD, find_runs
from bench.runs.facts import ENSEMBLE
from bench.runs.record import read_about
from bench.storage.tables import parse_csv
from bench.storage.together import read_member
from encoders import EncoderError, resolve


def encoders_and_heads(out: Path, name: str) -> tuple[list[str], list[str]]:
    """Return (encoders, heads) of the leaderboard of a run: no baselines, diagnostics, ensembles or trained networks.

    An encoder with an alias is given as ALIAS=NAME.
    name: of a folder below <out>/runs, or a folder. Raises BenchError where nothing of it can be taken home, and where
    one of its encoders is not known here.
    """
    [folder] = find_runs(out, [name])
    data = read_member(folder, BOARD)
    if data is None:
        raise BenchError(f"Got run {name}, whose {BOARD} is lost; run `bench leaderboard --rebuild {name}` first.")
    board = parse_csv(data)
    baselines = sorted(set(board.loc[board["role"] == "baseline", "encoder"]))
    board = board[(board["role"] == "encoder") & (board["family"] != ENSEMBLE) & board["head"].isin(list(all_heads()))]
    facts = read_about(folder).get("facts", {}).get("encoders", {})
    variants = {one: known.get("variant", "") for one, known in facts.items()}
    encoders = [_typed(one, variants.get(one, ""), name) for one in dict.fromkeys(board["encoder"])]
    heads = list(dict.fromkeys(board["head"]))
    if not encoders or not heads:
        of_those = f" ({', '.join(baselines)}: baselines, which are not taken over)" if baselines else ""
        raise BenchError(
            f"Got run {name}, of which no row is an encoder with a head that can be fitted by itself{of_those}; "
            "expected one. Name an --encoder and a --head instead of --from."
        )
    return encoders, heads


def _typed(shown: str, variant: str, run: str) -> str:
    """Return what is typed for an encoder of a run. Raises BenchError where it is not known here.

    shown: as the leaderboard has it. variant: its name without alias, "" where it has none.
    """
    typed = f"{shown}={variant}" if variant else shown
    try:
        resolve(typed)
    except EncoderError as error:
        raise BenchError(
            f"Got run {run}, whose encoder '{shown}' is not known here. {error} Name the encoders by --encoder instead "
            "of --from."
        ) from None
    return typed
