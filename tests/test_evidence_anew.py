"""Files of before a case was reopened or returned prove nothing again, unless a person says what they show now."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cases.store import CaseStore
from cases.weighed import standing, weighed
from evidence.adding import Added, listed
from evidence.files import Files
from evidence.show import evidence_rows
from evidence.verify import intact_in
from ground.errors import IllegalMove
from tests.cases_world import ROAD, lonlat_changes, new_store, put
from tests.evidence_world import SPOT, case_in, exif_of, files_in, give, photo, true_photo
from tests.splits_world import cases, county, cut, is_whole, join, walk
from tests.spots_world import WAY
from tests.test_split_photos import spot

World = tuple[CaseStore, str, Files]


@pytest.fixture
def world(tmp_path: Path) -> World:
    store, case_id = case_in(new_store(tmp_path))
    return store, case_id, files_in(tmp_path)


def record_file(folder: Path, text: str = "record 7") -> Path:
    path = folder / "record.txt"
    path.write_text(text)
    return path


def proof(world: World, folder: Path, **more: str) -> dict[str, str]:
    """A photo and a record given, as a move refers to them."""
    store, case, files = world
    path = true_photo(folder / "IMG_1.jpg")
    return {
        "photo": give(store, files, case, path, **more).evidence.reference,
        "field_evidence": give(
            store, files, case, record_file(folder), "field_evidence", **more
        ).evidence.reference,
    }


def prove(store: CaseStore, case: str, brought: dict[str, str], **more: Any) -> None:
    if store.case(case).status != "field_check":
        store.move(case, "field_check", ROAD, actor="王芳", role="county")
    store.move(case, "proven", ROAD, actor="王芳", role="county", evidence=brought, **more)


def closed_and_reopened(world: World, folder: Path) -> dict[str, str]:
    """Proven by files, ended at lawful, reopened by a change that is larger."""
    store, case, _ = world
    brought = proof(world, folder)
    prove(store, case, brought)
    walk(store, case, *WAY["lawful"][2:])
    west, south, east, north = SPOT
    put(store, lonlat_changes((west, south, east + 0.0006, north), pair_id="later"))
    assert (store.events(case)[-1].kind, store.case(case).held) == ("new_look", {})
    return brought


def test_what_was_brought_before_it_was_reopened_proves_nothing_again(world: World, tmp_path: Path) -> None:
    store, case, files = world
    brought = closed_and_reopened(world, tmp_path)
    with pytest.raises(IllegalMove) as refused:
        prove(store, case, brought)
    said = str(refused.value)
    one = listed(store, case)[0]
    assert (
        f"photo: file {one.sha256[:16]}… (IMG_1.jpg) was given as photo by 李伟 on {one.at:%Y-%m-%d %H:%M} UTC"
        in said
    )
    assert "before the case was reopened (new_look) on " in said
    assert (
        f'`tiankan cases evidence {case} --add FILE --kind photo --note "…" --actor NAME --role ROLE`' in said
    )
    assert [row["usable"][:41] for row in evidence_rows(store, case)] == [
        "no, given before the case was reopened (ne"[:41]
    ] * 2
    # It may show the same again, if somebody says so; then it counts, and once.
    path = tmp_path / "IMG_1.jpg"
    with pytest.raises(IllegalMove, match="before the case was reopened"):
        give(store, files, case, path)
    again = give(store, files, case, path, note="the wall stands as it did")
    assert again.new and not give(store, files, case, path).new
    with pytest.raises(IllegalMove, match=r"field_evidence: file .* before the case was reopened"):
        prove(store, case, brought)
    give(store, files, case, record_file(tmp_path), "field_evidence", note="looked at again on Monday")
    prove(store, case, brought)
    assert store.case(case).status == "proven"
    assert [row["usable"] for row in evidence_rows(store, case)][2:] == ["yes", "yes"]
    assert is_whole(store)


def test_what_a_review_returned_is_proven_anew_and_the_rest_stands(world: World, tmp_path: Path) -> None:
    store, case, files = world
    brought = proof(world, tmp_path)
    lease = give(store, files, case, record_file(tmp_path, "lease"), "document").evidence
    prove(store, case, brought)
    walk(store, case, *WAY["returned"][2:])
    with pytest.raises(IllegalMove, match=r"photo: .* before the case was moved to returned by 李伟 on "):
        prove(store, case, brought)
    with store.transaction() as session:
        assert standing(weighed(session, case, ROAD)) == {"document": [lease.serial]}
    prove(store, case, proof(world, tmp_path, note="the north side is on it, at the right"))
    walk(store, case, ("city_review", "city", {}), ("province_review", "city", {}))
    walk(store, case, ("lawful", "province", {"document": lease.reference}))


def test_parts_inherit_what_counted_and_no_more(tmp_path: Path) -> None:
    store, files = county(tmp_path), files_in(tmp_path)
    (whole,) = cases(store)
    look = exif_of(spot(100, -60), 275)
    old, new = (photo(tmp_path / f"{name}.jpg", look, seed=len(name)) for name in ("old", "newer"))
    first = give(store, files, whole.id, old).evidence.reference
    brought = {"photo": first, "field_evidence": "f 7"}
    walk(store, whole.id, ("field_check", "county", {}), ("proven", "county", brought))
    walk(store, whole.id, ("city_review", "city", {}), ("returned", "city", {"reason": "too dark"}))
    second = give(store, files, whole.id, new).evidence.reference
    walk(store, whole.id, ("field_check", "county", {}))
    parts = cut(store, whole.id).parts
    for part in parts[:2]:
        with pytest.raises(
            IllegalMove, match=r"\(old.jpg\) was given as photo .* before the case was moved to returned"
        ):
            prove(store, part.id, brought)
    prove(store, parts[0].id, brought | {"photo": second})
    merged = join(store, parts[1].id, parts[2].id).whole
    with pytest.raises(IllegalMove, match=r"old\.jpg"):
        prove(store, merged.id, brought)
    give(store, files, merged.id, old, note="bright enough on the new screen")
    prove(store, merged.id, {"photo": f"{first}; {second}", "field_evidence": "f 8"})


def test_a_file_that_is_not_as_it_was_moves_nothing(world: World, tmp_path: Path) -> None:
    store, case, files = world
    brought = proof(world, tmp_path)
    asked: list[str] = []
    read = intact_in(lambda: files)

    def intact(digest: str) -> str | None:
        asked.append(digest)
        return read(digest)

    digest = brought["photo"].removeprefix("sha256:")
    kept = Path(files.root) / digest[:2] / digest
    data = kept.read_bytes()
    kept.chmod(0o644)
    kept.write_bytes(data[:-1] + b"x")
    said = f"cannot go to proven: photo: file {digest[:16]}…: it was altered in "
    with pytest.raises(IllegalMove, match=said):
        prove(store, case, brought, intact=intact)
    kept.unlink()
    with pytest.raises(IllegalMove, match=f"file {digest[:16]}…: it is missing from "):
        prove(store, case, brought, intact=intact)
    kept.write_bytes(data)
    asked.clear()
    prove(store, case, brought, intact=intact)
    # Each once, before anybody must wait.
    assert asked == [text.removeprefix("sha256:") for text in brought.values()]


def test_beyond_the_audit_what_is_in_hand_is_read_too(world: World, tmp_path: Path) -> None:
    store, case, files = world
    prove(store, case, proof(world, tmp_path))
    walk(store, case, *WAY["closed"][2:7])
    assert store.case(case).status == "investigation"
    audit = {"legal_audit": "agreed"}
    told = {"actor": "周正", "role": "legal", "evidence": audit}
    with pytest.raises(IllegalMove, match=r"cannot go to audited: photo: .*: nobody has it"):
        store.move(case, "audited", ROAD, **told, intact=lambda _: "nobody has it")  # type: ignore[arg-type]
    assert store.move(case, "audited", ROAD, **told, intact=intact_in(lambda: files)).status == "audited"  # type: ignore[arg-type]
    asked: list[str] = []
    store.move(case, "notice", ROAD, actor="王芳", role="county", intact=lambda each: asked.append(each))  # type: ignore[func-returns-value]
    assert len(asked) == 2


def test_words_open_no_store(world: World) -> None:
    store, case, _ = world

    def never() -> Files:
        raise AssertionError("opened")

    prove(store, case, {"photo": "IMG_1.jpg", "field_evidence": "f"}, intact=intact_in(never))
    assert store.case(case).status == "proven"


def test_one_that_counted_in_spite_of_a_check_must_be_explained_again(world: World, tmp_path: Path) -> None:
    store, case, files = world
    bare = photo(tmp_path / "bare.jpg")

    def again(**more: str) -> Added:
        return give(store, files, case, bare, **more)

    reference = again(despite="an old camera").evidence.reference
    brought = {"photo": reference, "field_evidence": "f"}
    prove(store, case, brought)
    walk(store, case, *WAY["returned"][2:])
    # Without the reason it is another row, which needs one.
    assert again().new
    with pytest.raises(IllegalMove, match="distance is unknown"):
        prove(store, case, brought)
    with pytest.raises(IllegalMove, match="before the case was moved to returned"):
        again(despite="an old camera")
    assert again(despite="an old camera", note="seen again on Monday").new
    prove(store, case, brought)


def test_handed_in_when_it_could_be(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    path, opened = true_photo(tmp_path / "a.jpg"), store.case(case_id).opened
    for at, said in (
        (datetime(2026, 1, 1), "names no zone"),
        (datetime.now(UTC) + timedelta(days=1), "lies in the future"),
        (
            datetime(2001, 1, 1, tzinfo=UTC),
            "was opened at .*; no file was handed in for it at 2001-01-01T00:00:00",
        ),
    ):
        with pytest.raises(IllegalMove, match=said):
            give(store, files, case_id, path, at=at)
    assert (files.names(), listed(store, case_id)) == ([], [])
    # The clock of another machine may be a little ahead.
    at = datetime.now(UTC) + timedelta(minutes=3)
    assert give(store, files, case_id, path, at=at).evidence.at == at
    assert give(store, files, case_id, true_photo(tmp_path / "b.jpg", 2), at=opened).evidence.at == opened
