"""The encoders and heads of a run, for another question to take over."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.heads import all_heads
from bench.report.tables.merge import BOARD, find_runs
from bench.storage.tables import parse_csv
from bench.storage.together import read_member
from encoders import EncoderError, resolve


def encoders_and_heads(out: Path, name: str) -> tuple[list[str], list[str]]:
    """Return (encoders, heads) of the leaderboard of a run: no baselines, diagnostics, ensembles or trained networks.

    name: of a folder below <out>/runs, or a folder. Raises BenchError where nothing of it can be taken home.
    """
    [folder] = find_runs(out, [name])
    data = read_member(folder, BOARD)
    if data is None:
        raise BenchError(f"Got run {name}, whose {BOARD} is lost; run `bench leaderboard --rebuild {name}` first.")
    board = parse_csv(data)
    board = board[(board["role"] == "encoder") & board["head"].isin(list(all_heads()))]
    encoders = [one for one in dict.fromkeys(board["encoder"]) if _is_known(one)]
    heads = list(dict.fromkeys(board["head"]))
    if not encoders or not heads:
        raise BenchError(
            f"Got run {name}, of which no row is an encoder with a head that can be fitted by itself; expected one. "
            "Name an --encoder and a --head instead of --from."
        )
    return encoders, heads


def _is_known(name: str) -> bool:
    try:
        resolve(name)
    except EncoderError:
        return False  # an alias, or several encoders as one
    return True
