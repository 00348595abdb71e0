"""A case cut into parts: areas, land and verdicts by hand; what is refused; all or nothing; the lock as before."""

from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import select, text

from cases import lineage
from cases.issuing import issue
from cases.replay import replay
from cases.store import CaseStore
from database.tables import CaseRow
from ground.errors import BadInput, IllegalMove
from tests.cases_world import rect
from tests.registry_world import day
from tests.splits_world import (
    MU_M2,
    THIRDS,
    TO_REVIEW,
    cases,
    county,
    cut,
    is_whole,
    walk,
)


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return county(tmp_path)


def land_of(store: CaseStore, *case_ids: str) -> list[Any]:
    with store.transaction() as session:
        return [
            session.scalars(select(CaseRow).where(CaseRow.id == key)).one().judgement.land for key in case_ids
        ]


def everything(store: CaseStore) -> list[Any]:
    tables = ("change", "judgement", "judging", "enforcement_case", "event", "case_number", "lineage", "seal")
    with store.transaction() as session:
        return [session.execute(text(f"SELECT * FROM {table} ORDER BY 1")).all() for table in tables]


def test_two_hectares_cut_into_three(store: CaseStore) -> None:
    issue(store, "Q3")
    (whole,) = cases(store)
    assert (whole.number, whole.status, whole.verdict) == (
        "140105Q32021000001",
        "suspected",
        "suspected_violation",
    )
    done = cut(store, whole.id)
    assert (done.whole.status, done.whole.version, done.whole.held) == ("split", 2, {})
    assert [part.number for part in done.parts] == [f"140105Q32021000001_{n}" for n in (1, 2, 3)]
    assert [part.status for part in done.parts] == ["suspected"] * 3
    assert [part.area_m2 for part in done.parts] == pytest.approx([6000, 7000, 7000], abs=0.01)
    assert [part.region for part in done.parts] == ["140105"] * 3
    # The first part is permitted wholly, the others not at all; of the whole it was 30 %.
    assert [part.verdict for part in done.parts] == ["lawful", "suspected_violation", "suspected_violation"]
    assert [part.facts["permits_share"] for part in done.parts] == pytest.approx([1, 0, 0], abs=1e-5)
    assert [part.facts["change_probability"] for part in done.parts] == [None] * 3
    assert [(part.before, part.after) for part in done.parts] == [(whole.before, whole.after)] * 3
    parent, *own = land_of(store, whole.id, *(part.id for part in done.parts))
    assert [one["group_mu"]["cultivated"] for one in own] == [7.5, 0, 0]
    assert [one["group_mu"]["construction"] for one in own] == [1.5, 10.5, 10.5]
    for name in parent["class_m2"]:
        assert sum(one["class_m2"].get(name, 0) for one in own) == pytest.approx(
            parent["class_m2"][name], abs=1e-6
        )
    for name in parent["group_mu"]:
        assert sum(one["group_mu"][name] for one in own) == pytest.approx(parent["group_mu"][name], abs=1e-9)
    assert is_whole(store)
    assert replay(store, day("2021-10-01")).differing == []


def test_histories_tell_of_each_other(store: CaseStore) -> None:
    (whole,) = cases(store)
    done = cut(store, whole.id)
    ids = [part.id for part in done.parts]
    last = store.events(whole.id)[-1]
    assert (last.kind, last.actor, last.role, last.from_status, last.to_status) == (
        "split", "王芳", "county", "suspected", "split",
    )  # fmt: skip
    assert last.reason == f"two owners · cut into {', '.join(ids)}"
    for key in ids:
        (first,) = store.events(key)
        assert (first.kind, first.from_status, first.to_status) == ("split", "", "suspected")
        assert first.reason == f"two owners · cut from {whole.id}"
    with store.transaction() as session:
        assert lineage.heirs_of(session, whole.id) == ids
        assert lineage.origins_of(session, ids[1]) == [whole.id]


def test_a_part_is_cut_again(store: CaseStore) -> None:
    issue(store, "Q3")
    (whole,) = cases(store)
    first = cut(store, whole.id).parts[0]
    done = cut(store, first.number, rect(0, 0, 60, 40), rect(0, 40, 60, 100))
    assert [part.number for part in done.parts] == ["140105Q32021000001_1_1", "140105Q32021000001_1_2"]
    assert [part.area_m2 for part in done.parts] == pytest.approx([2400, 3600], abs=0.01)
    assert [one["group_mu"]["cultivated"] for one in land_of(store, *(p.id for p in done.parts))] == [
        3.0,
        4.5,
    ]
    with pytest.raises(
        IllegalMove, match=r"was split by 王芳 at .* already, into case-\w+ \(140105Q32021000001_1_1\)"
    ):
        cut(store, first.id, rect(0, 0, 60, 40), rect(0, 40, 60, 100))
    assert is_whole(store)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([THIRDS[0], THIRDS[1]], r"7000\.\d\d m² lie in no part \(near 114\.00187\d 37\."),
        (
            [rect(0, 0, 110, 100), rect(100, 0, 200, 100)],
            r"1000\.\d\d m² lie in more than one part \(near 114\.00",
        ),
        ([rect(0, 0, 60, 100), rect(60, 0, 210, 100)], r"1000\.\d\d m² lie beyond the case \(near 114\.00"),
        (
            [rect(0, 0, 60, 100), rect(60.1, 0, 200.1, 100)],
            r"10\.0\d m² lie in no part .* 10\.0\d m² lie beyond",
        ),
        ([rect(0, 0, 199.95, 100), rect(199.95, 0, 200, 100)], r"part 2 has 5\.00 m²; a part has 6\.67 m²"),
    ],
)
def test_what_is_no_cut_of_the_case_is_refused(store: CaseStore, parts: list[Any], said: str) -> None:
    (whole,) = cases(store)
    before = everything(store)
    with pytest.raises(BadInput, match=said):
        cut(store, whole.id, *parts)
    assert everything(store) == before


def test_a_gap_of_less_than_a_hundredth_of_a_mu_is_none(store: CaseStore) -> None:
    (whole,) = cases(store)
    done = cut(store, whole.id, rect(0, 0, 100, 100), rect(100.06, 0, 200, 100))
    assert sum(part.area_m2 for part in done.parts) == pytest.approx(20000 - 6, abs=0.01)
    parent, *own = land_of(store, whole.id, *(part.id for part in done.parts))
    # The ledgers close all the same.
    assert sum(one["area_m2"] for one in own) == pytest.approx(parent["area_m2"], abs=1e-6)
    assert abs(own[1]["area_m2"] - done.parts[1].area_m2) < MU_M2 / 100


def test_a_part_of_several_pieces_is_one_case(store: CaseStore) -> None:
    (whole,) = cases(store)
    ends = shapely.MultiPolygon([THIRDS[0], THIRDS[2]])
    done = cut(store, whole.id, ends, THIRDS[1])
    assert [part.area_m2 for part in done.parts] == pytest.approx([13000, 7000], abs=0.01)
    assert done.parts[0].geometry.geom_type == "MultiPolygon"
    assert [one["group_mu"]["cultivated"] for one in land_of(store, *(p.id for p in done.parts))] == [7.5, 0]
    assert replay(store, day("2021-10-01")).differing == []


@pytest.mark.parametrize("steps", range(5))
def test_until_the_violation_a_case_is_cut_where_it_stands(store: CaseStore, steps: int) -> None:
    (whole,) = cases(store)
    stood = walk(store, whole.id, *TO_REVIEW[:steps])
    done = cut(store, whole.id)
    assert [(part.status, part.held) for part in done.parts] == [(stood.status, stood.held)] * 3
    told = [event.to_status for event in store.events(done.parts[0].id)]
    assert told == (["proven", stood.status] if steps > 2 else [stood.status])
    part = walk(store, done.parts[1].id, *TO_REVIEW[steps:], ("violation", "province", {"reason": "r"}))
    with pytest.raises(
        IllegalMove, match="is at violation and can no longer be split; that is done at doubt, susp"
    ):
        cut(store, part.id, *degrees_of(part.geometry))
    # The road goes on as for any case, up to a notice that the database lets pass.
    walk(
        store, part.id, ("filed", "county", {}), ("investigation", "county", {"two_officers": "李伟;张敏"}),
        ("audited", "legal", {"legal_audit": "l"}), ("notice", "county", {}),
    )  # fmt: skip
    assert store.case(part.id).status == "notice"
    assert is_whole(store)


def degrees_of(shape: Any) -> list[Any]:
    return [shape, shape]
