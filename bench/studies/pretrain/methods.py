"""The registry of methods: the dictionary of patches, and every objective for networks."""

from __future__ import annotations

from functools import partial

from bench.studies.pretrain.dictionary import DictionarySettings, prepare_dictionary
from bench.studies.pretrain.method import Method
from bench.studies.pretrain.ssl.learn import prepare_network
from bench.studies.pretrain.ssl.objectives import OBJECTIVES
from bench.studies.pretrain.ssl.settings import NetworkSettings

METHODS = {
    "dictionary": Method(settings=DictionarySettings, prepare=prepare_dictionary),
    **{
        name: Method(settings=NetworkSettings, prepare=partial(prepare_network, objective), network=True)
        for name, objective in OBJECTIVES.items()
    },
}
