"""What a run's tables were made of, kept beside its predictions, so that they can be made again without fitting.

    run.json            the facts of `RunFacts`, what was refused, the command, and a signature of all that
    units.csv           one row per unit: which predictions belong to which encoder, head, selection, shots and noise
    instances.parquet   the instance table, from which the splits follow

They are written together with the tables, and read only where they are what was written; see `bench.storage.together`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.data.content import data_name
from bench.errors import BenchError
from bench.protocol.level import level_of
from bench.protocol.split_kinds import plan_of_rule
from bench.protocol.splits import SplitPlan
from bench.runs.blocks import FitBlock, block_of
from bench.runs.facts import EncoderFacts, RunFacts
from bench.runs.predictions import read_identity
from bench.storage.tables import csv_bytes, parse_csv
from bench.storage.together import RECORD, put_together, read_member, read_record

UNITS_FILE, INSTANCES_FILE = "units.csv", "instances.parquet"
UNITS = ["unit", "encoder", "head", "selection", "shots", "seeds", "noise_kind", "rates", "series"]
AGAIN = "Run the same `bench run` again: it fits only what is missing, and writes its tables again."


@dataclass(frozen=True)
class RunRecord:
    """Everything besides the predictions that a run's tables are made of; refused: why shot levels have no rows."""

    units: tuple[FitBlock, ...]
    table: pd.DataFrame  # the instances
    plan: SplitPlan
    facts: RunFacts
    refused: tuple[str, ...]
    command: str


def encoder_keys(units: Iterable[FitBlock]) -> dict[str, str]:
    """Return encoder -> its key, by the names that tables show, which may be aliases."""
    return {one.encoder: str(one.identity["encoder"]) for one in units if "encoder" in one.identity}


def write_record_of(
    folder: Path, account: RunRecord, tables: Mapping[str, bytes | None], about: Mapping[str, Any]
) -> None:
    """Put a run's tables and what they were made of in place, all or none. about: more of run.json."""
    instances = io.BytesIO()
    account.table.to_parquet(instances, index=False)
    rows = [
        (one.name, one.encoder, one.head, one.selection, one.shots, one.draws, one.noise_kind, json.dumps(one.rates),
         one.series)
        for one in account.units
    ]  # fmt: skip
    units = csv_bytes(pd.DataFrame(rows, columns=UNITS))
    facts = account.facts
    more = {
        "command": account.command, "dataset": facts.dataset, "instances": facts.instances, "classes": facts.classes,
        "data": data_name(account.table, facts.classes), "tier": facts.tier, "split": facts.split_rule,
        "refused": account.refused, "warnings": facts.warnings, "units": len(account.units),
        "prompts": dict(facts.prompts), "noise": dict(facts.noise), "facts": asdict(facts),
        "encoder_keys": encoder_keys(account.units),
    }  # fmt: skip
    put_together(
        folder, {**tables, UNITS_FILE: units, INSTANCES_FILE: instances.getvalue()}, {**about, **more}
    )


def read_about(folder: Path) -> dict[str, Any]:
    """Return a run's run.json, {} where there is none or it is damaged."""
    return read_record(folder)


def read_record_of(folder: Path) -> RunRecord:
    """Return what a run's tables were made of. Raises BenchError where that, or a file of predictions, is missing."""
    about, table, units = read_about(folder), read_instances(folder), read_units(folder)
    if "facts" not in about or table is None or units.empty:
        raise BenchError(
            f"Got {folder}, whose {RECORD}, {UNITS_FILE} or {INSTANCES_FILE} is missing or not what was written; "
            f"expected all three, as they say what its tables were made of. {AGAIN}"
        )
    kept = about["facts"]
    encoders = {name: EncoderFacts(**known) for name, known in kept["encoders"].items()}
    lists = {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
    prompts = {name: tuple(texts) for name, texts in kept["prompts"].items()}
    facts = RunFacts(**(kept | lists | {"encoders": encoders, "prompts": prompts}))
    plan = plan_of_rule(table, facts.classes, facts.split_rule)
    made = tuple(_unit(folder, row) for row in units.to_dict("records"))
    return RunRecord(made, table, plan, facts, tuple(about["refused"]), about["command"])


def read_units(folder: Path) -> pd.DataFrame:
    """Return the columns UNITS of a run's units; no rows where it does not say which they are."""
    data = read_member(folder, UNITS_FILE)
    return pd.DataFrame(columns=UNITS) if data is None else parse_csv(data, empty_is_text=True)


def read_instances(folder: Path) -> pd.DataFrame | None:
    """Return the instance table of a run, None where it is missing or damaged."""
    data = read_member(folder, INSTANCES_FILE)
    return None if data is None else pd.read_parquet(io.BytesIO(data))


def _unit(folder: Path, row: dict[Any, Any]) -> FitBlock:
    identity = read_identity(folder, row["unit"])
    if identity is None:
        raise BenchError(
            f"Got {folder} without the predictions of {row['encoder']} x {row['head']} at {row['shots']} shots, or "
            f"with a damaged file of them. {AGAIN}"
        )
    level = level_of(row["shots"], row["series"]) if row["shots"] else None
    return block_of(
        identity, encoder=row["encoder"], head=row["head"], level=level, draws=row["seeds"],
        rates=tuple(json.loads(row["rates"])), noise_kind=row["noise_kind"],
    )  # fmt: skip
