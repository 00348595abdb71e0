"""One judging: changes measured against what is known of the cadastre, and judged by the rulebooks of their days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import geopandas as gpd
import pandas as pd
from pyproj import CRS

from cadastre.facts import FactTable
from cases.known import Known
from cases.rules import Judgement, Rulebook, judge_between
from ground.crs import LONLAT, crs_of, to_crs
from ground.files import short_hash


@dataclass(frozen=True, kw_only=True)
class Judging:
    """What one judging said, and `row`, all that is needed to do it again."""

    judgements: dict[str, Judgement]
    row: dict[str, Any]
    rulebooks: list[dict[str, Any]]


def in_degrees(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Changes as the database keeps them: measured from there, they are measured the same when judged again."""
    if crs_of(frame.crs, "changes") == LONLAT:
        return frame
    shapes = to_crs(frame.geometry.to_numpy(), crs_of(frame.crs, "changes"), LONLAT, "changes")
    return frame.set_geometry(list(shapes), crs=LONLAT)


def judged(
    frame: gpd.GeoDataFrame,
    facts: FactTable,
    known: Known,
    books: Sequence[Rulebook],
    *,
    crs: CRS,
    as_of: datetime,
    versions: dict[str, Any],
) -> Judging:
    """A frame judged as of a moment."""
    days = zip(frame["change_id"], map(_day, frame["before"]), map(_day, frame["after"]), strict=True)
    judgements = {change: judge_between(facts[change], books, first, last) for change, first, last in days}
    row = {
        "as_of": as_of,
        "made": datetime.now(UTC),
        "crs": crs.srs,
        "rulebooks": [book.version for book in books],
        "catalogue": known.described(),
        "layers": known.sources,
        "versions": versions | {"place": known.place},
    }
    changes = short_hash(*sorted(frame["change_id"]))
    made_of = repr((sorted(known.sources.items()), known.place, row["rulebooks"]))
    row["id"] = short_hash("judging", as_of.isoformat(), crs.srs, changes, made_of)
    return Judging(judgements=judgements, row=row, rulebooks=[_book(b, as_of) for b in books])


def _book(book: Rulebook, as_of: datetime) -> dict[str, Any]:
    return {
        "id": book.version,
        "title": book.title,
        "jurisdiction": book.jurisdiction,
        "effective_from": book.effective_from,
        "known_from": as_of,
        "content": book.model_dump(mode="json", by_alias=True),
    }


def _day(moment: pd.Timestamp) -> date | None:
    return None if pd.isna(moment) else moment.date()
