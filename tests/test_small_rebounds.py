"""Ground that was given back: what is built there again is a rebound, however small; elsewhere a sliver is one."""

from pathlib import Path

import pytest

from cases import places
from cases.store import CaseFilter, CaseStore
from ground.errors import BadInput
from reports.retold import retold
from reports.words import Language, Words
from spots.policy import SPOTS_TOML, load_policy
from tests.cases_world import new_store
from tests.spots_world import box, bring, day, seen

LATER = {"pair_id": "later", "between": ("06-01", "07-01"), "kind": "building_appeared"}
"""After the sign-off of May."""


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def ended(store: CaseStore, status: str = "signed_off") -> str:
    seen(store, box(0, 0, 40), kind="building_appeared")
    (case,) = store.cases(CaseFilter()).items
    bring(store, case.id, status)
    return case.id


def test_a_building_of_81_m2_on_ground_that_was_given_back_is_a_rebound(store: CaseStore) -> None:
    case = ended(store)
    seen(store, box(5, 5, 9), **LATER)  # type: ignore[arg-type]
    now, last = store.case(case), store.events(case)[-1]
    assert (now.status, now.held, last.kind) == ("doubt", {}, "rebound")
    assert last.reason.endswith(
        "building_appeared seen on 2025-07-01, after it was signed_off on 2025-05-01; its size alone explains nothing "
        "there"
    )
    assert retold(last, Words(Language.ZH)).endswith("该地块应已恢复，面积虽小亦不得以此排除")
    assert places.spot(store, case)[2][-1]["outcome"] == "rebound"
    # Told again it adds nothing; the next ones are noted in a case that is open.
    seen(store, box(5, 5, 9), **LATER)  # type: ignore[arg-type]
    assert len(store.events(case)) == len(WAY_TOLD) + 1
    assert len(store.cases(CaseFilter()).items) == 1


WAY_TOLD = (
    "opened", "field_check", "proven", "city_review", "province_review", "violation", "rectification", "verification",
    "signed_off",
)  # fmt: skip


def test_one_that_only_lies_over_its_edge_is_one_too(store: CaseStore) -> None:
    case = ended(store)
    # 4 of 9 m lie over it: 36 of 81 m², too little to be one place.
    seen(store, box(-5, 5, 9), **LATER)  # type: ignore[arg-type]
    assert store.case(case).status == "doubt"
    assert ": it lies over it by 36 m²; building_appeared seen on" in store.events(case)[-1].reason


@pytest.mark.parametrize(
    ("status", "kind", "on"),
    [
        ("closed", "building_appeared", ("06-01", "07-01")), ("signed_off", "vegetation_gain", ("06-01", "07-01")),
        ("signed_off", "building_appeared", ("03-01", "04-15")),
    ],
)  # fmt: skip
def test_elsewhere_before_and_of_harmless_kinds_it_is_noted(
    store: CaseStore, status: str, kind: str, on: tuple[str, str]
) -> None:
    case = ended(store, status)
    seen(store, box(5, 5, 9), pair_id="later", between=on, kind=kind)
    assert (store.case(case).status, store.events(case)[-1].kind) == (status, "moved")


def test_what_a_rule_looked_at_is_data(tmp_path: Path) -> None:
    policy = load_policy(day("06-01").date())
    assert not policy.is_excused("signed_off", {"change_area_m2": 81.0})
    assert policy.is_excused("signed_off", ["change_area_m2", "approvals_share"])
    assert policy.is_excused("closed", ["change_area_m2"])
    path = tmp_path / "spots.toml"
    path.write_text(SPOTS_TOML.read_text().replace('source = "ours: small', 'sauce = "ours: small'))
    with pytest.raises(BadInput, match="no_excuse"):
        load_policy(day("06-01").date(), path)
