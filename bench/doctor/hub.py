"""What encoders can be had: here already, from the hub, behind a gate; and what their licences allow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bench.doctor.finding import Finding
from bench.heads import plugin_problems
from encoders import DEFAULT, EncoderSpec, availability, registered, resolve
from encoders.hub import cache_folder, endpoint, unreachable

PART = "hub"
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
LIMITED = ("non-commercial", "research")


def look_at_hub(*, online: bool = False) -> Iterator[Finding]:
    """Yield findings on encoders, their licences and the hub. online: ask whether it answers, within seconds."""
    specs, problems = registered()
    for what, texts in (("encoder of a plug-in", problems), ("head of a plug-in", plugin_problems())):
        for text in texts:
            yield Finding(part=PART, what=what, state="problem", found=text, do="update or remove the plug-in")
    lacking = availability(resolve(DEFAULT))
    yield Finding(
        part=PART, what=f"default encoder {DEFAULT}", state="problem" if lacking else "ok", found=lacking or "here",
        do="pip install . again, or name another by --encoder" if lacking else "", stops=bool(lacking),
    )  # fmt: skip
    here = sum(availability(spec) is None for spec in specs)
    yield Finding(
        part=PART, what="encoders", state="ok", found=f"{here} of {len(specs)} can be used without a download",
        do="bench encoders --here lists them",
    )  # fmt: skip
    yield _answers(online=online)
    yield from _gates(specs)
    yield from _licences(specs)


def token_is_set() -> bool:
    """Return whether a token of the hub is there, in the environment or where `hf auth login` keeps it."""
    if any(os.environ.get(name, "").strip() for name in TOKENS):
        return True
    kept = os.environ.get("HF_TOKEN_PATH") or cache_folder().parent / "token"
    try:
        return Path(kept).expanduser().stat().st_size > 0
    except OSError:
        return False


def _answers(*, online: bool) -> Finding:
    if not online:
        found, do = f"{endpoint()} was not asked", "bench doctor --online asks whether it answers"
        return Finding(part=PART, what="access", state="note", found=found, do=do)
    if os.environ.get("HF_HUB_OFFLINE", "").strip():
        found, do = f"{endpoint()} was not contacted, as HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE to download"
        return Finding(part=PART, what="access", state="note", found=found, do=do)
    why = unreachable(endpoint())
    if why is None:
        return Finding(part=PART, what="access", state="ok", found=f"{endpoint()} answers")
    return Finding(
        part=PART, what="access", state="problem", found=f"{endpoint()} does not answer ({why})",
        do="set HF_ENDPOINT to a mirror, copy the cache of another machine (HF_HOME), or use encoders that are here",
    )  # fmt: skip


def _gates(specs: list[EncoderSpec]) -> Iterator[Finding]:
    closed = [spec for spec in specs if spec.gated and availability(spec) is not None]
    token = token_is_set()
    yield Finding(
        part=PART, what="token (HF_TOKEN)", state="ok" if token or not closed else "note",
        found="there" if token else "none", do="" if token or not closed else "set HF_TOKEN for gated encoders",
    )  # fmt: skip
    if closed:
        yield Finding(
            part=PART, what="gated encoders", state="note", found=_listed(closed),
            do="accept each licence on the hub with the account of your token; bench encoders NAME shows the page",
        )  # fmt: skip


def _licences(specs: list[EncoderSpec]) -> Iterator[Finding]:
    for kind in LIMITED:
        own = [spec for spec in specs if spec.licence_class == kind]
        if own:
            do = "read the licence before any other use of the encoder or its results"
            yield Finding(part=PART, what=f"{kind} licences", state="note", found=_listed(own), do=do)


def _listed(specs: list[EncoderSpec]) -> str:
    return f"{len(specs)}: {', '.join(sorted(spec.name for spec in specs))}"
