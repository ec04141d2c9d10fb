"""What a store answered, in words: what will not be another answer later, and in a few words what may be.

Nothing of an answer is shown but its code, as its text may hold the name of a key.
"""

from __future__ import annotations

import re

from bench.errors import BenchError
from bench.storage.buckets.address import endpoint, without_key
from bench.text import plain

OTHER_REGION = "incorrectly configured region"  # in the text of a redirect
UNKNOWN_REQUEST = (
    "a request is not known, such as a conditional put", "use a store that knows If-None-Match and If-Match"
)  # fmt: skip
#: Code of an answer, or the number before it -> what was wrong and what to do, for good.
REFUSED = {
    "NoSuchBucket": ("no bucket of that name is there", "make it, or correct its name"),
    "ContainerNotFound": ("no container of that name is there", "make it, or correct its name"),
    "InvalidBucketName": ("no bucket can have that name", "correct it"),
    "InvalidAccessKeyId": ("the access key is not known there", "correct AWS_ACCESS_KEY_ID or the profile"),
    "SignatureDoesNotMatch": ("the secret key is wrong", "correct AWS_SECRET_ACCESS_KEY or the profile"),
    "ExpiredToken": ("the credentials have expired", "get new ones"),
    "InvalidToken": ("the session token is wrong", "correct AWS_SESSION_TOKEN or the profile"),
    "RequestTimeTooSkewed": ("the clock of this machine is wrong", "set it"),
    "AuthorizationHeaderMalformed": ("the region is another one", "set AWS_REGION to the bucket's"),
    "PermanentRedirect": ("the region is another one", "set AWS_REGION to the bucket's"),
    OTHER_REGION: ("the region is another one", "set AWS_REGION to the bucket's"),
    "AccessDenied": ("these credentials may not do that", "ask for the right to list, read, write and delete there"),
    "NotImplemented": UNKNOWN_REQUEST,
    "401": ("these credentials are refused", "correct them"),
    "403": ("these credentials may not do that", "ask for the right to list, read, write and delete there"),
    "501": UNKNOWN_REQUEST,
}  # fmt: skip
_PATH = re.compile(r'parsing Path "(.+?)": ', re.DOTALL)
_CODE, _STATUS = re.compile(r"<Code>(\w{1,60})</Code>"), re.compile(r"status code: (\d{3})")


def refuse(error: Exception, place: str) -> None:
    """Raise BenchError for an answer that will not be another one later. place: as it is shown."""
    text = _answer(error)
    codes = [*_CODE.findall(text)[:1], *_STATUS.findall(text)[:1]]
    codes += [OTHER_REGION] * (OTHER_REGION in text)
    for code in codes:
        if code in REFUSED:
            why, what = REFUSED[code]
            raise BenchError(
                f"Got {place}, where {why} ({code}){at_endpoint()}; expected a bucket that can be listed, read and "
                f"written with the credentials of the environment. To go on, {what}."
            ) from None
    if type(error).__name__ == "InvalidPathError":
        named = _PATH.search(text)
        raise BenchError(
            f"Got {place}, where the name of an object{f' ({plain(named[1])})' if named else ''} leads elsewhere or "
            "cannot be shown; expected plain names with '/' between. Rename or remove it."
        ) from None
    if type(error).__name__ in ("NotSupportedError", "UnknownConfigurationKeyError"):
        raise BenchError(
            f"Got {place}, which cannot be used ({type(error).__name__}); expected a store that has conditional puts. "
            "Use another."
        ) from None


def _answer(error: Exception) -> str:
    """Return what was answered, without the request that obstore tells after it."""
    return str(error).partition("Debug source")[0]


def reason(error: Exception) -> str:
    """Return in few words what was answered, without what may be secret in it."""
    text = _answer(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    if status:
        return f"{status[1]} {code[1]}" if code else status[1]
    lower = text.lower()
    if "timed out" in lower or "timeout" in lower:
        return "no answer in time"
    return "no connection" if "error sending request" in lower else type(error).__name__


def at_endpoint() -> str:
    """Return what to add where the environment names an endpoint, as that may be what is wrong."""
    return f" (at AWS_ENDPOINT_URL, {without_key(endpoint())})" if endpoint() else ""
