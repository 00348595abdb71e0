"""What stands where a spot has no official number (`cases.numbering`) yet: what can be said of it without a batch."""

from datetime import datetime

COUNTY_DIGITS = 6


def number_of(region: str, after: datetime | None, serial: int) -> str:
    """County code, year of the later scene, serial of the case; empty where region or year is unknown."""
    county = region[:COUNTY_DIGITS]
    if len(county) < COUNTY_DIGITS or not county.isdigit() or after is None:
        return ""
    return f"{county}{after.year}{serial:06d}"
