"""Killed half-way, nothing is half-imported; the verbs of the registry; judged by it, and replayed."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import shapely
from sqlalchemy import func, select

from cases.store import open_store
from database.cadastre_tables import FeatureRow, VintageRow
from detection import changes as change_frame
from tests.cases_world import changes_of, new_store, rect
from tests.registry_world import CHANGE, brought, half, layer, written
from tests.test_cli import refusal, tiankan

ROOT = Path(__file__).parent.parent
LAYERS = """
[permits]
title = "Permits"
path = "permits.gpkg"
columns = { number = "no" }
coverage = "everywhere"
measures = ["share", "numbers"]
"""
BOOK = """
title = "Test"
jurisdiction = "XX"
effective_from = 2000-01-01

[[rule]]
id = "PERMITTED"
verdict = "lawful"
basis = "law"
when = { permits_share = { min = 0.95 } }

[[rule]]
id = "REST"
verdict = "suspected_violation"
basis = "law"
when = {}
"""


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """A change, a layer of permits, a rulebook."""
    (tmp_path / "layers.toml").write_text(LAYERS)
    (tmp_path / "book.toml").write_text(BOOK)
    change_frame.write(changes_of(CHANGE), tmp_path / "changes.gpkg", {})
    return tmp_path


def permits(county: Path, *shapes: shapely.Polygon) -> None:
    written(county, "permits.gpkg", shapes, no=[f"P{i}" for i in range(len(shapes))])


def imported(county: Path, *words: object) -> list[dict[str, object]]:
    code, out, err = tiankan(
        "cadastre", "import", county / "layers.toml", "--db", county / "c.db", "--json", *words
    )
    assert code == 0, err
    rows: list[dict[str, object]] = json.loads(out)
    return rows


def judged(county: Path, day: str) -> str:
    words = ("--changes", county / "changes.gpkg", "--db", county / "c.db", "--rules", county / "book.toml")
    code, out, err = tiankan("judge", *words, "--as-of", day, "--json")
    assert code == 0, err
    verdict: str = json.loads(out)["judgements"][0]["verdict"]
    return verdict


def replayed(county: Path, day: str) -> tuple[int, str]:
    out = county / f"{day}.jsonl"
    code, _, err = tiankan("rules", "replay", "--db", county / "c.db", "--as-of", day, "--out", out)
    assert code in (0, 1), err
    return code, out.read_text()


def test_a_past_day_s_verdicts_are_found_again(county: Path) -> None:
    permits(county, half(True))
    imported(county, "--known", "2021-09-10")
    assert judged(county, "2021-10-01") == "suspected_violation"
    first = replayed(county, "2021-10-01")
    permits(county, half(True), half(False))
    imported(county, "--known", "2021-11-10")
    assert judged(county, "2021-12-01") == "lawful"
    permits(county, half(True))
    imported(county, "--known", "2022-01-10")
    assert judged(county, "2022-02-01") == "suspected_violation"
    assert replayed(county, "2021-10-01") == first
    assert first[0] == 0 and json.loads(first[1])["verdict"] == "suspected_violation"
    assert json.loads(replayed(county, "2021-12-01")[1])["verdict"] == "lawful"
    assert json.loads(replayed(county, "2022-02-01")[1])["verdict"] == "suspected_violation"
    assert json.loads(first[1])["facts"]["permits_share"] == 0.5


def test_judging_again_what_was_known_adds_nothing(county: Path) -> None:
    permits(county, half(True))
    imported(county, "--known", "2021-09-10")
    assert [judged(county, day) for day in ("2021-10-01", "2021-11-01")] == ["suspected_violation"] * 2
    (case,) = open_store(str(county / "c.db")).cases(_all()).items
    assert [event.kind for event in open_store(str(county / "c.db")).events(case.id)] == ["opened"]


def _all() -> object:
    from cases.store import CaseFilter

    return CaseFilter()


def test_time_does_not_run_backward(county: Path) -> None:
    permits(county, half(True))
    imported(county, "--known", "2021-09-10")
    judged(county, "2021-10-01")
    words = ("--changes", county / "changes.gpkg", "--db", county / "c.db", "--rules", county / "book.toml")
    assert "was judged as of 2021-10-01" in refusal("judge", *words, "--as-of", "2021-09-20")
    permits(county, half(False))
    late = refusal(
        "cadastre", "import", county / "layers.toml", "--db", county / "c.db", "--known", "2021-09-20"
    )
    assert "--known: 2021-09-20 is not after the judging of 2021-10-01" in late
    nothing = refusal("rules", "replay", "--db", county / "c.db", "--as-of", "2021-09-30")
    assert "nothing was judged by 2021-09-30" in nothing
    tomorrow = (date.today() + timedelta(days=2)).isoformat()
    assert "lies in the future" in refusal("judge", *words, "--as-of", tomorrow)
    assert "'soon' is not a day" in refusal("rules", "replay", "--db", county / "c.db", "--as-of", "soon")


def test_today_ends_now(county: Path) -> None:
    today = datetime.now(UTC).date().isoformat()
    permits(county, half(True), half(False))
    imported(county, "--known", today)
    assert judged(county, today) == "lawful"
    # Not at midnight to come: what is judged now, without a day, is judged later than that.
    words = ("--changes", county / "changes.gpkg", "--db", county / "c.db", "--rules", county / "book.toml")
    assert tiankan("judge", *words)[0] == 0


def test_an_altered_verdict_is_found(county: Path) -> None:
    permits(county, half(True))
    imported(county, "--known", "2021-09-10")
    judged(county, "2021-10-01")
    with open_store(str(county / "c.db")).transaction(writes=True) as session:
        session.connection().exec_driver_sql("DROP TRIGGER judgement_is_never_updated")
        session.connection().exec_driver_sql("UPDATE judgement SET verdict = 'lawful'")
    code, lines = replayed(county, "2021-10-01")
    assert code == 1
    assert json.loads(lines)["verdict"] == "suspected_violation"


def test_files_that_are_as_they_were_are_replayed_too(county: Path) -> None:
    permits(county, half(True))
    words = ("--changes", county / "changes.gpkg", "--db", county / "c.db", "--rules", county / "book.toml")
    assert tiankan("judge", *words, "--layers", county / "layers.toml", "--as-of", "2021-10-01")[0] == 0
    assert replayed(county, "2021-10-01")[0] == 0
    permits(county, half(True), half(False))
    out = tiankan("rules", "replay", "--db", county / "c.db", "--as-of", "2021-10-01", "--json")[1]
    assert json.loads(out)["not_measured_again"] == 1


def test_the_registry_is_listed_shown_and_checked(county: Path) -> None:
    permits(county, half(True), half(True))
    (row,) = imported(county)
    assert (row["new"], row["kept"], row["faults"]) == (True, 2, {"overlap": 2})
    assert [row["new"] for row in imported(county)] == [False]
    (listed,) = json.loads(tiankan("cadastre", "list", "--db", county / "c.db", "--json")[1])
    assert (listed["layer"], listed["features"], listed["kind"]) == ("permits", 2, "register")
    shown = json.loads(tiankan("cadastre", "show", listed["vintage"], "--db", county / "c.db", "--json")[1])
    assert shown["report"]["faults"]["overlap"]["rows"] == [1, 2]
    (checked,) = json.loads(tiankan("cadastre", "check", county / "layers.toml", "--json")[1])
    assert checked["faults"] == shown["report"]["faults"]
    assert "has no layer 'roads'; it has permits" in refusal(
        "cadastre", "import", county / "layers.toml", "--layer", "roads", "--db", county / "c.db"
    )
    assert "no vintage has the id 'x'" in refusal("cadastre", "show", "x", "--db", county / "c.db")


SLOW = """
import sys, time
sys.path.insert(0, sys.argv[1])
import cadastre.importing, cadastre.streaming
from pathlib import Path
from tests.registry_world import brought, layer
from cases.store import open_store
cadastre.streaming.CHUNK = 100
real = cadastre.importing.add
def slowly(*given):
    real(*given); print("chunk", flush=True); time.sleep(0.2)
cadastre.importing.add = slowly
folder = Path(sys.argv[2])
brought(open_store(f"sqlite:///{folder / 'cases.db'}"), folder, layer("many.gpkg"), "2021-01-01")
"""


def test_killed_half_way_nothing_of_it_is_there(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    tiles = [rect(x, y, x + 10, y + 10) for x in range(0, 500, 10) for y in range(0, 400, 10)]
    written(tmp_path, "many.gpkg", tiles, no=[str(n) for n in np.arange(len(tiles))])
    given = [sys.executable, "-W", "ignore", "-c", SLOW, str(ROOT), str(tmp_path)]
    with subprocess.Popen(given, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == ["chunk\n"] * 3
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    time.sleep(0.1)
    with store.transaction() as session:
        assert session.scalar(select(func.count()).select_from(FeatureRow)) == 0
        assert session.scalar(select(func.count()).select_from(VintageRow)) == 0
    assert brought(store, tmp_path, layer("many.gpkg"), "2021-01-01").features == len(tiles)


def test_a_change_of_law_between_the_scenes_is_explained_by_both_laws(county: Path) -> None:
    books = county / "books"
    books.mkdir()
    (books / "a.toml").write_text(BOOK)
    later = BOOK.replace("2000-01-01", "2021-07-01").replace("0.95", "0.5")
    (books / "b.toml").write_text(later)
    permits(county, half(True))
    imported(county, "--known", "2021-09-10")
    words = ("--changes", county / "changes.gpkg", "--db", county / "c.db", "--rules", books)
    code, out, err = tiankan("judge", *words, "--as-of", "2021-10-01", "--json")
    assert code == 0, err
    (said,) = json.loads(out)["judgements"]
    assert said["verdict"] == "doubt"
    code, out, err = tiankan(
        "rules", "explain", said["change_id"], "--db", county / "c.db", "--rules", books, "--json"
    )
    told = json.loads(out)
    assert (told["verdict"], told["says_now"]) == ("doubt", "")
    former = told["former"]
    assert (former["verdict"], former["rule"], former["until"]) == (
        "suspected_violation", "REST", "2021-07-01",
    )  # fmt: skip
    assert [step["state"] for step in former["steps"]] == ["fails", "holds"]
    assert [step["state"] for step in told["steps"]] == ["holds", "not tried"]
    code, out, err = tiankan("rules", "explain", said["change_id"], "--db", county / "c.db", "--rules", books)
    assert "until 2021-07-01: suspected_violation by REST" in out
