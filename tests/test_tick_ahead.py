"""A tick by a machine whose clock was ahead bars nobody's way once the clock is set right."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cases import ticking
from cases.store import CaseStore
from cases.ticking import tick
from ground.errors import BadInput
from tests.cases_world import new_store
from tests.test_cli import tiankan
from tests.test_ticking import PHOTO, moment, move, opened, told

SLACK = timedelta(minutes=2)


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def by_a_machine_at(now: datetime, patch: pytest.MonkeyPatch) -> None:
    """This machine's clock says so from here on."""

    class Then(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            del tz
            return now

    patch.setattr(ticking, "datetime", Then)


def test_it_goes_on_from_now_and_says_nothing_twice(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, quick = opened(store, 2, "2024-03-04", monkeypatch)
    tick(store, moment("2024-03-05"))
    with monkeypatch.context() as patch:
        by_a_machine_at(moment("2099-01-01"), patch)
        assert tick(store).at == moment("2099-01-01")
    said = len(told(store, late))
    move(store, quick, "field_check", "2024-03-06")
    move(store, quick, "proven", "2024-03-07", **PHOTO)
    done = tick(store, moment("2024-03-20"))
    assert done.ahead == (
        "1 tick lies in the future, the last at 2099-01-01T04:00:00+00:00: a machine's clock was ahead; what was said "
        "then is not said again, and stands in the histories with that time"
    )
    assert len(told(store, late)) == said
    # Of the clock that began since, what is due is said.
    assert (done.at, done.notices) == (moment("2024-03-20"), {"reminded": 1})
    assert tick(store, moment("2024-03-22")).notices == {"warned": 1}
    with pytest.raises(BadInput, match="lies before the last tick, 2024-03-22"):
        tick(store, moment("2024-03-21"))


def test_what_has_ended_is_not_looked_at_again_and_again(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (case,) = opened(store, 1, "2024-03-04", monkeypatch)
    with monkeypatch.context() as patch:
        by_a_machine_at(moment("2099-01-01"), patch)
        tick(store)
    steps = [("field_check", "county", {}), ("proven", "county", PHOTO), ("city_review", "city", {})]
    for to, role, brought in [
        *steps,
        ("province_review", "city", {}),
        ("lawful", "province", {"document": "d"}),
    ]:
        move(store, case, to, "2024-03-06", role, **brought)
    assert [tick(store, moment(day)).cases for day in ("2024-03-07", "2024-03-08")] == [1, 0]


def test_a_machine_a_little_ahead_is_caught_up_with(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(store, 1, "2024-03-04", monkeypatch)
    with monkeypatch.context() as patch:
        by_a_machine_at(moment("2024-03-05") + SLACK, patch)
        tick(store)
        by_a_machine_at(moment("2024-03-05"), patch)
        done = tick(store)
    assert (done.at, done.ahead) == (moment("2024-03-05") + SLACK, "")


def test_the_verb_tells_of_it(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(store, 1, "2024-03-04", monkeypatch)
    with monkeypatch.context() as patch:
        by_a_machine_at(moment("2099-01-01"), patch)
        tick(store)
        tick(store)
    db = store.engine.url.render_as_string(hide_password=False)
    code, out, _ = tiankan("clocks", "tick", "--db", db)
    assert (code, "2 ticks lie in the future, the last at 2099-01-01T04:00:00+00:00" in out) == (0, True)
    code, out, _ = tiankan("clocks", "tick", "--db", db, "--json")
    assert (code, json.loads(out)["ahead"][:7], json.loads(out)["notices"]) == (0, "2 ticks", {})
