"""Results and data in an object store: a local folder that mirrors a bucket, unit by unit.

    bench run --data s3://bucket/cells --out s3://bucket/results

Everything else works on a local folder, whatever `--out` says. Where it says an address, that folder lies in the cache
and holds a mark (`mirror.MARK`) with the address: it is a mirror. Whoever works in a folder, in whatever process, finds
the mark by looking upwards, so no address has to be handed on. In a folder without one nothing is different.

What is never changed (shards of embeddings, blocks of fits, parts of the ledger, what a name stands for) has a name
that says its content. It is committed by one conditional put, `If-None-Match: *`, before it is written to the mirror.
So what the mirror holds the bucket holds, and a lost machine loses nothing. Of two that make the same at once the first
one counts for both. It is looked up by its key; a list is only ever a hint. See `mirror`.

Tables of a folder belong together. They are put below a name of their own, `tables/<digest>/`, and count from the
moment at which the folder's `run.json` names them, which is replaced by `If-Match` in one step. See `together`.

A put that was answered by an error may have been done: it is tried again, and then compared with what is there. Every
answer that may be another one later is asked for again, for a bounded time. See `client`.

Claims are objects made by `If-None-Match: *` and taken over by `If-Match`; see `bench.work.bucket_claims`. As on a disk
they only save work.
"""
