"""The overlay of a case: what of which cadastral feature lies under its change, as its judging knew the layers."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from pyproj import CRS
from sqlalchemy import select
from sqlalchemy.orm import Session

from cadastre.crossing import SAME_M, SAME_M2, Features, features_of
from cadastre.layers import LayerData
from cadastre.overlay import intersection
from cases.known import from_judging
from cases.store import CaseStore
from cases.workflow import Workflow
from database.tables import CaseRow, JudgingRow
from evidence.adding import Added, Given, add, check_person
from evidence.files import Files
from evidence.limits import Limits
from ground.crs import LONLAT, crs_of, to_crs
from ground.errors import BadInput

KIND = "overlay"
WHY = {
    "no_judging": "it was judged before judgings were kept, so which layers it was judged by is not known",
    "changed": "the files of its layers are no longer as they were when it was judged",
    "too_large": "the files of its layers are too large to be read for a page",
}
PAGE_BYTES = 1 << 26
"""Of layer files, that are read while somebody waits; the registry finds a place by its index."""
MADE = "overlay.geojson"
AGAIN = "judge its change again"


class NoOverlay(BadInput):
    """There is none of a case; `key` of WHY."""

    def __init__(self, case_id: str, key: str, mend: str) -> None:
        super().__init__(f"case {case_id}: there is no overlay ({WHY[key]}); {mend}")
        self.key = key


class Holds(StrEnum):
    """Whether a feature was in force on the days between the scenes."""

    EVERY_DAY = "every_day"
    SOME_DAYS = "some_days"
    NO_DAY = "no_day"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What of one feature lies in the change: a polygon or line in degrees; a line has no area."""

    layer: str
    title: str
    number: str | None
    land_class: str | None
    valid_from: date | None
    valid_to: date | None
    holds: Holds
    area_m2: float
    length_m: float
    shape: shapely.Geometry


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """The pieces of a change, layer by layer, the largest first; `titles`: of every layer that was asked.

    `sources`: sha256 of the layer files, or vintages; areas are planar in the equal-area `crs` of the judging.
    """

    case_id: str
    change_id: str
    judgement_id: str
    judging_id: str
    as_of: datetime
    crs: str
    sources: Mapping[str, Any]
    titles: Mapping[str, str]
    area_m2: float
    outline: shapely.Geometry
    pieces: list[Piece]


def overlay_of(session: Session, case_id: str, most_bytes: int | None = None) -> Overlay:
    """The overlay of a case. `most_bytes`: of layer files, that may be read; what lies in the registry is always read.

    Raises:
        NoOverlay: what its judging knew is not to be had any more, or too large.
        BadInput: a layer cannot be read.
    """
    case = session.scalars(select(CaseRow).where(CaseRow.id == case_id)).one()
    change, judgement = case.change, case.judgement
    judging = session.get(JudgingRow, judgement.judging_id) if judgement.judging_id else None
    if judging is None:
        raise NoOverlay(case_id, "no_judging", AGAIN)
    if most_bytes is not None and _bytes_of(judging) > most_bytes:
        raise NoOverlay(case_id, "too_large", "import them with `tiankan cadastre import`")
    known = from_judging(session, judging, (change.west, change.south, change.east, change.north))
    if known is None:
        raise NoOverlay(case_id, "changed", AGAIN)
    crs = crs_of(judging.crs, "judging")
    shape = to_crs(np.array([change.geometry], dtype=object), LONLAT, crs, "overlay")[0]
    days = _day(change.before), _day(change.after)
    pieces = [piece for name, data in known.layers.items() for piece in _pieces(name, data, shape, days, crs)]
    return Overlay(
        case_id=case_id, change_id=change.id, judgement_id=judgement.id, judging_id=judging.id, as_of=judging.as_of,
        crs=judging.crs, sources=known.sources, titles={name: one.layer.title for name, one in known.layers.items()},
        area_m2=round(shape.area, 3), outline=change.geometry, pieces=pieces,
    )  # fmt: skip


def to_json(overlay: Overlay) -> dict[str, Any]:
    """A FeatureCollection in degrees for any GIS: the change first, then its pieces. The same whenever it is made."""
    change = {"part": "change", "change": overlay.change_id, "area_m2": overlay.area_m2}
    return {
        "type": "FeatureCollection", "name": KIND, "case": overlay.case_id, "judgement": overlay.judgement_id,
        "judging": overlay.judging_id, "as_of": overlay.as_of.isoformat(), "measured_in": overlay.crs,
        "layers": dict(overlay.titles), "sources": dict(overlay.sources),
        "features": [_feature(overlay.outline, change), *(_feature(p.shape, _said(p)) for p in overlay.pieces)],
    }  # fmt: skip


def give_overlay(
    store: CaseStore, files: Files, case_id: str, by: tuple[str, str], workflow: Workflow, limits: Limits
) -> Added:
    """Crosses the change of a case with the layers once more and keeps that as evidence; the same adds nothing twice.

    Raises:
        NotFound, IllegalMove: no such case; no named person.
        BadInput: what its judging knew is not to be had any more, or cannot be read.
        CannotWrite, Unreachable: the store takes nothing in.
    """
    check_person(*by, workflow, "evidence is given")
    key = store.case(case_id).id
    with store.transaction() as session:
        overlay = overlay_of(session, key)
    note = (
        f"{len(overlay.pieces)} pieces of {len(overlay.titles)} layers, as known on {overlay.as_of:%Y-%m-%d}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MADE
        path.write_text(json.dumps(to_json(overlay), ensure_ascii=False, sort_keys=True), encoding="utf-8")
        given = Given(kind=KIND, path=path, actor=by[0], role=by[1], note=note)
        return add(store, files, key, given, workflow, limits)


def _bytes_of(judging: JudgingRow) -> int:
    """Of the layer files of a judging; nothing for the registry."""
    place = str(judging.versions["place"])
    if not place:
        return 0
    folder = Path(place).parent
    paths = [folder / str(one.get("path", "")) for one in judging.catalogue.values()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _pieces(
    name: str,
    data: LayerData,
    shape: shapely.Geometry,
    days: tuple[np.datetime64, np.datetime64],
    crs: CRS,
) -> Iterator[Piece]:
    features = features_of(data)
    rows = np.sort(features.tree.query(shape, predicate="intersects"))
    cut = intersection(np.full(len(rows), shape, dtype=object), features.shapes[rows])
    order = np.lexsort((rows, -np.round(shapely.length(cut), 2), -np.round(shapely.area(cut), 2)))
    lonlat = to_crs(cut, crs, LONLAT, "overlay")
    for i in order:
        area, length, row = float(shapely.area(cut[i])), float(shapely.length(cut[i])), int(rows[i])
        # What only shares a border is no piece, as nowhere in the facts.
        if area <= SAME_M2 and (not features.thin[row] or _on_border(cut[i], shape)):
            continue
        told = features.frame.iloc[row]
        yield Piece(
            layer=name, title=data.layer.title, number=_text(told["number"]), land_class=_text(told["land_class"]),
            valid_from=_date(told["valid_from"]), valid_to=_date(told["valid_to"]), holds=_holds(features, row, days),
            area_m2=round(area, 3), length_m=0.0 if area else round(length, 3), shape=lonlat[i],
        )  # fmt: skip


def _on_border(piece: shapely.Geometry, shape: shapely.Geometry) -> bool:
    return bool(shapely.distance(piece, shapely.boundary(shape)) == 0) and not bool(
        shapely.intersects(shapely.buffer(shape, -SAME_M), piece)
    )


def _holds(features: Features, row: int, days: tuple[np.datetime64, np.datetime64]) -> Holds:
    """As facts ask it (`cadastre.dated.epochs`), of one feature."""
    first, last = days
    begins, ends = features.begins[row], features.ends[row]
    dated = features.dated[row]
    if not (dated or features.undated[row] or features.endless[row]):
        return Holds.EVERY_DAY
    unknown = features.undated[row] and not ends < first
    unknown |= features.endless[row] and not begins > last
    if unknown or features.backwards[row] or (dated and (np.isnat(first) or np.isnat(last))):
        return Holds.UNKNOWN
    meets = begins <= last and ends >= first
    if (begins <= first and ends >= last) or (features.happened and meets):
        return Holds.EVERY_DAY
    return Holds.SOME_DAYS if meets else Holds.NO_DAY


def _feature(shape: shapely.Geometry, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": shapely.geometry.mapping(shape), "properties": properties}


def _said(piece: Piece) -> dict[str, Any]:
    days = {name: getattr(piece, name) for name in ("valid_from", "valid_to")}
    return {
        "part": "piece", "layer": piece.layer, "title": piece.title, "number": piece.number,
        "land_class": piece.land_class, "holds": piece.holds.value, "area_m2": piece.area_m2,
        "length_m": piece.length_m, **{name: day and day.isoformat() for name, day in days.items()},
    }  # fmt: skip


def _day(moment: datetime | None) -> np.datetime64:
    return np.datetime64("NaT") if moment is None else np.datetime64(moment.replace(tzinfo=None), "D")


def _date(value: Any) -> date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)
