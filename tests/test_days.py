"""A day is the county's: a clock is not red on its own last day, and statistics of a day count to its end there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cases.days import end_of_day_here, zone_at
from ground.clock import end_of
from ground.errors import BadInput
from tests.cases_world import new_store
from tests.test_cli import tiankan
from tests.test_ticking import opened


def test_the_end_of_a_day() -> None:
    assert zone_at(datetime.now(UTC)) == ZoneInfo("Asia/Shanghai")
    for text, said in (
        ("2024-03-07", "2024-03-07T15:59:59.999999+00:00"), ("2024-03-07T09:00", "2024-03-07T01:00:00+00:00"),
        ("2024-03-07T09:00Z", "2024-03-07T09:00:00+00:00"),
    ):  # fmt: skip
        assert end_of_day_here(text, "--now").isoformat() == said
    # Of what documents UTC nothing has changed.
    assert end_of("2024-03-07", "--as-of").isoformat() == "2024-03-07T23:59:59.999999+00:00"
    assert end_of("2024-03-07T09:00", "--as-of").isoformat() == "2024-03-07T09:00:00+00:00"


@pytest.mark.parametrize("name", ["Pacific/Kiritimati", "Asia/Shanghai", "UTC", "Etc/GMT+12"])
def test_today_ends_now_and_tomorrow_has_not_come(name: str) -> None:
    zone = ZoneInfo(name)
    today = datetime.now(zone).date()
    assert abs(end_of(today.isoformat(), "--now", zone) - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(BadInput, match="lies in the future"):
        end_of((today + timedelta(days=1)).isoformat(), "--now", zone)


def test_a_clock_is_not_red_on_its_last_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store(tmp_path)
    (case,) = opened(store, 1, "2024-03-04", monkeypatch)
    db = ("--db", store.engine.url.render_as_string(hide_password=False), "--json")

    def light(now: str) -> str:
        rows = json.loads(tiankan("clocks", "show", case, "--now", now, *db)[1])
        return next(
            str(row["light"]) for row in rows if row["clock"] == "first_check" and row["due"] == "2024-03-07"
        )

    def late(now: str) -> int:
        rows = json.loads(tiankan("stats", "--as-of", now, *db)[1])["overdue"]
        return sum(
            row["number"] for row in rows if (row["region"], row["clock"]) == ("140105", "first_check")
        )

    assert [(light(now), late(now)) for now in ("2024-03-07", "2024-03-07T23:59:59", "2024-03-08")] == [
        ("yellow", 0), ("yellow", 0), ("red", 1),
    ]  # fmt: skip
    code, out, _ = tiankan("clocks", "tick", "--now", "2024-03-07", *db)
    assert (code, json.loads(out)["at"]) == (0, "2024-03-07T15:59:59.999999+00:00")
    assert json.loads(out)["notices"] == {"reminded": 1, "warned": 1}
