"""Bundles are sealed: their making stands in the history, whose chain tells if it is altered; the head goes along."""

import json
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text

from cases.store import CaseStore
from database import heads
from database.audit import look
from database.heads import load_key, new_key, read_heads
from evidence.bundle import write_bundle
from evidence.files import Files
from evidence.rejudge import replay_bundle
from evidence.sealed import BUNDLED, Maker, makings
from ground.errors import BadInput, IllegalMove, NotFound
from ground.files import sha256
from tests.audit_world import unlock
from tests.bundle_world import again, bundled, judged_world, member
from tests.cases_world import ROAD, new_url
from tests.evidence_world import LIMITS, give, true_photo
from tests.test_bundle_altered import rewritten

World = tuple[CaseStore, str, Files]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return judged_world(tmp_path, new_url(tmp_path), True)


def signed(store: CaseStore, folder: Path) -> heads.Head | None:
    key = folder / "key.pem"
    if not key.exists():
        new_key(key)
    with store.transaction(writes=True) as session:
        return heads.sign(session, load_key(key), {"revision": "x"})


def test_the_making_of_a_bundle_is_an_event_of_its_sum(world: World, tmp_path: Path) -> None:
    store, case_id, files = world
    made = bundled(store, files, case_id, tmp_path / "out.zip")
    told = store.events(case_id)[-1]
    assert (told.kind, told.actor, told.role) == (BUNDLED, "张敏", "city")
    assert told.from_status == told.to_status == store.case(case_id).status
    assert told.evidence == {
        "bundle": f"sha256:{made.sha256}", "file": f"sha256:{sha256(tmp_path / 'out.zip')}",
    }  # fmt: skip
    assert told.reason == f"bundle of {made.members} members, {made.bytes:,} bytes"
    assert again(tmp_path / "out.zip").sha256 == made.sha256
    assert makings(store, case_id, made.sha256) == [told]
    # Nothing new is known: the same bytes, and a second making.
    bundled(store, files, case_id, tmp_path / "two.zip")
    assert (tmp_path / "out.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert len(makings(store, case_id, made.sha256)) == 2
    assert makings(store, case_id, "0" * 64) == []
    with pytest.raises(NotFound):
        makings(store, "case-none", made.sha256)


def test_who_sees_a_region_only_makes_bundles_of_it(world: World, tmp_path: Path) -> None:
    store, case_id, files = world
    signed(store, tmp_path)
    own = store.scoped("1401")
    made = bundled(own, files, case_id, tmp_path / "out.zip")
    assert [event.actor for event in makings(own, case_id, made.sha256)] == ["张敏"]
    assert member(tmp_path / "out.zip", "head.json")["place"] > 0
    with pytest.raises(NotFound):
        bundled(store.scoped("41"), files, case_id, tmp_path / "other.zip")


def test_the_chain_tells_if_somebody_alters_what_was_made(world: World, tmp_path: Path) -> None:
    store, case_id, files = world
    bundled(store, files, case_id, tmp_path / "out.zip")
    with store.transaction() as session:
        assert look(session).faults == []
    with store.engine.begin() as connection:
        unlock(connection)
        connection.execute(text("UPDATE event SET actor = 'x' WHERE kind = 'bundled'"))
    with store.transaction() as session:
        assert [fault.text.split(":")[0] for fault in look(session).faults] == ["event"]


def test_no_bundle_without_its_event_and_no_event_without_a_person(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, case_id, files = world
    for who in (Maker(" ", "city"), Maker("Tiankan", "city"), Maker("张敏", "machine")):
        with pytest.raises(IllegalMove, match=r"named person|role 'machine' is unknown"):
            write_bundle(store, files, case_id, tmp_path / "out.zip", who, ROAD, LIMITS)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evidence.sealed.history.append", stop)
    with pytest.raises(KeyboardInterrupt):
        bundled(store, files, case_id, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()
    assert [event.kind for event in store.events(case_id)] == ["opened"]


def test_the_newest_signed_head_goes_along(world: World, tmp_path: Path) -> None:
    store, case_id, files = world
    bundled(store, files, case_id, tmp_path / "none.zip")
    assert "head.json" not in zipfile.ZipFile(tmp_path / "none.zip").namelist()
    assert again(tmp_path / "none.zip").head == ""
    signed(store, tmp_path)
    give(store, files, case_id, true_photo(tmp_path / "a.jpg"), despite="drawn")
    head = signed(store, tmp_path)
    assert head is not None
    bundled(store, files, case_id, tmp_path / "out.zip")
    said = member(tmp_path / "out.zip", "head.json")
    assert (said["place"], said["digest"], said["signature"]) == (head.place, head.digest, head.signature)
    (tmp_path / "heads.jsonl").write_text(json.dumps(said) + "\n")
    assert read_heads(tmp_path / "heads.jsonl") == [head]
    found = again(tmp_path / "out.zip")
    assert found.same
    assert found.head.startswith(f"link {head.place} {head.digest} signed ")


def test_a_forged_head_is_refused(world: World, tmp_path: Path) -> None:
    store, case_id, files = world
    signed(store, tmp_path)
    bundled(store, files, case_id, tmp_path / "out.zip")

    def forge(members: dict[str, bytes]) -> None:
        import hashlib

        from evidence.zips import MANIFEST, whole_of

        members["head.json"] = members["head.json"].replace(b'"place": ', b'"place": 9')
        manifest = json.loads(members[MANIFEST])
        manifest["members"]["head.json"]["sha256"] = hashlib.sha256(members["head.json"]).hexdigest()
        manifest["sha256"] = whole_of({name: one["sha256"] for name, one in manifest["members"].items()})
        members[MANIFEST] = json.dumps(manifest).encode()

    with pytest.raises(BadInput, match=r"head.json: the head does not bear its signature"):
        replay_bundle(rewritten(tmp_path / "out.zip", tmp_path / "forged.zip", forge), LIMITS)
