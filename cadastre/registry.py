"""The registry as it was known at a moment: which vintages counted then, and their features, ready to be measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS
from sqlalchemy import LargeBinary, func, select, type_coerce
from sqlalchemy.orm import Session

from cadastre.layers import ATTRIBUTE, UNDATED, Catalogue, Layer, LayerData, State
from database.cadastre_tables import FeatureRow, VintageRow
from database.geometry import Box, meets
from ground.crs import LONLAT, to_crs

FAR = ("distance_m", "nearest")
"""Measures that look beyond the changes: their layers are read whole."""
A_DAY = timedelta(days=1)
COLUMNS = ("number", "land_class", "attributes", "valid_from", "valid_to", "known_from")


@dataclass(frozen=True)
class Counting:
    """A vintage that counts, for a map from which day to which; None: ever."""

    row: VintageRow
    begins: date | None = None
    ends: date | None = None


def catalogue_known(session: Session, known: datetime) -> Catalogue:
    """Every layer that was known at a moment, described as by its newest vintage, in the order of the first ones."""
    query = select(VintageRow.layer, VintageRow.description).where(
        VintageRow.known_from <= known, VintageRow.features >= 0
    )
    rows = session.execute(query.order_by(VintageRow.serial)).all()
    return {name: Layer.model_validate(description) for name, description in rows}


def layers_known(
    session: Session, catalogue: Catalogue, known: datetime, crs: CRS, box: Box | None
) -> tuple[dict[str, LayerData], dict[str, str]]:
    """Each layer in `crs` as known at a moment, and the ids of the vintages it is made of.

    `box`: west, south, east, north in degrees, where the changes lie; None reads layers whole.
    """
    layers, made_of = {}, {}
    for name, layer in catalogue.items():
        counting = counting_at(session, name, known)
        if not counting:  # Entries were added to no list: nothing says what there is.
            continue
        cut = None if set(layer.measures) & set(FAR) else box
        layers[name] = _layer(session, layer, counting, known, crs, cut)
        made_of[name] = _named(counting)
    return layers, made_of


def vintages_known(session: Session, known: datetime) -> dict[str, str]:
    """The ids of the vintages that each layer was made of at a moment."""
    made_of = {name: _named(counting_at(session, name, known)) for name in catalogue_known(session, known)}
    return {name: made for name, made in made_of.items() if made}


def _named(counting: Sequence[Counting]) -> str:
    return "+".join(vintage.row.id for vintage in counting)


def counting_at(session: Session, name: str, known: datetime) -> list[Counting]:
    """The vintages of a layer that count at a moment.

    A register: its newest whole list, and what was added since. A map: the newest known of each day, each until the
    day before the next one's.
    """
    query = select(VintageRow).where(
        VintageRow.layer == name, VintageRow.known_from <= known, VintageRow.features >= 0
    )
    rows = list(session.scalars(query.order_by(VintageRow.known_from, VintageRow.serial)))
    maps = {row.valid_from: row for row in rows if row.kind == "map"}
    if maps:
        days = sorted(day for day in maps if day)
        ends = [day - A_DAY for day in days[1:]]
        return [Counting(maps[day], day, end) for day, end in zip(days, [*ends, None], strict=True)]
    whole = [at for at, row in enumerate(rows) if row.kind == "register"]
    return [Counting(row) for row in rows[whole[-1] :]] if whole else []


def _layer(
    session: Session, layer: Layer, counting: Sequence[Counting], known: datetime, crs: CRS, box: Box | None
) -> LayerData:
    # Each vintage as it was described itself: one without a column says nothing of another's.
    own = [Layer.model_validate(vintage.row.description) for vintage in counting]
    frames = [
        _frame(session, one, vintage, known, crs, box) for one, vintage in zip(own, counting, strict=True)
    ]
    columns = {name: theirs for one in [*own, layer] for name, theirs in one.columns.items()}
    layer = layer.model_copy(update={"columns": columns})
    frame = gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), geometry="geometry", crs=crs)
    for column in (f"{ATTRIBUTE}{name}" for name in layer.attributes):
        if column not in frame:
            frame[column] = pd.array([None] * len(frame), dtype="str")
    covers = [_moved(vintage.row.covers, crs) for vintage in counting]
    if any(vintage.begins for vintage in counting):
        states = zip(counting, covers, strict=True)
        known_states = tuple(State(vintage.begins, vintage.ends, area) for vintage, area in states)
        return LayerData(layer=layer, frame=frame, covers=None, states=known_states)
    # A register is complete where its whole list is; what was added later says nothing of where.
    return LayerData(layer=layer, frame=frame, covers=covers[0])


def _moved(covers: Any, crs: CRS) -> Any:
    return None if covers is None else to_crs(np.array([covers], dtype=object), LONLAT, crs, "registry")[0]


def _frame(
    session: Session, layer: Layer, vintage: Counting, known: datetime, crs: CRS, box: Box | None
) -> gpd.GeoDataFrame:
    """A vintage's features by its own description; columns as `read_layer` gives them, and UNDATED."""
    dialect = session.get_bind().dialect.name
    wkb = func.ST_AsBinary(FeatureRow.geometry) if dialect == "postgresql" else FeatureRow.geometry
    # Of a million rows only what the layer has.
    names = [name for name in COLUMNS if name in layer.columns or (name == "attributes" and layer.attributes)]
    query = (
        select(type_coerce(wkb, LargeBinary), *(getattr(FeatureRow, name) for name in names))
        # By the index alone: a feature too many beside the box harms nobody.
        .where(FeatureRow.vintage == vintage.row.serial, *meets(FeatureRow, box, dialect)[:1])
        .where((FeatureRow.known_from.is_(None)) | (FeatureRow.known_from <= known.date()))
        .order_by(FeatureRow.serial)
    )
    rows = session.execute(query).all()
    shapes, *texts = zip(*rows, strict=True) if rows else ((),) * (len(names) + 1)
    none = [None] * len(rows)
    said = dict.fromkeys(COLUMNS, none) | {n: list(t) for n, t in zip(names, texts, strict=True)}
    columns: dict[str, Any] = {name: pd.array(said[name], dtype="str") for name in ("number", "land_class")}
    for name in ("valid_from", "valid_to", "known_from"):
        columns[name] = pd.Series(said[name], dtype="datetime64[s]")
    for name in layer.attributes:
        values = [(attributes or {}).get(name) for attributes in said["attributes"]]
        columns[f"{ATTRIBUTE}{name}"] = pd.array(values, dtype="str")
    if vintage.begins:
        columns["valid_from"] = pd.Series([vintage.begins] * len(rows), dtype="datetime64[s]")
        columns["valid_to"] = pd.Series([vintage.ends] * len(rows), dtype="datetime64[s]")
    columns[UNDATED] = (
        np.full(len(rows), "valid_from" in layer.columns) & columns["valid_from"].isna().to_numpy()
    )
    lonlat = shapely.from_wkb(np.array(shapes, dtype=object))
    moved = to_crs(lonlat, LONLAT, crs, "registry")
    return gpd.GeoDataFrame(columns, geometry=list(moved), crs=crs)
