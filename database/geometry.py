"""Geometries in degrees of WGS 84: a PostGIS column or a BLOB of WKB, and the search by box on both."""

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from sqlalchemy import ColumnElement, Dialect, Float, and_, column, func, or_, select, table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import UserDefinedType

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees; a west greater than the east crosses the antimeridian."""
SRID = 4326
SINGLE = 1e-37
"""Degrees. Below it single precision has no numbers, and SQLite rounds an edge inward, to nought."""
RTREES = {"change": "change_rtree", "feature": "feature_rtree"}
"""SQLite's index of each table that has one, kept by triggers (see the migrations)."""


class LonLat(UserDefinedType[Any]):
    """A shapely geometry in degrees of WGS 84: `geometry(Geometry,4326)` on PostGIS, WKB on SQLite."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], bytes | str | None]:
        """To the database."""
        if dialect.name == "postgresql":
            return _ewkb
        return lambda value: None if value is None else shapely.to_wkb(value)

    def bind_all(self, dialect: Dialect, values: list[Any]) -> list[Any]:
        """A column to the database."""
        shapes = np.array([*values, None], dtype=object)[:-1]
        if dialect.name == "postgresql":
            shapes = shapely.to_wkb(shapely.set_srid(shapes, SRID), hex=True, include_srid=True)
        else:
            shapes = shapely.to_wkb(shapes)
        found: list[Any] = shapes.tolist()
        return found

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """From the database: WKB as bytes, or in hexadecimal digits."""
        del dialect, coltype
        return lambda value: None if value is None else shapely.from_wkb(value)


def _ewkb(value: Any) -> str | None:
    if value is None:
        return None
    return str(shapely.to_wkb(shapely.set_srid(value, SRID), hex=True, include_srid=True))


@compiles(LonLat, "postgresql")
def _on_postgis(_type: Any, _compiler: Any, **_: Any) -> str:
    return f"geometry(GEOMETRY,{SRID})"


@compiles(LonLat, "sqlite")
def _on_sqlite(_type: Any, _compiler: Any, **_: Any) -> str:
    return "BLOB"


def meets(row: Any, box: Box | None, dialect: str) -> list[ColumnElement[bool]]:
    """Conditions under which the box of a ChangeRow or FeatureRow shares a point with `box`.

    The index (GiST, R*Tree) keeps single precision, rounded outward: what it finds is compared once more.
    """
    if box is None:
        return []
    west, south, east, north = box
    parts = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    boxes = [(a, south, b, north) for a, b in parts]
    indexed = _gist if dialect == "postgresql" else _rtree
    return [indexed(row, boxes), or_(*(_exactly(row, *each) for each in boxes))]


def _exactly(row: Any, west: float, south: float, east: float, north: float) -> ColumnElement[bool]:
    return and_(
        _edge(row, "west") <= east, _edge(row, "east") >= west,
        _edge(row, "south") <= north, _edge(row, "north") >= south,
    )  # fmt: skip


def _edge(row: Any, name: str) -> Any:
    """A column where the table has one, else measured: PostGIS has these functions, SQLite is given them."""
    if hasattr(row, name):
        return getattr(row, name)
    return getattr(func, EDGES[name][0])(row.geometry, type_=Float)


def _gist(row: Any, boxes: list[Box]) -> ColumnElement[bool]:
    return or_(
        *(row.geometry.op("&&", is_comparison=True)(func.ST_MakeEnvelope(*box, SRID)) for box in boxes)
    )


def _rtree(row: Any, boxes: list[Box]) -> ColumnElement[bool]:
    tree = table(RTREES[row.__tablename__], *map(column, ("serial", *EDGES)))
    c = tree.c
    found = [
        (c.west <= east + SINGLE) & (c.east >= west - SINGLE) & (c.south <= north + SINGLE)
        & (c.north >= south - SINGLE)
        for west, south, east, north in boxes
    ]  # fmt: skip
    # One search a box: an OR inside would make SQLite read the whole tree.
    return or_(*(row.serial.in_(select(c.serial).where(each)) for each in found))


EDGES = {"west": ("ST_XMin", 0), "east": ("ST_XMax", 2), "south": ("ST_YMin", 1), "north": ("ST_YMax", 3)}
"""PostGIS's function for each edge of a box, and its place in shapely's bounds."""


def teach_sqlite(connection: Any, _record: Any = None) -> None:
    """PostGIS's four functions of a box, for the triggers that keep the R*Tree."""
    last: tuple[bytes, Any] = (b"", None)

    def edge(place: int) -> Callable[[bytes], float]:
        def measure(wkb: bytes) -> float:
            nonlocal last
            # Asked four times for each row, one after the other.
            if last[0] is not wkb and last[0] != wkb:
                last = (wkb, shapely.from_wkb(wkb).bounds)
            return float(last[1][place])

        return measure

    for name, place in EDGES.values():
        connection.create_function(name, 1, edge(place), deterministic=True)
