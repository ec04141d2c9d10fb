"""Make the encoder that comes with the package again: `lite0-cells`, in half an hour of one core. Prints its digest.

    OMP_NUM_THREADS=1 python tests/pretraining/ship.py --pool data/unlabelled --work scratch

The pool is the Data Science Bowl 2018 (stage 1, CC0) and the unlabelled cells of ifc_cellcycle_exp2 (BSD-3-Clause). What
`bench pretrain` learned lies in the folder --work; what of it differs from EfficientNet-Lite0 goes to encoders/learned/.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from own_pool import bench

from encoders import resolve
from encoders.deltas import FOLDER, write_delta
from encoders.timm_models import timm_model
from encoders.weights import file_sha256, read_state_dict

BASE, NAME = "efficientnet-lite0", "lite0-cells"
STEPS, BATCH, MOST, SIZE = 2000, 48, 6000, 96


def main() -> None:
    """Learn, and write the difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, required=True, help="a folder with dsb2018 and ifc_cellcycle_exp2 in it")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what is learned")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    if not (asked.work / "cells.encoder").exists():
        bench(asked.work, "pretrain", "--data", asked.pool.resolve(), "--instances", "segments", "--method", "orient",
              "--init", "imagenet", "--size", SIZE, "--steps", STEPS, "--batch", BATCH, "--most", MOST, "--device", "cpu",
              "--weights-licence", "Apache-2.0", "--to", "cells.encoder")  # fmt: skip
    path = FOLDER / f"{NAME}.safetensors"
    learned = read_state_dict(asked.work / "cells.encoder" / "weights.safetensors")
    write_delta(path, timm_model(resolve(BASE)).state_dict(), learned)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, sha256:{file_sha256(path)}")


if __name__ == "__main__":
    main()
