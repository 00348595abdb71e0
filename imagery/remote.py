"""Objects of servers and buckets asked by HTTP: whether they are there, still the same, and what they hold.

GDAL reads the pixels; this is for what GDAL does not tell. An object of a bucket is asked for by the URL that GDAL
signs with the credentials that it reads with.
"""

import ctypes
import functools
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import rasterio._env
import requests

from ground import files
from ground.errors import BadInput, TiankanError, Unreachable
from imagery.address import HIDDEN, Address

GDAL_SETTINGS = {
    "GDAL_HTTP_MAX_RETRY": "3", "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_CONNECTTIMEOUT": "10", "GDAL_HTTP_LOW_SPEED_TIME": "30", "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
    # Else a file opened again in this process would be what it was the first time.
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl:/vsis3/",
}  # fmt: skip
LOGGERS = (
    "rasterio", "rasterio._base", "rasterio._env", "rasterio._err", "rasterio._io", "rasterio._path", "rasterio.env",
    "rasterio.session", "urllib3.connectionpool",
)  # fmt: skip
for _name, _value in GDAL_SETTINGS.items():
    # In the environment, where GDAL looks from every thread: rasterio's Env, left in one, is gone from all of them.
    os.environ.setdefault(_name, _value)


class _Discreet(logging.Filter):
    """Takes users, passwords and queries out of what libraries log of their requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = re.sub(r"://[^\s/@]*@", "://", record.getMessage())
        record.msg, record.args = re.sub(r"\?[^\s'\"`]+", f"?{HIDDEN}", text), ()
        return True


for _name in LOGGERS:
    logging.getLogger(_name).addFilter(_Discreet())

TIMEOUT_S = (10, 30)
"""To connect, and between two bytes."""
TRIES = 3
BUSY = (429, 500, 502, 503, 504)
PAUSE_S = 0.5
"""Before the second try; twice as long before the next."""
CHUNK = 1 << 16
MOST_JSON = 64 << 20
"""Bytes of an Item: more is none."""
CUT_SHORT = requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError

Stamp = tuple[int, str]
"""Length, and ETag or else time of change; an empty text where the server tells neither."""


def stamp(href: Address) -> Stamp:
    """What an object is known by, of a server that sends parts of it.

    Raises:
        BadInput: it is absent, refused, empty, or can only be had whole.
        Unreachable: the server does not answer.
    """
    with _answer(href, {"Range": "bytes=0-0"}) as answer:
        if not re.search(r"/\d+$", answer.headers.get("Content-Range", "")) or answer.status_code != 206:
            raise BadInput(
                f"{href}: its server sends whole files only (no HTTP ranges), so no window can be read; "
                "download it and give its path"
            )
        return int(answer.headers["Content-Range"].rpartition("/")[2]), _tag(answer)


def _tag(answer: requests.Response) -> str:
    return answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""


def sha256(href: str) -> str:
    """Hex digest of a file or object; an object is streamed once, gone on with where the connection broke."""
    if not isinstance(href, Address):
        return files.sha256(Path(href))
    size, tag = stamp(href)
    digest, have, left = hashlib.sha256(), 0, TRIES
    while have < size:
        began = have
        for chunk in _rest(href, have, tag):
            digest.update(chunk)
            have += len(chunk)
        left = TRIES if have > began else left - 1
        if not left:
            raise Unreachable(
                f"{href}: breaks off after {have} of {size} bytes, also when asked again; run again later"
            )
    return digest.hexdigest()


def _rest(href: Address, have: int, tag: str) -> Iterator[bytes]:
    """An object from a byte on, for as long as the connection lasts."""
    with _answer(href, {"Range": f"bytes={have}-"}) as answer:
        if _tag(answer) != tag or (have and answer.status_code != 206):
            raise BadInput(f"{href}: was changed while it was read; run again when it is whole")
        with suppress(*CUT_SHORT):
            yield from answer.iter_content(CHUNK)


def part(href: Address, at: int, count: int) -> bytes:
    """Some bytes of an object; fewer at its end."""
    with _answer(href, {"Range": f"bytes={at}-{at + count - 1}"}) as answer:
        return bytes(answer.content[:count])


def document(href: Address) -> Any:
    """A JSON document.

    Raises:
        ValueError: it is none.
        BadInput, Unreachable: it cannot be had.
    """
    with _answer(href, {}) as answer:
        text = b""
        for chunk in answer.iter_content(CHUNK):
            text += chunk
            if len(text) > MOST_JSON:
                raise ValueError(f"more than {MOST_JSON >> 20} MiB")
        return json.loads(text)


def is_json(href: Address) -> bool:
    """Whether a server says that an object is JSON: the addresses of a STAC API have no suffix."""
    with _answer(href, {"Range": "bytes=0-0"}) as answer:
        return "json" in answer.headers.get("Content-Type", "")


@contextmanager
def _answer(href: Address, headers: dict[str, str]) -> Iterator[requests.Response]:
    """A server's answer, open to be read from; what goes wrong is one sentence without secrets."""
    try:
        with _asked(href, headers | {"Accept-Encoding": "identity"}) as answer:
            if answer.status_code not in {200, 206}:
                raise _refused(href, answer.status_code)
            yield answer
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
        raise BadInput(f"{href}: is not a URL that can be asked for; check it") from error
    except requests.RequestException as error:
        raise Unreachable(
            f"{href}: {_why(error)}; check the address and the network, then run again"
        ) from error


def _asked(href: Address, headers: dict[str, str]) -> requests.Response:
    """The first answer that says more than that a server is busy, or the last.

    Not left to urllib3, which logs every address that it tries again.
    """
    for pause in [PAUSE_S * 2**i for i in range(TRIES - 1)]:
        with suppress(*CUT_SHORT):
            answer = requests.get(
                href.url or _url_in_bucket(href), headers=headers, stream=True, timeout=TIMEOUT_S
            )
            if answer.status_code not in BUSY:
                return answer
            answer.close()
        time.sleep(pause)
    return requests.get(href.url or _url_in_bucket(href), headers=headers, stream=True, timeout=TIMEOUT_S)


def _refused(href: Address, status: int) -> TiankanError:
    said = f"(HTTP status {status})"
    if status in {404, 410}:
        return BadInput(f"{href}: there is no such object {said}; check the address")
    if status in {401, 403}:
        mend = (
            "pass a user and password or a signed address; a signed one that has run out must be made anew"
            if href.url
            else "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_NO_SIGN_REQUEST=YES where "
            "anybody may read; a key that is not there may be refused too"
        )
        return BadInput(f"{href}: may not be read {said}; {mend}")
    if status == 416:
        return BadInput(f"{href}: is empty {said}; upload it again")
    if status in BUSY:
        return Unreachable(f"{href}: its server cannot serve it now {said}; run again later")
    return BadInput(f"{href}: is not to be had {said}; check the address and, of a bucket, the region")


def _why(error: requests.RequestException) -> str:
    """A fault of the network in our words: the library's own quote the URL with its secrets."""
    text = repr(error)
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate of its server cannot be trusted"
    if "NameResolution" in text or "getaddrinfo" in text:
        return "the name of its server is not known (DNS)"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in text:
        return f"its server did not answer within {TIMEOUT_S[1]} s"
    if "refused" in text:
        return "its server takes no connection"
    return "the connection to its server broke"


def _url_in_bucket(href: Address) -> str:
    """The URL of an object of a bucket, signed where GDAL would sign.

    Raises:
        BadInput: GDAL has no credentials to sign with.
    """
    gdal, path = _gdal(), href.reading.encode()
    said = (gdal.CPLGetConfigOption(b"AWS_NO_SIGN_REQUEST", b"NO") or b"").decode()
    if said.upper() in {"YES", "TRUE", "ON", "1"}:
        return str((gdal.VSIGetActualURL(path) or b"").decode())
    gdal.CPLPushErrorHandler(ctypes.cast(gdal.CPLQuietErrorHandler, ctypes.c_void_p))
    try:
        signed = gdal.VSIGetSignedURL(path, None)
    finally:
        gdal.CPLPopErrorHandler()
    if not signed:
        raise BadInput(
            f"{href}: there are no credentials to read it with; set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_NO_SIGN_REQUEST=YES where anybody may read"
        )
    try:
        return ctypes.string_at(signed).decode()
    finally:
        gdal.VSIFree(signed)


@functools.cache
def _gdal() -> Any:
    """GDAL's C functions, of the very library that rasterio reads with: rasterio has none that signs."""
    gdal = ctypes.CDLL(rasterio._env.__file__)
    gdal.VSIGetSignedURL.restype = ctypes.c_void_p
    gdal.VSIGetSignedURL.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    gdal.VSIGetActualURL.restype = gdal.CPLGetConfigOption.restype = ctypes.c_char_p
    gdal.VSIGetActualURL.argtypes = [ctypes.c_char_p]
    gdal.CPLGetConfigOption.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    gdal.VSIFree.argtypes = gdal.CPLPushErrorHandler.argtypes = [ctypes.c_void_p]
    return gdal
