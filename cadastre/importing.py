"""A layer's file brought into the registry: streamed, looked over, mended where allowed; all of it or nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cadastre.layers import (
    ATTRIBUTE,
    BOUNDS,
    Layer,
    columns_of,
    coverage_of,
    crs_of_layer,
    files_of,
    in_order,
)
from cadastre.placing import Bounds, check_near, check_place
from cadastre.quality import Report, check, check_text, look_over
from cadastre.streaming import Stream, streamed
from database import seals
from database.bulk import add
from database.cadastre_tables import FeatureRow, VintageRow
from database.engine import alone
from database.tables import JudgingRow
from ground.crs import LONLAT, to_crs
from ground.errors import BadInput
from ground.files import sha256, short_hash

Advance = Callable[[str, int, int], None]
OPEN = -1
"""Features of a vintage that is being imported: only in its own transaction is it seen so."""
EVERYWHERE_BOX = (np.inf, np.inf, -np.inf, -np.inf)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a layer is brought in. `known`: since when it is known, None: since it is all there; `state_of`: the day
    whose state a map shows.

    `more`: entries beside those known, not a new whole list; `repair`: mend what is invalid; `far`: it may lie
    away from the other layers.
    """

    known: datetime | None = None
    state_of: date | None = None
    more: bool = False
    repair: bool = False
    far: bool = False


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A vintage; `is_new` says whether it was not yet there."""

    id: str
    layer: str
    features: int
    is_new: bool
    report: dict[str, Any]


def import_layer(
    session: Session,
    name: str,
    layer: Layer,
    folder: Path,
    asked: Asked,
    advance: Advance = lambda _step, _done, _total: None,
) -> Imported:
    """One layer as a new vintage, within the session's transaction; the same again adds nothing.

    Raises:
        BadInput: it cannot be used as it is, or claims to have been known before a judging made without it.
    """
    path = folder / layer.path
    if layer.kind == "map" and asked.state_of is None:
        raise BadInput(f"{path}: layer {name} is a map; pass --valid-from DAY, the day whose state it shows")
    if layer.kind == "map" and asked.more:
        raise BadInput(f"{path}: layer {name} is a map, which is whole each time; leave --more away")
    hashes = {file.name: sha256(file) for file in files_of(path)}
    if not hashes:
        raise BadInput(f"{path}: there is no such layer file; mend `path` in layers.toml")
    there = _there(session, name, layer, hashes, asked)
    if there:
        return Imported(id=there.id, layer=name, features=there.features, is_new=False, report=there.report)
    if asked.known:
        _not_before_a_judging(session, name, asked.known)
    report = Report()
    with streamed(path, layer) as stream:
        crs = crs_of_layer(stream.crs, layer, path)
        vintage = _opened(session, name, layer, folder, asked, hashes, crs)
        bounds = _fill(session, vintage.serial, _Source(layer, path, crs, stream), asked, report, advance)
    report.finish()
    if not asked.far:
        check_near(bounds, _others(session, name), f"{path}: layer {name}")
    _close(session, vintage, layer, report, bounds, asked.known)
    return Imported(id=vintage.id, layer=name, features=report.kept, is_new=True, report=vintage.report)


def look(name: str, layer: Layer, folder: Path, repair: bool) -> dict[str, Any]:
    """The report of an import, without one."""
    path, report = folder / layer.path, Report()
    with streamed(path, layer) as stream:
        source = _Source(layer, path, crs_of_layer(stream.crs, layer, path), stream)
        for _ in _chunks(source, repair, report):
            pass
    report.finish()
    return {"layer": name} | report.said()


@dataclass(frozen=True)
class _Source:
    """A file being read."""

    layer: Layer
    path: Path
    crs: CRS
    stream: Stream


@dataclass(frozen=True)
class _Chunk:
    """Features in degrees, with their rows in the file."""

    columns: dict[str, pd.Series]
    lonlat: NDArray[np.object_]
    original: NDArray[np.object_]
    rows: NDArray[np.int_]


def _there(
    session: Session, name: str, layer: Layer, hashes: dict[str, str], asked: Asked
) -> VintageRow | None:
    """The vintage that says the same already: of a register only the newest, for an older one has been replaced."""
    query = select(VintageRow).where(VintageRow.layer == name).order_by(VintageRow.serial)
    rows = list(session.scalars(query))
    kind = "more" if asked.more else layer.kind
    for row in rows if kind != "register" else rows[-1:]:
        same = (row.kind, row.valid_from, row.description, row.sha256)
        if same == (kind, _state(layer, asked), layer.model_dump(mode="json"), hashes):
            return row
    return None


def _state(layer: Layer, asked: Asked) -> date | None:
    return asked.state_of if layer.kind == "map" else None


def _not_before_a_judging(session: Session, name: str, known: datetime) -> None:
    latest = session.scalar(select(func.max(JudgingRow.as_of)))
    if latest and known <= latest:
        raise BadInput(
            f"--known: {known:%Y-%m-%d} is not after the judging of {latest:%Y-%m-%d %H:%M} UTC, made without "
            f"this vintage of layer {name}; give the day on which it became known here"
        )


def _opened(
    session: Session, name: str, layer: Layer, folder: Path, asked: Asked, hashes: dict[str, str], crs: CRS
) -> VintageRow:
    description, state = layer.model_dump(mode="json"), _state(layer, asked)
    before = session.scalar(select(func.max(VintageRow.serial)))
    row = VintageRow(
        id=short_hash(
            "vintage", name, repr(description), repr(sorted(hashes.items())), str(state), str(before)
        ),
        layer=name,
        kind="more" if asked.more else layer.kind,
        valid_from=state,
        known_from=asked.known or datetime.now(UTC),
        imported=datetime.now(UTC),
        description=description,
        source=layer.path,
        sha256=hashes,
        crs=crs.to_wkt(),
        covers=coverage_of(layer, folder, LONLAT),
        features=OPEN,
        report={},
    )
    session.add(row)
    session.flush()
    return row


def _fill(
    session: Session, vintage: int, source: _Source, asked: Asked, report: Report, advance: Advance
) -> Bounds:
    """All features written; returns their box in degrees, infinite the wrong way round where there is none."""
    box, pile = np.array(EVERYWHERE_BOX), seals.Pile(FeatureRow, vintage)
    repair = asked.repair or source.layer.repair
    for chunk in _chunks(source, repair, report):
        add(session, FeatureRow, rows := _rows(vintage, chunk))
        pile.add(rows)
        if len(chunk.lonlat):
            new = shapely.total_bounds(chunk.lonlat)
            box = np.r_[np.minimum(box[:2], new[:2]), np.maximum(box[2:], new[2:])]
        advance("import", report.read, source.stream.total)
    pile.seal(session)
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _chunks(source: _Source, repair: bool, report: Report) -> Iterator[_Chunk]:
    """The file's features, checked; the report counts as they pass."""
    layer, path = source.layer, source.path
    repair = repair or layer.repair
    for raw in source.stream.frames:
        first = report.read + 1
        report.read += len(raw)
        columns = columns_of(raw, layer, path)
        shapes = in_order(raw.geometry.to_numpy(), layer)
        checked = check(shapes, first, report, path, repair)
        keep = checked.keep
        check_place(_bounds(checked.shapes[keep]), source.crs, str(path))
        lonlat = to_crs(checked.shapes[keep], source.crs, LONLAT, str(path))
        columns = {name: column[keep].reset_index(drop=True) for name, column in columns.items()}
        rows = np.arange(first, first + len(raw))[keep]
        for name in ("number", "land_class", *(f"{ATTRIBUTE}{key}" for key in layer.attributes)):
            check_text(columns[name], name.removeprefix(ATTRIBUTE), path, layer.encoding)
        begins, ends = columns["valid_from"], columns["valid_to"]
        report.add(
            "dates_reversed", rows[(begins.notna() & ends.notna() & (ends < begins)).to_numpy(dtype=bool)]
        )
        report.remember(checked.shapes[keep], columns["number"], rows)
        look_over(lonlat, rows, report)
        report.kept += len(rows)
        yield _Chunk(columns, lonlat, checked.original[keep], rows)


def _bounds(shapes: NDArray[np.object_]) -> Bounds:
    west, south, east, north = map(float, shapely.total_bounds(shapes))
    return west, south, east, north


def _rows(vintage: int, chunk: _Chunk) -> list[dict[str, Any]]:
    """As the table has them."""
    attributes = {
        name.removeprefix(ATTRIBUTE): column.tolist()
        for name, column in chunk.columns.items()
        if name.startswith(ATTRIBUTE)
    }
    said = [dict(zip(attributes, values, strict=True)) for values in zip(*attributes.values(), strict=True)]
    dates = {name: _days(chunk.columns[name]) for name in ("valid_from", "valid_to", "known_from")}
    whole: dict[str, list[Any]] = {
        "row": chunk.rows.tolist(),
        "number": chunk.columns["number"].tolist(),
        "land_class": chunk.columns["land_class"].tolist(),
        "attributes": [*said] or [None] * len(chunk.rows),
        **dates,
        "geometry": chunk.lonlat.tolist(),
        "original": chunk.original.tolist(),
    }
    return [
        {"vintage": vintage} | dict(zip(whole, values, strict=True))
        for values in zip(*whole.values(), strict=True)
    ]


def _days(column: pd.Series) -> list[date | None]:
    return [None if pd.isna(day) else day.date() for day in column]


def _others(session: Session, name: str) -> dict[str, Bounds]:
    """Where the other layers lie, in degrees."""
    query = select(VintageRow.layer, VintageRow.report).where(
        VintageRow.layer != name, VintageRow.features > 0
    )
    return {layer: tuple(report["bounds"]) for layer, report in session.execute(query) if report["bounds"]}


def _close(
    session: Session,
    vintage: VintageRow,
    layer: Layer,
    report: Report,
    bounds: Bounds,
    known: datetime | None,
) -> None:
    """The vintage is whole: what was found stands in it, and from now on nothing of it is altered."""
    empty = not np.isfinite(bounds).all()
    vintage.report = report.said() | {"bounds": None if empty else list(bounds)}
    if layer.coverage == BOUNDS:
        vintage.covers = shapely.Polygon() if empty else shapely.box(*bounds)
    vintage.features = report.kept
    alone(session)  # Whoever records a judging now waits, and then sees this vintage.
    if known is None:
        # What was judged while the file was read was judged without it.
        vintage.known_from = datetime.now(UTC)
    _not_before_a_judging(session, vintage.layer, vintage.known_from)
    session.flush()
    seals.found(session, VintageRow, vintage.id)
