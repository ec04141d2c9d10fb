"""Link some images of a labelled folder, drawn by chance, into a folder of the same classes, to measure on fewer.

python tests/audit/subset.py --data nuclei_cells --rows 1200 --to sub/nuclei_cells
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--to", type=Path, required=True)
    asked = parser.parse_args()
    files = sorted(str(path) for path in asked.data.resolve().glob("*/*") if path.suffix != ".csv")
    random.Random(0).shuffle(files)
    for path in map(Path, files[: asked.rows]):
        link = asked.to / path.parent.name / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(path)


if __name__ == "__main__":
    main()
