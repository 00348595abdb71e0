"""The official table of cases: a row a case, its columns as tables.toml lays them out."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import geopandas as gpd
import numpy as np
import pandas as pd
from pydantic import Field
from pyproj import CRS
from sqlalchemy import func, select
from sqlalchemy.orm import aliased, lazyload

from cases.show import M2_PER_MU
from cases.store import CaseStore
from cases.workflow import REPLACED
from database.numbering_tables import NumberRow
from database.tables import CaseRow, ChangeRow, JudgementRow, PairRow, SceneRow
from ground.crs import LONLAT, to_crs
from ground.errors import BadInput
from ground.tables import Strict, load_toml, parse
from reports.definitions import load_definitions
from reports.land_table import land_table
from reports.numbering import number_of
from reports.words import Language, Words

TABLES_TOML = Path(__file__).with_name("tables.toml")
GROUPS = ("cultivated", "other_agricultural", "unused", "construction", "unclassified")


class ColumnOut(Strict):
    """One column: our name, its name in a DBF, its titles, and whether it is text, a number or a day."""

    name: str
    field: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,9}$")]
    """Ten characters are all that a DBF has."""
    zh: str
    en: str
    kind: Annotated[str, Field(pattern="^(text|number|moment)$")]


@dataclass(frozen=True)
class Wanted:
    """Which cases: regions whose code begins so, and one status; any but split and merged where none is told."""

    region: str = ""
    status: str | None = None


@cache
def load_columns(path: Path = TABLES_TOML) -> list[ColumnOut]:
    """The layout of the table.

    Raises:
        BadInput: a typo, with file and key; or a name or field that stands there twice.
    """
    columns: list[ColumnOut] = parse(list[ColumnOut], load_toml(path).get("column", []), path)
    for what in ("name", "field"):
        names = [getattr(column, what) for column in columns]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise BadInput(f"{path}: column.{what}: {twice[0]!r} stands there twice; rename one")
    return columns


def case_table(store: CaseStore, wanted: Wanted, crs: CRS, language: Language) -> gpd.GeoDataFrame:
    """The cases as a frame in `crs`, in the order in which they were opened; unknown is empty, never 0.

    Raises:
        BadInput: the region lies outside the store's, or the CRS cannot describe the place.
    """
    if not crs.is_geographic and not crs.is_projected:
        raise BadInput(f"--crs: {crs.name} is neither of degrees nor of a map; write EPSG:4490")
    rows, shapes = _read(store, wanted, Words(language))
    columns = load_columns()
    moved = to_crs(np.array([*shapes, None], dtype=object)[:-1], LONLAT, crs, "cases")
    frame = gpd.GeoDataFrame(rows, columns=[column.name for column in columns], geometry=list(moved), crs=crs)
    for column in columns:
        if column.kind == "number":
            frame[column.name] = pd.to_numeric(frame[column.name]).astype(float)
        elif column.kind == "moment":
            frame[column.name] = pd.to_datetime(frame[column.name], utc=True).dt.as_unit("ms")
        else:
            frame[column.name] = frame[column.name].astype("str")
    return frame


def _read(store: CaseStore, wanted: Wanted, words: Words) -> tuple[list[dict[str, Any]], list[Any]]:
    before, after = aliased(SceneRow), aliased(SceneRow)
    region = store.scoped(wanted.region or store.region).region
    query = (
        select(CaseRow, ChangeRow, JudgementRow, before.sensor, after.sensor, NumberRow.number)
        .options(lazyload("*"))
        .join(ChangeRow, CaseRow.change_id == ChangeRow.id)
        .join(JudgementRow, CaseRow.judgement_id == JudgementRow.id)
        .outerjoin(PairRow, PairRow.id == ChangeRow.pair_id)
        .outerjoin(before, before.id == PairRow.before_scene)
        .outerjoin(after, after.id == PairRow.after_scene)
        .outerjoin(NumberRow, NumberRow.case_id == CaseRow.id)
        .order_by(CaseRow.serial)
    )
    if region:
        query = query.where(func.substr(ChangeRow.region, 1, len(region)) == region)
    if wanted.status is None:  # Others stand for the same land.
        query = query.where(CaseRow.status.not_in(REPLACED))
    else:
        query = query.where(CaseRow.status == wanted.status)
    rows, shapes = [], []
    with store.transaction() as session:
        for case, change, judgement, one, other, number in session.execute(
            query.execution_options(yield_per=1000)
        ):
            row = _row(case, change, judgement, one, other, words)
            rows.append(row | ({"number": number} if number else {}))
            shapes.append(change.geometry)
    return rows, shapes


def _row(
    case: CaseRow,
    change: ChangeRow,
    judgement: JudgementRow,
    before: str | None,
    after: str | None,
    words: Words,
) -> dict[str, Any]:
    table = land_table(judgement.land, change.area_m2, judgement.facts)
    kind = load_definitions().kind_of(case.status, judgement.verdict)
    drawn = change.change_class not in load_definitions().without_area
    ledger = {f"{name}_mu": table.mu.get(name, 0.0) if table else None for name in GROUPS}
    return ledger | {
        "number": number_of(change.region, change.after, case.serial),
        "case_id": case.id,
        "region": change.region,
        "change_class": words.of("class", change.change_class),
        "before": _moment(change.before),
        "before_sensor": before or "",
        "after": _moment(change.after),
        "after_sensor": after or "",
        "area_m2": round(change.area_m2, 2) if drawn else None,
        "area_mu": round(change.area_m2 / M2_PER_MU, 2) if drawn else None,
        "basic_mu": _mu(table.basic_m2 if table else None),
        "redline_mu": _mu(table.redline_m2 if table else None),
        "verdict": words.of("finding", judgement.verdict),
        "finding": words.of("finding", kind),
        "rule": judgement.rule_id,
        "status": words.of("status", case.status),
        "opened": case.opened,
    }


def _mu(m2: float | None) -> float | None:
    return None if m2 is None else round(m2 / M2_PER_MU, 2)


def _moment(value: datetime | None) -> datetime | None:
    return None if value is None else value.replace(microsecond=value.microsecond // 1000 * 1000)
