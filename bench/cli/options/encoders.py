"""Options on encoders and on the machine that they run on, and how their names are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bench.cli.complete import encoder_words, head_words
from bench.cli.options.groups import BASIC, COMPUTER, ENCODERS, HEADS, option
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.fitting.ensembles import Ensemble

Encoders = Annotated[
    list[str] | None,
    option(
        BASIC,
        "Encoders, comma-separated or repeated; see `bench encoders`. If you name none: those whose embeddings are "
        "stored, else efficientnet-lite0, which needs no internet. `baselines` is a panel of cheap ones: colour, "
        "texture, focus, pixels, size, and a constant. NAME@size=448,color=grey is a variant, timm:MODEL, "
        "open_clip:MODEL/TAG, hf-hub:REPOSITORY and my.py:NAME are networks or functions from elsewhere, "
        "file:VECTORS.parquet (or .csv, .npz) has embeddings that another program computed, and SHORT=NAME is shown "
        "as SHORT in tables and pages. Variants that remove something show what a score rests on: @intervene=zscore "
        "removes the stain, @intervene=shuffle the morphology, @color=grey the colour.",
        "--encoder", "-e", value="NAMES", autocompletion=encoder_words,
    ),
]  # fmt: skip
Heads = Annotated[
    str,
    option(
        BASIC,
        "Heads, comma-separated: knn, centroid, ridge, lda, logreg, xgboost, ...; see `bench heads`. my.py:NAME is a "
        "scikit-learn classifier in a Python file of your own (the file is executed). `bench run` also has finetune "
        "and finetune-last, which train the encoder's network itself, all of it or its last layers; each fit takes "
        "seconds to minutes.",
        value="NAMES", autocompletion=head_words,
    ),
]  # fmt: skip
AllowMissing = Annotated[
    bool,
    option(
        ENCODERS, "Go on without encoders that cannot be loaded, with a note; otherwise they are an error.",
        "--allow-missing",
    ),
]  # fmt: skip
KeepPixels = Annotated[bool, option(ENCODERS, "Keep the decoded images too, 150 kB each at 224 px.", "--keep-pixels")]
Baselines = Annotated[
    bool,
    option(
        ENCODERS,
        "Add the panel `baselines`, which every encoder has to beat: constant (guessing), image-size, color-stats, "
        "color-histogram, grey-histogram, focus-spectrum, texture, thumbnail, raw-pixels.",
        "--baselines/--no-baselines",
    ),
]
Ensembles = Annotated[
    list[str] | None,
    option(
        ENCODERS,
        "Several encoders as one: concat:a,b (vectors side by side) or mean:a,b (of log-probabilities). Repeat.",
        value="KIND:NAMES",
    ),
]
ZeroShot = Annotated[
    bool,
    option(
        ENCODERS,
        "Also classify without labels, by comparing images with class names in words (open_clip encoders only).",
        "--zero-shot",
    ),
]
Prompts = Annotated[
    Path | None,
    option(
        ENCODERS, "The words for --zero-shot, in a file made by `bench prompts > FILE` and then edited.", value="FILE"
    ),
]
BagHeads = Annotated[
    str,
    option(
        HEADS,
        "How to learn from labels of whole images: mean-pool, inherit, noisy-or, log-sum-exp, attention (from 50 "
        "images per class), joint (with labels of cells as well); mean-pool:centroid is built on another head; all "
        "compares every one.",
        value="NAMES",
    ),
]
FromRun = Annotated[
    str | None,
    option(
        ENCODERS,
        "Use the encoders of an earlier `bench run` (in `bench fit` also its heads), without its baselines "
        "and diagnostics. Give its name below <out>/runs, or its folder.",
        "--from",
        value="RUN",
    ),
]
Device = Annotated[
    str,
    option(
        COMPUTER,
        "Where encoders run: auto, cpu, cuda or cuda:N. Training a network uses every GPU with auto or cuda; bench "
        "pretrain also takes a list, such as cuda:0,cuda:2.",
        "--device", value="DEVICE",
    ),
]  # fmt: skip
Precision = Annotated[
    str,
    option(
        COMPUTER,
        "Precision of networks whose name has no precision= or backend=: named (float32), or auto, the fastest that "
        "leaves the embeddings practically unchanged; this is measured once on your images and remembered.",
        "--precision", value="named|auto",
    ),
]  # fmt: skip
FitDevice = Annotated[
    str,
    option(
        COMPUTER, "Where logistic regression is solved: cpu, or cuda or cuda:N for many classes and labels.",
        value="DEVICE",
    ),
]  # fmt: skip
Workers = Annotated[int, option(COMPUTER, "Processes that fit heads.", value="N", min=1)]
Memory = Annotated[
    float | None,
    option(
        COMPUTER, "Memory in GB that all these processes together may use, approximately (default: half of the "
        "machine's).",
        value="GB", min=0.001,
    ),
]  # fmt: skip
CORES = os.cpu_count() or 1


def encoder_names(given: list[str] | None, *, required: bool = False) -> list[str]:
    """Return the encoders of repeated or comma-separated options, each once, panels expanded; none only if allowed."""
    if not given and not required:
        return []
    from encoders import expand, split_names

    found = [name for text in given or () for name in split_names(text)]
    if not found:
        raise BenchError("Got no --encoder; expected at least one, e.g. --encoder dino. `bench encoders` lists them.")
    return expand(found)


def one_of(names: list[str], option_name: str) -> str:
    """Return the only one of some names; BenchError where there are several."""
    if len(names) != 1:
        raise BenchError(f"Got {option_name} {','.join(names)}; expected one, as this command looks at one at a time.")
    return names[0]


def ensembles(given: list[str] | None) -> list[Ensemble]:
    """Return the ensembles of options such as concat:a,b."""
    if not given:
        return []
    from bench.fitting.ensembles import Ensemble
    from encoders import split_names

    parts = (text.partition(":") for text in given)
    return [Ensemble(kind, tuple(dict.fromkeys(split_names(names))) if names else ()) for kind, _, names in parts]


def check_device(device: str) -> None:
    """Raise EncoderError for a GPU that is not there, before anything is read. 'auto' and 'cpu' are always there."""
    if device not in ("auto", "cpu"):
        from encoders import find_placement

        find_placement(device, 1)
