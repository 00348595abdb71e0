"""New outlines judged with what an earlier judging knew: its vintages, its files if they are as they were, its law."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from sqlalchemy.orm import Session

from cadastre.facts import Facts, FactTable, measure_crs
from cases import judging
from cases.known import Known, books_of, from_judging
from cases.ledger import Entry
from cases.measuring import REGION, groups_of_pack, land_of, measured
from cases.provenance import versions
from cases.rules import Judgement, Verdict
from cases.store import CaseStore
from database.tables import JudgingRow
from detection.changes import ribbon_width_m
from ground.crs import LONLAT, crs_of, geodesic_area_m2, geodesic_perimeter_m

NOT_JUDGED = "NOT-JUDGED-SINCE"
"""The rule of those whose layers are no longer at hand."""
AGAIN = "judge it again with `tiankan judge`"


@dataclass(frozen=True, kw_only=True)
class Outline:
    """One new outline in degrees, and what is known of it besides; None where nobody knows."""

    change_id: str
    geometry: shapely.Geometry
    pair_id: str
    before: datetime | None
    after: datetime | None
    change_class: str
    region: str
    probability: float | None = None
    ndvi_change: float | None = None


def frame_of(outlines: Sequence[Outline]) -> gpd.GeoDataFrame:
    """The change frame of outlines; one of several pieces stays one change."""
    shapes = [one.geometry for one in outlines]
    area, perimeter = geodesic_area_m2(shapes), geodesic_perimeter_m(shapes)
    columns: dict[str, Any] = {
        name: pd.array([getattr(one, name) for one in outlines], dtype="str")
        for name in ("change_id", "pair_id", "change_class")
    }
    for name in ("before", "after"):
        columns[name] = pd.to_datetime([getattr(one, name) for one in outlines], utc=True).as_unit("ms")
    for name in ("probability", "ndvi_change"):
        columns[name] = np.array([getattr(one, name) for one in outlines], dtype=float)
    columns |= {"area_m2": area, "width_m": ribbon_width_m(area, perimeter)}
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=LONLAT)


@dataclass(frozen=True, kw_only=True)
class Anew:
    """What a store is told of new outlines; and the groups of land classes of its ledgers, none where it has none."""

    entry: Entry
    groups: dict[str, list[str]]

    def landed(self, rows: Sequence[dict[str, Any] | None]) -> Entry:
        """The entry with other ledgers, in the order of the outlines; those that are None are not known."""
        changes = self.entry.changes["change_id"]
        land = {change: row for change, row in zip(changes, rows, strict=True) if row is not None}
        return replace(self.entry, land=land)

    def land(self) -> list[dict[str, Any] | None]:
        """The ledgers as they were measured, in the order of the outlines."""
        return [self.entry.land.get(change) for change in self.entry.changes["change_id"]]


def judged_anew(
    session: Session,
    outlines: Sequence[Outline],
    row: JudgingRow | None,
    facts: Mapping[str, Any],
    why: str,
    groups: dict[str, list[str]] | None = None,
) -> Anew:
    """All there is to say of outlines; doubt where what was known is no longer at hand.

    `facts`: those of an earlier judgement, whose names are then unknown; `why`: what became of it. `groups` of land
    classes: those of the law's pack unless told.
    """
    frame = frame_of(outlines)
    west, south, east, north = map(float, frame.total_bounds)
    known = from_judging(session, row, (west, south, east, north)) if row else None
    if row is None or known is None:
        return Anew(entry=_doubt(frame, outlines, facts, why), groups={})
    books, crs = books_of(session, row), crs_of(row.crs, "judging")
    found = measured(frame, known, books, crs)
    said = judging.judged(frame, found, known, books, crs=crs, as_of=row.as_of, versions=versions())
    groups = groups or groups_of_pack(books)
    entry = Entry(
        changes=frame,
        facts=found,
        judgements=said.judgements,
        regions=_regions(outlines, found),
        layers=known.sources,
        scenes=[],
        pair={},
        judging=said.row,
        rulebooks=said.rulebooks,
        land=land_of(frame, known, crs, groups),
    )
    return Anew(entry=entry, groups=groups)


def changes_of(store: CaseStore, case_ids: Sequence[str]) -> gpd.GeoDataFrame:
    """The changes of cases as they are stored, as `tiankan judge` reads them.

    Raises:
        NotFound: there is no such case.
    """
    with store.transaction() as session:
        rows = {row.id: row.change for row in (store.row(session, key) for key in case_ids)}
        outlines = [
            Outline(
                **{
                    name: getattr(change, name)
                    for name in Outline.__dataclass_fields__
                    if name != "change_id"
                },
                change_id=change.id,
            )
            for change in rows.values()
        ]
        frame = frame_of(outlines)
        frame["area_m2"] = [change.area_m2 for change in rows.values()]
        frame["width_m"] = [change.width_m for change in rows.values()]
        return frame


def _regions(outlines: Sequence[Outline], facts: FactTable) -> dict[str, str]:
    """Where each lies as the layer of regions says, else where it was taken from."""
    column = facts.columns.get(REGION)
    named = column.values if column else [None] * len(outlines)
    return {one.change_id: str(name or one.region) for one, name in zip(outlines, named, strict=True)}


def _doubt(frame: gpd.GeoDataFrame, outlines: Sequence[Outline], facts: Mapping[str, Any], why: str) -> Entry:
    nothing = Known(catalogue={}, layers={}, sources={}, place="")
    own = measured(frame, nothing, [], measure_crs(frame))
    told = f"{why}, and the layers that it was judged by are no longer at hand; {AGAIN}"
    values = {}
    for change_id, one in own.items():
        lost = dict.fromkeys([name for name in facts if name not in one.values], None)
        values[change_id] = Facts(one.values | lost, one.why | dict.fromkeys(lost, told))
    said = Judgement(
        verdict=Verdict.DOUBT, rule_id=NOT_JUDGED, basis="", seen={}, missing={"layers": told}, proof=AGAIN,
        rulebook="",
    )  # fmt: skip
    return Entry(
        changes=frame,
        facts=values,
        judgements=dict.fromkeys(values, said),
        regions={one.change_id: one.region for one in outlines},
        layers={},
        scenes=[],
        pair={},
    )
