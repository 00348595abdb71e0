"""Bundles of strangers: every altered member by name; what is broken or made to do harm is one sentence."""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.rejudge import replay_bundle
from evidence.zips import MANIFEST, whole_of
from ground.errors import BadInput
from tests.bundle_world import again, bundled, judged_world, member
from tests.cases_world import new_url
from tests.evidence_world import LIMITS, give, photo, true_photo


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A bundle with two files of evidence."""
    store, case_id, files = judged_world(tmp_path, new_url(tmp_path), True)
    give(store, files, case_id, true_photo(tmp_path / "a.jpg"), despite="drawn")
    give(store, files, case_id, photo(tmp_path / "b.png"), kind="document")
    bundled(store, files, case_id, tmp_path / "out.zip")
    return tmp_path / "out.zip"


# Altered ----------------------------------------------------------------------------------------------------


def rewritten(source: Path, out: Path, change: Callable[[dict[str, bytes]], None], **more: Any) -> Path:
    """The zip with its members changed."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(out, "w", **more) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out


def test_every_altered_member_is_named(made: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(made) as archive:
        names = [name for name in archive.namelist() if name != MANIFEST]
    assert len(names) > 12
    for name in names:

        def flip(members: dict[str, bytes], name: str = name) -> None:
            data = bytearray(members[name])
            data[len(data) // 2] ^= 1
            members[name] = bytes(data)

        found = again(rewritten(made, tmp_path / "altered.zip", flip))
        assert (found.same, found.found) == (None, "")
        assert found.altered == [f"{name}: was altered"]


def test_members_missing_added_and_a_manifest_made_to_fit_are_named(made: Path, tmp_path: Path) -> None:
    def lose(members: dict[str, bytes]) -> None:
        del members["events.json"]
        members["evidence/extra.jpg"] = b"x"

    found = again(rewritten(made, tmp_path / "a.zip", lose))
    assert found.altered == ["events.json: is missing", "evidence/extra.jpg: was added"]

    def fit(members: dict[str, bytes]) -> None:
        members["events.json"] = b"[]"
        manifest = json.loads(members[MANIFEST])
        manifest["members"]["events.json"]["sha256"] = hashlib.sha256(b"[]").hexdigest()
        members[MANIFEST] = json.dumps(manifest).encode()

    found = again(rewritten(made, tmp_path / "b.zip", fit))
    assert found.altered == [f"{MANIFEST}: was altered: the sha256 of the whole is not that of its members"]


def test_who_alters_all_of_it_is_left_with_another_whole(made: Path, tmp_path: Path) -> None:
    def other(members: dict[str, bytes]) -> None:
        said = json.loads(members["verdict.json"])
        said["verdict"] = "lawful"
        members["verdict.json"] = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        manifest = json.loads(members[MANIFEST])
        digest = hashlib.sha256(members["verdict.json"]).hexdigest()
        manifest["members"]["verdict.json"]["sha256"] = digest
        manifest["sha256"] = whole_of({name: entry["sha256"] for name, entry in manifest["members"].items()})
        members[MANIFEST] = json.dumps(manifest).encode()

    found = again(rewritten(made, tmp_path / "a.zip", other))
    assert found.altered == []
    assert found.same is False
    assert found.sha256 != again(made).sha256


def test_a_manifest_that_names_another_case_is_altered(made: Path, tmp_path: Path) -> None:
    def other(members: dict[str, bytes]) -> None:
        members[MANIFEST] = json.dumps(
            json.loads(members[MANIFEST]) | {"case": "case-0000000000000000"}
        ).encode()

    found = again(rewritten(made, tmp_path / "a.zip", other))
    assert found.altered == ["manifest.json: was altered: it names another case than case.json"]
    assert found.same is None


def test_what_is_named_like_a_folder_is_found_where_it_holds_bytes(made: Path, tmp_path: Path) -> None:
    for data, altered in ((b"hidden", ["evidence/x/: was added"]), (b"", [])):
        found = again(
            rewritten(made, tmp_path / "a.zip", lambda m, data=data: m.update({"evidence/x/": data}))
        )
        assert found.altered == altered


def test_names_of_strangers_do_not_speak_to_the_terminal(made: Path, tmp_path: Path) -> None:
    found = again(rewritten(made, tmp_path / "a.zip", lambda m: m.update({"x\n\x1b[2Jsame": b"1"})))
    assert found.altered == [r"'x\n\x1b[2Jsame': was added"]

    def other(members: dict[str, bytes]) -> None:
        members[MANIFEST] = json.dumps(json.loads(members[MANIFEST]) | {"case": "\x1b[2J"}).encode()

    with pytest.raises(BadInput, match="does not list its members"):
        again(rewritten(made, tmp_path / "b.zip", other))


def test_packed_by_another_program_it_is_still_the_same(made: Path, tmp_path: Path) -> None:
    packed = rewritten(made, tmp_path / "a.zip", lambda _: None, compression=zipfile.ZIP_DEFLATED)
    found = again(packed)
    assert (found.same, found.sha256) == (True, again(made).sha256)


@given(st.integers(0, 1 << 30), st.integers(1, 255))
def test_a_flipped_byte_is_found_or_changes_nothing_that_is_told(tmp_path: Path, at: int, mask: int) -> None:
    if not (tmp_path / "out.zip").exists():
        store, case_id, files = judged_world(tmp_path, new_url(tmp_path), True)
        bundled(store, files, case_id, tmp_path / "out.zip")
        (tmp_path / "whole.txt").write_text(again(tmp_path / "out.zip").sha256)
    data = bytearray((tmp_path / "out.zip").read_bytes())
    data[at % len(data)] ^= mask
    (tmp_path / "flipped.zip").write_bytes(data)
    try:
        found = again(tmp_path / "flipped.zip")
    except BadInput as error:
        assert "\n" not in str(error)
        return
    whole = (tmp_path / "whole.txt").read_text()
    # Dates, flags and rights in a zip's own lists are no part of any member.
    assert found.altered or (found.same and found.sha256 == whole)


# Harm -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "c:x", "a\\..\\x"])
def test_a_path_that_leads_out_is_refused(made: Path, tmp_path: Path, name: str) -> None:
    def add(members: dict[str, bytes]) -> None:
        members[name] = b"x"

    with pytest.raises(BadInput, match="has a path that leads out of it"):
        again(rewritten(made, tmp_path / "a.zip", add))


def test_bombs_are_not_unpacked(made: Path, tmp_path: Path) -> None:
    def zeros(members: dict[str, bytes]) -> None:
        members["zeros"] = bytes(1 << 25)

    with pytest.raises(BadInput, match=r"its member 'zeros' unpacks to 33,554,432 bytes; it is not read"):
        again(rewritten(made, tmp_path / "a.zip", zeros, compression=zipfile.ZIP_DEFLATED))
    small = LIMITS.model_copy(
        update={"largest_bundle_bytes": LIMITS.largest_bundle_bytes.model_copy(update={"value": 1000.0})}
    )
    with pytest.raises(BadInput, match="at most 1,000 are read"):
        replay_bundle(made, small)

    with pytest.raises(BadInput, match="is packed in a way that bundles are not"):
        again(rewritten(made, tmp_path / "a.zip", lambda _: None, compression=zipfile.ZIP_BZIP2))

    def deep(members: dict[str, bytes]) -> None:
        members[MANIFEST] = b"[" * 200_000

    with pytest.raises(BadInput, match=f"its member {MANIFEST} cannot be read"):
        again(rewritten(made, tmp_path / "b.zip", deep))


def test_two_members_of_one_name_are_refused(made: Path, tmp_path: Path) -> None:
    shutil.copy(made, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("case.json", b"{}")
    with pytest.raises(BadInput, match=r"has two members 'case.json'"):
        again(tmp_path / "a.zip")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(BadInput, match="it is no file"):
        again(tmp_path / "pipe.zip")


def test_broken_zips_are_one_sentence(made: Path, tmp_path: Path) -> None:
    data, path = made.read_bytes(), tmp_path / "a.zip"
    for bad in (b"", b"no zip", data[: len(data) // 2], data[:-10]):
        path.write_bytes(bad)
        with pytest.raises(BadInput, match="is no zip, or broken"):
            again(path)
    with pytest.raises(BadInput, match="cannot be read"):
        again(tmp_path / "none.zip")
    with pytest.raises(BadInput, match="cannot be read"):
        again(tmp_path)

    def other(members: dict[str, bytes]) -> None:
        members[MANIFEST] = b'{"format": "x"}'

    with pytest.raises(BadInput, match=r"its manifest.json is not that of a bundle of Tiankan"):
        again(rewritten(made, path, other))
    with pytest.raises(BadInput, match=r"has no member manifest.json"):
        again(rewritten(made, path, lambda members: members.clear()))


def test_members_that_hold_something_else_are_one_sentence(made: Path, tmp_path: Path) -> None:
    def junk(name: str, data: bytes) -> Path:
        def change(members: dict[str, bytes]) -> None:
            members[name] = data
            manifest = json.loads(members[MANIFEST])
            manifest["members"][name] = {"sha256": hashlib.sha256(data).hexdigest()}
            whole = {one: entry["sha256"] for one, entry in manifest["members"].items()}
            members[MANIFEST] = json.dumps(manifest | {"sha256": whole_of(whole)}).encode()

        return rewritten(made, tmp_path / "a.zip", change)

    version = member(made, "judging.json")["rulebooks"][0]
    for name in (
        "judging.json",
        "change.geojson",
        "verdict.json",
        "layers/permits.geojson",
        f"rulebooks/{version}.json",
    ):
        for data in (b"{}", b"[1]", b'"x"', b"\xff", b""):
            with pytest.raises(BadInput, match="its member"):
                again(junk(name, data))
    verdict = member(made, "verdict.json")
    verdict["facts"]["change_area_m2"] = 10**400
    outline = member(made, "change.geojson")
    outline["geometry"]["type"] = "Blob"
    for name, said in (("verdict.json", verdict), ("change.geojson", outline)):
        with pytest.raises(BadInput, match="its members do not hold what a bundle's do"):
            again(junk(name, json.dumps(said).encode()))
    book = member(made, f"rulebooks/{version}.json")
    book["title"] = "Another"
    with pytest.raises(BadInput, match=f"its rulebook {version} says something else"):
        again(junk(f"rulebooks/{version}.json", json.dumps(book).encode()))
