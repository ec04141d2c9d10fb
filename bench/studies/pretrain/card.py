"""The model card of an encoder that was made here: what it is, what it was learned from, and how to use it."""

from __future__ import annotations

from bench.studies.pretrain.method import Learned
from encoders.checkpoint import Checkpoint


def card_of(checkpoint: Checkpoint, learned: Learned) -> str:
    """Return the text of README.md."""
    size = checkpoint.preprocess.size
    seen = "colour" if checkpoint.preprocess.color == "rgb" else "grey"
    lines = [
        "# An encoder", "", learned.what, "",
        f"- Input: {size} x {size} px, {seen}; what is not square is squashed.",
        f"- Learned from: {checkpoint.pretraining}, no labels. {checkpoint.made['data']}",
        f"- Made by: `{checkpoint.made['command'] or 'bench.studies.pretrain'}`, seed {checkpoint.made['seed']}",
        f"- Settings: {', '.join(f'{name} {value}' for name, value in checkpoint.settings.items())}",
        *(f"- {fact}" for fact in (*learned.facts, *learned.notes)),
        f"- Licence of the weights: {checkpoint.licence}. The images have licences of their own.", "",
        "Its worth is not known until it is compared, on slides that it was not learned from:", "",
        "    bench run --data Data/raw --encoder THIS_FOLDER,efficientnet-lite0", "",
    ]  # fmt: skip
    return "\n".join(lines)
