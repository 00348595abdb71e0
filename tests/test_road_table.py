"""The table of the road in docs/cases.md says what workflow.toml says."""

from cases.workflow import load_workflow
from tests.road_table import FIRST, LAST, PAGE, table_of, wanted


def test_the_table_of_the_docs_is_the_road() -> None:
    page, road = PAGE.read_text(encoding="utf-8"), load_workflow()
    assert page.count(FIRST) == page.count(LAST) == 1
    assert page == wanted(page, road), f"run python -m tests.road_table, which writes:\n{table_of(road)}"


def test_every_move_and_status_is_in_it() -> None:
    road = load_workflow()
    rows = table_of(road).splitlines()[2:]
    assert len(rows) == len(road.start) + len(road.moves) + 2
    assert [
        status for status in road.statuses if not any(row.startswith(f"| `{status}` ") for row in rows)
    ] == []
    row = next(row for row in rows if row.startswith("| `served` "))
    assert row == "| `served` 送达 | decision | county | **document** |"
