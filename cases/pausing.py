"""Days on which the clocks of cases stand still: those of a disaster that met the place, as the registry knows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from cadastre.registry import catalogue_known, layers_known
from clocks.calendar import Pause
from clocks.policy import Edition
from database import bulk
from database.geometry import Box
from database.tables import CaseRow, ChangeRow
from ground.crs import LONLAT


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """By case the days on which its clocks stand."""

    by_case: dict[str, list[Pause]]
    undated: list[str]

    def of(self, case_id: str) -> list[Pause]:
        """Of one case, the earliest first."""
        return self.by_case.get(case_id, [])


def pauses(session: Session, cases: Sequence[str] | None, edition: Edition, now: datetime) -> Pauses:
    """The disasters that the registry knew at a moment, held against the places of cases; None: of all."""
    frame = _disasters(session, edition, now)
    if frame is None or not len(frame) or (cases is not None and not cases):
        return Pauses(by_case={}, undated=[])
    numbers = [
        str(number) if isinstance(number, str) and number else f"of {str(begin)[:10]}"
        for number, begin in zip(frame["number"], frame["valid_from"], strict=True)
    ]
    known = [_pause(number, row) for number, row in zip(numbers, frame.itertuples(), strict=True)]
    undated = [number for number, pause in zip(numbers, known, strict=True) if pause is None]
    ids, shapes = _places(session, cases, frame.total_bounds)
    if not ids:
        return Pauses(by_case={}, undated=undated)
    case, area = shapely.STRtree(frame.geometry.to_numpy()).query(shapes, predicate="intersects")
    found: dict[str, list[Pause]] = {}
    for i, k in sorted(zip(case.tolist(), area.tolist(), strict=True)):
        pause = known[k]
        if pause is not None:
            found.setdefault(ids[i], []).append(pause)
    return Pauses(
        by_case={
            name: sorted(set(some), key=lambda one: (one.first, one.name)) for name, some in found.items()
        },
        undated=undated,
    )


def _disasters(session: Session, edition: Edition, now: datetime) -> Any | None:
    """The layer as it was known, in degrees; None where there is none."""
    described = {
        name: layer for name, layer in catalogue_known(session, now).items() if name == edition.disasters
    }
    layers, _ = layers_known(session, described, now, LONLAT, None)
    return layers[str(edition.disasters)].frame if layers else None


def _pause(number: str, row: Any) -> Pause | None:
    """None where nobody said when it began: no clock stands on a guess."""
    if pd.isna(row.valid_from):
        return None
    last = None if pd.isna(row.valid_to) else row.valid_to.date()
    return Pause(first=row.valid_from.date(), last=last, name=number)


def _places(session: Session, cases: Sequence[str] | None, bounds: Sequence[float]) -> tuple[list[str], Any]:
    """Of the cases, or of all, whose box meets the bounds the ids, and the outlines of the changes they stand on."""
    west, south, east, north = (float(each) for each in bounds)
    box: Box = (west, south, east, north)
    query = (
        select(CaseRow.id, ChangeRow.geometry)
        .join(ChangeRow, ChangeRow.id == CaseRow.change_id)
        .where(
            ChangeRow.west <= box[2], ChangeRow.east >= box[0], ChangeRow.south <= box[3], ChangeRow.north >= box[1],
            *([] if cases is None else [bulk.among(session, CaseRow.id, cases)]),
        )
        .order_by(CaseRow.serial)
    )  # fmt: skip
    rows = session.execute(query).all()
    return [row.id for row in rows], np.array([*(row.geometry for row in rows), None], dtype=object)[:-1]
