"""A layer's features as GeoJSON that anybody opens, and back to the last bit of what a change was measured against."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from cadastre.columns import days, texts
from cadastre.facts import measure
from cadastre.layers import ATTRIBUTE, DATES, OUR_COLUMNS, Layer, LayerData, State
from ground.crs import LONLAT, crs_of, to_crs

WIDER_M = (0.0, 100.0, 1_000.0, 10_000.0, 100_000.0)
"""How far around a change features are taken: as far as it takes to measure the same; then all of them."""
SHAPED = ("layer", "frame", "covers", "states")
"""Of a layer in hand, what is written in a form of its own; all else goes as it is."""
Facts = Mapping[str, Any]


def cut(name: str, data: LayerData, frame: gpd.GeoDataFrame, crs: CRS) -> LayerData:
    """The layer with only those features without which the one change of `frame` would be measured otherwise."""
    shape = to_crs(frame.geometry.to_numpy(), crs_of(frame.crs, "changes"), crs, "changes")[0]
    away = shapely.distance(data.frame.geometry.to_numpy(), shape)
    whole = _measured(name, data, frame, crs)
    for most in WIDER_M:
        near = data.frame[np.asarray(away <= most)].reset_index(drop=True)
        found = data.model_copy(update={"frame": near})
        if _measured(name, found, frame, crs) == whole:
            return found
    return data


def _measured(name: str, data: LayerData, frame: gpd.GeoDataFrame, crs: CRS) -> tuple[Facts, Facts]:
    wanted = [f"{name}_{measured}" for measured in data.layer.measures]
    facts = measure(frame, {name: data}, {name: data.layer}, wanted=wanted, crs=crs)
    one = facts[frame["change_id"].iloc[0]]
    return one.values, one.why


def to_json(data: LayerData, crs: CRS, more: dict[str, Any]) -> dict[str, Any]:
    """A FeatureCollection in degrees. `measured` is each geometry's WKB in the CRS of measuring, to the last bit."""
    shapes = data.frame.geometry.to_numpy()
    lonlat = to_crs(shapes, crs, LONLAT, "layer")
    columns = [*OUR_COLUMNS, *(f"{ATTRIBUTE}{name}" for name in data.layer.attributes)]
    plain = {name: [_plain(value) for value in data.frame[name]] for name in columns}
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(place),
            "properties": {name: plain[name][row] for name in columns}
            | {"measured": shapely.to_wkb(shape, hex=True)},
        }
        for row, (shape, place) in enumerate(zip(shapes, lonlat, strict=True))
    ]
    states = [
        {"begins": _plain(state.begins), "ends": _plain(state.ends), "covers": _wkb(state.covers)}
        for state in data.states
    ]
    said = data.model_dump(mode="json", exclude=set(SHAPED))
    complete = {"covers": _wkb(data.covers), "states": states, "said": said}
    return {"type": "FeatureCollection", **more, "complete": complete, "features": features}


def from_json(layer: Layer, said: Mapping[str, Any], crs: CRS) -> LayerData:
    """The layer that `to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError, shapely.errors.GEOSException: it did not write this.
    """
    rows = [feature["properties"] for feature in said["features"]]
    columns: dict[str, pd.Series] = {}
    for name in (*OUR_COLUMNS, *(f"{ATTRIBUTE}{name}" for name in layer.attributes)):
        read: Callable[[list[Any]], pd.Series] = days if name in DATES else texts
        columns[name] = read([row[name] for row in rows])
    shapes = [shapely.from_wkb(row["measured"]) for row in rows]
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=crs)
    complete = said["complete"]
    states = tuple(
        State(_date(state["begins"]), _date(state["ends"]), _shape(state["covers"]))
        for state in complete["states"]
    )
    covers = _shape(complete["covers"])
    return LayerData(layer=layer, frame=frame, covers=covers, states=states, **complete["said"])


def _plain(value: Any) -> str | None:
    if value is None or pd.isna(value):
        return None
    return str(value.date().isoformat() if isinstance(value, pd.Timestamp) else value)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _wkb(shape: Any) -> str | None:
    return None if shape is None else str(shapely.to_wkb(shape, hex=True))


def _shape(text: str | None) -> Any:
    return None if text is None else shapely.from_wkb(text)
