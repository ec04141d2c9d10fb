"""A sheet of paper to draw on, measured in millimetres, and its bytes as PNG, SVG or PDF: the same every time.

Series look as in the report: colour, dashes and shape of the same number. Past SERIES of them the shapes change, so
that every pair of colour and shape is another.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.report.html.words import shown_text
from bench.report.pictures.axes import SERIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, PAGE = 85.0, 180.0  # widths of a journal, mm
FONT, SMALL = 7.5, 7.0  # points
LINE = 3.4  # height of a line, mm
KEY = 8.5  # width of the line before a name of a key, mm
LONGEST = 36  # letters of a name
INCH = 25.4
DPI = 300
INK, SOFT, GRID = "#1b1f24", "#57606a", "#d5dae0"
COLOURS = ("#0072b2", "#c04f00", "#00805e", "#a8457f", "#8a6d00", "#2f8fc4", "#6b4fa0", "#5d6670")
DASHES = (
    (), (8, 4), (2, 4), (10, 3, 2, 3), (14, 4), (4, 4), (6, 3, 2, 3, 2, 3), (1, 3),
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
DASH = 0.35  # points per unit of a dash
#: Format -> what its metadata must not say: when, and by what version, it was drawn.
FORMATS: Mapping[str, Mapping[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
LOOK = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"], "font.size": FONT,
    "text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "cell-classifier", "pdf.fonttype": 42,
    "axes.linewidth": 0.6, "axes.edgecolor": SOFT, "axes.labelcolor": INK, "axes.labelsize": FONT,
    "text.color": INK, "xtick.color": SOFT, "ytick.color": SOFT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "xtick.major.size": 2.0, "ytick.major.size": 2.0,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "axes.spines.top": False, "axes.spines.right": False,
}  # fmt: skip


def need_matplotlib(asked: str) -> None:
    """Raise BenchError where matplotlib is not installed. asked: what the user typed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise BenchError(
            f"Got {asked} without matplotlib; expected it installed: pip install '.[plots]'. Or look at the same "
            "pictures by `bench report`, which does not need it."
        ) from None


@contextmanager
def look() -> Iterator[None]:
    """Draw as the project does within this block, whatever style the user has."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # said once, see `not_in_font`
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)  # type: ignore[arg-type]
        yield


def drawn(draw: Callable[[], Figure], formats: Sequence[str]) -> dict[str, bytes]:
    """Return a figure as bytes by format."""
    out = {}
    with look():
        figure = draw()
        for name in formats:
            file = io.BytesIO()
            figure.savefig(file, format=name, dpi=DPI, metadata=FORMATS[name])  # type: ignore[arg-type]
            out[name] = file.getvalue()
    return out


def sheet(width: float, height: float) -> Figure:
    """Return an empty figure of so many millimetres."""
    from matplotlib.figure import Figure as Drawing

    return Drawing(figsize=(width / INCH, height / INCH))


def size_of(figure: Figure) -> tuple[float, float]:
    """Return width and height in millimetres."""
    width, height = figure.get_size_inches()
    return float(width) * INCH, float(height) * INCH


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes of which the frame lies there, in millimetres from the upper left corner."""
    whole, tall = size_of(figure)
    return figure.add_axes((left / whole, 1 - (top + height) / tall, width / whole, height / tall))


def style_of(number: int) -> dict[str, Any]:
    """Return colour, dashes and shape of a series."""
    dashes = DASHES[number % SERIES]
    return {
        "color": COLOURS[number % SERIES], "marker": marker_of(number),
        "linestyle": (0, tuple(DASH * n for n in dashes)) if dashes else "-",
    }  # fmt: skip


def marker_of(number: int) -> str:
    """Return the shape of a series; the pair of colour and shape is new for SERIES * SERIES of them."""
    return MARKERS[(number + number // SERIES) % SERIES]


def width_of(names: Sequence[str], size: float = SMALL) -> float:
    """Return the width of the widest of some texts in so many points, in millimetres; 0 of none."""
    from matplotlib.textpath import TextPath

    paths = [TextPath((0, 0), name, size=size) for name in names if name.strip()]
    return max((float(path.get_extents().xmax) for path in paths), default=0.0) / 72 * INCH


def cut(names: Sequence[str], longest: int) -> list[str]:
    """Return names of at most so many letters, without their middle where they are longer, and with their number where
    they would not be told apart."""
    plain = [shown_text(name) for name in names]
    head, tail = (longest - 1) // 2, longest // 2
    out = [name if len(name) <= longest else f"{name[:head]}…{name[-tail:]}" for name in plain]
    return out if len(set(out)) == len(out) else [f"{i + 1} {name}" for i, name in enumerate(out)]


def key_size(names: Sequence[str], width: float) -> tuple[int, float]:
    """Return (columns, height in millimetres) of a key."""
    one = width_of(cut(names, LONGEST)) + KEY + 3
    columns = max(1, min(len(names), int(width // one)))
    return columns, LINE * -(-len(names) // columns)


def draw_key(
    figure: Figure, box: tuple[float, float, float], names: Sequence[str], *, line: bool = True
) -> None:
    """Draw colour, dashes and shape of series 0, 1, ... beside their names. box: left, top and width, mm."""
    left, top, width = box
    columns, height = key_size(names, width)
    axes = place(figure, left, top, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    rows = -(-len(names) // columns)
    for i, name in enumerate(cut(names, LONGEST)):
        x, y = (i // rows) * width / columns, LINE * (i % rows + 0.5)
        style = style_of(i)
        at = x + (3.5 if line else 1.2)
        if line:
            axes.plot([x, x + 7], [y, y], color=style["color"], linestyle=style["linestyle"], linewidth=1)
        axes.plot([at], [y], color=style["color"], marker=style["marker"], markersize=3.6, linestyle="none",
                  markeredgewidth=0)  # fmt: skip
        axes.text(x + (KEY if line else 3.4), y, name, va="center", fontsize=SMALL)


def not_in_font(words: Sequence[str]) -> list[str]:
    """Return the letters, sorted, that PNG and PDF cannot show."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    with look():
        font = get_font(findfont(FontProperties(family=["sans-serif"])))
    return sorted({letter for name in words for letter in name if not font.get_char_index(ord(letter))})
