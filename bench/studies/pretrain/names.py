"""The methods of `bench pretrain`: name -> what it does, in a line, and papers. Imports nothing, so that help is fast.

`methods.py` says how each works; a test holds that both list the same.
"""

from __future__ import annotations

METHODS = {
    "dictionary": "of patches, no network; minutes on a CPU",
    "simclr": "views of one instance become alike, views of different instances unlike",
    "vicreg": "two views agree, every dimension varies, and no two dimensions are correlated",
    "byol": "a student predicts the output of a slowly changing teacher for another view",
    "dino": "a student assigns views to classes, which it finds itself, as a slowly changing teacher does",
    "orient": "one orientation learns to give what the network gave as the mean over eight; needs --init imagenet",
    "distill": "a small network learns to predict the vectors of another encoder (--teacher)",
    "mae": "the network learns to fill in hidden patches",
}
DEFAULT_METHOD = "dictionary"
COLOURS = ("kept", "jittered", "grey")
