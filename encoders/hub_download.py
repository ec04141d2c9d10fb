"""One file of a Hugging Face hub into its cache: resumed where it broke off, checked against its digest.

huggingface_hub gives the address, the token, the session and the layout of the cache. Its own download compares
the length alone and drops a partial file when it fails, so the bytes are fetched here:

    <cache>/models--ORG--NAME/blobs/<etag>.part           what has come so far
                              blobs/<etag>                the whole file; the etag of a large one is its SHA-256
                              snapshots/<commit>/<file>   link to the blob
                              refs/<revision>             the commit
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import EncoderError
from .weights import file_sha256, quiet

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SAFE = re.compile(r"\w[\w.-]*")  # what the hub sends becomes a file name
MOST_UNANNOUNCED = 64 << 20  # bytes of a file of which the hub does not say how long it is
REDIRECTIONS = 5


@dataclass(frozen=True)
class Wanted:
    """A file of a hub: repository, file and revision, the address of the hub, and for which encoder."""

    repo: str
    filename: str
    revision: str
    endpoint: str
    name: str

    def __str__(self) -> str:
        return f"{self.repo}/{self.filename}"


def download(wanted: Wanted, cache: Path) -> Path | None:
    """Return the path in `cache` of a file fetched from the hub, or None when the repository has no such file.

    EncoderError for everything else that goes wrong; what has come so far is kept for the next call.
    """
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    where, name = f"{wanted.endpoint}/{wanted.repo}", wanted.name
    try:
        with quiet():
            return _download(wanted, cache)
    except EntryNotFoundError:
        return None
    except GatedRepoError:
        raise EncoderError(
            f"Encoder '{name}' is gated: accept its licence at {where}, then set HF_TOKEN to a token of that account "
            "(or log in with `hf auth login`)."
        ) from None
    except RepositoryNotFoundError:
        raise EncoderError(
            f"Got '{name}', and {wanted.endpoint} has no {wanted.repo}, or hides it; check the name, and HF_TOKEN if "
            "it is private."
        ) from None
    except RevisionNotFoundError:
        raise EncoderError(
            f"Got '{name}', and {where} has no revision '{wanted.revision}'; expected a commit."
        ) from None
    except EncoderError:
        raise
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        hint = "check HF_TOKEN, then run again" if status in (401, 403) else "run again"
        raise EncoderError(
            f"The download of {wanted} for '{name}' failed ({_short(error)}) with the cache {cache}; {hint}: what has "
            "come so far is kept."
        ) from None


def wrong_digest(path: Path, etag: str) -> str | None:
    """Return the SHA-256 of a file where its etag names another, None where they agree or the etag is no SHA-256."""
    if not _SHA256.fullmatch(etag):
        return None
    found = file_sha256(path)
    return None if found == etag else found


def _download(wanted: Wanted, cache: Path) -> Path:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import WeakFileLock

    address = {"repo_id": wanted.repo, "filename": wanted.filename, "endpoint": wanted.endpoint}
    about = get_hf_file_metadata(
        hf_hub_url(**address, revision=wanted.revision or "main"), timeout=constants.HF_HUB_ETAG_TIMEOUT
    )
    etag, commit = about.etag or "", about.commit_hash or ""
    if not _SAFE.fullmatch(etag) or not _SAFE.fullmatch(commit):
        raise EncoderError(
            f"{wanted.endpoint} answered for {wanted} with etag '{etag[:70]}' and commit '{commit[:70]}'; expected "
            "those of a Hugging Face hub. Check HF_ENDPOINT."
        )
    folder = cache / f"models--{wanted.repo.replace('/', '--')}"
    blob, pointer = folder / "blobs" / etag, folder / "snapshots" / commit / wanted.filename
    lock = cache / ".locks" / folder.name / f"{etag}.lock"
    for path in (blob, pointer, lock):
        path.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        if not blob.is_file() or wrong_digest(blob, etag):
            # Of the commit and not of the branch, which may move meanwhile.
            _fill(blob, hf_hub_url(**address, revision=commit), about.size, wanted)
        _link(blob, pointer)
    if commit != wanted.revision:
        ref = folder / "refs" / (wanted.revision or "main")
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit)
    return pointer


def _fill(blob: Path, url: str, size: int | None, wanted: Wanted) -> None:
    """Make `blob` from its partial file and the rest; a resumed file of the wrong digest is fetched once more."""
    part = blob.with_name(f"{blob.name}.part")
    resumed = _length(part) > 0
    _fetch(url, part, size, wanted)
    found = wrong_digest(part, blob.name)
    if found:
        part.unlink()
        if resumed:
            return _fill(blob, url, size, wanted)
        raise EncoderError(
            f"What {wanted.endpoint} sent for {wanted} of encoder '{wanted.name}' is damaged: its SHA-256 is "
            f"{found[:16]}..., and the hub announces {blob.name[:16]}...; it was discarded. Run again, or set "
            "HF_ENDPOINT to another mirror."
        )
    part.replace(blob)


def _fetch(url: str, part: Path, size: int | None, wanted: Wanted) -> None:
    """Append what `part` lacks of `size` bytes, asking again as long as an answer brings something new."""
    from huggingface_hub.utils import tqdm

    longest, reason = -1, "it sends nothing"
    if size is None or _length(part) > size:
        part.unlink(missing_ok=True)
    with tqdm(total=size, unit="B", unit_scale=True, desc=str(wanted), disable=None) as bar:
        while (have := _length(part)) != size:
            if have <= longest:
                total = f"{size:,}" if size else "unknown"
                raise EncoderError(
                    f"{wanted.endpoint} breaks off {wanted} for encoder '{wanted.name}' at {have:,} of {total} "
                    f"bytes ({reason}). Run again: what has come so far is kept."
                )
            free = shutil.disk_usage(part.parent).free
            if size and size - have > free:
                raise EncoderError(
                    f"Got {free:,} bytes of free disk for {size - have:,} bytes of {wanted} in {part.parent}; free "
                    "some, or set HF_HOME to a larger disk."
                )
            longest = have
            try:
                _append(url, part, size, wanted, bar)
            except (OSError, EncoderError):
                raise  # of the disk, a status that the hub answered with, or what no other try would better
            except Exception as error:  # the transport's: a broken connection, a time limit
                reason = _short(error)
            else:
                if size is None:
                    return


def _append(url: str, part: Path, size: int | None, wanted: Wanted, bar: Any) -> None:
    """Append to `part` what one answer brings, and stop where that is more than was announced.

    The bytes are taken as they are sent, so that none that is compressed can grow beyond that.
    """
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    have, most = _length(part), MOST_UNANNOUNCED if size is None else size
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with _answer(url, headers, wanted, bar) as answer:
        hf_raise_for_status(answer)
        coding = answer.headers.get("Content-Encoding", "identity")
        if coding.lower() != "identity":
            raise EncoderError(
                f"{answer.url.host} sends {wanted} for encoder '{wanted.name}' compressed ('{coding[:20]}'); expected "
                "the bytes as they are, which were asked for. Set HF_ENDPOINT to another mirror."
            )
        rest = answer.status_code == 206  # else the server knows no ranges and starts over
        bar.update((have if rest else 0) - bar.n)
        come = have if rest else 0
        with part.open("ab" if rest else "wb") as file:
            for chunk in answer.iter_raw():  # as they come: a block that a break cuts short would be lost
                come += len(chunk)
                if come > most:
                    break
                bar.update(file.write(chunk))
    if come > most:
        part.unlink()
        announced = "it announced" if size is not None else "are taken of a file whose length is not announced"
        raise EncoderError(
            f"{answer.url.host} sends more of {wanted} for encoder '{wanted.name}' than the {most:,} bytes that "
            f"{announced}; it was stopped, and what had come was discarded. Run again, or set HF_ENDPOINT to another "
            "mirror."
        )


@contextmanager
def _answer(url: str, headers: Mapping[str, str], wanted: Wanted, bar: Any) -> Iterator[Any]:
    """Yield the answer to a GET, its body unread, of the last address that the hub sends on to; each is said."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    session = get_session()
    request = session.build_request("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
    for _ in range(1 + REDIRECTIONS):
        answer = session.send(request, stream=True, follow_redirects=False)
        try:
            following = answer.next_request  # a token is not sent on to another host
            if following is None:
                yield answer
                return
        finally:
            answer.close()
        here, there = request.url, following.url
        if (here.scheme, there.scheme) == ("https", "http"):
            raise EncoderError(
                f"{here.host} sends on to {there.host} for {wanted} of encoder '{wanted.name}', and not by https as it "
                "was asked; nothing was fetched. Set HF_ENDPOINT to another mirror."
            )
        if here.host != there.host:
            bar.write(f"{here.host} sends on to {there.host} for {wanted}", file=sys.stderr)
        request = following
    raise EncoderError(f"{wanted.endpoint} sends on more than {REDIRECTIONS} times for {wanted}; check HF_ENDPOINT.")


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _link(blob: Path, pointer: Path) -> None:
    pointer.unlink(missing_ok=True)
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:  # a file system without links
        blob.replace(pointer)


def _short(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
