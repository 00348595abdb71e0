"""Assets of a chosen Item fetched whole, resumed where they broke off, under a local Item that `detect` reads."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

import pystac
import requests

from ground.errors import BadInput, TiankanError, Unreachable, one_line
from ground.files import CHUNK, STAGING, cannot_write, sha256, short_hash, written_beside
from imagery import stac
from imagery.candidates import Candidate
from imagery.ingest import PLAIN_KEY, Advance, checksums_in
from imagery.raster import opened

TIMEOUT_S = (10, 60)
SHARES = 1000
"""Parts of a file in which progress is told."""
FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
PLAIN_ID = r"\w[\w.-]{0,199}"
SUFFIX = r"\.(tif|tiff|jp2|img)"


def fetched(chosen: Candidate, folder: Path, tell: Callable[[float], None]) -> Path:
    """The Item of a candidate in `folder`/id, beside its band files; what is whole there already is not fetched.

    `tell` hears which part of the work is done, 0 to 1.

    Raises:
        BadInput: an asset lies where it cannot be fetched from, is not a raster, or differs from its checksum.
        Unreachable: a server does not answer; what came is kept for the next try.
        CannotWrite: the disk is full.
    """
    if not re.fullmatch(PLAIN_ID, chosen.id):
        raise BadInput(
            f"{chosen.base}: its id {chosen.id!r} cannot be the name of a folder; mend the Item's id"
        )
    sensor = chosen.sensor or stac.sensor_of(chosen.item, f"Item {chosen.id}")
    used = stac.used_assets(chosen.item, sensor).of
    home = folder / chosen.id
    path = home / f"{chosen.id}.json"
    known = checksums_in(path)
    names: dict[str, str] = {}
    for count, (key, asset) in enumerate(used.items()):
        href = _href(chosen, key, asset)
        target = home / _file_name(key, href, count)
        _fetch(href, target, known.get(target), _sha256_said(asset), _part(tell, count, len(used)))
        names[key] = target.name
    _write_item(chosen, sensor, used, names, path)
    for left in home.glob(f"{STAGING}*.*"):
        # Of a version that the server has replaced meanwhile.
        left.unlink(missing_ok=True)
    tell(1.0)
    return path


def _part(tell: Callable[[float], None], count: int, total: int) -> Callable[[float], None]:
    return lambda share: tell((count + share) / total)


def as_shares(advance: Advance | None, first: int, total: int) -> Callable[[float], None]:
    """`advance` told in parts of a scene: the `first` of `total` scenes."""

    def tell(share: float) -> None:
        if advance:
            advance("fetch", round((first + share) * SHARES), total * SHARES)

    return tell


def _href(chosen: Candidate, key: str, asset: pystac.Asset) -> str:
    """Where an asset can be fetched from: its href, else an alternate one; relative to where the Item lies."""
    others = asset.extra_fields.get("alternate")
    spare = (
        [o.get("href") for o in others.values() if isinstance(o, dict)] if isinstance(others, dict) else []
    )
    for href in (asset.href, *spare):
        if full := _absolute(str(href or ""), chosen.base):
            return full
    raise BadInput(
        f"Item {chosen.id}: asset {key} lies at {asset.href}, which is neither https nor a file; "
        "download it by its owner's means, or use another catalog"
    )


def _absolute(href: str, base: str) -> str | None:
    scheme = urlsplit(href).scheme
    if scheme in {"http", "https", "file"}:
        return href
    if scheme or not href:
        return None
    if urlsplit(base).scheme in {"http", "https", "file"}:
        return urljoin(base, href)
    return Path(os.path.normpath(Path(base).resolve().parent / href)).as_uri()


def _file_name(key: str, href: str, count: int) -> str:
    """Of the asset's key: what a server calls its files is not for it to say on this disk."""
    suffix = Path(urlsplit(href).path).suffix.lower()
    plain = key if re.fullmatch(PLAIN_KEY, key) else f"asset-{count + 1}"
    return plain + (suffix if re.fullmatch(SUFFIX, suffix) else ".tif")


def _sha256_said(asset: pystac.Asset) -> str | None:
    said = str(asset.extra_fields.get("file:checksum", "")).lower()
    return said[4:] if re.fullmatch("1220[0-9a-f]{64}", said) else None


def _fetch(
    href: str, target: Path, known: str | None, said: str | None, tell: Callable[[float], None]
) -> None:
    """One file, whole and checked, or not there."""
    if target.is_file() and (want := known or said) and sha256(target) == want:
        return
    with _disk_named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        here = _copied(href, target) if href.startswith("file:") else _downloaded(href, target, tell)
        try:
            _check(here, href, said)
        except BadInput:
            here.unlink()
            raise
        os.replace(here, target)


@contextmanager
def _disk_named(target: Path) -> Iterator[None]:
    try:
        yield
    except TiankanError:
        raise
    except OSError as error:
        raise cannot_write(target, error) from error


def _check(path: Path, href: str, said: str | None) -> None:
    if said and sha256(path) != said:
        raise BadInput(
            f"{href}: what came has not the sha256 that its Item says; run again, or tell its maker"
        )
    try:
        with opened(str(path)):
            pass
    except BadInput as error:
        raise BadInput(f"{href}: what came is no raster; it may need an account, or have moved") from error


def _copied(href: str, target: Path) -> Path:
    source, here = Path(url2pathname(urlsplit(href).path)), _partial(target, href)
    if not source.is_file():
        raise BadInput(f"{source}: there is no such file; mend the Item's href")
    shutil.copyfile(source, here)
    return here


def _partial(target: Path, *what: str) -> Path:
    return target.parent / f"{STAGING}{short_hash(*what)}{target.suffix}"


def _downloaded(href: str, target: Path, tell: Callable[[float], None]) -> Path:
    """A whole file under a name of its own; what came before a fault stays there and is gone on from."""
    try:
        with requests.get(
            href, stream=True, timeout=TIMEOUT_S, headers={"Accept-Encoding": "identity"}
        ) as answer:
            _check_status(answer, href)
            length = int(answer.headers.get("Content-Length", 0))
            tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            # Of another version of the file nothing is taken over.
            here = _partial(target, href, tag, str(length))
            have = here.stat().st_size if here.is_file() and tag and not tag.startswith("W/") else 0
            if not 0 < have <= length:
                _append(answer, here, 0, length, tell)
        if 0 < have < length:
            asked = {"Range": f"bytes={have}-", "If-Range": tag, "Accept-Encoding": "identity"}
            with requests.get(href, stream=True, timeout=TIMEOUT_S, headers=asked) as rest:
                _check_status(rest, href)
                # 200: the server does not know ranges, or has another file by now, and sends all of it.
                _append(rest, here, have if rest.status_code == 206 else 0, length, tell)
    except (requests.RequestException, ValueError) as error:
        raise _broke_off(href, one_line(error, 100)) from error
    if length and here.stat().st_size != length:
        raise _broke_off(href, f"{here.stat().st_size} of {length} bytes came")
    return here


def _check_status(answer: requests.Response, href: str) -> None:
    if answer.status_code not in {200, 206}:
        raise Unreachable(
            f"{href}: answered with HTTP status {answer.status_code}; check that you may fetch it, then run again"
        )


def _broke_off(href: str, why: str) -> Unreachable:
    return Unreachable(f"{href}: could not be fetched ({why}); run again to go on from where it broke off")


def _append(
    answer: requests.Response, here: Path, have: int, length: int, tell: Callable[[float], None]
) -> None:
    with here.open("ab" if have else "wb") as sink:
        for chunk in answer.iter_content(CHUNK):
            sink.write(chunk)
            have += len(chunk)
            tell(min(1.0, have / length) if length else 0.0)


def _write_item(
    chosen: Candidate, sensor: str, used: dict[str, pystac.Asset], names: dict[str, str], path: Path
) -> None:
    """The Item as its maker wrote it, with the fetched assets only; where they came from stays in its links."""
    document: dict[str, Any] = chosen.item.to_dict(include_self_link=False, transform_hrefs=False)
    assets = {}
    for key, asset in used.items():
        local = asset.to_dict() | {"href": f"./{names[key]}"}
        local["file:checksum"] = "1220" + sha256(path.parent / names[key])
        local.pop("alternate", None)
        assets[key] = local
    document["assets"] = assets
    document["stac_extensions"] = sorted({*document.get("stac_extensions", []), FILE_EXTENSION})
    # A collection would have to be linked to, and is not here.
    document.pop("collection", None)
    document["properties"]["tiankan:sensor"] = sensor
    came = chosen.base if "://" in chosen.base else Path(chosen.base).resolve().as_uri()
    document["links"] = [{"rel": "canonical", "href": came, "type": "application/geo+json"}]
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if not (path.is_file() and path.read_text(encoding="utf-8") == text):
        with written_beside(path) as beside:
            beside.write_text(text, encoding="utf-8")
