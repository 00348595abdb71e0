"""A layer's file read a few tens of thousands of features at a time: as much memory for ten gigabytes as for one."""

import codecs
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow
import pyarrow.parquet
import pyogrio
import shapely

from cadastre.encoding import RAW, dbf_encoding, in_letters, not_text
from cadastre.layers import Layer, table_of
from cadastre.whole import UNREADABLE, check_parts, counted, is_shapefile
from ground.errors import BadInput, one_line

CHUNK = 50_000
DELIVERED = "__delivered__"
"""Column of a frame: WKB of a shape whose rings were not closed, as delivered; only where there is one."""
GEO = b"geo"
PARQUET = {".parquet", ".geoparquet"}


@dataclass(frozen=True)
class Stream:
    """A file being read: its CRS as the file says (None: it says none), features in all, and frames without CRS."""

    crs: Any
    total: int
    frames: Iterator[gpd.GeoDataFrame]


@contextmanager
def streamed(path: Path, layer: Layer) -> Iterator[Stream]:
    """A layer's file, its text decoded.

    Raises:
        BadInput: it cannot be read, holds no geometry, or its text is of another encoding; after the
            last frame: it could not be read to its end.
    """
    if not path.exists() or (path.is_dir() and path.suffix.lower() != ".gdb"):
        raise BadInput(f"{path}: there is no such layer file; mend `path` in layers.toml")
    encoding = layer.encoding or (dbf_encoding(path) if is_shapefile(path) else None)
    if encoding and not is_shapefile(path) and codecs.lookup(encoding).name != "utf-8":
        raise BadInput(
            f"{path}: `encoding` is for Shapefiles; save this as UTF-8, for example with "
            f"iconv -f {encoding} -t UTF-8 {path.name}, and leave `encoding` away"
        )
    check_parts(path)
    try:
        with _parquet(path) if path.suffix.lower() in PARQUET else _ogr(path, layer, encoding) as it:
            yield Stream(it.crs, it.total, counted(it.frames, it.total, path))
    except UnicodeDecodeError as error:
        raise not_text(path, encoding, error) from error
    except (*UNREADABLE, pyarrow.ArrowException) as error:
        raise BadInput(
            f"{path}: cannot be read as a layer ({one_line(error, 160)}); export it again"
        ) from error


@contextmanager
def _ogr(path: Path, layer: Layer, encoding: str | None) -> Iterator[Stream]:
    table = table_of(path, layer)
    total = int(pyogrio.read_info(path, layer=table, force_feature_count=True)["features"])
    opened = pyogrio.open_arrow(
        path,
        layer=table,
        encoding=RAW if is_shapefile(path) else encoding,
        batch_size=CHUNK,
        use_pyarrow=True,
    )
    with opened as (meta, reader):
        if meta["geometry_type"] is None:
            raise BadInput(f"{path}: holds no geometry; give a layer of polygons, lines or points")
        column = meta["geometry_name"] or "wkb_geometry"
        wanted = {*layer.columns.values(), *layer.attributes.values()}

        def frames() -> Iterator[gpd.GeoDataFrame]:
            first = 0
            for batch in reader:
                frame = _frame(batch, column, lambda: _straight(path, table, first, len(batch)))  # noqa: B023
                first += len(batch)
                yield in_letters(frame, encoding, wanted) if is_shapefile(path) and encoding else frame

        yield Stream(meta["crs"], total, frames())


@contextmanager
def _parquet(path: Path) -> Iterator[Stream]:
    with pyarrow.parquet.ParquetFile(path) as file:
        said = json.loads((file.schema_arrow.metadata or {}).get(GEO, b"{}"))
        column = said.get("primary_column")
        if column is None or said["columns"][column].get("encoding") != "WKB":
            raise BadInput(f"{path}: is no GeoParquet with geometries as WKB; export it again")
        # GeoParquet that names no CRS means longitude and latitude of WGS 84.
        crs = said["columns"][column].get("crs", "OGC:CRS84")
        frames = (_frame(batch, column) for batch in file.iter_batches(CHUNK))
        yield Stream(crs, file.metadata.num_rows, frames)


def _frame(batch: Any, column: str, straight: Callable[[], Any] | None = None) -> gpd.GeoDataFrame:
    wkb = batch.column(column).to_numpy(zero_copy_only=False)
    try:
        shapes = shapely.from_wkb(wkb, on_invalid="ignore")
    except NotImplementedError:  # True curves.
        if straight is None:
            raise
        shapes = straight()
    rest = batch.drop_columns([column]).to_pandas(date_as_object=True)
    open_rings = [row for row in np.flatnonzero(shapely.is_missing(shapes)) if wkb[row] is not None]
    if open_rings:
        shapes[open_rings] = shapely.from_wkb(wkb[open_rings], on_invalid="fix")
        delivered = np.full(len(shapes), None, dtype=object)
        delivered[open_rings] = wkb[open_rings]
        rest[DELIVERED] = delivered
    return gpd.GeoDataFrame(rest, geometry=shapes)


def _straight(path: Path, table: str, first: int, count: int) -> Any:
    """Features whose curves GDAL has drawn as lines of many corners, which its stream does not."""
    frame = pyogrio.read_dataframe(
        path, layer=table, columns=[], skip_features=first, max_features=count, on_invalid="ignore"
    )
    return frame.geometry.to_numpy()
