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
    EVERYWHERE,
    Layer,
    columns_of,
    coverage_of,
    crs_of_layer,
    in_order,
)
from cadastre.placing import Bounds, check_each, check_near, check_place, typical_of
from cadastre.quality import Mend, Report, check, check_text, look_over
from cadastre.streaming import DELIVERED, Stream, streamed
from cadastre.vintages import already, check_kind, not_before_a_judging
from cadastre.whole import files_of
from database import seals
from database.bulk import add
from database.cadastre_tables import FeatureRow, VintageRow
from database.engine import alone
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

    `more`: entries beside those known, not a new whole list; `repair`: mend what is invalid; `leave_out`: go without
    features that have no geometry; `far`: it may lie away from the other layers.
    """

    known: datetime | None = None
    state_of: date | None = None
    more: bool = False
    repair: bool = False
    leave_out: bool = False
    far: bool = False

    def kind_of(self, layer: Layer) -> str:
        """Of the vintage."""
        return "more" if self.more else layer.kind

    def day_of(self, layer: Layer) -> date | None:
        """Whose state the vintage shows."""
        return self.state_of if layer.kind == "map" else None


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
    hashes = _hashes(layer, folder)
    check_kind(session, name, asked.kind_of(layer), asked.known, str(path))
    there = already(session, name, layer, asked.kind_of(layer), asked.day_of(layer), hashes)
    if there:
        return Imported(id=there.id, layer=name, features=there.features, is_new=False, report=there.report)
    if asked.known:
        not_before_a_judging(session, name, asked.known)
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


def look(name: str, layer: Layer, folder: Path, repair: bool, leave_out: bool = False) -> dict[str, Any]:
    """The report of an import, without one."""
    path, report = folder / layer.path, Report()
    with streamed(path, layer) as stream:
        source = _Source(layer, path, crs_of_layer(stream.crs, layer, path), stream)
        for _ in _chunks(source, Mend(repair, leave_out), report):
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


def _hashes(layer: Layer, folder: Path) -> dict[str, str]:
    """Of every file that the vintage is made of: its features' and that of its coverage."""
    path = folder / layer.path
    found = {file.name: sha256(file) for file in files_of(path)}
    if not found:
        raise BadInput(f"{path}: there is no such layer file; mend `path` in layers.toml")
    if layer.coverage in (EVERYWHERE, BOUNDS):
        return found
    return found | {f"coverage: {file.name}": sha256(file) for file in files_of(folder / layer.coverage)}


def _opened(
    session: Session, name: str, layer: Layer, folder: Path, asked: Asked, hashes: dict[str, str], crs: CRS
) -> VintageRow:
    description, state = layer.model_dump(mode="json"), asked.day_of(layer)
    before = session.scalar(select(func.max(VintageRow.serial)))
    row = VintageRow(
        id=short_hash(
            "vintage", name, repr(description), repr(sorted(hashes.items())), str(state), str(before)
        ),
        layer=name,
        kind=asked.kind_of(layer),
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
    for chunk in _chunks(source, Mend(asked.repair, asked.leave_out), report):
        add(session, FeatureRow, rows := _rows(vintage, chunk))
        pile.add(rows)
        if len(chunk.lonlat):
            new = shapely.total_bounds(chunk.lonlat)
            box = np.r_[np.minimum(box[:2], new[:2]), np.maximum(box[2:], new[2:])]
        advance("import", report.read, source.stream.total)
    pile.seal(session)
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _chunks(source: _Source, mend: Mend, report: Report) -> Iterator[_Chunk]:
    """The file's features, checked; the report counts as they pass."""
    layer, path = source.layer, source.path
    mend = Mend(mend.repair or layer.repair, mend.leave_out or layer.leave_out)
    for raw in source.stream.frames:
        first = report.read + 1
        report.read += len(raw)
        delivered = raw.pop(DELIVERED).to_numpy() if DELIVERED in raw else None
        columns = columns_of(raw, layer, path)
        shapes = in_order(raw.geometry.to_numpy(), layer)
        checked = check(shapes, first, report, path, mend, delivered)
        keep = checked.keep
        rows = np.arange(first, first + len(raw))[keep]
        lonlat = _placed(checked.shapes[keep], rows, source)
        columns = {name: column[keep].reset_index(drop=True) for name, column in columns.items()}
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


def _placed(shapes: NDArray[np.object_], rows: NDArray[np.int_], source: _Source) -> NDArray[np.object_]:
    """In degrees; refused where they do not lie where their system says: first most of them, then each, then all."""
    boxes, where = shapely.bounds(shapes), str(source.path)
    typical = typical_of(boxes)
    check_place(typical, source.crs, where)
    lonlat = to_crs(shapes, source.crs, LONLAT, where)
    check_each(lonlat, rows, source.crs, typical, where)
    if len(shapes):
        west, south, east, north = map(float, (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)))
        check_place((west, south, east, north), source.crs, where)
    return lonlat


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
    not_before_a_judging(session, vintage.layer, vintage.known_from)
    session.flush()
    seals.found(session, VintageRow, vintage.id)
