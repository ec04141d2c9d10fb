"""How a store is opened: by obstore, with credentials of the environment, of a profile or of the machine's role.

Credentials are neither read nor kept here: obstore and boto3 do that.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from bench.errors import BenchError
from bench.storage.buckets.address import Address, check_endpoint, endpoint

TIMEOUT_S, CONNECT_S = 60, 5  # of one request
EXTRA = "pip install 'cell-classifier[buckets]'"


def open_store(address: Address) -> Any:
    """Return obstore's store; it reads the environment itself. BenchError without the extra or without credentials."""
    try:
        from obstore.store import S3Store, from_url
    except ImportError:
        raise BenchError(f"Got {address}, which needs the package obstore; install it: {EXTRA}") from None
    check_endpoint()
    how: Any = {
        "client_options": {
            "timeout": f"{TIMEOUT_S}s", "connect_timeout": f"{CONNECT_S}s",
            "allow_http": endpoint().startswith("http://"),
        },
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=TIMEOUT_S)},
    }  # fmt: skip
    if address.scheme != "s3":
        return from_url(str(address), **how)
    config: Any = {"endpoint": endpoint()} if endpoint() else {}
    provider = None if _told_by_environment() else _by_profile(address)
    return S3Store(address.bucket, prefix=address.prefix or None, config=config, credential_provider=provider, **how)


def _told_by_environment() -> bool:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SKIP_SIGNATURE", "AWS_WEB_IDENTITY_TOKEN_FILE",
             "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")  # fmt: skip
    return any(os.environ.get(name) for name in names) and not os.environ.get("AWS_PROFILE")


def _by_profile(address: Address) -> Any:
    """Return what gives the credentials of a profile, or of the machine's role."""
    try:
        from boto3 import Session
        from obstore.auth.boto3 import Boto3CredentialProvider

        return Boto3CredentialProvider(Session())
    except Exception as error:  # boto3 is missing, or there is no such profile, or nothing in it
        profile = os.environ.get("AWS_PROFILE")
        where = f"in profile {profile}" if profile else "in the environment or a profile"
        raise BenchError(
            f"Got {address} without credentials {where} ({type(error).__name__}); expected AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with its profile in ~/.aws, or AWS_SKIP_SIGNATURE=true for a public "
            f"bucket. Profiles need boto3: {EXTRA}"
        ) from None
