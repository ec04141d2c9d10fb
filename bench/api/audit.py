"""`bench.audit`: what is wrong with labelled images, as tables, and the table in which the user decides."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.api import arguments
from bench.api.arguments import PathLike, call_text
from bench.api.data import Data, as_data
from bench.api.words import in_python, python_words
from bench.progress import bars
from bench.report.pages.plain_text import plain_words
from bench.shown import Items, Part, Shows, Table, Title
from bench.storage.notices import take_notices
from bench.studies.audit.findings import LABEL
from bench.studies.audit.labels import DRAWS, HEADS
from bench.studies.audit.page import verdict
from bench.studies.audit.run import AuditRequest
from bench.studies.audit.run import audit as audit_all

SHOWN = 10


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class AuditResult(Shows):
    """What an audit found, as `audit` returns it.

    It shows itself: as HTML in a notebook, as text elsewhere.

    Attributes
    ----------
    findings : pandas.DataFrame
        One row per finding: kind ("label", "slide", "copy", "groups", "image" or "class"), path, box, group, label,
        suggested, score, p_wrong (0 to 1), rank with rank_low and rank_high, p, other_path, other_group, and reason.
    rate, rate_low, rate_high : float
        Share of the labels that is wrong, 0 to 1, with its 95% interval for other slides.
    slides : pandas.DataFrame
        One row per slide with 3 or more items: items, doubted, share, margin (log-odds), p, called.
    verdict : str
        What was found, in a few sentences.
    notes : tuple of str
        What is worth knowing of how it was found.
    folder : pathlib.Path
        Where audit.md, audit.csv and fix.csv lie.

    See Also
    --------
    audit : Makes it.
    """

    findings: pd.DataFrame
    rate: float
    rate_low: float
    rate_high: float
    slides: pd.DataFrame
    verdict: str
    notes: tuple[str, ...]
    folder: Path

    def __len__(self) -> int:
        return len(self.findings)

    def _parts(self) -> list[Part]:
        labels = self.findings[self.findings["kind"] == LABEL].head(SHOWN)
        others = self.findings[self.findings["kind"] != LABEL].head(SHOWN)
        parts: list[Part] = [Title(text=self.verdict), Items(heading="To know", items=self.notes)]
        if len(labels):
            rows = [
                (one["path"], one["label"], one["suggested"], f"{100 * one['p_wrong']:.0f}",
                 f"{one['rank_low']}-{one['rank_high']}")
                for one in labels.to_dict("records")
            ]  # fmt: skip
            head = ("image", "label", "more likely", "wrong in %", "rank")
            parts.append(
                Table(head=head, rows=rows, texts=3, caption="Labels that look wrong, the most suspicious first")
            )
        reasons = [f"{_what(one)}: {one['reason']}" for one in others.to_dict("records")]
        return [*parts, Items(heading="Also", items=reasons), f"The page: {self.folder / 'audit.md'}"]


def audit(
    data: Data | PathLike,
    *,
    encoders: str | Sequence[str] = (),
    heads: str | Sequence[str] = HEADS,
    draws: int = DRAWS,
    out: PathLike | None = None,
    name: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    progress: bool = True,
) -> AuditResult:
    """Look for labels, slides and images that are wrong; nothing is changed.

    Parameters
    ----------
    data : Data, str or path
        What `load_data` returned, of whole images or labelled regions, or a path for it.
    encoders : str or sequence of str, default=()
        Encoders whose embeddings labels are held against. Empty: those that are stored for this data, or the default
        one. Colour, texture and size are judged along.
    heads : str or sequence of str, default=("knn", "ridge", "logreg", "lda", "centroid")
        Heads on them: "knn", "ridge", "logreg", "lda", "centroid" and others that `list_heads` lists.
    draws : int, default=2
        How often groups are dealt anew to the parts that are left out.
    out : str or path, optional
        Folder of results. None: that of `data`, which is "results" unless told.
    name : str, optional
        Name of the folder <out>/audit/<name>. None: that of the data.
    device : str, default="auto"
        Where encoders run: "auto", "cpu", "cuda" or "cuda:N".
    workers : int, optional
        Threads that read images. None: all cores.
    progress : bool, default=True
        Show bars, in a terminal or a notebook.

    Returns
    -------
    AuditResult
        `findings`, the share of wrong labels `rate`, and the folder with audit.md, audit.csv and fix.csv.

    Raises
    ------
    BenchError
        For parts of images, an encoder that cannot be loaded, and arguments that are not as above.

    Notes
    -----
    Every label is predicted by models without its group, which are pooled log-linearly [1]_; how many labels are wrong
    follows from a model of how labels go wrong, with the anchors of [2]_. `bench audit --apply` writes the label table
    that follows from the decisions in fix.csv.

    References
    ----------
    .. [1] Genest, Zidek (1986). Combining Probability Distributions. Statistical Science 1.
    .. [2] Patrini, Rozza, Menon, Nock, Qu (2017). Making Deep Neural Networks Robust to Label Noise. CVPR.

    Examples
    --------
    >>> import bench
    >>> index = bench.write_demo("demo", bench.DemoSpec(images=12, size=(64, 64)))
    >>> data = bench.load_data("demo/raw", group_pattern=r"([^/]+)__")
    >>> found = bench.audit(data, encoders="texture", heads=["knn", "ridge"], workers=1)
    >>> 0 <= found.rate_low <= found.rate <= found.rate_high <= 1
    True
    >>> sorted(path.name for path in found.folder.glob("*.csv"))
    ['audit.csv', 'fix.csv']
    """
    typed = call_text(audit, locals())
    with python_words(), bars(arguments.flag(progress, "progress")) as report:
        spec, folder = as_data(data, out)
        request = AuditRequest(
            source=spec,
            encoders=arguments.encoder_names(encoders),
            heads=arguments.words(heads, "heads", "['knn', 'logreg']"),
            draws=arguments.whole_or_none(draws, "draws") or DRAWS,
            out=folder,
            name=arguments.text_or_none(name, "name"),
        )
        done = audit_all(
            request, command=typed, device=arguments.device(device, "device"),
            workers=arguments.whole_or_none(workers, "workers") or os.cpu_count() or 1, on_progress=report,
        )  # fmt: skip
        fitted = done.labels.fitted
        return AuditResult(
            findings=done.findings, rate=fitted.rate, rate_low=fitted.low, rate_high=fitted.high,
            slides=done.labels.slides, verdict=in_python(plain_words(verdict(done.about))),
            notes=tuple(map(in_python, (*done.notes, *take_notices()))), folder=done.folder,
        )  # fmt: skip


def _what(one: dict) -> str:
    return next(str(one[name]) for name in ("path", "group", "label") if isinstance(one[name], str) and one[name])
