"""STAC APIs and static catalogs: the Items of a collection, a period and a box, page by page, as they come."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pystac
from pystac.errors import STACError, STACTypeError
from pystac_client import Client
from pystac_client.errors import ClientTypeError
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO

from ground.errors import BadInput, Unreachable, one_line

TIMEOUT_S = (10, 60)
"""To connect, and between two bytes of an answer."""
RETRIES = 2
PAGE = 100
MOST_SEEN = 5000
"""Items read of a period."""
NOT_STAC = (
    STACError, STACTypeError, ClientTypeError, ValueError, KeyError, TypeError, AttributeError,
    NotImplementedError, RecursionError,
)  # fmt: skip
"""What pystac raises for documents that are not what they should be."""


@dataclass(frozen=True)
class Ask:
    """One question to a catalog: both moments in UTC and within, `bbox` as west, south, east, north."""

    collection: str
    bbox: tuple[float, float, float, float]
    start: datetime
    end: datetime


def opened_catalog(api: str, collection: str) -> pystac.Catalog:
    """The root of a catalog, known to have the collection if it is an API.

    Raises:
        BadInput: no catalog, or without this collection.
        Unreachable: the server does not answer, or answers with a fault.
    """
    reader = StacApiIO(timeout=TIMEOUT_S, max_retries=RETRIES)
    try:
        catalog: pystac.Catalog = _root(api, reader)
    except APIError as error:
        raise _refused(api, error) from error
    except OSError as error:
        raise BadInput(f"{api}: cannot be read ({error.strerror}); check the address") from error
    except NOT_STAC as error:
        raise BadInput(
            f"{api}: is no STAC API or catalog ({one_line(error, 100)}); give the address of its root"
        ) from error
    if isinstance(catalog, Client) and _searchable(catalog):
        _check_collection(catalog, api, collection)
    return catalog


def _root(api: str, reader: StacApiIO) -> pystac.Catalog:
    try:
        return Client.open(api, stac_io=reader, timeout=TIMEOUT_S)
    except ClientTypeError:
        # A static collection is read as a catalog is.
        return pystac.Collection.from_file(api, stac_io=reader)


def _searchable(catalog: Client) -> bool:
    return bool(catalog.conforms_to("ITEM_SEARCH"))


def _refused(where: str, error: APIError) -> Unreachable:
    code = getattr(error, "status_code", None)
    said = one_line(error, 120)
    if code:
        return Unreachable(
            f"{where}: answered with HTTP status {code} ({said}); check the address, or run again later"
        )
    return Unreachable(f"{where}: did not answer ({said}); check the address and the network, then run again")


def _check_collection(catalog: Client, api: str, collection: str) -> None:
    """An API answers for a collection that it does not have as for one in which nothing was found."""
    try:
        held = catalog.get_collection(collection)
        # Without the right conformance class pystac-client gives the last collection for one that is not there.
        if held is not None and held.id == collection:
            return
    except APIError as error:
        if getattr(error, "status_code", None) != 404:
            raise _refused(api, error) from error
    except NOT_STAC as error:
        raise BadInput(
            f"{api}: its collection {collection!r} is broken ({one_line(error, 100)}); tell its maker"
        ) from error
    raise BadInput(f"{api}: has no collection {collection!r}; its /collections lists those that it has")


def documents(catalog: pystac.Catalog, api: str, ask: Ask) -> Iterator[tuple[Any, str]]:
    """Items as JSON, unchecked, and where each lies; of a static catalog all of the collection.

    Raises:
        BadInput: the answer is broken, or there are too many Items.
        Unreachable: the server does not answer, or answers with a fault.
    """
    seen: set[str] = set()
    try:
        pages = (
            _pages(catalog, api, ask)
            if isinstance(catalog, Client) and _searchable(catalog)
            else _walked(catalog, api, ask)
        )
        for page in pages:
            new = [pair for pair in page if _key(pair[0]) not in seen]
            if not new:
                # A server whose `next` leads back to what it gave already.
                return
            seen.update(_key(document) for document, _ in new)
            yield from new
            if len(seen) > MOST_SEEN:
                raise BadInput(
                    f"{api}: has more than {MOST_SEEN} Items of {ask.collection} since {ask.start:%Y-%m-%d}; "
                    "make the period shorter"
                )
    except APIError as error:
        raise _refused(api, error) from error
    except BadInput:
        raise
    except NOT_STAC as error:
        raise BadInput(
            f"{api}: its answer is broken ({one_line(error, 100)}); tell its maker, or use another catalog"
        ) from error


def _key(document: Any) -> str:
    return str(document.get("id") or document) if isinstance(document, dict) else str(document)


def _pages(catalog: Client, api: str, ask: Ask) -> Iterator[list[tuple[Any, str]]]:
    links = catalog.get_links("search")
    methods = {str(link.extra_fields.get("method", "GET")).upper() for link in links}
    found = catalog.search(
        method="POST" if "POST" in methods else "GET",
        collections=[ask.collection], bbox=list(ask.bbox),
        datetime=f"{ask.start:%Y-%m-%dT%H:%M:%SZ}/{ask.end:%Y-%m-%dT%H:%M:%SZ}", limit=PAGE,
    )  # fmt: skip
    for page in found.pages_as_dicts():
        yield [(document, _self(document) or api) for document in page["features"]]


def _self(document: Any) -> str | None:
    links = document.get("links") if isinstance(document, dict) else None
    said = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    return next((str(link["href"]) for link in said if link.get("rel") == "self" and "href" in link), None)


def _walked(catalog: pystac.Catalog, api: str, ask: Ask) -> Iterator[list[tuple[Any, str]]]:
    """Every Item of the collection in a static catalog: it has no search, all of it is read."""
    for item in catalog.get_items(recursive=True):
        if item.collection_id == ask.collection:
            yield [(item.to_dict(transform_hrefs=False), str(item.get_self_href() or api))]
