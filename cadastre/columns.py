"""A layer's columns as text and as days, however the software that wrote them put it."""

import re
from collections.abc import Iterable
from datetime import date, datetime

import pandas as pd

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
