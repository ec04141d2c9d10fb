"""Run every simulation and print its Markdown: what intervals, tests and warnings promise, on data whose truth is known.

    python tests/simulation/run_all.py            some hours on one core
    python tests/simulation/run_all.py --short    some minutes, to see that everything runs; figures are rough

The figures of the full version are in results/simulation. Simulations on real images (`draws_real`, `interventions`) take
embeddings or images as arguments and are run by themselves.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

SUITE = {  # name -> (how many of what it takes in full, in the short version)
    "new_slides": (("--studies", "300"), ("--studies", "4")),
    "equal_methods": (("--tables", "200"), ("--tables", "4")),
    "pairs_with_best": (("--tables", "600"), ("--tables", "10")),
    "ablations": (("--tables", "200"), ("--tables", "2")),
    "pilots": (("--studies", "200"), ("--studies", "2")),
    "promises": (("--studies", "100"), ("--studies", "1")),
    "large_slides": (("--studies", "60"), ("--studies", "1")),
    "chance": (("--datasets", "1000"), ("--datasets", "10")),
    "recalls": (("--studies", "100"), ("--studies", "2", "--others", "2")),
    "calibration": (("--sets", "1000"), ("--sets", "10", "--alone", "5")),
    "curves": (("--studies", "500"), ("--studies", "10")),
    "confounding": (("--tables", "500"), ("--tables", "5")),
    "draws": (("--sets", "200"), ("--sets", "4")),
    "exchange": (("--sets", "20"), ("--sets", "1", "--seeds", "4")),
    "granularity_slides": (("--studies", "200"), ("--studies", "4")),
}


def main() -> None:
    """Run the simulations one after the other; ends with the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default=",".join(SUITE), help="comma-separated")
    asked = parser.parse_args()
    for name in asked.only.split(","):
        start = time.perf_counter()
        print(f"## {name}\n", flush=True)
        script = Path(__file__).with_name(f"{name}.py")
        subprocess.run([sys.executable, str(script), *SUITE[name][asked.short]], check=True)
        print(f"\n{time.perf_counter() - start:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
