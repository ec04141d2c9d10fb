"""`bench.list_encoders` and `bench.list_heads`: what there is to choose from, as tables."""

from __future__ import annotations

import pandas as pd

from bench.heads import all_heads
from encoders import EncoderError, availability, names, resolve


def list_encoders() -> pd.DataFrame:
    """List the encoders that have a name of their own; nothing is loaded or downloaded.

    Returns
    -------
    pandas.DataFrame
        One row per encoder, sorted by family and size: encoder, family, dim (of one vector), size (side of the input
        in pixels, NA for its own), params (millions), licence, use (what the licence allows), pretraining, and missing
        (why it cannot be used without a download, "" where it can).

    Notes
    -----
    Others are named by where they are from: "timm:MODEL", "open_clip:MODEL/TAG", "hf-hub:REPOSITORY", "my.py:NAME",
    "file:VECTORS.parquet". "baselines" is a name for the whole panel of baselines.

    Examples
    --------
    >>> import bench
    >>> table = bench.list_encoders()
    >>> table.loc[table["encoder"] == "dino", ["encoder", "family", "dim", "size"]].to_dict("records")
    [{'encoder': 'dino', 'family': 'self-supervised', 'dim': 384, 'size': 224}]
    """
    rows: list[dict[str, object]] = []
    for name in names():
        try:
            spec = resolve(name)
        except EncoderError as error:  # a plug-in that cannot be imported
            rows.append({"encoder": name, "missing": str(error)})
            continue
        rows.append({
            "encoder": spec.name, "family": spec.family, "dim": spec.dim, "size": spec.preprocess.size,
            "params": spec.params or None, "licence": spec.licence, "use": spec.licence_class,
            "pretraining": spec.pretraining, "missing": availability(spec) or "",
        })  # fmt: skip
    table = pd.DataFrame(rows).astype({"dim": "Int64", "size": "Int64", "params": "Float64"})
    return table.sort_values(["family", "params", "encoder"], na_position="first", ignore_index=True)


def list_heads() -> pd.DataFrame:
    """List the heads, which are the classical models that learn from embeddings.

    Returns
    -------
    pandas.DataFrame
        One row per head, sorted by name: head, summary, and settings (how many there are to choose from).

    Examples
    --------
    >>> import bench
    >>> heads = bench.list_heads()
    >>> {"centroid", "knn", "logreg", "xgboost"} <= set(heads["head"])
    True
    """
    rows = [(head.name, head.summary, max(len(head.grid), 1)) for head in all_heads().values()]
    return pd.DataFrame(rows, columns=["head", "summary", "settings"])
