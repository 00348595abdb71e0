"""The area ledger by hand, and that it closes whatever the land looks like."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.land import check_world
from cadastre.facts import measure_crs
from cadastre.land import (
    MU_M2,
    PER_M2,
    LandLedger,
    apportion,
    land_ledger,
    ledger_of,
    load_groups,
    merge,
    split,
)  # fmt: skip
from cadastre.landcover import grouping
from cases.judging import in_degrees
from cases.known import Known
from cases.measuring import groups_of, land_of
from cases.rules import load_rulebooks
from ground.errors import BadInput
from law import pack_of, rulebooks_of
from tests.cases_world import changes_of, layer_of, rect

GROUPS = load_groups(pack_of("cn") / "land_classes.toml")
HECTARE = rect(0, 0, 100, 100)


def test_the_longest_prefix_wins() -> None:
    said = {"0103": "cultivated", "1006": "other_agricultural", "1001": "construction", "0404": "unused",
            "0401": "other_agricultural", "1201": "construction", "99": "unclassified", "": "unclassified"}  # fmt: skip
    assert {code: grouping(GROUPS)(code) for code in said} == said


def test_a_hectare_by_hand() -> None:
    changes = changes_of(HECTARE)
    # 30 ares dry land; the road lies over its last 5 m but comes after it by number; 20 ares are nobody's.
    land = layer_of(
        changes,
        [rect(25, 0, 60, 100), rect(0, 0, 30, 100), rect(60, 0, 80, 100)],
        number=["2", "1", "3"],
        land_class=["1006", "0103", None],
    )
    basic = layer_of(changes, [rect(10, 0, 50, 50)])
    redline = layer_of(changes, [rect(90, 0, 200, 100)])
    ledger = land_ledger(changes, land, GROUPS, basic, redline)[changes["change_id"].iloc[0]]
    assert ledger.area_m2 == pytest.approx(10_000, abs=0.002)
    assert ledger.class_m2 == {k: pytest.approx(v, abs=0.002) for k, v in
                               {"0103": 3000, "1006": 3000, "unclassified": 4000}.items()}  # fmt: skip
    assert ledger.area_mu == 15.0
    assert ledger.group_mu == {"cultivated": 4.5, "other_agricultural": 4.5, "unused": 0.0, "construction": 0.0,
                               "unclassified": 6.0}  # fmt: skip
    assert ledger.basic_m2 == pytest.approx(1000, abs=0.002)  # 20 m × 50 m of it is cultivated
    assert ledger.redline_m2 == pytest.approx(1000, abs=0.002)


def test_the_land_of_the_day_before_counts() -> None:
    changes = changes_of(HECTARE)
    land = layer_of(
        changes, [HECTARE, HECTARE], number=["1", "2"], land_class=["0103", "0702"],
        valid_from=["2020-01-01", "2021-06-01"], valid_to=["2021-05-31", None],
    )  # fmt: skip
    (ledger,) = land_ledger(changes, land, GROUPS).values()
    assert ledger.group_mu["cultivated"] == 15.0


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**9), st.lists(st.floats(0, 1e9), min_size=1, max_size=9))
def test_what_is_apportioned_is_the_whole(total: int, weights: list[float]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    if sum(weights) > 0:
        exact = [total * weight / sum(weights) for weight in weights]
        assert all(abs(part - want) <= 1 + 1e-6 for part, want in zip(parts, exact, strict=True))


AMOUNTS = st.dictionaries(
    st.sampled_from(["0101", "0103", "0301", "0602", "1006"]), st.floats(0, 1e5), max_size=5
)


@settings(max_examples=200, deadline=None)
@given(st.lists(AMOUNTS, min_size=1, max_size=5), st.floats(0, 0.02))
def test_parts_add_up_to_the_change(amounts: list[dict[str, float]], noise: float) -> None:
    parts = [ledger_of(one, sum(one.values()) + 0.5, GROUPS) for one in amounts]
    whole = merge(parts)
    assert merge(split(whole, parts, GROUPS)) == whole
    sums = {name: sum(one.get(name, 0.0) for one in amounts) for one in amounts for name in one}
    parent = ledger_of(sums, sum(sums.values()) + 0.5 * len(amounts) + noise, GROUPS)
    children = split(parent, parts, GROUPS)
    again = merge(children)
    assert (again.units, again.groups, again.mu_hundredths) == (
        parent.units,
        parent.groups,
        parent.mu_hundredths,
    )
    for child, part in zip(children, parts, strict=True):
        assert sum(child.groups.values()) == sum(child.units.values())
        assert child.area_m2 == pytest.approx(part.area_m2, abs=0.03)
        assert child.area_mu == pytest.approx(part.area_m2 / MU_M2, abs=0.06)


def test_parts_that_do_not_fill_the_change_are_refused() -> None:
    whole = LandLedger({"0103": 100 * PER_M2}, {"cultivated": 100 * PER_M2}, {"cultivated": 15})
    half = LandLedger({"0103": 50 * PER_M2}, {"cultivated": 50 * PER_M2}, {"cultivated": 7})
    with pytest.raises(BadInput, match=r"the parts of the change differ from it by -50\.00 m²"):
        split(whole, [half], GROUPS)


@pytest.mark.parametrize("seed", range(4))
def test_adversarial_land_closes(seed: int) -> None:
    found = check_world(seed, 400)
    assert found["faults"] == []
    assert found["worst_m2"] <= 0.01
    assert found["geometries"] > 800


def test_the_ledger_of_what_was_drawn_twice_counts_once() -> None:
    changes = changes_of(HECTARE)
    near = shapely.transform(HECTARE, lambda xy: xy + 1e-9)
    land = layer_of(
        changes, [HECTARE, near, HECTARE], number=["3", "1", "2"], land_class=["0602", "0103", "0301"]
    )
    (ledger,) = land_ledger(changes, land, GROUPS).values()
    assert ledger.group_mu["cultivated"] == 15.0
    assert np.isclose(ledger.group_m2["construction"], 0, atol=0.001)


def _one(changes: Any, *given: Any) -> LandLedger:
    (ledger,) = land_ledger(changes, *given).values()
    return ledger


def test_what_no_layer_says_is_unknown_and_not_nought() -> None:
    changes = changes_of(HECTARE)
    land = layer_of(changes, [HECTARE], number=["1"], land_class=["0103"])
    elsewhere = layer_of(changes, [], covers=rect(5000, 5000, 6000, 6000))
    ledger = _one(changes, land, GROUPS, elsewhere)
    assert (ledger.basic_m2, ledger.redline_m2) == (None, None)
    assert ledger.why == {
        "basic_farmland": "layer basic_farmland does not cover the whole change",
        "redline": "layer redline is not in hand",
    }
    nothing_there = layer_of(changes, [])
    known = _one(changes, land, GROUPS, nothing_there, nothing_there)
    assert (known.basic_m2, known.redline_m2, known.why) == (0.0, 0.0, {})
    assert merge([known, ledger]).basic is None
    assert [part.redline_m2 for part in split(ledger, [ledger], GROUPS)] == [None]


def test_basic_farmland_is_not_capped_by_land_that_nobody_knows() -> None:
    changes = changes_of(HECTARE)
    basic = layer_of(changes, [HECTARE])
    nowhere = layer_of(changes, [], covers=rect(5000, 5000, 6000, 6000), land_class=[])
    for land, groups in (
        (nowhere, GROUPS),
        (layer_of(changes, [HECTARE], number=["1"], land_class=["0103"]), {}),
    ):
        ledger = _one(changes, land, groups, basic)
        assert ledger.basic_m2 == pytest.approx(10_000, abs=0.002)
        assert merge(split(ledger, [ledger], groups)) == ledger
    # Land that is known not to be cultivated holds none.
    forest = layer_of(changes, [HECTARE], number=["1"], land_class=["0301"])
    assert _one(changes, forest, GROUPS, basic).basic_m2 == 0


def test_dated_land_without_dates_of_scenes_is_unknown() -> None:
    changes = changes_of(HECTARE, before=None, after=None)
    dated = layer_of(changes, [HECTARE], number=["1"], valid_from=["2020-01-01"])
    land = layer_of(changes, [HECTARE], number=["1"], land_class=["0103"])
    ledger = _one(changes, land, GROUPS, dated, dated)
    assert (ledger.basic, ledger.redline, ledger.group_mu["cultivated"]) == (None, None, 15.0)
    assert "scenes' are not known" in ledger.why["redline"]


def test_a_copy_of_a_rulebook_keeps_the_groups_of_its_jurisdiction(tmp_path: Path) -> None:
    copy = tmp_path / "my.toml"
    copy.write_bytes((rulebooks_of("cn") / "2020.toml").read_bytes())
    assert groups_of(copy, load_rulebooks(copy)) == GROUPS
    copy.write_text(copy.read_text().replace('"CN"', '"XX"'))
    books = load_rulebooks(copy)
    assert groups_of(copy, books) == {}
    changes = in_degrees(changes_of(HECTARE))
    land = layer_of(changes, [HECTARE], number=["1"], land_class=["0103"])
    known = Known(catalogue={}, layers={"land_use": land}, sources={}, place="")
    (ledger,) = land_of(changes, known, measure_crs(changes), groups_of(copy, books)).values()
    assert (ledger["group_mu"], ledger["basic_m2"], ledger["redline_m2"]) == (None, None, None)
    assert "no land_classes.toml lies beside the rulebooks" in ledger["unknown"]["groups"]
    (tmp_path / "land_classes.toml").write_text('cultivated = ["01"]')
    assert groups_of(copy, books) == {"cultivated": ["01"]}
