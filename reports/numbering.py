"""监测图斑编号: the number by which offices speak of a spot."""

from datetime import datetime

COUNTY_DIGITS = 6


def number_of(region: str, after: datetime | None, serial: int) -> str:
    """County code, year of the later scene, serial of the case; empty where region or year is unknown."""
    county = region[:COUNTY_DIGITS]
    if len(county) < COUNTY_DIGITS or not county.isdigit() or after is None:
        return ""
    return f"{county}{after.year}{serial:06d}"
