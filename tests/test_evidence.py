"""Evidence given for a case: kept once, told in its history, seen in its region, usable or not."""

import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from cases.proof import usable
from cases.store import CaseFilter, CaseStore
from database.engine import transaction
from database.evidence_tables import EvidenceRow
from evidence import adding
from evidence.adding import listed
from evidence.files import Files
from evidence.verify import faults
from ground.errors import BadInput, CannotWrite, IllegalMove, NotFound
from ground.files import sha256
from tests.cases_world import ROAD, new_store, put, row_of_changes
from tests.evidence_world import (
    LIMITS,
    beside,
    case_in,
    exif_of,
    files_in,
    give,
    photo,
    said_of,
    true_photo,
)
from tests.test_scope import on_postgis


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, str, Files]:
    store, case_id = case_in(new_store(tmp_path))
    return store, case_id, files_in(tmp_path)


def why_not(store: CaseStore, case_id: str, reference: str, kind: str | None = None) -> str | None:
    with store.transaction() as session:
        return usable(session, case_id, reference, kind)


def test_a_photo_is_kept_under_its_hash_and_told_in_the_history(
    world: tuple[CaseStore, str, Files], tmp_path: Path
) -> None:
    store, case_id, files = world
    path = true_photo(tmp_path / "IMG_1.jpg")
    added = give(store, files, case_id, path, note="from the west")
    one = added.evidence
    assert added.new
    assert (one.sha256, one.size, one.name) == (sha256(path), path.stat().st_size, "IMG_1.jpg")
    assert (one.media_type, one.given_by, one.role, one.device) == (
        "image/jpeg",
        "李伟",
        "county",
        "Test Phone 1",
    )
    assert (one.taken, one.azimuth) == (datetime(2021, 9, 5, 2, tzinfo=UTC), 90)
    assert (one.lon, one.lat) == pytest.approx(beside(270, 50), abs=1e-7)
    assert set(said_of(added).values()) == {"pass"}
    kept = Path(files.root) / one.sha256[:2] / one.sha256
    assert kept.read_bytes() == path.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o444
    assert files.names() == [one.sha256]
    opened, told = store.events(case_id)
    assert (told.kind, told.actor, told.role) == ("evidence", "李伟", "county")
    assert (told.from_status, told.to_status) == (opened.to_status, opened.to_status)
    assert told.evidence == {"photo": f"sha256:{one.sha256}"}
    assert told.reason == "photo IMG_1.jpg · from the west"
    assert listed(store, case_id) == [one]
    assert list(faults(store, files)) == []


def test_the_same_file_again_adds_nothing(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    path = true_photo(tmp_path / "a.jpg")
    first = give(store, files, case_id, path)
    again = give(store, files, case_id, path, actor="张敏", note="once more", name="b.jpg")
    assert (again.new, again.evidence) == (False, first.evidence)
    assert len(store.events(case_id)) == 2
    # As another kind, or for another case, it is something else; the file lies there once.
    assert give(store, files, case_id, path, kind="document").new
    put(store, row_of_changes(1, first=3))
    other = store.cases(CaseFilter()).items[1].id
    assert give(store, files, other, path).new
    assert files.names() == [first.evidence.sha256]
    # Where nothing failed, there is nothing to overrule: the reason is a note.
    assert not give(store, files, case_id, path, despite="because").new


def test_a_photo_that_failed_proves_nothing_until_a_person_says_why(
    world: tuple[CaseStore, str, Files], tmp_path: Path
) -> None:
    store, case_id, files = world
    path = photo(tmp_path / "far.jpg", exif_of(beside(270, 5000), 90))
    added = give(store, files, case_id, path)
    reference = added.evidence.reference
    assert added.new
    assert said_of(added)["distance"] == "fail"
    said = why_not(store, case_id, reference, "photo")
    assert said is not None
    assert (
        "(far.jpg) failed a check (distance: it was taken 5,000 m from the change; at most 300 m show it)"
        in said
    )
    assert '--despite "reason"' in said
    assert why_not(store, case_id, reference) == said
    assert not give(store, files, case_id, path).new
    despite = give(
        store, files, case_id, path, despite="taken across the valley with a long lens", actor="张敏"
    )
    assert despite.new
    assert why_not(store, case_id, reference, "photo") is None
    told = store.events(case_id)[-1]
    assert told.actor == "张敏"
    assert told.reason.endswith(
        "at most 300 m show it · despite this: taken across the valley with a long lens"
    )


def test_what_may_be_referred_to(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    reference = give(store, files, case_id, photo(tmp_path / "bare.jpg"), kind="document").evidence.reference
    assert why_not(store, case_id, reference) is None
    assert why_not(store, case_id, reference.upper().replace("SHA", "sha"), "document") is None
    assert "was given for case" in str(why_not(store, case_id, reference, "photo"))
    assert f"was not given for case {case_id}" in str(why_not(store, case_id, "sha256:" + "0" * 64))
    assert "refers to no file" in str(why_not(store, case_id, "IMG_0412.jpg"))
    put(store, row_of_changes(1, first=3))
    other = store.cases(CaseFilter()).items[1].id
    assert f"was not given for case {other}" in str(why_not(store, other, reference))
    # Without EXIF nothing is known and nothing failed; of where it was taken that is not enough.
    unknown = give(store, files, case_id, photo(tmp_path / "bare.jpg"))
    assert "distance is unknown" in str(why_not(store, case_id, unknown.evidence.reference, "photo"))
    assert give(store, files, case_id, tmp_path / "bare.jpg", despite="an old camera").new
    assert why_not(store, case_id, unknown.evidence.reference, "photo") is None
    # Of several each counts.
    second = give(store, files, case_id, true_photo(tmp_path / "b.jpg")).evidence.reference
    assert why_not(store, case_id, f"{reference}； {second}") is None
    assert "refers to no file" in str(why_not(store, case_id, f"{reference}; b.jpg"))
    assert "''" in str(why_not(store, case_id, ""))


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"actor": " "}, IllegalMove, "evidence is given by a named person"),
        ({"actor": "Tiankan"}, IllegalMove, "evidence is given by a named person"),
        ({"role": "machine"}, IllegalMove, "role 'machine' is unknown; use city, county, legal, province"),
        ({"kind": "foto"}, IllegalMove, "evidence 'foto' is unknown; use one of photo,"),
        ({"kind": "legal_audit"}, IllegalMove, "is given by role legal only, not by 'county'"),
    ],
)
def test_who_may_not_give_leaves_nothing(
    world: tuple[CaseStore, str, Files],
    tmp_path: Path,
    more: dict[str, str],
    error: type[Exception],
    said: str,
) -> None:
    store, case_id, files = world
    with pytest.raises(error, match=said):
        give(store, files, case_id, true_photo(tmp_path / "a.jpg"), **more)
    assert (files.names(), listed(store, case_id), len(store.events(case_id))) == ([], [], 1)


def test_files_that_cannot_be_taken_in(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    (tmp_path / "empty.jpg").touch()
    for path, said in (
        (tmp_path / "none.jpg", "cannot be read"),
        (tmp_path, "is no file"),
        (tmp_path / "empty.jpg", "is empty"),
    ):
        with pytest.raises(BadInput, match=said):
            give(store, files, case_id, path)
    with pytest.raises(NotFound, match="no case has the id 'case-x'"):
        give(store, files, "case-x", true_photo(tmp_path / "a.jpg"))
    small = LIMITS.model_copy(
        update={"largest_bytes": LIMITS.largest_bytes.model_copy(update={"value": 10.0})}
    )
    given = adding.Given(kind="photo", path=tmp_path / "a.jpg", actor="李伟", role="county")
    with pytest.raises(BadInput, match=r"evidence has at most 10 \(evidence.toml\)"):
        adding.add(store, files, case_id, given, ROAD, small)
    assert files.names() == []


def test_a_name_brings_no_folder_along(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    path = true_photo(tmp_path / "a.jpg")
    assert give(store, files, case_id, path, name="..\\..\\etc/pass\nwd.jpg").evidence.name == "passwd.jpg"


def test_rows_are_added_and_never_changed(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    give(store, files, case_id, true_photo(tmp_path / "a.jpg"))
    for words in (
        "UPDATE evidence SET sha256 = 'x'",
        "DELETE FROM evidence",
        "INSERT INTO evidence SELECT * FROM evidence",
    ):
        with pytest.raises((IntegrityError, DatabaseError)), store.engine.begin() as connection:
            connection.execute(text(words))
    if store.engine.dialect.name == "postgresql":
        with pytest.raises(IntegrityError, match="rows are added"), store.engine.begin() as connection:
            connection.execute(text("TRUNCATE evidence"))
    assert len(listed(store, case_id)) == 1


def test_the_event_and_the_row_are_one_transaction(
    world: tuple[CaseStore, str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, case_id, files = world

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(adding.history, "append", stop)
    with pytest.raises(KeyboardInterrupt):
        give(store, files, case_id, true_photo(tmp_path / "a.jpg"))
    monkeypatch.undo()
    assert (listed(store, case_id), len(store.events(case_id))) == ([], 1)
    # The file came first: no row ever names a file that is not there.
    assert [fault.kind for fault in faults(store, files)] == ["unnamed"]
    give(store, files, case_id, tmp_path / "a.jpg")
    assert list(faults(store, files)) == []


def test_many_hands_give_one_file_once(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    path, told = true_photo(tmp_path / "a.jpg"), list[str]()

    def one() -> None:
        try:
            told.append(str(give(store, files, case_id, path).new))
        except CannotWrite as error:
            told.append("again" if "run again" in str(error) else str(error))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("True") == 1
    assert set(told) <= {"True", "False", "again"}
    assert (len(listed(store, case_id)), len(store.events(case_id))) == (1, 2)
    assert list(faults(store, files)) == []


def test_a_region_sees_its_own_evidence_only(tmp_path: Path) -> None:
    store, case_id = case_in(new_store(tmp_path), "140105")
    files = files_in(tmp_path)
    put(store, row_of_changes(1, first=3), region="41")
    other = store.cases(CaseFilter(region="41")).items[0].id
    for key, seed in ((case_id, 1), (other, 2)):
        give(store, files, key, true_photo(tmp_path / f"{seed}.jpg", seed))
    own = store.scoped("14")
    assert give(own, files, case_id, true_photo(tmp_path / "3.jpg", 3)).new
    for ask in (lambda: listed(own, other), lambda: give(own, files, other, tmp_path / "1.jpg")):
        with pytest.raises(NotFound, match=f"no case has the id '{other}'"):
            ask()
    # Who sees a part cannot say which files nobody names.
    assert list(faults(own, files)) == []
    for name in files.names():
        path = Path(files.root) / name[:2] / name
        path.chmod(0o644)
        path.write_bytes(b"x")
    assert {fault.case_id for fault in faults(own, files)} == {case_id}
    assert len(list(faults(store, files))) == 3


@on_postgis
def test_a_query_that_forgets_the_region_sees_no_evidence(tmp_path: Path) -> None:
    store, case_id = case_in(new_store(tmp_path), "140105")
    give(store, files_in(tmp_path), case_id, true_photo(tmp_path / "a.jpg"))
    for region, count in (("14", 1), ("41", 0)):
        with transaction(store.engine, writes=False, region=region) as session:
            assert session.scalar(select(func.count()).select_from(EvidenceRow)) == count
            assert (usable(session, case_id, f"sha256:{sha256(tmp_path / 'a.jpg')}") is None) == bool(count)
