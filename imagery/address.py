"""Where a scene lies: a path, or an object of a server or bucket whose address never shows its secrets."""

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import url2pathname

from ground.errors import BadInput

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
SHOWN = {"versionid", "generation"}
"""Parameters of a query whose values may be written down; of any other nobody knows whether it is a secret."""
HIDDEN = "…"
GET_ONLY = "/vsicurl?use_head=no&url="
"""Beginning of GDAL's path for a URL that may be signed, which is for one method: HEAD is refused then."""


class Address(str):
    """An object elsewhere. Its text shows no secret and is written down; `reading` is what GDAL opens, secrets and all.

    It travels as any href does, also to other processes. Two of one text that are read otherwise are not equal.
    """

    reading: str

    def __new__(cls, shown: str, reading: str) -> "Address":
        """`shown`: what may be written down of `reading`, which GDAL opens."""
        made = super().__new__(cls, shown)
        made.reading = reading
        return made

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return Address, (str(self), self.reading)

    def __eq__(self, other: object) -> bool:
        same = str(self) == str(other) if isinstance(other, str) else False
        return same and self.reading == getattr(other, "reading", self.reading)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    @property
    def url(self) -> str | None:
        """Where HTTP finds it, with its secrets; None for an object of a bucket."""
        return (
            unquote(self.reading.removeprefix(GET_ONLY)) if self.reading.startswith(GET_ONLY) else self._plain
        )

    @property
    def _plain(self) -> str | None:
        return self.reading.removeprefix("/vsicurl/") if self.reading.startswith("/vsicurl/") else None

    @property
    def hides(self) -> bool:
        """Whether it cannot be read by its text alone."""
        return self.url is not None and self.url != str(self)

    @property
    def path(self) -> str:
        """Its path on the server or in the bucket."""
        return (
            unquote(urlsplit(str(self)).path) if self.url else str(self).split("://", 1)[1].partition("/")[2]
        )

    def cleaned(self, text: str) -> str:
        """A library's message without what is not to be shown, nor any other URL."""
        for secret in (
            self.reading,
            self.url,
            quote(self.url or "", safe=""),
            urlsplit(self.url or "").query,
        ):
            text = text.replace(secret, HIDDEN) if secret else text
        return re.sub(r"\S*://\S*", HIDDEN, text)


def address_of(given: str | Path) -> str:
    """An `Address` for https://, http://, s3://, /vsicurl/ and /vsis3/; a path as it stands.

    Raises:
        BadInput: it is an address of a kind that is not read.
    """
    if isinstance(given, Address):
        return given
    text = str(given)
    plain = text.removeprefix("/vsicurl/").replace("/vsis3/", "s3://", 1) if text.startswith("/vsi") else text
    found = SCHEME.match(plain)
    if found is None:
        if "://" in plain or plain.startswith("/vsicurl"):
            raise _no_address(plain.partition("?")[0].partition("://")[0])
        return text
    scheme, rest = found[1].lower(), plain[found.end() :]
    if scheme == "file":
        return url2pathname(urlsplit(plain).path)
    if scheme == "s3" and all(rest.partition("/")):
        return Address(f"s3://{rest}", f"/vsis3/{rest}")
    rest = rest.partition("#")[0]
    if scheme in {"http", "https"} and rest:
        url = f"{scheme}://{rest}"
        return Address(
            _shown(scheme, rest), GET_ONLY + quote(url, safe="") if "?" in url else f"/vsicurl/{url}"
        )
    raise _no_address(f"{scheme}://")


def _no_address(start: str) -> BadInput:
    return BadInput(
        f"{start}…: is no address that can be read; write https://server/scene.tif, s3://bucket/scene.tif, "
        "/vsicurl/https://…, /vsis3/… or a path"
    )


def _shown(scheme: str, rest: str) -> str:
    """A URL without user, password and the values of its query."""
    try:
        parts = urlsplit(f"{scheme}://{rest}")
    except ValueError as error:
        raise _no_address(f"{scheme}://") from error
    words = [word.partition("=") for word in parts.query.split("&")] if parts.query else []
    query = "&".join(
        "".join(word) if word[0].lower() in SHOWN else f"{word[0]}={HIDDEN}" if word[1] else HIDDEN
        for word in words
    )
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + (f"?{query}" if query else "")


def beside(item: str, href: str) -> str:
    """Where an Item's asset lies: its own address, else relative to where the Item lies.

    Raises:
        BadInput: an Item of a server speaks of files of this machine, or of an address that is not read.
    """
    try:
        found = address_of(href)
    except BadInput as error:
        raise BadInput(f"{item}: asset {error}") from error
    if isinstance(found, Address):
        return found
    if not isinstance(item, Address):
        is_whole = href.startswith(("file://", "/vsi"))
        return found if is_whole else os.path.normpath(Path(item).resolve().parent / href)
    if SCHEME.match(href):
        raise BadInput(f"{item}: asset {href} would be a file of this machine; mend the Item's href")
    if item.url:
        return address_of(urljoin(item.url, href))
    bucket = str(item).split("://", 1)[1].partition("/")[0]
    key = os.path.normpath(os.path.join("/", os.path.dirname(item.path), href))
    return address_of(f"s3://{bucket}{key}")


def file_name(where: str | Path) -> PurePosixPath:
    """The last part of a path or address; its `stem` names a scene, its `suffix` tells an Item from a raster."""
    return PurePosixPath(PurePosixPath(where.path if isinstance(where, Address) else str(where)).name)


def whole(where: str) -> str:
    """A file's absolute path; an address as it may be shown."""
    return str(where) if isinstance(where, Address) else str(Path(where).resolve())
