"""The methods of `bench pretrain`: name -> what it does, in a line, and papers. Imports nothing, so that help is fast.

`methods.py` says how each works; a test holds that both list the same.
"""

from __future__ import annotations

METHODS = {
    "dictionary": "of patches, no network; minutes on a CPU",
    "simclr": "two views of an instance agree, those of others differ",
    "vicreg": "two views agree, every dimension varies, no two dimensions tell the same",
    "byol": "a student foretells what a slow teacher sees in another view",
    "dino": "a student sorts views as a slow teacher does",
    "orient": "one orientation tells what the network at first sees in the mean over eight; needs --init imagenet",
    "distill": "a small network learns to predict the vectors of another encoder (--teacher)",
    "mae": "hidden patches are filled in",
}
DEFAULT_METHOD = "dictionary"
COLOURS = ("kept", "jittered", "grey")
