"""Encoders named by where they are from: "timm:MODEL.TAG", "open_clip:MODEL/TAG", "hf-hub:ORG/MODEL", "file:PATH"."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import EncoderError
from .hub import hub_file
from .networks import Network, network_spec
from .open_clip_models import open_clip_facts
from .outside import PREFIX, outside_spec
from .spec import EncoderSpec
from .timm_facts import timm_facts

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
    row = Network(
        f"timm:{model_id}", f"timm:{facts.model_id}", facts.dim, facts.params, facts.preprocess, facts.licence,
        facts.tag or "unknown", "as timm describes it", kind=facts.kind, patch=facts.patch, hub=facts.hub,
        family=family_of(facts.model_id),
    )  # fmt: skip
    return network_spec(row, options)


def hub_by_id(repo: str, options: Mapping[str, str]) -> EncoderSpec:
    """Return the spec of a model saved on the Hugging Face hub by timm; reads or fetches config.json."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise EncoderError(f"Got 'hf-hub:{repo}'; expected hf-hub:ORG/MODEL.")
    facts = timm_facts(repo, str(hub_file(repo, ("config.json",), f"hf-hub:{repo}").parent))
    row = Network(
        f"hf-hub:{repo}", f"hf-hub:{repo}", facts.dim, facts.params, facts.preprocess, facts.licence, "unknown",
        "as its config.json describes it", kind=facts.kind, patch=facts.patch, family=family_of(repo),
        checked="declared: config.json of the repository",
    )  # fmt: skip
    return network_spec(row, options)


def open_clip_by_id(model_and_tag: str, options: Mapping[str, str]) -> EncoderSpec:
    """Return the spec of any open_clip image tower, read from open_clip's tables (imports torch)."""
    model_name, slash, tag = model_and_tag.partition("/")
    if not slash or not tag:
        raise EncoderError(f"Got 'open_clip:{model_and_tag}'; expected open_clip:MODEL/TAG, as ViT-B-32/openai.")
    facts = open_clip_facts(model_name, tag)
    row = Network(
        f"open_clip:{model_and_tag}", f"open_clip:{model_and_tag}", facts.dim, 0, facts.preprocess, "unknown", tag,
        "as open_clip describes it", kind="fixed", patch=facts.patch, hub=facts.hub, family="clip",
    )  # fmt: skip
    return network_spec(row, options)


def family_of(model_id: str) -> str:
    """Guess the family of a timm model from its name and weights tag; "other" when nothing tells."""
    return next((family for family, trace in _FAMILIES if re.search(trace, model_id)), "other")


PREFIXES = {"timm": timm_by_id, "open_clip": open_clip_by_id, "hf-hub": hub_by_id, PREFIX: outside_spec}
