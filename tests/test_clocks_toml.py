"""clocks.toml: typos and unknown words are named, an edition holds from its day on."""

from datetime import date
from pathlib import Path

import pytest

from cases.workflow import load_workflow
from clocks.policy import CLOCKS_TOML, Clocks, check, load_clocks
from clocks.running import runs
from ground.errors import BadInput
from tests.test_clocks import CLOCKS, moved


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('unit   = "same_day"', 'unit   = "today"', r"clock\.1\.unit"),
        ("count  = 3", "", r"count must be above 0 for working_days"),
        ('stop   = ["proven"]', 'stop   = ["doubt"]', "'doubt' both starts and stops it"),
        ('time_zone = "Asia/Shanghai"', 'time_zone = "Asia/Taiyuan"', "'Asia/Taiyuan' is no time zone"),
        ("remind = 1", "remnid = 1", r"clock\.2\.remnid: is not a known key"),
        ('id     = "feedback"', 'id     = "assigned"', "'assigned' is there twice"),
        ("lift   = { city = 3, province = 10 }", "lift   = { city = 30, province = 10 }", "before the city"),
        ('kind   = "record"', 'kind   = "record"\nremind = 2', "a record is only looked up afterwards"),
        ('kind   = "record"', "", "'imagery' is over when the case opens: write kind"),
    ],
)  # fmt: skip
def test_typos_are_named(tmp_path: Path, was: str, becomes: str, said: str) -> None:
    path = tmp_path / "clocks.toml"
    text = CLOCKS_TOML.read_text(encoding="utf-8")
    assert was in text
    path.write_text(text.replace(was, becomes, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        load_clocks(path)


def test_words_that_the_workflow_does_not_know(tmp_path: Path) -> None:
    road = load_workflow()
    check(CLOCKS, road.statuses, road.evidence)
    text = CLOCKS_TOML.read_text(encoding="utf-8")
    for was, becomes, said in (
        (
            'stop   = ["proven"]',
            'stop   = ["porven"]',
            "clock 'first_check': 'porven' is no status of the workflow",
        ),
        ('evidence = "extension"', 'evidence = "extention"', "'extention' is no evidence of the workflow"),
        ('"pseudo_change", "closed"', '"pseudo_change", "colsed"', "ended: 'colsed' is no status"),
        ('start  = ["filed"]', 'start  = ["closed"]', "clock 'decision' would never run: its start, closed"),
        ('"CN"', '"XQ"', "country 'XQ' has no calendar"),
    ):
        assert was in text
        path = tmp_path / f"{abs(hash(becomes))}.toml"
        path.write_text(text.replace(was, becomes), encoding="utf-8")
        with pytest.raises(BadInput, match=said):
            check(load_clocks(path), road.statuses, road.evidence, path)


def test_two_editions_of_one_day_are_refused(tmp_path: Path) -> None:
    text = CLOCKS_TOML.read_text(encoding="utf-8")
    path = tmp_path / "clocks.toml"
    path.write_text(text + "\n" + text[text.index("[[edition]]") :], encoding="utf-8")
    with pytest.raises(BadInput, match="two editions are effective from 2021-07-15"):
        load_clocks(path)


def test_editions_hold_by_the_day_on_which_a_clock_starts() -> None:
    now = CLOCKS.edition[0]
    quick = [rule.model_copy(update={"count": 1}) if rule.id == "first_check" else rule for rule in now.clock]
    later = now.model_copy(update={"effective_from": date(2024, 3, 1), "clock": quick})
    both = Clocks(edition=[later, now])
    for start, last in (("2024-02-29", date(2024, 3, 5)), ("2024-03-01", date(2024, 3, 4))):
        (run,) = [r for r in runs([moved("suspected", start)], both) if r.rule.id == "first_check"]
        assert run.due.day == last
