"""Cadastral layers: read as layers.toml says, checked, renamed to our columns, in one CRS."""

import codecs
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pydantic import Field, ValidationInfo, field_validator
from pyproj import CRS

from cadastre.columns import column_of
from cadastre.encoding import RAW, dbf_encoding, in_letters
from ground.crs import crs_of, to_crs
from ground.errors import BadInput, one_line
from ground.tables import Strict, load_toml, parse

OUR_COLUMNS = ("number", "valid_from", "valid_to", "land_class", "known_from")
DATES = ("valid_from", "valid_to", "known_from")
MEASURE_NAMES = ("m2", "share", "outside_m2", "distance_m", "nearest", "count", "dominant", "numbers")
ATTRIBUTE = "attribute_"
"""Before the name of an attribute: its column in a layer's frame."""
DOMINANT = "dominant_"
"""Before the name of an attribute: its text on the feature that covers most."""
OF_CLASS = ("m2_of_", "share_of_")
"""Before the name of a group of land classes: what its features cover."""
EVERYWHERE, BOUNDS = "everywhere", "bounds"
HAPPENED = "happened"
SHAPEFILE_PARTS = (".shx", ".dbf", ".prj", ".cpg")

LayerName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Layer(Strict):
    """What layers.toml says of one layer."""

    title: str
    path: str
    coverage: str
    columns: dict[str, str] = {}
    attributes: dict[LayerName, str] = {}
    """Further columns, ours = theirs; each may be measured as dominant_<ours>."""
    classes: dict[LayerName, list[str]] = {}
    """Land classes by what their codes begin with; each group may be measured as m2_of_<group>, share_of_<group>."""
    counts: Literal["in_force", "happened"] = "in_force"
    """Features that were in force on every day between the scenes, or that happened on one of these days."""
    measures: list[str]
    kind: Literal["register", "map"] = "register"
    state_of: date | None = None
    """The day whose state a map shows."""
    axes: Literal["xy", "yx"] = "xy"
    """The order of a file's coordinates; ours is always x, y: easting or longitude first."""
    crs: str | None = None
    encoding: str | None = None
    table: str | None = None
    repair: bool = False
    note: str = ""

    @field_validator("measures")
    @classmethod
    def _known_measures(cls, names: list[str], before: ValidationInfo) -> list[str]:
        groups = before.data.get("classes", {})
        allowed = (
            *MEASURE_NAMES,
            *(f"{DOMINANT}{name}" for name in before.data.get("attributes", {})),
            *(f"{measure}{group}" for measure in OF_CLASS for group in groups),
        )
        if before.data.get("counts") == HAPPENED:
            allowed = tuple(name for name in allowed if name not in ("distance_m", "nearest"))
        for name in names:
            if name not in allowed:
                raise ValueError(f"measure {name!r} is unknown; use {', '.join(allowed)}")
        return names

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        for name in columns:
            if name not in OUR_COLUMNS:
                raise ValueError(f"column {name!r} is not one of ours; use {', '.join(OUR_COLUMNS)}")
        return columns

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str | None) -> str | None:
        try:
            codecs.lookup(name or "utf-8")
        except LookupError as error:
            raise ValueError(f"encoding {name!r} is unknown; use utf-8 or gbk") from error
        return name


Catalogue = dict[str, Layer]


@dataclass(frozen=True)
class State:
    """From which day to which (both included, None: ever) a layer is complete in an area (None: everywhere)."""

    begins: date | None
    ends: date | None
    covers: shapely.Geometry | None


class LayerData(Strict):
    """A layer in hand. `frame` has OUR_COLUMNS, its attributes, and polygons, lines or points.

    `covers`: where it is complete on any day, None for everywhere. `states`, where there are any: instead of
    `covers`, where it is complete on which days; on a day that none holds nothing is known.
    """

    model_config = Strict.model_config | {"arbitrary_types_allowed": True}
    layer: Layer
    frame: gpd.GeoDataFrame
    covers: shapely.Geometry | None
    repaired: int = 0
    states: tuple[State, ...] = ()
    silence: str = ""
    """Why it says nothing of any change."""


def load_catalogue(path: Path) -> Catalogue:
    """The layers of a layers.toml.

    Raises:
        BadInput: a typo, with file and key; a map whose features have days of their own, a register of one day.
    """
    catalogue: Catalogue = parse(dict[LayerName, Layer], load_toml(path), path)
    for name, layer in catalogue.items():
        of_features = sorted({"valid_from", "valid_to"} & set(layer.columns))
        if layer.kind == "map" and of_features:
            raise BadInput(
                f"{path}: {name}.columns: {of_features[0]}: a map shows the state of one day, its features have none; "
                'leave it away, or make the layer a register (kind = "register")'
            )
        if layer.kind == "register" and layer.state_of:
            raise BadInput(
                f'{path}: {name}.state_of: a register has no such day; leave it away, or say kind = "map"'
            )
    return catalogue


def read_layers(catalogue: Catalogue, folder: Path, crs: CRS) -> dict[str, LayerData]:
    """Every layer of a catalogue, in `crs`; paths are relative to `folder`."""
    return {name: read_layer(layer, folder, crs) for name, layer in catalogue.items()}


def read_layer(layer: Layer, folder: Path, crs: CRS) -> LayerData:
    """One layer.

    Raises:
        BadInput: absent, unreadable, without CRS or column, or with an empty or invalid geometry.
        UnknownDatum: its datum cannot be turned into that of `crs`.
    """
    path = folder / layer.path
    raw = _read_file(path, layer)
    source = crs_of_layer(raw.crs, layer, path)
    geometries, repaired = _checked(raw, layer, path)
    columns = columns_of(raw, layer, path)
    # Our own definition of the CRS is exact in x and y; geopandas would transform by ballpark.
    moved = to_crs(geometries, source, crs, str(path))
    frame = gpd.GeoDataFrame(columns, geometry=list(moved), crs=crs, index=pd.RangeIndex(len(raw)))
    # What was repaired to nothing lies nowhere.
    frame = frame[~frame.geometry.is_empty].reset_index(drop=True)
    return LayerData(layer=layer, frame=frame, covers=_coverage(layer, frame, folder, crs), repaired=repaired)


def _read_file(path: Path, layer: Layer) -> gpd.GeoDataFrame:
    if not path.exists() or (path.is_dir() and path.suffix.lower() != ".gdb"):
        raise BadInput(f"{path}: there is no such layer file; mend `path` in layers.toml")
    is_shapefile = path.suffix.lower() == ".shp"
    encoding = layer.encoding or (dbf_encoding(path) if is_shapefile else None)
    try:
        if path.suffix.lower() in {".parquet", ".geoparquet"}:
            return gpd.read_parquet(path)
        table = table_of(path, layer)
        read_as = RAW if is_shapefile else encoding
        frame = pyogrio.read_dataframe(path, layer=table, encoding=read_as, on_invalid="ignore")
        if is_shapefile and encoding:
            frame = in_letters(frame, encoding, {*layer.columns.values(), *layer.attributes.values()})
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: its text is not {encoding} ({one_line(error, 100)}); set `encoding` in layers.toml"
        ) from error
    except BadInput:
        raise
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError, ValueError) as error:
        raise BadInput(
            f"{path}: cannot be read as a layer ({one_line(error, 160)}); export it again"
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise BadInput(f"{path}: holds no geometry; give a layer of polygons, lines or points")
    return frame


def table_of(path: Path, layer: Layer) -> str:
    """The table to read: the one that layers.toml names, or the only one there is."""
    found = [(str(name), kind) for name, kind in pyogrio.list_layers(path)]
    # Styles and the like have no geometry and are no layers, unless there is nothing else.
    tables = [name for name, kind in found if kind] or [name for name, _ in found]
    if not tables:
        raise BadInput(f"{path}: holds no table at all; export it again")
    if layer.table is not None and layer.table not in tables:
        raise BadInput(f"{path}: has no table {layer.table!r}; set `table` to one of {', '.join(tables)}")
    if layer.table is None and len(tables) > 1:
        raise BadInput(
            f"{path}: holds {len(tables)} tables; set `table` in layers.toml to one of {', '.join(tables)}"
        )
    return layer.table or tables[0]


def crs_of_layer(said: Any, layer: Layer, path: Path) -> CRS:
    """The CRS that layers.toml names, else what the file says."""
    if layer.crs:
        return crs_of(layer.crs, f"layers.toml: {path.name}: crs")
    if said is None:
        raise BadInput(
            f'{path}: has no coordinate system; set `crs = "EPSG:4490"` (the true one) in layers.toml'
        )
    return crs_of(said, str(path))


def in_order(shapes: Any, layer: Layer) -> np.ndarray:
    """Two dimensions, x before y."""
    flat: np.ndarray = shapely.force_2d(shapes)
    if layer.axes == "yx":
        flat = shapely.transform(flat, lambda xy: xy[:, ::-1])
    return flat


def columns_of(raw: gpd.GeoDataFrame, layer: Layer, path: Path) -> dict[str, pd.Series]:
    """Our columns and the layer's attributes, out of theirs."""
    columns = {ours: column_of(raw, theirs, path, ours in DATES) for ours, theirs in layer.columns.items()}
    columns |= {
        f"{ATTRIBUTE}{ours}": column_of(raw, theirs, path, False) for ours, theirs in layer.attributes.items()
    }
    for name in OUR_COLUMNS:
        columns.setdefault(name, pd.Series([None] * len(raw), dtype=object))
    return columns


def _checked(raw: gpd.GeoDataFrame, layer: Layer, path: Path) -> tuple[np.ndarray, int]:
    """The geometries in two dimensions; invalid ones repaired if the layer allows, else an error."""
    shapes = in_order(raw.geometry.to_numpy(), layer)
    bad = shapely.is_missing(shapes) | shapely.is_empty(shapes) | ~shapely.is_valid(shapes)
    if not bad.any():
        return shapes, 0
    row = int(np.argmax(bad))
    if not layer.repair:
        shape = shapes[row]
        why = "empty" if shape is None or shape.is_empty else f"invalid ({shapely.is_valid_reason(shape)})"
        raise BadInput(
            f"{path}: the geometry of feature {row + 1} of {len(raw)} is {why}, {int(bad.sum())} in all; "
            "mend the layer, or set `repair = true` for it in layers.toml"
        )
    shapes = np.where(shapely.is_missing(shapes), shapely.Point(), shapes)
    mended = shapely.make_valid(shapes[bad], method="structure", keep_collapsed=False)
    shapes[bad] = mended
    return shapes, int(bad.sum())


def _coverage(layer: Layer, frame: gpd.GeoDataFrame, folder: Path, crs: CRS) -> shapely.Geometry | None:
    if layer.coverage == BOUNDS:
        return shapely.box(*frame.total_bounds) if len(frame) else shapely.Polygon()
    return coverage_of(layer, folder, crs)


def coverage_of(layer: Layer, folder: Path, crs: CRS) -> shapely.Geometry | None:
    """Where a layer is complete, from a file of polygons; None for everywhere and for its own bounds."""
    if layer.coverage in (EVERYWHERE, BOUNDS):
        return None
    path = folder / layer.coverage
    mend = f"mend `coverage` of {layer.title!r}: {EVERYWHERE}, {BOUNDS} or the path of a file of polygons"
    if not path.exists():
        raise BadInput(f"{path}: there is no such file; {mend}")
    area = Layer(title=f"coverage of {layer.title}", path=layer.coverage, coverage=EVERYWHERE, measures=[])
    covers = shapely.union_all(read_layer(area, folder, crs).frame.geometry.to_numpy())
    if not covers.is_empty and shapely.get_dimensions(covers) < 2:
        raise BadInput(f"{path}: holds no polygon; {mend}")
    return covers


def files_of(path: Path) -> list[Path]:
    """The file, with those that make a Shapefile whole, or all in a geodatabase; none for what is no path."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    parts = [path, *(path.with_suffix(suffix) for suffix in SHAPEFILE_PARTS if path.suffix.lower() == ".shp")]
    return [file for file in parts if file.is_file()]
