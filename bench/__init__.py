"""Cell-Classifier: which frozen encoder and which classical head to trust on cell images.

In a notebook, the steps of the command line are

    from bench.embeddings.embed import Source, extract_encoders, prepare
    from bench.protocol.protocol import Protocol
    from bench.pipeline import run
    from bench.request import Request

    result = run(Request(Source("Data/raw"), Protocol(shots=(1, 5)), encoders=["color-stats", "resnet50"]))
    result.leaderboard.table          # pandas, one row per encoder x head x shots x noise

and each of them is a plain function of tables and arrays: `bench.data.datasets.load_dataset`,
`bench.instances.cut.make_instances`, `bench.protocol.splits.plan_splits`, `bench.heads.estimator.HeadClassifier`.
"""

__version__ = "0.1.0"
