"""Encoders named by their library: "timm:MODEL.TAG", "open_clip:MODEL/TAG", "hf-hub:ORG/MODEL" (of timm)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import EncoderError
from .hub import hub_file
from .networks import open_clip_spec, timm_spec
from .open_clip_models import open_clip_facts
from .spec import EncoderSpec
from .timm_models import timm_facts

#: Traces of a way of training in the names that timm gives; the first that matches is the family.
_FAMILIES = (
    ("clip", r"clip|siglip|openai|metaclip|dfn|^vit_pe_"),
    ("imagenet", r"ft_in\d+k|_in1k$"),
    ("self-supervised", r"dino|lvd|mae|mim|jepa|aimv2|beit|_pt$|sapiens"),
    ("imagenet", r"in\d+k$"),
)


def timm_by_id(model_id: str, options: Mapping[str, str]) -> EncoderSpec:
    """Return the spec of any timm model, its dimension and input read from timm (imports torch)."""
    facts = timm_facts(model_id)
    return timm_spec(
        facts.model_id, name=f"timm:{model_id}", family=family_of(facts.model_id), dim=facts.dim,
        preprocess=facts.preprocess, licence=facts.licence, pretraining=facts.tag or "unknown",
        options=options, kind=facts.kind, patch=facts.patch, hub=facts.hub,
    )  # fmt: skip


def hub_by_id(repo: str, options: Mapping[str, str]) -> EncoderSpec:
    """Return the spec of a model saved on the Hugging Face hub by timm; reads or fetches config.json."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise EncoderError(f"Got 'hf-hub:{repo}'; expected hf-hub:ORG/MODEL.")
    facts = timm_facts(repo, str(hub_file(repo, ("config.json",), f"hf-hub:{repo}").parent))
    return timm_spec(
        repo, name=f"hf-hub:{repo}", family=family_of(repo), dim=facts.dim, preprocess=facts.preprocess,
        licence=facts.licence, pretraining="unknown", options=options, kind=facts.kind, patch=facts.patch,
        source="hf-hub", hub=repo,
    )  # fmt: skip


def open_clip_by_id(model_and_tag: str, options: Mapping[str, str]) -> EncoderSpec:
    """Return the spec of any open_clip image tower, read from open_clip's tables (imports torch)."""
    model_name, slash, tag = model_and_tag.partition("/")
    if not slash or not tag:
        raise EncoderError(f"Got 'open_clip:{model_and_tag}'; expected open_clip:MODEL/TAG, as ViT-B-32/openai.")
    facts = open_clip_facts(model_name, tag)
    return open_clip_spec(
        model_and_tag, name=f"open_clip:{model_and_tag}", dim=facts.dim, preprocess=facts.preprocess,
        licence="unknown", pretraining=tag, hub=facts.hub, options=options, patch=facts.patch,
    )  # fmt: skip


def family_of(model_id: str) -> str:
    """Guess the family of a timm model from its name and weights tag; "other" when nothing tells."""
    return next((family for family, trace in _FAMILIES if re.search(trace, model_id)), "other")


PREFIXES = {"timm": timm_by_id, "open_clip": open_clip_by_id, "hf-hub": hub_by_id}
