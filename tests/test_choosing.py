"""The cost of a pair can be checked by hand, is the same both ways, and never falls when something gets worse."""

import dataclasses
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.candidates import Candidate, area_of_bbox, candidate
from imagery.choosing import cost, days_apart_in_year, ranked, turn_deg
from tests.stac_world import BBOX, WEST, WHOLE, item

AREA = area_of_bbox(BBOX)


def read(name: str, day: str, *box: Any, **said: Any) -> Candidate:
    return candidate(item(name, day, *box, **said), "base", AREA, None)


def terms(one: Candidate, other: Candidate) -> dict[str, float]:
    """What a pair costs, the terms that are not 0."""
    known = dataclasses.asdict(cost(one, other, AREA))
    return {name: pytest.approx(value, abs=1e-6) for name, value in known.items() if value > 1e-9}


def test_twins_cost_nothing() -> None:
    assert terms(read("a", "2020-07-10"), read("b", "2023-07-10")) == {}


@pytest.mark.parametrize(
    ("one", "other", "worth"),
    [
        ({"eo__cloud_cover": 5}, {"eo__cloud_cover": 3}, {"cloud": 8}),
        ({"eo__cloud_cover": None}, {}, {"cloud": 50}),
        ({"eo__cloud_cover": "3"}, {"eo__cloud_cover": -1}, {"cloud": 100}),
        ({"view__sun_elevation": 60}, {"view__sun_elevation": 57.5}, {"sun_elevation": 2.5}),
        ({"view__sun_elevation": None}, {}, {"sun_elevation": 20}),
        # From 350 to 10 degrees the short way round: 20 degrees, half a point each.
        ({"view__sun_azimuth": 350}, {"view__sun_azimuth": 10}, {"sun_azimuth": 10}),
        ({"view__sun_azimuth": None}, {"view__sun_azimuth": None}, {"sun_azimuth": 20}),
        ({"platform": "sentinel-2a"}, {"platform": "Sentinel-2B"}, {"sensor": 2}),
        ({"platform": None}, {"platform": None}, {"sensor": 2}),
        ({"gsd": 10}, {"gsd": 40}, {"gsd": 40}),
        # Unsaid, it is the sensor's: 10 m.
        ({"gsd": None}, {"gsd": 20}, {"gsd": 20}),
        ({"sat__relative_orbit": 18}, {}, {"view": 20}),
        ({"sat__relative_orbit": None}, {"sat__relative_orbit": None}, {"view": 20}),
        # Tilted 8 degrees to either side: 16 apart; unsaid to which side, from one orbit: none.
        ({"view__off_nadir": 8, "view__azimuth": 100}, {"view__off_nadir": 8, "view__azimuth": 280}, {"view": 16}),
        ({"view__off_nadir": 8}, {"view__off_nadir": 5}, {"view": 3}),
        ({"view__off_nadir": 8, "sat__relative_orbit": 1}, {"view__off_nadir": 5}, {"view": 13}),
    ],
)  # fmt: skip
def test_each_term_by_hand(one: dict[str, Any], other: dict[str, Any], worth: dict[str, float]) -> None:
    assert terms(read("a", "2020-07-10", **one), read("b", "2023-07-10", **other)) == worth


def test_another_sensor_and_an_unknown_one() -> None:
    landsat = read("l", "2023-07-10", platform="landsat-8", constellation=None, sat__relative_orbit=None)
    # `red` and `nir` are bands of Landsat too. 10 m against 10 m, for the Item says so.
    assert terms(read("a", "2020-07-10"), landsat) == {"sensor": 25, "view": 20}
    unknown = read("u", "2023-07-10", platform="ikonos", constellation=None)
    assert terms(unknown, dataclasses.replace(unknown, id="v")) == {"sensor": 25, "view": 20}


def test_season_and_ground() -> None:
    # 10 July and 15 July: five days, half a point each, whatever the year.
    assert terms(read("a", "2020-07-10"), read("b", "2023-07-15")) == {"season": 2.5}
    assert terms(read("a", "2020-12-31"), read("b", "2023-01-02")) == {"season": 1}
    # The western half is seen: in an equal-area projection about the middle, exactly half.
    assert terms(read("a", "2020-07-10", WEST), read("b", "2023-07-10", WHOLE)) == {"uncovered": 50}
    west, east = read("a", "2020-07-10", WEST), read("b", "2023-07-10", [112.15, 37, 113, 39])
    assert ranked([west], [east], AREA) == []


def test_the_cheapest_comes_first_and_of_equals_the_latest() -> None:
    befores = [read("b1", "2020-07-10", eo__cloud_cover=9), read("b2", "2020-08-19")]
    afters = [read("a1", "2022-07-10"), read("a2", "2023-07-10"), read("a0", "2019-07-10")]
    pairs = [(c.before.id, c.after.id, c.cost.total) for c in ranked(befores, afters, AREA)]
    # 19 August is 40 days after 10 July. What was acquired before `before` makes no pair.
    assert [pair[:2] for pair in pairs] == [("b1", "a2"), ("b1", "a1"), ("b2", "a2"), ("b2", "a1")]
    assert [pair[2] for pair in pairs] == pytest.approx([9, 9, 20, 20])


def test_the_year_is_a_circle() -> None:
    assert days_apart_in_year(date(2020, 1, 1), date(2021, 7, 2)) == 182
    assert days_apart_in_year(date(2020, 2, 29), date(2021, 2, 28)) == 0
    assert days_apart_in_year(date(2020, 3, 1), date(2021, 3, 1)) == 0
    assert (turn_deg(0, 360), turn_deg(10, 200), turn_deg(359, 1)) == (0, 170, 2)


SAID = st.fixed_dictionaries(
    {
        "cloud_percent": st.none() | st.floats(0, 100),
        "sun_elevation_deg": st.none() | st.floats(-90, 90),
        "sun_azimuth_deg": st.none() | st.floats(0, 360),
        "off_nadir_deg": st.none() | st.floats(0, 90),
        "view_azimuth_deg": st.none() | st.floats(0, 360),
        "gsd_m": st.none() | st.floats(0.1, 1000),
        "orbit": st.none() | st.integers(1, 3),
        "sensor": st.sampled_from([None, "sentinel-2", "gf-1"]),
        "platform": st.sampled_from([None, "x", "y"]),
        "acquired_utc": st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    }
)
BASES = st.sampled_from([read("w", "2020-07-10", WEST), read("a", "2020-07-10", WHOLE)])
CANDIDATES = st.builds(lambda base, said: dataclasses.replace(base, **said), BASES, SAID)


@given(CANDIDATES, CANDIDATES)
def test_the_cost_is_the_same_both_ways_and_never_negative(one: Candidate, other: Candidate) -> None:
    there, back = cost(one, other, AREA), cost(other, one, AREA)
    assert dataclasses.astuple(there) == pytest.approx(dataclasses.astuple(back), abs=1e-9)
    assert min(dataclasses.astuple(there)) >= 0


@given(CANDIDATES, CANDIDATES, st.floats(0, 100), st.floats(0, 100))
def test_worse_cloud_never_lowers_the_cost(
    one: Candidate, other: Candidate, cloud: float, more: float
) -> None:
    clear, cloudy = sorted((cloud, more))
    less, worse = (
        cost(dataclasses.replace(one, cloud_percent=percent), other, AREA).total
        for percent in (clear, cloudy)
    )
    assert less <= worse


@given(
    CANDIDATES,
    CANDIDATES,
    st.sampled_from(["sun_elevation_deg", "sun_azimuth_deg", "gsd_m", "cloud_percent"]),
)
def test_what_is_unsaid_is_never_better_than_the_best(one: Candidate, other: Candidate, name: str) -> None:
    best = 0 if name == "cloud_percent" else getattr(other, name)
    unsaid = cost(dataclasses.replace(one, **{name: None}), other, AREA).total
    assert unsaid >= cost(dataclasses.replace(one, **{name: best}), other, AREA).total
