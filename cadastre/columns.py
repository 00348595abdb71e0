"""A layer's columns as text and as days, however the software that wrote them put it."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

import geopandas as gpd
import pandas as pd

from ground.errors import BadInput, one_line

_DAY = re.compile(
    r"(?P<y>\d{4})(?:(?P<m>\d\d)(?P<d>\d\d)|[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?)(?:0{6}|[T ]\d.*)?"
)
"""Year, month, day; then a time of day or nothing. Never 4/8/2020, which two countries read as two days."""


def texts(values: Iterable[object]) -> pd.Series:
    """Text or None; a whole number loses the decimals that a gap in its column gave it."""
    return pd.Series([_text(value) for value in values], dtype=object)


def _text(value: object) -> str | None:
    if pd.isna(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def days(values: Iterable[object]) -> pd.Series:
    """Days, as its own clock shows them where a value has a time; empty is unknown.

    Raises:
        ValueError: a value is no date.
    """
    return pd.Series([_day(value) for value in values], dtype="datetime64[s]")


def _day(value: object) -> pd.Timestamp:
    if pd.isna(value) or (isinstance(value, str) and not value.strip()):
        return pd.NaT
    if isinstance(value, date):  # datetime and Timestamp are dates too
        whole = value.date() if isinstance(value, datetime) else value
        return pd.Timestamp(whole.isoformat())
    text = _text(value) if isinstance(value, (int, float)) else str(value).strip()
    found = _DAY.fullmatch(text or "")
    if found is None:
        raise ValueError(f"{value!r}")
    year, month, day = (int(part) for part in found.groups() if part)
    try:
        return pd.Timestamp(date(year, month, day).isoformat())
    except ValueError as error:
        raise ValueError(f"{value!r}") from error


def column_of(raw: gpd.GeoDataFrame, theirs: str, path: Path, is_date: bool) -> pd.Series:
    """One of a file's columns as texts or days.

    Raises:
        BadInput: it has none of this name, or what is no date.
    """
    if theirs not in raw.columns:
        if raw.empty and len(raw.columns) == 1:  # GeoJSON without features names no columns
            return pd.Series([], dtype=object)
        have = ", ".join(c for c in raw.columns if c != raw.geometry.name)
        raise BadInput(
            f"{path}: has no column {theirs!r} (it has {have or 'none'}); mend `columns` in layers.toml"
        )
    if not is_date:
        return texts(raw[theirs])
    try:
        return days(raw[theirs])
    except ValueError as error:
        raise BadInput(
            f"{path}: column {theirs!r} holds {one_line(error, 100)}, which is no date; "
            "write 2020-08-04 or 20200804"
        ) from error
