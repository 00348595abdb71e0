"""Replay: the verdicts of a past day, found again from what was known then, held against what was written down.

Each change is judged as on the last judging up to that day: its facts are measured anew with the layers known
then, in the CRS of then, and judged by the rulebooks of then. Where a layer was read from a file that is no longer
as it was, its facts stand as they were written, and the replay says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from cadastre.facts import Facts
from cases import verdicts
from cases.known import books_of, from_judging
from cases.measuring import FIRST, LAST, measured
from cases.reasons import facts_of
from cases.rules import Rulebook, judge_between
from cases.said import said_on
from cases.store import CaseStore
from database.tables import ChangeRow, JudgementRow, JudgingRow
from ground.crs import LONLAT, crs_of


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """`lines`: verdicts found again, by change_id; `differing`: (written down, found) where the two are not the same.

    `not_measured`: changes whose facts stand as they were written.
    """

    lines: list[str]
    differing: list[tuple[str, str]]
    not_measured: int


def replay(store: CaseStore, as_of: datetime) -> Replayed:
    """The verdicts of a moment.

    Raises:
        BadInput: nothing was judged by then, or a rulebook of then is not written down.
    """
    lines: list[str] = []
    differing: list[tuple[str, str]] = []
    not_measured = 0
    with store.transaction() as session:
        for judging, rows in said_on(session, as_of, store.region):
            books = books_of(session, judging)
            facts = _measured(session, judging, books, _frame(session, rows))
            not_measured += len(rows) if facts is None else 0
            for row in rows:
                written = facts_of(row.facts, row.why, row.missing)
                known = written if facts is None else facts[row.change_id]
                said = judge_between(known, books, *map(_day, (row.facts.get(FIRST), row.facts.get(LAST))))
                found, before = verdicts.of_judgement(row.change_id, said, known), verdicts.of_row(row)
                lines.append(found)
                if found != before:
                    differing.append((before, found))
    return Replayed(lines=sorted(lines), differing=differing, not_measured=not_measured)


def _measured(
    session: Session, judging: JudgingRow, books: list[Rulebook], frame: gpd.GeoDataFrame
) -> Mapping[str, Facts] | None:
    """The facts measured again; None where the layers are no longer at hand."""
    west, south, east, north = map(float, frame.total_bounds)
    known = from_judging(session, judging, (west, south, east, north))
    if known is None:
        return None
    return measured(frame, known, books, crs_of(judging.crs, "judging"))


def _frame(session: Session, rows: list[JudgementRow]) -> gpd.GeoDataFrame:
    """The changes as they were given: outlines from the database, all else from the facts of then."""
    by_id = {row.change_id: row for row in rows}
    keys, shapes = [], []
    ids = sorted(by_id)
    for start in range(0, len(ids), 500):
        query = select(ChangeRow.id, ChangeRow.geometry).where(ChangeRow.id.in_(ids[start : start + 500]))
        for key, shape in session.execute(query):
            keys.append(key)
            shapes.append(shape)
    facts = [by_id[key].facts for key in keys]
    columns: dict[str, Any] = {
        "change_id": keys,
        "before": pd.to_datetime([f.get(FIRST) for f in facts], utc=True).as_unit("ms"),
        "after": pd.to_datetime([f.get(LAST) for f in facts], utc=True).as_unit("ms"),
        "change_class": [f["change_class"] for f in facts],
    }
    for name, fact in (
        ("area_m2", "change_area_m2"), ("width_m", "change_width_m"),
        ("probability", "change_probability"), ("ndvi_change", "change_ndvi"),
    ):  # fmt: skip
        columns[name] = [np.nan if f[fact] is None else f[fact] for f in facts]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=LONLAT)


def _day(text: Any) -> Any:
    return None if text is None else pd.Timestamp(text).date()
