"""The pages of statistics: notes stand on the first, no page is left with them alone, a short table is not torn."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reports.statistics import statistics
from reports.statistics_files import write_statistics
from reports.words import Language, Words
from tests.cases_world import new_store, put, row_of_changes

pytestmark = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler's pdftotext is not here")
AT = datetime(2026, 1, 1, 20, 30, tzinfo=UTC)


def pages(path: Path) -> list[str]:
    """The text of each page."""
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True)
    return done.stdout.split("\f")[:-1]


@pytest.mark.parametrize("counties", [1, 2, 3, 5])
def test_notes_stand_on_page_one_and_short_tables_are_whole(tmp_path: Path, counties: int) -> None:
    store, changes = new_store(tmp_path), row_of_changes(counties)
    regions = {one: f"14010{i}" for i, one in enumerate(changes["change_id"])}
    put(store, changes, regions=regions)
    write_statistics(statistics(store, datetime.now(UTC)), tmp_path / "s.pdf", Words(Language.EN), AT)
    told = pages(tmp_path / "s.pdf")
    assert "Overdue cases are those of that moment" in told[0] and "Order 15 of 2008" in told[0]
    assert "Later scenes between any day" in " ".join(told[0].split())
    assert "set right by the day that was given" in told[-1]
    # Each of the short ones with its title; those of more rows than a page holds go on with their head.
    for title, last in (("Rectification", "–"), ("By change class", "unclassified")):
        assert [last in page for page in told if f"{title}\n" in page] == [True]


def test_times_on_the_pages_are_the_county_s(tmp_path: Path) -> None:
    write_statistics(statistics(new_store(tmp_path), AT), tmp_path / "s.pdf", Words(Language.ZH), AT)
    (first, *_) = pages(tmp_path / "s.pdf")
    assert "2026-01-02 04:30 北京时间" in first and "UTC" not in first
