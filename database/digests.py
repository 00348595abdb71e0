"""Digests of rows: the sha256 of a row as canonical JSON, the same whichever database holds it."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import Any

import shapely
from sqlalchemy import Float

from database.tables import Base


def digests_of(row: type[Base], rows: Sequence[dict[str, Any]], leaves_out: frozenset[str]) -> list[str]:
    """Of every row the sha256 of its columns by name, without its serial, those left out and those that are empty.

    So a column that a later revision adds leaves the digests of old rows as they are. Column by column, for much of a
    county's rows says the same.
    """
    columns = [
        _written(name, is_float, [each.get(name) for each in rows])
        for name, is_float in _columns(row, leaves_out)
    ]
    return [
        hashlib.sha256(("{" + ",".join(filter(None, parts)) + "}").encode()).hexdigest()
        for parts in zip(*columns, strict=True)
    ]


def plain(value: Any) -> str:
    """What JSON has no word for: moments in UTC, days, bytes and geometries (WKB) in hexadecimal digits."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(shapely.to_wkb(value, hex=True))


ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=plain)


@cache
def _columns(row: type[Base], leaves_out: frozenset[str]) -> list[tuple[str, bool]]:
    columns = [c for c in row.__table__.columns if c.name != "serial" and c.name not in leaves_out]
    return [(c.name, isinstance(c.type, Float)) for c in sorted(columns, key=lambda c: c.name)]


def _written(name: str, is_float: bool, values: list[Any]) -> list[str | None]:
    """A column as members of JSON objects; None where it is empty."""
    start, known = f'"{name}":', dict[int, str]()
    if len(values) > 1 and any(isinstance(value, shapely.Geometry) for value in values):
        hexed = shapely.to_wkb(values, hex=True).tolist()
        return [None if each is None else f'{start}"{each}"' for each in hexed]
    found: list[str | None] = []
    for value in values:
        if value is None:
            found.append(None)
            continue
        # The same object, again and again: values are alive as long as this list.
        said = known.get(id(value))
        if said is None:
            # An int that was given for a float comes back as a float.
            said = known[id(value)] = start + _said(float(value) if is_float else value)
        found.append(said)
    return found


def _said(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if type(value) is float:
        return float.__repr__(value)
    return ENCODER.encode(value)
