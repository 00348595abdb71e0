"""The change frame: one row a change, its columns checked where it is made; read from and written to files.

| column | unit | |
|--|--|--|
| change_id | | 16 hex digits of pair and geometry: the same change has the same id in every run |
| pair_id | | 16 hex digits of the contents of both scenes |
| before, after | UTC | when the scenes were acquired; empty when nobody knows |
| change_class | | CHANGE_CLASSES |
| probability | 0–1 | mean of the change map inside |
| ndvi_change | | mean change of NDVI inside, less that of unchanged ground; empty without red and NIR |
| area_m2 | m² | on the ellipsoid |
| width_m | m | width of the rectangle of the same area and perimeter |
| geometry | | Polygon, in the frame's CRS; MultiPolygon where people joined or cut changes |
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from ground.crs import LONLAT, crs_of, geodesic_area_m2, geodesic_perimeter_m, to_crs
from ground.errors import BadInput, one_line
from ground.files import cannot_write, short_hash

LAYER = "changes"
CHANGE_CLASSES = (
    "unclassified", "linear", "vegetation_loss", "vegetation_gain", "building_appeared", "building_disappeared",
)  # fmt: skip
COLUMNS = {
    "change_id": "str", "pair_id": "str", "before": "datetime", "after": "datetime", "change_class": "str",
    "probability": "float", "ndvi_change": "float", "area_m2": "float", "width_m": "float",
}  # fmt: skip
DEGREE_DIGITS, METRE_DIGITS = 9, 4
"""Decimals of a coordinate that count for a change's id: a tenth of a millimetre either way."""


def change_id(pair_id: str, polygon: shapely.Polygon, crs: CRS) -> str:
    """Hash of pair, CRS and shape; the ring's start and direction and noise below 0.1 mm do not count."""
    return change_ids(pair_id, np.array([polygon], dtype=object), crs)[0]


def change_ids(pair_id: str, polygons: NDArray[np.object_], crs: CRS) -> list[str]:
    """The change_id of each polygon; asking PROJ for the name of a system takes longer than a thousand hashes."""
    digits = METRE_DIGITS if crs.is_projected else DEGREE_DIGITS
    rounded = shapely.transform(polygons, lambda xy: np.round(xy, digits) + 0.0)
    code = ":".join(crs.to_authority() or (crs.to_wkt(),))
    return [short_hash("change", pair_id, code, wkb) for wkb in shapely.to_wkb(shapely.normalize(rounded))]


def make(
    geometries: NDArray[np.object_],
    crs: CRS,
    *,
    pair_id: str,
    before: Any = None,
    after: Any = None,
    probability: Any = np.nan,
    ndvi_change: Any = np.nan,
    change_class: Any = "unclassified",
) -> gpd.GeoDataFrame:
    """The frame of polygons given in `crs`, measured on the ellipsoid, largest first."""
    lonlat = to_crs(geometries, crs, LONLAT, LAYER)
    area, perimeter = geodesic_area_m2(lonlat), geodesic_perimeter_m(lonlat)
    frame = gpd.GeoDataFrame(
        {
            "change_id": pd.array(change_ids(pair_id, geometries, crs), dtype="str"),
            "pair_id": pair_id,
            "before": _moment(before),
            "after": _moment(after),
            "change_class": change_class,
            "probability": probability,
            "ndvi_change": ndvi_change,
            "area_m2": area,
            "width_m": ribbon_width_m(area, perimeter),
        },
        geometry=list(geometries),
        crs=crs,
        index=pd.RangeIndex(len(geometries)),
    )
    frame[["pair_id", "change_class"]] = frame[["pair_id", "change_class"]].astype("str")
    # One by one: `apply` over a frame of no rows does nothing.
    frame["before"], frame["after"] = _utc(frame["before"]), _utc(frame["after"])
    frame[["probability", "ndvi_change"]] = frame[["probability", "ndvi_change"]].astype(float)
    frame = frame.sort_values(["area_m2", "change_id"], ascending=[False, True], ignore_index=True)
    return check(frame, LAYER)


def _moment(value: Any) -> pd.Timestamp:
    return pd.NaT if value is None else pd.Timestamp(value).tz_convert("UTC")


def _utc(column: pd.Series) -> pd.Series:
    """Aware times in milliseconds, which every file format keeps."""
    return pd.to_datetime(column, utc=True).dt.as_unit("ms")


def ribbon_width_m(area_m2: Any, perimeter_m: Any) -> NDArray[np.float64]:
    """Shorter side of the rectangle of this area and perimeter: the mean width of a road, however it bends.

    A shape rounder than a square has no such rectangle; its width is the side of the square as large.
    """
    area, perimeter = (np.asarray(area_m2, dtype=float), np.asarray(perimeter_m, dtype=float))
    under_root = perimeter**2 - 16 * area
    return np.asarray(
        np.where(under_root <= 0, np.sqrt(area), (perimeter - np.sqrt(np.maximum(under_root, 0))) / 4)
    )


def check(frame: gpd.GeoDataFrame, where: str) -> gpd.GeoDataFrame:
    """The frame itself, if it is a change frame.

    Raises:
        BadInput: a column is missing, an id repeats, a class is unknown, a geometry is no valid polygon.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise BadInput(
            f"{where}: is not a change frame, it has no column {', '.join(missing)}; make it with `tiankan detect`"
        )
    if frame.crs is None:
        raise BadInput(f"{where}: has no coordinate system; make it with `tiankan detect`")
    repeated = frame["change_id"][frame["change_id"].duplicated()]
    if len(repeated):
        raise BadInput(f"{where}: change_id {repeated.iloc[0]} stands twice; remove one of the two rows")
    unknown = set(frame["change_class"]) - set(CHANGE_CLASSES)
    if unknown:
        raise BadInput(
            f"{where}: change_class {min(map(str, unknown))!r} is unknown; use one of {', '.join(CHANGE_CLASSES)}"
        )
    shapes = frame.geometry.to_numpy()
    bad = shapely.is_missing(shapes) | shapely.is_empty(shapes) | ~shapely.is_valid(shapes)
    bad |= ~np.isin(
        shapely.get_type_id(shapes), (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
    )
    if bad.any():
        row = frame.iloc[int(np.argmax(bad))]
        why = shapely.is_valid_reason(row.geometry) if row.geometry is not None else "there is none"
        raise BadInput(
            f"{where}: the geometry of change {row['change_id']} is not a valid polygon ({why}); mend or remove it"
        )
    return frame


def read(path: Path) -> gpd.GeoDataFrame:
    """A change frame from a GeoPackage (layer `changes`).

    Raises:
        BadInput: absent, unreadable, or not a change frame.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; make it with `tiankan detect`")
    try:
        frame = gpd.read_file(path, layer=LAYER)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise BadInput(
            f"{path}: cannot be read as a GeoPackage with a layer {LAYER!r} ({one_line(error, 160)}); "
            "make it with `tiankan detect`"
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise BadInput(f"{path}: its layer {LAYER!r} has no geometry; make it with `tiankan detect`")
    check(frame, str(path))
    frame = frame[[*COLUMNS, "geometry"]]
    for name, kind in COLUMNS.items():
        try:
            frame[name] = _utc(frame[name]) if kind == "datetime" else frame[name].astype(kind)
        except (ValueError, TypeError) as error:
            raise BadInput(
                f"{path}: column {name} holds no {kind} ({one_line(error, 160)}); make it with `tiankan detect`"
            ) from error
    return frame.set_crs(crs_of(frame.crs, str(path)), allow_override=True)


def write(frame: gpd.GeoDataFrame, path: Path, made_by: dict[str, str]) -> None:
    """A GeoPackage, layer `changes`, with what made it as metadata; the caller names a path in a staging folder."""
    try:
        with _same_every_time(frame):
            pyogrio.write_dataframe(
                check(frame, str(path)), path, layer=LAYER, geometry_type=_kind(frame), layer_metadata=made_by
            )
        # GDAL builds the spatial index on closing, and says nothing when the disk is full by then.
        written = pyogrio.read_info(path, layer=LAYER)
        if written["features"] != len(frame) or not written["capabilities"]["fast_spatial_filter"]:
            raise pyogrio.errors.DataSourceError("its spatial index was not written")
    except (pyogrio.errors.DataSourceError, pyogrio.errors.FeatureError, pyogrio.errors.FieldError) as error:
        raise cannot_write(path, error) from error


def _kind(frame: gpd.GeoDataFrame) -> str:
    return "Polygon" if (shapely.get_num_geometries(frame.geometry.to_numpy()) == 1).all() else "Unknown"


@contextmanager
def _same_every_time(frame: gpd.GeoDataFrame) -> Iterator[None]:
    """A GeoPackage says when it was last changed: the later scene's day, so that the same run makes the same file."""
    newest = frame["after"].max() if len(frame) else pd.NaT
    moment = pd.Timestamp(0, tz="UTC") if pd.isna(newest) else newest
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def write_parquet(frame: gpd.GeoDataFrame, path: Path, made_by: dict[str, str]) -> None:
    """The same as GeoParquet, with what made it in the file's metadata; for tools that read columns."""
    try:
        frame.to_parquet(path, compression="zstd", schema_version="1.1.0", write_covering_bbox=True)
        table = pyarrow.parquet.read_table(path)
        pyarrow.parquet.write_table(
            table.replace_schema_metadata({**(table.schema.metadata or {}), **made_by}),
            path,
            compression="zstd",
        )
    except OSError as error:
        raise cannot_write(path, error) from error
