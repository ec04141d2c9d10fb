"""Addresses of object stores, such as s3://bucket/prefix, and where their local mirrors lie."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.text import plain

#: Scheme -> what it is; s3 is any store that speaks S3.
SCHEMES = {"s3": "Amazon S3 and stores like it", "gs": "Google Cloud Storage", "az": "Azure Blob Storage"}
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,2}([^/].*)", re.DOTALL)  # Path makes one slash of two
_HOST = re.compile(r"[\w.:-]+", re.ASCII)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
OF_BUCKETS = "buckets"  # the folder of the cache
LONGEST = 900  # characters of a prefix, of the 1,024 bytes that a key may have
TAKEN_BY = "`bench extract`, `bench run` and `bench leaderboard`"


@dataclass(frozen=True)
class Address:
    """A place in an object store. prefix: without a slash at its ends, "" for the bucket itself."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}{'/' * bool(self.prefix)}{self.prefix}"

    def at(self, key: str) -> str:
        """Return the address of an object below it, as it is shown."""
        return plain(f"{self}/{key}" if key else str(self))

    @property
    def parent(self) -> Address:
        """The place that holds it."""
        return Address(self.scheme, self.bucket, self.prefix.rpartition("/")[0])

    @property
    def name(self) -> str:
        """The last part of it."""
        return self.prefix.rpartition("/")[2] or self.bucket


def is_address(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is meant as an address of an object store, also where `Path` made one slash of two.

    >>> is_address("s3://bucket/cells"), is_address(PurePath("s3://bucket/cells")), is_address("Data/raw")
    (True, True, False)
    """
    found = _ADDRESS.fullmatch(_text(path))
    return found is not None and len(found[1]) > 1  # C:/ is a drive


def address_of(path: str | os.PathLike[str]) -> Address:
    """Return an address. Raises BenchError for another scheme, a bucket no store has, and parts such as '..'.

    >>> address_of("s3://bucket/lab/cells/")
    Address(scheme='s3', bucket='bucket', prefix='lab/cells')
    """
    text = _text(path)
    found = _ADDRESS.fullmatch(text)
    scheme = found[1].lower() if found else ""
    if found is None or scheme not in SCHEMES:
        raise BenchError(
            f"Got {without_key(spelled(path))}; expected a local folder or an address "
            f"{', '.join(f'{one}://' for one in SCHEMES)}. For another store mount it as a folder, or copy it."
        )
    bucket, _, prefix = found[2].partition("/")
    prefix = prefix.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise BenchError(
            f"Got an address {scheme}:// whose bucket is no name of one; expected {scheme}://BUCKET/PREFIX, the bucket "
            "of letters, digits, '-', '_' and '.'. Keys belong in the environment or in a profile, never in an address."
        )
    if len(prefix) > LONGEST or (prefix and not safe_key(prefix)):
        raise BenchError(
            f"Got {without_key(spelled(path))}; expected a prefix of plain names with '/' between, without '.', '..', "
            f"'\\' and control characters, of at most {LONGEST} characters."
        )
    return Address(scheme, bucket, prefix)


def safe_key(key: str) -> bool:
    """Return whether a key can be a path below a folder and leads nowhere else.

    >>> [safe_key(key) for key in ("a/b.png", "../b.png", "a//b.png", "/b.png", "a/./b.png", "c:b.png")]
    [True, False, False, False, False, False]
    """
    parts = key.split("/")
    return all(
        part not in ("", ".", "..") and part.isprintable() and not set(part) & set("\\:") and len(part) < 250
        for part in parts
    )


def cache_folder(kind: str, address: Address) -> Path:
    """Return where the mirror of an address lies, below `cache_place`.

    Its last names are those of the address, as names of runs and of data are made of them.
    """
    return cache_place(kind, address) / address.bucket / address.prefix


def cache_place(kind: str, address: Address) -> Path:
    """Return the folder of an address below CELL_CLASSIFIER_CACHE, XDG_CACHE_HOME or ~/.cache.

    The same address at another endpoint is another place.
    """
    own, base = os.environ.get("CELL_CLASSIFIER_CACHE"), os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    top = Path(own or os.path.join(base, "cell-classifier")).expanduser()
    told = hashlib.sha256(f"{endpoint()} {address}".encode()).hexdigest()[:16]
    return top / OF_BUCKETS / kind / told


def is_cache_folder(folder: Path, kind: str, address: Address) -> bool:
    """Return whether a folder lies as `cache_folder` says, in whatever cache.

    >>> is_cache_folder(Path("/cache/buckets/results/0f/bucket/a"), "results", address_of("s3://bucket/a"))
    True
    """
    names = (address.bucket, *PurePath(address.prefix).parts)
    at = len(folder.parts) - len(names)
    return folder.parts[at:] == names and folder.parts[max(0, at - 3) : max(0, at - 1)] == (OF_BUCKETS, kind)


def endpoint() -> str:
    """Return the endpoint of S3 that the environment names, "" for Amazon's own."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def check_endpoint() -> None:
    """Raise BenchError for an endpoint of the environment that is none, or that has a name and a key in it."""
    url = endpoint()
    if not url:
        return
    with suppress(ValueError):  # a port that is none
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme in ("http", "https") and _HOST.fullmatch(host) and port != 0 and not set(url) & set("@?#\\"):
            return
    raise BenchError(
        f"Got AWS_ENDPOINT_URL {without_key(url)}; expected http://HOST:PORT or https://HOST, without a name, a key or "
        "'?' in it. Keys belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in a profile."
    )


def without_key(text: str) -> str:
    """Return a URL or an address as it is shown: without what may be a name and a key, or a signature, in it.

    >>> without_key("http://me:se/cret@host:9000/a?key=1")
    'http://...@host:9000/a'
    """
    before, at, after = text.rpartition("@")
    scheme, slashes, _ = before.partition("//")
    hidden = f"{scheme}{slashes}..." if slashes else "..."
    return plain((f"{hidden}@{after}" if at else text).partition("?")[0])


def spelled(path: str | os.PathLike[str]) -> str:
    """Return a path as it is typed: of an address with both slashes.

    >>> spelled(PurePath("s3://bucket/cells")), spelled("Data/raw")
    ('s3://bucket/cells', 'Data/raw')
    """
    found = _ADDRESS.fullmatch(_text(path)) if is_address(path) else None
    return f"{found[1]}://{found[2]}" if found else str(path)


def refuse_address(name: str, path: str | os.PathLike[str]) -> None:
    """Raise BenchError for an address where only a local place will do. name: of the option."""
    if is_address(path):
        raise BenchError(
            f"Got {name} {without_key(spelled(path))}; expected a local file or folder. --data and --out of {TAKEN_BY} "
            "take addresses; for all else copy what you need to a folder first."
        )


def _text(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    return text.replace("\\", "/") if isinstance(path, PurePath) else text
