"""Which of many scenes make the best pair: a cost in points, term by term, so that anyone can check the choice.

One point is as bad as one percent of the area of interest that was not seen. What is not known never counts as good.
"""

import math
from dataclasses import astuple, dataclass
from datetime import date
from typing import Any

import shapely

from imagery.candidates import Area, Candidate

SEASON_PER_DAY = 0.5
"""For each day between the two days of the year: a month apart, fields look changed on 15 % of the area."""
SUN_ELEVATION_PER_DEG = 1.0
SUN_AZIMUTH_PER_DEG = 0.5
VIEW_PER_DEG = 1.0
GSD_PER_DOUBLING = 20.0
SAME_SENSOR = 2.0
"""Another satellite of the same sensor, as Sentinel-2A and 2B."""
OTHER_SENSOR = 25.0
UNKNOWN_CLOUD = 50.0
"""Percent, for each scene: half of the land is under cloud at any time."""
UNKNOWN_SUN_ELEVATION = 20.0
UNKNOWN_SUN_AZIMUTH = 20.0
UNKNOWN_GSD = 20.0
UNKNOWN_VIEW = 20.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Points of each term, never negative."""

    cloud: float
    uncovered: float
    season: float
    sun_elevation: float
    sun_azimuth: float
    sensor: float
    gsd: float
    view: float

    @property
    def total(self) -> float:
        """The sum, by which pairs are ranked."""
        return float(sum(astuple(self)))


@dataclass(frozen=True)
class Choice:
    """Two candidates and what their pairing costs."""

    before: Candidate
    after: Candidate
    cost: Cost


def ranked(befores: list[Candidate], afters: list[Candidate], area: Area) -> list[Choice]:
    """Every pair that has ground of the area in common, the cheapest first; of equals the latest."""
    choices = [
        Choice(before, after, cost(before, after, area))
        for before in befores
        for after in afters
        if before.acquired_utc < after.acquired_utc
    ]
    seen = [choice for choice in choices if choice.cost.uncovered < 100]
    return sorted(
        seen,
        key=lambda c: (
            round(c.cost.total, 6),
            -c.after.acquired_utc.timestamp(), -c.before.acquired_utc.timestamp(),
            c.before.id, c.after.id,
        ),
    )  # fmt: skip


def cost(one: Candidate, other: Candidate, area: Area) -> Cost:
    """What speaks against a pair; the same whichever scene is named first."""
    clouds = [UNKNOWN_CLOUD if c.cloud_percent is None else c.cloud_percent for c in (one, other)]
    both = shapely.intersection(one.seen, other.seen).area / area.shape.area
    heights = one.sun_elevation_deg, other.sun_elevation_deg
    azimuths = one.sun_azimuth_deg, other.sun_azimuth_deg
    return Cost(
        cloud=sum(clouds),
        uncovered=100 * max(0.0, 1 - both),
        season=SEASON_PER_DAY * days_apart_in_year(one.acquired_utc.date(), other.acquired_utc.date()),
        sun_elevation=UNKNOWN_SUN_ELEVATION
        if heights[0] is None or heights[1] is None
        else SUN_ELEVATION_PER_DEG * abs(heights[0] - heights[1]),
        sun_azimuth=UNKNOWN_SUN_AZIMUTH
        if azimuths[0] is None or azimuths[1] is None
        else SUN_AZIMUTH_PER_DEG * turn_deg(azimuths[0], azimuths[1]),
        sensor=_sensor_points(one, other),
        gsd=UNKNOWN_GSD
        if one.gsd_m is None or other.gsd_m is None
        else GSD_PER_DOUBLING * abs(math.log2(one.gsd_m) - math.log2(other.gsd_m)),
        view=_view_points(one, other),
    )


def days_apart_in_year(one: date, other: date) -> int:
    """Days between two days of the year, the short way round: 31 December and 2 January are two apart."""
    days = [date(2001, day.month, 28 if (day.month, day.day) == (2, 29) else day.day) for day in (one, other)]
    apart = abs((days[0] - days[1]).days)
    return min(apart, 365 - apart)


def turn_deg(one: float, other: float) -> float:
    """Degrees between two azimuths, the short way round."""
    apart = abs(one - other) % 360
    return min(apart, 360 - apart)


def _sensor_points(one: Candidate, other: Candidate) -> float:
    if one.sensor is None or one.sensor != other.sensor:
        return OTHER_SENSOR
    if one.platform is None or other.platform is None:
        # Of one sensor at least: no worse than two satellites of it.
        return SAME_SENSOR
    return 0.0 if one.platform == other.platform else SAME_SENSOR


def _view_points(one: Candidate, other: Candidate) -> float:
    """By the angle between the lines of sight; where azimuths are unsaid, the widest that it may be."""
    same_orbit = one.orbit is not None and one.orbit == other.orbit and one.sensor == other.sensor
    tilts = one.off_nadir_deg, other.off_nadir_deg
    if tilts[0] is None or tilts[1] is None:
        return 0.0 if same_orbit and one.sensor else UNKNOWN_VIEW
    if one.view_azimuth_deg is not None and other.view_azimuth_deg is not None:
        turn = math.radians(turn_deg(one.view_azimuth_deg, other.view_azimuth_deg))
        a, b = math.radians(tilts[0]), math.radians(tilts[1])
        # Haversine: an arc cosine would lose the small angles.
        half = math.sin((a - b) / 2) ** 2 + math.sin(a) * math.sin(b) * math.sin(turn / 2) ** 2
        return VIEW_PER_DEG * math.degrees(2 * math.asin(min(1.0, math.sqrt(half))))
    return VIEW_PER_DEG * (abs(tilts[0] - tilts[1]) if same_orbit else tilts[0] + tilts[1])


def choice_row(choice: Choice, rank: int) -> dict[str, Any]:
    """What a table shows of a pair: who, when, each term, and the total in points."""
    cost = choice.cost
    terms = ("cloud", "uncovered", "season", "sun_elevation", "sun_azimuth", "sensor", "gsd", "view")
    return {
        "rank": rank,
        "before": choice.before.id, "before_day": choice.before.acquired_utc,
        "after": choice.after.id, "after_day": choice.after.acquired_utc,
        **{term: round(float(getattr(cost, term)), 2) for term in terms},
        "points": round(cost.total, 2),
    }  # fmt: skip
