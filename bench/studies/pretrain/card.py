"""The model card of an encoder that was made here: what it is, what it was learned from, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping

from bench.embeddings.embed import Prepared
from encoders.checkpoint import Checkpoint

WHAT = {
    "dictionary": "A dictionary of patches (Coates, Ng and Lee 2011): every part of an image is compared with each of "
    "{words} small patches that were found in the images below, and how much it is like them is averaged over {parts}.",
}


def card_of(checkpoint: Checkpoint, prepared: Prepared, figures: Mapping[str, float]) -> str:
    """Return the text of README.md."""
    grid = checkpoint.settings["grid"]
    parts = "all of the image" if grid == 1 else f"{grid} x {grid} parts of the image"
    what = WHAT[checkpoint.kind].format(words=checkpoint.settings["words"], parts=parts)
    size = checkpoint.preprocess.size
    seen = "colour" if checkpoint.preprocess.color == "rgb" else "grey"
    lines = [
        "# An encoder", "", what, "",
        f"- Input: {size} x {size} px, {seen}; what is not square is squashed.",
        f"- Learned from: {checkpoint.pretraining}, no labels. {checkpoint.made['data']}",
        f"- Made by: `{checkpoint.made['command'] or 'bench.studies.pretrain'}`, seed {checkpoint.made['seed']}",
        f"- Settings: {', '.join(f'{name} {value}' for name, value in checkpoint.settings.items())}",
        f"- Of a whitened patch the nearest word explains {100 * figures['explained']:.0f}% on average; "
        f"{100 * figures['unused']:.0f}% of the words have no patch of their own.",
        f"- Licence of the weights: {checkpoint.licence}. The images have licences of their own.", "",
        "Its worth is not known until it is compared, on slides that it was not learned from:", "",
        "    bench run --data Data/raw --encoder THIS_FOLDER,efficientnet-lite0", "",
    ]  # fmt: skip
    return "\n".join(lines)
