"""Layers read from files know both clocks, as the registry does."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cadastre.facts import Facts, measure, measure_crs
from cadastre.layers import load_catalogue
from cases.known import from_files
from cases.measuring import land_of
from ground.errors import BadInput
from tests.cases_world import changes_of, rect
from tests.registry_world import CHANGE, day, half, written

PLAIN = """
[permits]
title = "Permits"
path = "permits.gpkg"
coverage = "everywhere"
measures = ["share", "numbers"]
"""


def facts_by(folder: Path, as_of: str, more: str, **columns: Any) -> Facts:
    """The facts of the change of 2021-05-01 to 2021-09-01 by the files of a layers.toml."""
    layers = folder / "layers.toml"
    layers.write_text(PLAIN + more)
    changes = changes_of(CHANGE, **columns)
    known = from_files(layers, measure_crs(changes), day(as_of))
    return measure(changes, known.layers, known.catalogue)[changes["change_id"].iloc[0]]


def test_an_entry_known_later_is_not_known_yet(tmp_path: Path) -> None:
    written(
        tmp_path, "permits.gpkg", [half(True), half(False)], no=["A", "B"], since=["2021-09-15", "2025-01-01"]
    )
    columns = 'columns = { number = "no", known_from = "since" }'
    found = [facts_by(tmp_path, as_of, columns).values["permits_share"] for as_of in
             ("2021-09-14", "2021-10-01", "2025-01-01")]  # fmt: skip
    assert found == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("more", "share", "why"),
    [
        ("", None, "layer permits is a map, and layers.toml does not say the day whose state it shows"),
        ("state_of = 2020-12-31", 0.5, ""),
        ("state_of = 2021-05-01", 0.5, ""),
        ("state_of = 2021-07-01", None, "layer permits says nothing of 2021-05-01"),
        ("state_of = 2023-12-31", None, "layer permits says nothing of 2021-05-01"),
    ],
)
def test_a_map_holds_from_the_day_that_it_shows(tmp_path: Path, more: str, share: Any, why: str) -> None:
    written(tmp_path, "permits.gpkg", [half(True)], no=["A"])
    kind = f'columns = {{ number = "no" }}\nkind = "map"\n{more}'
    facts = facts_by(tmp_path, "2025-01-01", kind)
    assert facts.values["permits_share"] == share
    assert facts.why.get("permits_share", "").startswith(why)
    assert ("permits_share" in facts.why) == bool(why)


def test_a_map_that_does_not_cover_the_change_is_unknown_still(tmp_path: Path) -> None:
    written(tmp_path, "permits.gpkg", [half(True)], no=["A"])
    layers = PLAIN.replace("everywhere", "bounds")
    (tmp_path / "layers.toml").write_text(layers + 'kind = "map"\nstate_of = 2020-12-31')
    changes = changes_of(CHANGE, rect(10, 10, 20, 20))
    known = from_files(tmp_path / "layers.toml", measure_crs(changes), day("2021-10-01"))
    found = measure(changes, known.layers, known.catalogue)
    shares = [found[key].values["permits_share"] for key in changes["change_id"]]
    assert shares == [None, 1.0]


def test_the_area_ledger_of_a_map_without_a_day_is_unknown(tmp_path: Path) -> None:
    written(tmp_path, "permits.gpkg", [half(True)], c=["0103"])
    layers = PLAIN.replace("[permits]", "[land_use]").replace('"numbers"', '"dominant"')
    (tmp_path / "layers.toml").write_text(layers + 'kind = "map"\ncolumns = { land_class = "c" }')
    changes = changes_of(CHANGE)
    known = from_files(tmp_path / "layers.toml", measure_crs(changes), day("2021-10-01"))
    (ledger,) = land_of(changes, known, measure_crs(changes), {"cultivated": ["01"]}).values()
    assert "does not say the day whose state it shows" in ledger["unknown"]["land_use"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            'kind = "map"\ncolumns = { valid_to = "b" }',
            r"permits\.columns: valid_to: a map shows the state of one day",
        ),
        ("state_of = 2020-12-31", r"permits\.state_of: a register has no such day"),
        ('kind = "map"\nstate_of = "soon"', r"permits\.state_of"),
    ],
)
def test_days_that_a_layer_cannot_have_are_refused(tmp_path: Path, more: str, said: str) -> None:
    (tmp_path / "layers.toml").write_text(PLAIN + more)
    with pytest.raises(BadInput, match=said):
        load_catalogue(tmp_path / "layers.toml")
    (tmp_path / "layers.toml").write_text(PLAIN + 'kind = "map"\nstate_of = 2020-12-31')
    assert load_catalogue(tmp_path / "layers.toml")["permits"].state_of == date(2020, 12, 31)
