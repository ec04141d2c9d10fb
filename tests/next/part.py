"""A part of a set as a folder of its own, for a replay that is to be done soon.

    python tests/next/part.py FOLDER TO [--slide 40] [--most 400] [--finer WBC FIELDS]

Of every slide (what stands before two underscores in a name) at most --slide images of a class, of every class at most
--most, by keyed hashes of the names. With --finer, images of one class get the class that their slide has in another
folder, where each slide is one image; those whose slide is not there are left out.
"""

from __future__ import annotations

import argparse
import shutil
from collections import Counter
from pathlib import Path

from bench.images import IMAGE_SUFFIXES
from bench.seeds import keyed_uniform


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("to", type=Path)
    parser.add_argument("--slide", type=int, default=10**9)
    parser.add_argument("--most", type=int, default=10**9)
    parser.add_argument("--finer", nargs=2, metavar=("CLASS", "FOLDER"))
    told = parser.parse_args()
    coarse, fields = told.finer or (None, "")
    finer = {path.stem: path.parent.name for path in Path(fields).glob("*/*")} if coarse else {}
    paths = sorted(p for p in told.folder.glob("*/*") if p.suffix.lower() in IMAGE_SUFFIXES)
    drawn = keyed_uniform(("part",), [path.name for path in paths])
    of_slide, of_class = Counter(), Counter()
    for _, path in sorted(zip(drawn.tolist(), paths, strict=True)):
        label, slide = path.parent.name, path.name.partition("__")[0]
        if label == coarse:
            label = finer.get(slide)
        if label and of_slide[label, slide] < told.slide and of_class[label] < told.most:
            of_slide[label, slide] += 1
            of_class[label] += 1
            (told.to / label).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, told.to / label / path.name)
    print(dict(of_class))


if __name__ == "__main__":
    main()
