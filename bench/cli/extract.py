"""`bench extract`: embed, and keep the embeddings."""

from __future__ import annotations

from bench.cli.closing import say_next
from bench.cli.console import console, print_data, print_notes, progress_bars
from bench.cli.options.data import DataOptions, Verify, fetched
from bench.cli.options.encoders import AllowMissing, Device, Encoders, KeepPixels, Precision, encoder_names
from bench.cli.options.engine import EngineOptions
from bench.cli.options.output import DEFAULT_OUT, Out
from bench.cli.startup import imports

EXAMPLES = (
    "bench extract --data Data/raw --encoder dino,color-stats",
    "bench extract --data Data/raw --encoder mine=timm:resnet18.a1_in1k --device cuda",
    "bench extract --data slides --instances tiles:256:fg --encoder uni@size=448 --keep-pixels",
)


def extract(
    source: DataOptions,
    engine: EngineOptions,
    encoder: Encoders = None,
    out: Out = DEFAULT_OUT,
    keep_pixels: KeepPixels = False,
    allow_missing: AllowMissing = False,
    precision: Precision = "named",
    verify: Verify = False,
    device: Device = "auto",
) -> None:
    """Embed every image (or tile, or cell) with the encoders and keep the embeddings."""
    wanted = encoder_names(encoder, required=True)
    engine.check_devices(device)
    engine.check_precision(precision)
    engine.check_places(out, source.data)
    source = fetched(source)

    with imports():
        from bench.data.warnings import data_warnings
        from bench.embeddings.embed import extract_encoders, prepare
        from bench.embeddings.missing import left_out, resolve_all
        from bench.embeddings.precision_choice import AUTO, check_precision_word, choose_precisions
        from bench.storage.buckets.mirror import open_results

    check_precision_word(precision)
    out = open_results(out)
    specs, missing = resolve_all(wanted, allow_missing=allow_missing)
    with engine.open(out, sees=[source.data]) as opened, progress_bars() as report:
        prepared = prepare(source.spec(verify=verify), out, report)
        chosen: tuple[str, ...] = ()
        if precision == AUTO:
            asked = zip(specs, (name for name in wanted if name not in missing), strict=True)
            specs, chosen = choose_precisions(prepared, list(asked), device, report)
            specs = list({spec.name: spec for spec in specs}.values())
        prepared, done = extract_encoders(
            prepared, specs, device, report, engine=opened, keep_pixels=keep_pixels, allow_missing=allow_missing
        )
    print_notes(chosen)
    print_notes(reason.removesuffix(".") for reason in left_out(missing | dict(done.failed)))
    for name in done.made:
        if name not in done.failed:
            console.print(f"{name}: {done.reused[name]:,} reused, {done.made[name]:,} made")
    print_data(prepared.dataset, data_warnings(prepared.dataset))
    console.print(done.summary())
    say_next("extract", prepared.dataset.table, prepared.dataset.classes)
