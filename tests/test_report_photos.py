"""A report with a photo: a file is kept as evidence of the case it goes to; nothing is written where it cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest

from cases import places
from cases.store import open_store
from evidence.adding import listed
from evidence.reporting import check_reference
from ground.errors import BadInput
from tests.cases_world import new_store
from tests.evidence_world import case_in, exif_of, files_in, give, photo, true_photo
from tests.spots_world import at
from tests.test_cli import refusal, tiankan

LON, LAT = at(20, 20)


def words(folder: Path, *more: object) -> list[Any]:
    asked = [
        "spots",
        "report",
        "--db",
        folder / "cases.db",
        "--source",
        "citizen",
        "--lon",
        LON,
        "--lat",
        LAT,
    ]
    return [*asked, "--actor", "钱勇", "--note", "they dump at night", *more]


@pytest.mark.sqlite
def test_a_file_is_evidence_of_the_case_and_told_in_its_history(tmp_path: Path) -> None:
    new_store(tmp_path)
    path = photo(tmp_path / "IMG_9.jpg", exif_of((LON, LAT)))
    asked = words(
        tmp_path, "--photo", path, "--role", "county", "--region", "140105", "--at", "2026-01-01T00:00:00Z"
    )
    code, out, err = tiankan(*asked, "--json")
    assert code == 0, err
    (row,) = json.loads(out)
    store = open_store(str(tmp_path / "cases.db"))
    (one,) = listed(store, row["case"])
    assert (one.kind, one.name, one.given_by, one.role, one.note) == (
        "photo", "IMG_9.jpg", "钱勇", "county", "they dump at night",
    )  # fmt: skip
    assert (row["photo"], row["usable"], row["why_not"]) == (one.reference, "yes", "")
    opened, told = store.events(row["case"])
    assert opened.evidence["photo"] == one.reference == told.evidence["photo"]
    assert (opened.kind, told.kind) == ("opened", "evidence")
    kept = tmp_path / "cases.evidence" / one.sha256[:2] / one.sha256
    assert kept.read_bytes() == path.read_bytes()
    # Told again it adds nothing; that file may be referred to from now on.
    (again,) = json.loads(tiankan(*asked, "--json")[1])
    assert (again["is_new"], len(store.events(row["case"]))) == (False, 2)
    (third,) = json.loads(tiankan(*words(tmp_path, "--photo", one.reference, "--json"))[1])
    assert (third["case"], third["is_new"], len(listed(store, row["case"]))) == (row["case"], True, 1)


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--photo", "none.jpg", "--role", "county"], "none.jpg: cannot be read"),
        (["--photo", "{path}"], "--role: is missing; a photo is given by a named person in a role"),
        (["--photo", "{path}", "--role", "mayor"], "role 'mayor' is unknown"),
        (
            ["--photo", "{path}", "--role", "county", "--region", "14x"],
            "--region: '14x' is no code; give the digits",
        ),
        (["--region", "山西"], "--region: '山西' is no code"),
        (
            ["--photo", "sha256:" + "0" * 64],
            "--photo: no file sha256:0000000000000000… was ever given for a case",
        ),
        (["--photo", "sha256:12"], "--photo: 'sha256:12' refers to no file; write sha256: and 64 digits"),
    ],
)
def test_where_it_cannot_be_nothing_is_written(tmp_path: Path, more: list[str], said: str) -> None:
    store = new_store(tmp_path)
    path = photo(tmp_path / "a.jpg")
    given = [str(path) if each == "{path}" else each for each in more]
    assert said in refusal(*words(tmp_path, *given))
    assert places.totals(store)["spots"] == 0
    assert not (tmp_path / "cases.evidence").exists()


def test_a_reference_is_of_a_file_in_sight(tmp_path: Path) -> None:
    store, case = case_in(new_store(tmp_path), "140105")
    reference = give(store, files_in(tmp_path), case, true_photo(tmp_path / "a.jpg")).evidence.reference
    check_reference(store, "")
    check_reference(store, "at the gate")
    check_reference(store.scoped("14"), reference)
    with pytest.raises(BadInput, match="no file sha256:"):
        check_reference(store.scoped("41"), reference)
