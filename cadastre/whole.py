"""Is a layer's file whole? A Shapefile's parts held against each other, and what was read against what it says."""

from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio

from ground.errors import BadInput

UNREADABLE = (
    pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError,
    pyogrio.errors.GeometryError,
)  # fmt: skip
"""What GDAL says of a file that it cannot read."""
SHAPEFILE_PARTS = (".shx", ".dbf", ".prj", ".cpg")
SHX_HEADER, DBF_HEADER = 100, 32
DELETED = ord("*")
"""First byte of a table's record that was deleted and not yet packed away; its shape still stands in the file."""


def files_of(path: Path) -> list[Path]:
    """The file, with those that make a Shapefile whole, or all in a geodatabase; none for what is no path."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    parts = [path, *(path.with_suffix(suffix) for suffix in SHAPEFILE_PARTS if is_shapefile(path))]
    return [file for file in parts if file.is_file()]


def is_shapefile(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() == ".shp"


def check_parts(path: Path) -> None:
    """The parts of a Shapefile; nothing is said of other files.

    Raises:
        BadInput: one is cut short, or they do not have as many records as each other.
    """
    index, table = _part(path, ".shx"), _part(path, ".dbf")
    if not is_shapefile(path) or index is None or table is None:
        return
    ends = np.fromfile(index, dtype=">u4", offset=SHX_HEADER)
    shapes = len(ends) // 2
    records, first, width = _header(table)
    if records != shapes:
        raise BadInput(
            f"{path}: {index.name} has {shapes} features and {table.name} {records}: they are not of one export; "
            "copy all its files again"
        )
    # Offset and length of each shape, in words of two bytes; the length leaves out the shape's own header.
    furthest = int((ends[: 2 * shapes].reshape(-1, 2).sum(axis=1, dtype=np.int64) * 2 + 8).max(initial=0))
    for part, needed in ((path, furthest), (table, first + records * width)):
        size = part.stat().st_size
        if size < needed:
            raise BadInput(
                f"{part}: is cut short: {size} bytes where {needed} are needed for {shapes} features; copy it again"
            )


def no_geometry(path: Path, feature: int, count: int) -> BadInput:
    """What to say of a feature that lies nobody knows where."""
    return BadInput(
        f"{path}: feature {feature} has no geometry, {count} among the features near it, so nobody knows where it "
        "lies; complete the layer, or go without with --leave-out or `leave_out = true` for it in layers.toml"
    )


def counted(frames: Iterator[gpd.GeoDataFrame], total: int, path: Path) -> Iterator[gpd.GeoDataFrame]:
    """The frames as they come: GDAL's stream ends at a fault as it does at the end of the file.

    Raises:
        BadInput: after the last, if they do not hold as many features as the file says.
    """
    read = 0
    for frame in frames:
        read += len(frame)
        yield frame
    if read != total and read + _deleted(path) != total:
        raise BadInput(
            f"{path}: only {read} of its {total} features can be read; copy it again, or export it again"
            if read < total
            else f"{path}: {read} features were read where it says that it has {total}; export it again"
        )


def _part(path: Path, suffix: str) -> Path | None:
    beside = (path.with_suffix(suffix), path.with_suffix(suffix.upper()))
    return next((part for part in beside if part.is_file()), None)


def _header(table: Path) -> tuple[int, int, int]:
    """Of a DBF table: records, where the first begins, bytes a record."""
    with table.open("rb") as stream:
        header = stream.read(DBF_HEADER)
    if len(header) < DBF_HEADER:
        raise BadInput(f"{table}: is cut short; copy it again")
    return tuple(int.from_bytes(header[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12)))  # type: ignore[return-value]


def _deleted(path: Path) -> int:
    """Records of a Shapefile that are deleted: GDAL counts them and does not read them."""
    table = _part(path, ".dbf") if is_shapefile(path) else None
    if table is None:
        return 0
    records, first, width = _header(table)
    if not records or not width:
        return 0
    marks = np.memmap(table, dtype=np.uint8, mode="r", offset=first)[: records * width : width]
    return int((marks == DELETED).sum())
