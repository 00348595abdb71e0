"""The table of cases written as Shapefile, GeoPackage, GeoJSON, XLSX or CSV: whole or absent."""

import csv
import os
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from pyproj import CRS

from ground.crs import LONLAT, to_crs
from ground.errors import BadInput, one_line
from ground.files import cannot_write, refuse_folder, staging_folder, written_beside
from reports.table_rows import ColumnOut, load_columns
from reports.words import Language

ENCODINGS = {"gbk": "GBK", "utf-8": "UTF-8"}
DBF_BYTES = 254
"""A DBF's longest text."""
LAYER = "cases"
SHAPEFILE = (".shx", ".dbf", ".prj", ".cpg", ".shp")
"""Parts in the order in which they get their names: without its .shp it is not there yet."""
INDEXES = (".qix", ".sbn", ".sbx")
"""What other programs put beside a Shapefile to find its features by: those of the file that was there."""


def write_table(frame: gpd.GeoDataFrame, to: Path, language: Language, encoding: str = "utf-8") -> list[str]:
    """The file by its suffix; sentences on what its format could not hold.

    Raises:
        BadInput: the suffix or the encoding is none of ours, or a text does not fit into the encoding.
        CannotWrite: the disk is full.
    """
    suffix = to.suffix.lower()
    if suffix not in WRITERS:
        raise BadInput(f"--to: {to.name!r} is of no kind that is written; end it with {', '.join(WRITERS)}")
    if encoding.lower() not in ENCODINGS:
        raise BadInput(f"--encoding: {encoding!r} is unknown; use {' or '.join(ENCODINGS)}")
    refuse_folder(to)
    return WRITERS[suffix](frame, to, language, ENCODINGS[encoding.lower()])


def _shapefile(frame: gpd.GeoDataFrame, to: Path, language: Language, encoding: str) -> list[str]:
    del language
    columns, notes = load_columns(), []
    out = frame.copy()
    for column in columns:
        if column.kind == "moment":
            out[column.name] = [None if pd.isna(m) else m.date() for m in frame[column.name]]
        elif column.kind == "text":
            out[column.name], cut = _fitting(frame[column.name], column, encoding)
            notes += (
                [f"{column.field}: {cut} texts were cut to {DBF_BYTES} bytes of {encoding}"] if cut else []
            )
    moments = ", ".join(column.field for column in columns if column.kind == "moment")
    notes.append(f"{moments}: a DBF keeps the day (UTC), not the time")
    if frame[[column.name for column in columns if column.kind == "number"]].isna().any(axis=None):
        notes.append("unknown areas are empty; some programs show an empty number of a DBF as 0")
    renamed = out.rename(columns={column.name: column.field for column in columns})
    with staging_folder(to.parent) as staging:
        _written(renamed, staging / to.name, driver="ESRI Shapefile", encoding=encoding)
        for part in INDEXES:
            to.with_suffix(part).unlink(missing_ok=True)
        for part in SHAPEFILE:
            made = (staging / to.name).with_suffix(part)
            if made.exists():
                os.replace(made, to.with_suffix(part))
    return notes


def _fitting(texts: "pd.Series[Any]", column: ColumnOut, encoding: str) -> tuple[list[str], int]:
    """Texts as a DBF can hold them, and how many had to be cut.

    Raises:
        BadInput: a character is none of the encoding's.
    """
    found, cut = [], 0
    for text in texts:
        try:
            data = str(text).encode(encoding)
        except UnicodeEncodeError as error:
            raise BadInput(
                f"{column.field}: {one_line(str(text), 60)!r} has {text[error.start]!r}, which {encoding} does not "
                "hold; write the Shapefile with --encoding utf-8, or a GeoPackage"
            ) from error
        cut += len(data) > DBF_BYTES
        found.append(data[:DBF_BYTES].decode(encoding, errors="ignore"))
    return found, cut


def _geopackage(frame: gpd.GeoDataFrame, to: Path, language: Language, encoding: str) -> list[str]:
    del language, encoding
    with written_beside(to) as beside:
        _written(frame, beside, driver="GPKG")
    return []


def _geojson(frame: gpd.GeoDataFrame, to: Path, language: Language, encoding: str) -> list[str]:
    del language, encoding
    crs = CRS.from_user_input(frame.crs)
    notes = [] if crs == LONLAT else ["GeoJSON is in degrees of WGS 84 by its standard, whatever --crs says"]
    lonlat = frame.set_geometry(list(to_crs(frame.geometry.to_numpy(), crs, LONLAT, "cases")), crs=LONLAT)
    with written_beside(to) as beside:
        _written(lonlat, beside, driver="GeoJSON", RFC7946="YES", WRITE_NAME="NO", COORDINATE_PRECISION="9")
    return notes


def _written(frame: gpd.GeoDataFrame, path: Path, **how: Any) -> None:
    if how["driver"] == "GPKG":
        # A layer of polygons may hold none of several parts, as people's merges are.
        several = bool((frame.geom_type == "MultiPolygon").any())
        how |= {"layer": LAYER, "promote_to_multi": several}
        how |= {"geometry_type": "MultiPolygon" if several else "Polygon"}
    try:
        pyogrio.write_dataframe(frame, path, **({"geometry_type": "Polygon"} | how))
    except pyogrio.errors.DataSourceError as error:
        raise cannot_write(path, error) from error


def _xlsx(frame: gpd.GeoDataFrame, to: Path, language: Language, encoding: str) -> list[str]:
    del encoding
    titles = [getattr(column, language.value) for column in load_columns()]
    book = Workbook(write_only=True)
    sheet = book.create_sheet(LAYER)
    sheet.freeze_panes = "A2"
    for i, title in enumerate(titles):
        sheet.column_dimensions[_letter(i)].width = max(
            12, 2 * len(title) if language == Language.ZH else len(title)
        )
    header = [WriteOnlyCell(sheet, title) for title in [*titles, *POINT[language]]]
    for cell in header:
        cell.font = Font(bold=True)
    sheet.append(header)
    for values in _cells(frame):
        # A text that begins with = is a text.
        sheet.append([_text_cell(sheet, value) if isinstance(value, str) else value for value in values])
    with written_beside(to) as beside:
        book.save(beside)
    return [_no_outline(frame)]


def _text_cell(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell


def _letter(place: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(place + 1))


def _csv(frame: gpd.GeoDataFrame, to: Path, language: Language, encoding: str) -> list[str]:
    del language
    names = [column.name for column in load_columns()]
    with (
        written_beside(to) as beside,
        # Excel takes UTF-8 for what it is only where it begins with a mark.
        beside.open("w", encoding="utf-8-sig" if encoding == "UTF-8" else encoding, newline="") as stream,
    ):
        lines = csv.writer(stream)
        lines.writerow([*names, "x", "y"])
        try:
            lines.writerows(["" if v is None else v for v in values] for values in _cells(frame))
        except UnicodeEncodeError as error:
            raise BadInput(
                f"{to}: a text has {error.object[error.start]!r}, which {encoding} does not hold; "
                "write it with --encoding utf-8"
            ) from error
    return [_no_outline(frame)]


POINT = {Language.ZH: ["X", "Y"], Language.EN: ["X", "Y"]}


def _no_outline(frame: gpd.GeoDataFrame) -> str:
    code = ":".join(CRS.from_user_input(frame.crs).to_authority() or ("the CRS",))
    return f"a table has no outline: x, y is a point inside, in {code}"


def _cells(frame: gpd.GeoDataFrame) -> Sequence[list[Any]]:
    """Rows of plain values, unknown as None, moments as UTC without a zone, and a point inside."""
    points = shapely.get_coordinates(shapely.point_on_surface(frame.geometry.to_numpy()))
    columns: list[list[Any]] = []
    for column in load_columns():
        values = frame[column.name]
        if column.kind == "moment":
            columns.append(
                [
                    None if pd.isna(m) else m.to_pydatetime().astimezone(UTC).replace(tzinfo=None)
                    for m in values
                ]
            )
        elif column.kind == "number":
            columns.append([None if pd.isna(v) else float(v) for v in values])
        else:
            columns.append([str(v) for v in values])
    columns += [points[:, 0].round(8).tolist(), points[:, 1].round(8).tolist()]
    return [list(row) for row in zip(*columns, strict=True)]


Writer = Callable[[gpd.GeoDataFrame, Path, Language, str], list[str]]
WRITERS: dict[str, Writer] = {
    ".shp": _shapefile, ".gpkg": _geopackage, ".geojson": _geojson, ".json": _geojson, ".xlsx": _xlsx, ".csv": _csv,
}  # fmt: skip
