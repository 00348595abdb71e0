"""The registry: what was valid when, and known since when; the same facts whenever the same day is asked."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import shapely
from sqlalchemy import func, select

from cadastre.registry import counting_at
from cases.store import CaseStore
from database.cadastre_tables import FeatureRow, VintageRow
from database.tables import JudgingRow
from ground.errors import BadInput
from tests.cases_world import changes_of, new_store, put, rect
from tests.registry_world import CHANGE, brought, day, facts_known, half, layer, written


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def test_a_register_is_what_its_newest_list_says(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "one.gpkg", [half(True)], no=["P1"])
    written(tmp_path, "two.gpkg", [half(True), half(False)], no=["P1", "P2"])
    brought(store, tmp_path, layer("one.gpkg"), "2021-01-10")
    brought(store, tmp_path, layer("two.gpkg"), "2021-12-01")
    assert facts_known(store, "2021-11-30").values["permits_share"] == 0.5
    now = facts_known(store, "2021-12-01").values
    assert (now["permits_share"], now["permits_numbers"]) == (1.0, "P1, P2")


def test_before_the_first_list_nothing_is_known(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "one.gpkg", [half(True)], no=["P1"])
    brought(store, tmp_path, layer("one.gpkg"), "2021-01-10")
    with store.transaction() as session:
        assert counting_at(session, "permits", day("2021-01-09")) == []
    assert "permits_share" not in facts_known(store, "2021-01-09").values


def test_entries_are_added_to_a_list(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "one.gpkg", [half(True)], no=["P1"])
    written(tmp_path, "more.gpkg", [half(False)], no=["P2"])
    brought(store, tmp_path, layer("one.gpkg"), "2021-01-10")
    brought(store, tmp_path, layer("more.gpkg"), "2021-02-10", more=True)
    assert facts_known(store, "2021-02-09").values["permits_numbers"] == "P1"
    assert facts_known(store, "2021-02-10").values["permits_numbers"] == "P1, P2"
    # A new whole list says all there is: what was added before it is no longer there.
    brought(store, tmp_path, layer("one.gpkg", note="corrected"), "2021-03-10")
    assert facts_known(store, "2021-03-10").values["permits_numbers"] == "P1"


VALID = {"valid_from": "begin", "valid_to": "end", "number": "no"}


@pytest.mark.parametrize(
    ("begin", "end", "share"),
    [
        ("2021-01-01", None, 1.0),
        ("2021-01-01", "2021-12-31", 1.0),
        ("2021-01-01", "2021-04-30", 0.0),
        ("2021-10-01", None, 0.0),
        ("2021-06-01", None, None),
        ("2021-01-01", "2021-06-01", None),
    ],
)
@pytest.mark.parametrize("known", ["2021-09-30", "2021-10-01", "2030-01-01"])
def test_valid_and_known_are_two_clocks(
    store: CaseStore, tmp_path: Path, begin: str, end: str | None, share: float | None, known: str
) -> None:
    written(tmp_path, "p.gpkg", [CHANGE], no=["P"], begin=[begin], end=[end], entered=["2021-10-01"])
    described = layer("p.gpkg", columns=VALID | {"known_from": "entered"})
    brought(store, tmp_path, described, "2021-09-01")
    seen = facts_known(store, known).values["permits_share"]
    # Entered on 1 October: on 30 September the list was known, and this entry not in it.
    assert seen == (0.0 if known == "2021-09-30" else share)


def test_a_map_holds_until_the_next_one_s_day(store: CaseStore, tmp_path: Path) -> None:
    classes = {"columns": {"land_class": "code"}, "measures": ["dominant", "share"], "kind": "map"}
    for year, code in (("2019", "0103"), ("2020", "0102"), ("2021", "0601")):
        written(tmp_path, f"{year}.gpkg", [CHANGE], code=[code])
        brought(
            store,
            tmp_path,
            layer(f"{year}.gpkg", **classes),
            "2022-01-01",
            "land",
            state_of=date(int(year), 12, 31),
        )
    seen = {"before": pd.Timestamp("2021-01-05", tz="UTC"), "after": pd.Timestamp("2021-09-01", tz="UTC")}
    # The map of the end of 2021 shows the new plant already; the change is judged by what lay there before.
    assert facts_known(store, "2022-06-01", **seen).values["land_dominant"] == "0102"
    facts = facts_known(store, "2022-06-01", **seen | {"before": pd.Timestamp("2020-06-01", tz="UTC")})
    assert facts.values["land_dominant"] is None
    assert "depends on the day" in facts.why["land_dominant"]
    assert facts.values["land_share"] == 1.0


def test_before_the_first_map_nothing_is_known(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "m.gpkg", [CHANGE], code=["0103"])
    described = layer("m.gpkg", columns={"land_class": "code"}, measures=["dominant"], kind="map")
    brought(store, tmp_path, described, "2022-01-01", "land", state_of=date(2021, 6, 30))
    facts = facts_known(store, "2022-06-01")
    assert facts.values["land_dominant"] is None
    assert "says nothing of 2021-05-01" in facts.why["land_dominant"]


def test_a_corrected_map_replaces_that_of_its_day(store: CaseStore, tmp_path: Path) -> None:
    described = {"columns": {"land_class": "code"}, "measures": ["dominant"], "kind": "map"}
    for known, code in (("2021-01-01", "0103"), ("2022-01-01", "0101")):
        written(tmp_path, f"{known}.gpkg", [CHANGE], code=[code])
        brought(
            store, tmp_path, layer(f"{known}.gpkg", **described), known, "land", state_of=date(2020, 12, 31)
        )
    assert facts_known(store, "2021-12-31").values["land_dominant"] == "0103"
    assert facts_known(store, "2022-01-01").values["land_dominant"] == "0101"


def test_an_empty_county_is_known_to_be_empty(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "none.gpkg", [], no=[])
    brought(store, tmp_path, layer("none.gpkg"), "2021-01-01")
    assert facts_known(store, "2021-02-01").values["permits_share"] == 0.0
    brought(store, tmp_path, layer("none.gpkg", coverage="bounds"), "2021-01-01", "bounded")
    assert facts_known(store, "2021-02-01").values["bounded_share"] is None


def test_outside_its_bounds_a_layer_is_unknown(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "west.gpkg", [rect(-500, -500, 50, 500)], no=["P"])
    brought(store, tmp_path, layer("west.gpkg", coverage="bounds"), "2021-01-01")
    facts = facts_known(store, "2021-02-01")
    assert facts.values["permits_share"] is None
    assert "does not cover the whole change" in facts.why["permits_share"]


def test_the_same_again_adds_nothing(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "one.gpkg", [half(True)], no=["P1"])
    first = brought(store, tmp_path, layer("one.gpkg"), "2021-01-10")
    again = brought(store, tmp_path, layer("one.gpkg"), "2021-02-10")
    assert (first.is_new, again.is_new, first.id) == (True, False, again.id)
    with store.transaction() as session:
        assert session.scalar(select(func.count()).select_from(FeatureRow)) == 1
        assert session.scalars(select(VintageRow.features)).all() == [1]


def test_a_vintage_is_never_altered(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "one.gpkg", [half(True)], no=["P1"])
    brought(store, tmp_path, layer("one.gpkg"), "2021-01-10")
    with (
        pytest.raises(Exception, match="rows are added, never changed"),
        store.transaction(writes=True) as session,
    ):
        session.scalars(select(VintageRow)).one().source = "other.gpkg"


def test_layers_come_back_where_they_were(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "p.gpkg", [half(True)], no=["P"])
    brought(store, tmp_path, layer("p.gpkg", measures=["m2", "distance_m", "nearest"]), "2021-01-01")
    far = facts_known(store, "2021-02-01", rect(60, 0, 70, 100)).values
    assert far["permits_m2"] == 0.0
    assert far["permits_distance_m"] == pytest.approx(10, abs=0.002)
    assert far["permits_nearest"] == "P"


def test_a_layer_of_another_zone_is_refused(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "one.gpkg", [half(True)], no=["P1"])
    brought(store, tmp_path, layer("one.gpkg"), "2021-01-10")
    elsewhere = layer("one.gpkg", crs="EPSG:4546", title="Elsewhere")
    with pytest.raises(
        BadInput, match=r"layer other lies 3\.0 degrees from the nearest other layer, permits"
    ):
        brought(store, tmp_path, elsewhere, "2021-01-10", "other")
    assert brought(store, tmp_path, elsewhere, "2021-01-10", "other", far=True).is_new


def test_what_was_delivered_is_kept_beside_what_was_mended(store: CaseStore, tmp_path: Path) -> None:
    bowtie = shapely.Polygon(
        [tuple(xy) for xy in shapely.get_coordinates(rect(0, 0, 100, 100))[[0, 2, 1, 3]]]
    )
    written(tmp_path, "b.gpkg", [bowtie], no=["B"])
    with pytest.raises(BadInput, match=r"b\.gpkg: the geometry of feature 1 is invalid \(Self-intersection"):
        brought(store, tmp_path, layer("b.gpkg"), "2021-01-01")
    done = brought(store, tmp_path, layer("b.gpkg"), "2021-01-01", repair=True)
    assert done.report["faults"]["invalid"] == {"count": 1, "rows": [1]}
    with store.transaction() as session:
        row = session.scalars(select(FeatureRow)).one()
        assert row.original is not None
        assert shapely.equals_exact(shapely.from_wkb(row.original), bowtie, tolerance=1e-6)
        assert shapely.is_valid(row.geometry)


def test_a_vintage_that_comes_in_while_a_judging_reads_is_not_passed_over(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    written(tmp_path, "a.gpkg", [half(True)], no=["A"])
    first = brought(store, tmp_path, layer("a.gpkg"), "2021-09-10")
    changes = changes_of(CHANGE)
    judging = {
        "id": "j", "as_of": day("2021-10-01"), "made": day("2021-10-01"), "crs": "EPSG:4547", "rulebooks": [],
        "catalogue": {}, "layers": {"permits": first.id}, "versions": {"place": ""},
    }  # fmt: skip
    written(tmp_path, "a.gpkg", [half(True), half(False)], no=["A", "B"])
    brought(store, tmp_path, layer("a.gpkg"), "2021-09-20")
    with pytest.raises(BadInput, match=r"layer permits was imported, as known by 2021-10-01 .* judge again"):
        put(store, changes, judging=judging)
    with store.transaction() as session:
        assert session.scalars(select(JudgingRow)).all() == []
    later = judging | {"as_of": day("2021-09-15")}
    assert put(store, changes, judging=later).judgements == 1
