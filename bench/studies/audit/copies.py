"""Images of one set that show the same thing: turned, mirrored, saved again, in another light, cropped, or overlapping.

Two steps. Candidates are images whose spectra of fine detail are alike, as moving changes no spectrum: of the whole
images, of one whole beside the middle of the other, which a crop shows, and of their halves, which fields share that
overlap by half. They are the same only where the detail itself correlates at some place (`correlate`), which that of
sibling tiles, of one slide and one stain, does not, and where the images differ nowhere by much there, as two animals
of one outline do. What was saved again with little detail left is told by its coarse parts (`coarse`), or at full size
(`saved_again`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pandas as pd

from bench.studies.audit.coarse import coarse_neighbours, same_coarsely
from bench.studies.audit.correlate import best_correlation, detail, differ, overlapping, plain_waves, rough_correlation
from bench.studies.audit.placed import placed
from bench.studies.audit.saved_again import CACHED, FullSize, saved_again
from bench.studies.audit.unseen import Progress
from bench.studies.spectra import centred, spectra
from encoders.orientations import ORIENTED, orientation

SIDE = 72  # pixels that images are read with
SMALL = 64  # pixels that are compared; the middle of SIDE is what a crop of a tenth shows
CANDIDATES = 3  # of every image in every orientation and way
LEAST = 0.85  # correlation from which on two images are the same, at any place and orientation
LEAST_UNMOVED, ABOVE_CHANCE = 0.65, 0.25  # where nothing is moved or turned, as in what was saved again
NEARLY = 0.7  # correlation from which on pairs that are not the same by these limits are looked at in full size
ROUGH = (0.35, 0.35, 0.25)  # the same moved in a circle, from which on a candidate of each way is looked at closely
MOST = 5000  # images up to which halves are compared too
ABOVE_ROUGH, HALF_ROUGH = 0.05, 0.6  # above what chance gives; of halves, a share of it
DRAWN, SAME = 4096, 0.9  # pairs drawn by chance; correlation from which on such a pair is a copy itself
ANY_WINDOW = 0.85  # standard deviations by which a window of two copies may differ at most
PAIRS = 256  # verified at a time
EIGHT = ("", "turned by 90", "turned by 180", "turned by 270", "mirrored", "mirrored and turned by 90",
         "mirrored and turned by 180", "mirrored and turned by 270")  # fmt: skip
COARSELY = "the same view, with other detail"
COLUMNS = ["first", "second", "how", "correlation"]
WHOLE, MIDDLE, HALF = range(3)  # of the first image; of the second it is the whole, or half too

Candidate = tuple[int, int, int, int]  # first, second, way, orientation of the second


def find_copies(
    pixels: np.ndarray, on_progress: Progress | None = None, full_size: FullSize | None = None
) -> pd.DataFrame:
    """Return a row COLUMNS per pair of images that show the same, first < second, of grey images (n, SIDE, SIDE).

    how: in words; correlation: of the detail, up to 1, or of the coarse parts where `how` is COARSELY, or of pixels.
    Images of one flat colour are no copies of each other. full_size: the images as they are (`saved_again`).
    """
    if len(pixels) < 2:
        return pd.DataFrame(columns=COLUMNS)
    whole, middle = _smaller(pixels), _middle(pixels)
    chance = _by_chance(whole)
    likely = _likely(_candidates(whole, middle), (whole, middle), chance, on_progress)
    unmoved_least, moved_least = max(LEAST_UNMOVED, chance + ABOVE_CHANCE), max(LEAST, (1 + chance) / 2)
    found: dict[tuple[int, int], tuple[float, str]] = {}
    nearly: list[tuple[tuple[int, int], int, int, int, str]] = []
    for start in range(0, len(likely), PAIRS):
        some = likely[start : start + PAIRS]
        first = np.stack([middle[i] if way == MIDDLE else whole[i] for i, _, way, _ in some])
        second = np.stack([_turned(whole[j][None], k)[0] for _, j, _, k in some])
        value, shift, unmoved = best_correlation(detail(first), detail(second))
        same = (value >= moved_least) | (
            (unmoved >= unmoved_least) & np.array([way != MIDDLE and not k for _, _, way, k in some])
        )
        for at in np.flatnonzero(same | (value >= NEARLY)).tolist():
            i, j, way, k = some[at]
            pair, ncc = (min(i, j), max(i, j)), float(value[at])
            both = overlapping(first[at], second[at], shift[at])
            part = both[0].size / first[at].size
            if not same[at] or differ(*both) >= ANY_WINDOW:
                nearly.append((pair, i, j, k, _how(way, k, part)))
            elif ncc > found.get(pair, (0.0, ""))[0]:
                found[pair] = ncc, _how(way, k, part)
    near = coarse_neighbours(pixels)
    for i, j, alike in same_coarsely(near):
        found.setdefault((i, j), (alike, COARSELY))
    if full_size:
        read = lru_cache(CACHED)(full_size)
        for pair, i, j, k, how in nearly:
            exact = placed(read(i), read(j), k) if pair not in found else None
            if exact is not None:
                found[pair] = exact, how
        found |= {(i, j): (alike, how) for i, j, how, alike in saved_again(near, read, found)}
    rows = [(*pair, how, min(value, 1.0)) for pair, (value, how) in sorted(found.items())]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"first": int, "second": int, "correlation": float})


def _likely(
    candidates: set[Candidate], images: tuple[np.ndarray, np.ndarray], chance: float, on_progress: Progress | None
) -> list[Candidate]:
    """Return the candidates whose details correlate at least roughly, and more than chance gives.

    images: the whole ones and their middle.
    """
    whole, middle = images
    usual = (chance + ABOVE_ROUGH, chance + ABOVE_ROUGH, HALF_ROUGH * chance)
    rough = [max(least, one) for least, one in zip(ROUGH, usual, strict=True)]
    kinds = {WHOLE: plain_waves(detail(whole)), MIDDLE: plain_waves(detail(middle))}
    out, done = [], 0
    for k in range(ORIENTED):
        others = plain_waves(detail(_turned(whole, k)))
        for way, of in ((WHOLE, WHOLE), (MIDDLE, MIDDLE), (HALF, WHOLE)):
            own = sorted(one for one in candidates if one[2:] == (way, k))
            for start in range(0, len(own), PAIRS):
                some = own[start : start + PAIRS]
                i, j = np.array([one[:2] for one in some]).T
                value = rough_correlation(kinds[of][i], others[j])
                out += [one for one, near in zip(some, value.tolist(), strict=True) if near >= rough[way]]
            done += len(own)
        if on_progress:
            on_progress("compare images", done, max(len(candidates), 1))
    return out


def _by_chance(whole: np.ndarray) -> float:
    """Return the largest correlation of detail of pairs drawn by chance: high where all images are of one form."""
    fine = detail(whole)
    fine = (fine / np.maximum(np.sqrt((fine * fine).sum((1, 2), keepdims=True)), 1e-3)).reshape(len(fine), -1)
    i, j = np.random.default_rng(0).integers(0, len(fine), (2, DRAWN))
    value = np.concatenate([np.vecdot(fine[i[k : k + PAIRS]], fine[j[k : k + PAIRS]]) for k in range(0, DRAWN, PAIRS)])
    apart = value[(i != j) & (value < SAME)]
    return float(np.quantile(apart, 0.999)) if len(apart) else 0.0


def _how(way: int, k: int, part: float) -> str:
    moved = "cropped" if way == MIDDLE else "overlapping" if part < 0.9 else ""
    return ", ".join(filter(None, (EIGHT[k], moved))) or "the same view"


def _candidates(whole: np.ndarray, middle: np.ndarray) -> set[Candidate]:
    """Return (first, second, way, orientation): `Candidate`s."""
    n, out = len(whole), set[Candidate]()
    usual = spectra(whole).mean(0)
    turned = [centred(spectra(_turned(whole, k)), usual) for k in (0, 1, 4, 5)]  # of two that differ by 180 one will do
    for way, mine in ((WHOLE, turned[0]), (MIDDLE, centred(spectra(middle), usual))):
        for k, other in zip((0, 1, 4, 5), turned, strict=True):
            for i, j in _nearest(mine, other, CANDIDATES):
                same_way = way == WHOLE and j < i
                out |= {(i, j, way, k), (i, j, way, _half_turn(k))} if not same_way else set()
    if n <= MOST:
        out |= _half_candidates(whole)
    return out


def _half_candidates(whole: np.ndarray) -> set[Candidate]:
    """Return the candidates by halves: the right one of an image in its eight orientations beside those of the others.

    The right half of an image turned by k is any of its four halves, so that all pairs of halves meet.
    """
    half = SMALL // 2
    mine = spectra(whole[:, :, half:])
    usual = mine.mean(0)
    out = set[Candidate]()
    for a in range(4):
        right = centred(spectra(_turned(whole, a)[:, :, half:]), usual)
        for b in range(ORIENTED):
            left = centred(spectra(_turned(whole, b)[:, :, :half]), usual)
            for i, j in _nearest(right, left, 1):
                if i != j:
                    out.add((i, j, HALF, _composed(a, b)))
    return out


def _composed(a: int, b: int) -> int:
    """Return the orientation of the second image beside the first as it is, where they match turned by a and by b.

    The first is turned back by a quarters; of the second, turned by b, the same is done.
    """
    return 4 * (b // 4) + (b - a) % 4


def _nearest(mine: np.ndarray, others: np.ndarray, k: int) -> Iterator[tuple[int, int]]:
    """Yield (i, j) of the k rows j of others (n, d) that are most alike each row i of mine, other than i."""
    for start in range(0, len(mine), 1024):
        alike = mine[start : start + 1024] @ others.T
        rows = np.arange(len(alike))
        alike[rows, start + rows] = -np.inf
        top = np.argpartition(-alike, min(k, len(others) - 1), 1)[:, :k]
        for i, row in enumerate(top.tolist()):
            yield from ((start + i, j) for j in row if j != start + i)


def _half_turn(k: int) -> int:
    return 4 * (k // 4) + (k + 2) % 4


def _turned(images: np.ndarray, k: int) -> np.ndarray:
    """Return images (n, S, S) in the orientation k of eight."""
    return orientation(images.transpose(1, 2, 0), k).transpose(2, 0, 1)


def _middle(pixels: np.ndarray) -> np.ndarray:
    edge = (SIDE - SMALL) // 2
    return pixels[:, edge : edge + SMALL, edge : edge + SMALL].astype(np.float32)


def _smaller(pixels: np.ndarray) -> np.ndarray:
    """Return images (n, SIDE, SIDE) with SMALL pixels a side: 9 become 8 along both axes, each by what it covers."""
    at = np.arange(SMALL + 1) * (SIDE / SMALL)
    weight = np.zeros((SMALL, SIDE), np.float32)
    for i in range(SMALL):
        for j in range(int(at[i]), int(np.ceil(at[i + 1]))):
            weight[i, j] = min(at[i + 1], j + 1) - max(at[i], j)
    weight /= weight.sum(1, keepdims=True)
    found: np.ndarray = weight @ pixels.astype(np.float32) @ weight.T
    return found
