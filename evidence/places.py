"""Where evidence lies: a folder, or an object store, as fsspec and pyarrow know them."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import fsspec
from fsspec.implementations.arrow import ArrowFSWrapper
from sqlalchemy import URL

from ground.errors import BadInput, one_line

CONNECT_S, ANSWER_S = 10, 60
"""Seconds to wait for an object store, twice: to be connected, and for an answer."""
TRIES = 3
S3_WORDS = ("endpoint_override", "scheme", "region", "anonymous")
"""What may stand behind ? in the URL of S3; keys come from where AWS's own tools look for them."""
MEND = "write a folder or s3://bucket/prefix"


def place_of(setting: str, database: URL) -> str:
    """Where evidence lies: as TIANKAN_EVIDENCE says, else in a folder beside the database's file.

    Raises:
        BadInput: nothing is said, and the database is no file.
    """
    if setting.strip():
        return setting.strip()
    if not is_known(setting, database):
        raise BadInput(
            "TIANKAN_EVIDENCE: is not set, and the database is no file beside which evidence could lie; set it to a "
            "folder or to s3://bucket/prefix"
        )
    return str(Path(str(database.database)).with_suffix(".evidence"))


def is_known(setting: str, database: URL) -> bool:
    """Whether it is known where evidence lies."""
    is_file = database.get_backend_name() == "sqlite" and database.database not in (None, "", ":memory:")
    return bool(setting.strip()) or is_file


def system_of(place: str) -> tuple[Any, str, str]:
    """The file system at a place, the root in it, and the place as it may be printed. Nothing is asked of it yet.

    Raises:
        BadInput: the place means nothing here.
    """
    if not place.strip() or "\0" in place:
        raise BadInput(f"TIANKAN_EVIDENCE: {place!r} is no place; {MEND}")
    if place.startswith("s3://"):
        return _s3(place)
    try:
        system, root = fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:
        name = place.partition("://")[0]
        raise BadInput(
            f"TIANKAN_EVIDENCE: a place of {name!r} cannot be used ({one_line(error, 100)}); {MEND}"
        ) from error
    return system, root.rstrip("/"), place


def _s3(place: str) -> tuple[Any, str, str]:
    """S3 by pyarrow, which needs nothing more to be installed; the environment's keys, region and endpoint."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    parts = urlsplit(place)
    if "@" in parts.netloc:
        raise BadInput(
            "TIANKAN_EVIDENCE: a URL of S3 holds no keys, for URLs are printed; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    shown, words = f"s3://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query, keep_blank_values=True))
    for word in words:
        if word not in S3_WORDS:
            raise BadInput(f"TIANKAN_EVIDENCE: {shown}: {word!r} is unknown; use {', '.join(S3_WORDS)}")
    if not parts.netloc:
        raise BadInput(f"TIANKAN_EVIDENCE: {shown} names no bucket; write s3://bucket/prefix")
    given = {name: words[name] for name in S3_WORDS[:3] if words.get(name)}
    try:
        system = S3FileSystem(
            **given, anonymous=words.get("anonymous") == "true", background_writes=False, connect_timeout=CONNECT_S,
            request_timeout=ANSWER_S, retry_strategy=AwsStandardS3RetryStrategy(max_attempts=TRIES),
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise BadInput(f"TIANKAN_EVIDENCE: {shown} cannot be used ({one_line(error, 100)})") from error
    # Not kept for a next time: fsspec would take another endpoint's for the same.
    wrapped = ArrowFSWrapper(system, skip_instance_cache=True)
    return wrapped, f"{parts.netloc}{parts.path}".rstrip("/"), shown
