"""What a run's tables were made of, kept beside its predictions, so that they can be made again without fitting.

    run.json            the facts of `RunFacts`, what was refused, the command, and a signature of all that
    units.csv           one row per unit: which predictions belong to which encoder, head, selection, shots and noise
    instances.parquet   the instance table, from which the splits follow
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.data.content import content_of
from bench.disk.atomic import replacing, write_atomically
from bench.disk.shards import header
from bench.disk.tables import read_csv, write_csv
from bench.draws.episodes import SplitPlan
from bench.draws.sources import plan_of_rule
from bench.errors import BenchError
from bench.fitting.ledger import Unit
from bench.fitting.sweep import data_name
from bench.report.facts import EncoderFacts, RunFacts

UNITS = ["unit", "encoder", "head", "selection", "shots", "seeds", "noise_kind", "rates", "series"]
AGAIN = "Run the same `bench run` again: it fits only what is missing, and writes its tables anew."


@dataclass(frozen=True)
class Account:
    """Everything besides the predictions that a run's tables are made of; refused: why shot levels have no rows."""

    units: tuple[Unit, ...]
    table: pd.DataFrame  # the instances
    plan: SplitPlan
    facts: RunFacts
    refused: tuple[str, ...]
    command: str


def write_account(folder: Path, account: Account, about: dict[str, Any]) -> None:
    """Write the three files, run.json last: it says that the rest of the folder is whole. about: more of run.json."""
    with replacing(folder / "instances.parquet") as path:
        account.table.to_parquet(path, index=False)
    rows = [
        (one.name, one.encoder, one.head, one.selection, one.shots, one.seeds, one.noise_kind, json.dumps(one.rates),
         one.series)
        for one in account.units
    ]  # fmt: skip
    write_csv(folder / "units.csv", pd.DataFrame(rows, columns=UNITS))
    facts = account.facts
    more = {
        "command": account.command, "dataset": facts.dataset, "instances": facts.instances, "classes": facts.classes,
        "data": data_name(account.table, facts.classes), "tier": facts.tier, "split": facts.split_rule,
        "refused": account.refused, "warnings": facts.warnings, "units": len(account.units),
        "prompts": dict(facts.prompts), "noise": dict(facts.noise), "facts": asdict(facts),
        "encoder_keys": {one.encoder: str(one.identity["encoder"]) for one in account.units
                         if "encoder" in one.identity},
    }  # fmt: skip
    write_atomically(folder / "run.json", json.dumps(about | more, indent=1).encode())


def read_about(folder: Path) -> dict[str, Any]:
    """Return a run's run.json, {} where there is none or it is damaged."""
    try:
        return dict(json.loads((folder / "run.json").read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def read_account(folder: Path) -> Account:
    """Return what a run's tables were made of. Raises BenchError where that, or a file of predictions, is missing."""
    about = read_about(folder)
    if "facts" not in about or not (folder / "units.csv").is_file():
        raise BenchError(f"Got {folder}, which does not say what its tables were made of. {AGAIN}")
    kept = about["facts"]
    encoders = {name: EncoderFacts(**known) for name, known in kept["encoders"].items()}
    lists = {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
    prompts = {name: tuple(texts) for name, texts in kept["prompts"].items()}
    table = pd.read_parquet(io.BytesIO((folder / "instances.parquet").read_bytes()))
    kept["content"] = kept.get("content") or content_of(table)  # an earlier version did not say
    facts = RunFacts(**(kept | lists | {"encoders": encoders, "prompts": prompts}))
    units = tuple(_unit(folder, row) for row in read_units(folder).to_dict("records"))
    plan = plan_of_rule(table, facts.classes, facts.split_rule)
    return Account(units, table, plan, facts, tuple(about["refused"]), about["command"])


def read_units(folder: Path) -> pd.DataFrame:
    """Return the columns UNITS of a run's units; no rows where it does not say which they are."""
    path = folder / "units.csv"
    return read_csv(path, empty_is_text=True) if path.is_file() else pd.DataFrame(columns=UNITS)


def _unit(folder: Path, row: dict[Any, Any]) -> Unit:
    path = folder / "predictions" / f"{row['unit']}.safetensors"
    try:
        with path.open("rb") as file:
            length = file.read(8)
            identity = json.loads(header(length + file.read(int.from_bytes(length, "little")))["unit"])["identity"]
    except (OSError, ValueError, KeyError) as error:
        raise BenchError(
            f"Got {folder} without the predictions of {row['encoder']} x {row['head']} at {row['shots']} shots, or "
            f"with a damaged file of them. {AGAIN}"
        ) from error
    rates, kind = tuple(json.loads(row["rates"])), row["noise_kind"]
    return Unit(row["encoder"], row["head"], row["shots"], row["seeds"], rates, kind, identity, row["series"])
