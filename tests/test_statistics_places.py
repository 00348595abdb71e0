"""Statistics where one place was seen again: it counts once, on the outline that stood then, with its status then."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cases.store import CaseFilter, CaseStore
from reports.statistics import statistics
from tests.cases_world import new_store
from tests.spots_world import box, bring, seen
from tests.test_reported import tell
from tests.test_statistics_reported import whole


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def counted(store: CaseStore, at: datetime, part: str = "all") -> tuple[int, int, float]:
    number, reported, mu, *_ = whole(statistics(store, at).figures, part)
    return number, reported, mu


def now() -> datetime:
    return datetime.now(UTC)


def test_a_place_seen_again_counts_once(store: CaseStore) -> None:
    seen(store, box(0, 0, 100), pair_id="one")
    first = now()
    # 10,000 m² are 15 亩; the second time it is a little smaller, and another place comes with it.
    seen(store, box(2, 2, 96), box(1000, 0, 100), pair_id="two", between=("04-01", "05-01"))
    assert counted(store, first) == (1, 0, pytest.approx(15, abs=0.05))
    assert counted(store, now()) == (2, 0, pytest.approx(30, abs=0.1))


def test_a_new_look_counts_on_its_new_outline_and_the_past_stays_as_it_was(store: CaseStore) -> None:
    seen(store, box(0, 0, 100), pair_id="one")
    (case,) = store.cases(CaseFilter()).items
    bring(store, case.id, "lawful")
    found = now()
    assert counted(store, found, "lawful") == (1, 0, pytest.approx(15, abs=0.05))
    told = statistics(store, found)
    # Twice as wide: it grew, and is looked at anew.
    seen(store, box(0, 0, 200, 100), pair_id="two", between=("06-01", "07-01"))
    (case,) = store.cases(CaseFilter()).items
    assert case.status == "suspected"
    assert counted(store, now(), "lawful") == (0, 0, 0.0)
    assert counted(store, now(), "suspected") == (1, 0, pytest.approx(30, abs=0.1))
    assert statistics(store, found).figures == told.figures
    assert statistics(store, found).review == told.review


def test_a_report_counts_until_imagery_has_drawn_it(store: CaseStore) -> None:
    tell(store, 50, 50, region="140105")
    told = now()
    assert counted(store, told) == (0, 1, 0.0)
    seen(store, box(0, 0, 100), pair_id="one", between=("06-01", "07-01"))
    assert len(store.cases(CaseFilter()).items) == 1
    assert counted(store, now()) == (1, 0, pytest.approx(15, abs=0.05))
    assert counted(store, told) == (0, 1, 0.0)
