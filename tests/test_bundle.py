"""Bundles: the same bytes again, the same verdict bit for bit without a database, every altered member by name."""

import errno
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cadastre.layers import load_catalogue
from cases.store import CaseFilter, CaseStore, open_store
from detection import changes as change_frame
from evidence.bundle import AS_WRITTEN, NO_JUDGING, Bundled, write_bundle
from evidence.files import Files
from evidence.rejudge import Rejudged, replay_bundle
from evidence.zips import MANIFEST, whole_of
from ground.errors import BadInput, CannotWrite, NotFound
from pipeline import judge_changes
from tests.cases_world import changes_of, new_url, rect
from tests.evidence_world import LIMITS, case_in, files_in, give, photo, true_photo
from tests.registry_world import brought, day, written

LAYERS = """
[permits]
title = "Permits"
path = "permits.gpkg"
columns = { number = "no", valid_from = "since" }
attributes = { holder = "who" }
coverage = "everywhere"
measures = ["share", "numbers", "dominant_holder"]

[rivers]
title = "Rivers"
path = "rivers.gpkg"
columns = { number = "no" }
coverage = "bounds"
measures = ["distance_m", "nearest"]

[land_use]
title = "Land"
path = "land.gpkg"
kind = "map"
columns = { number = "no", land_class = "dl" }
coverage = "everywhere"
measures = ["share", "dominant"]
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
id = "ROAD"
verdict = "rural_road"
basis = "law"
when = { change_centre_width_m = { max = 8 }, rivers_distance_m = { min = 1000 } }

[[rule]]
id = "REST"
verdict = "suspected_violation"
basis = "law"
when = {}
"""
HERE, THERE = rect(0, 0, 100, 100), rect(3000, 3000, 3060, 3050)


def layers_in(folder: Path) -> Path:
    """A county of 400 permits, most of them far from the changes; a river 1,800 m away; land of two classes."""
    (folder / "layers.toml").write_text(LAYERS)
    (folder / "book.toml").write_text(BOOK)
    cells = [rect(x, y, x + 40, y + 40) for x in range(0, 1000, 50) for y in range(0, 1000, 50)]
    count = len(cells)
    since = ["2010-01-01"] * count
    who = [f"holder {i % 7}" for i in range(count)]
    written(folder, "permits.gpkg", cells, no=[f"P{i}" for i in range(count)], since=since, who=who)
    rivers = [rect(-1800 - 20, -5000, -1800, 9000), rect(50_000, 0, 50_010, 10)]
    written(folder, "rivers.gpkg", rivers, no=["R1", "R2"])
    land = [rect(-9000, -9000, 30, 9000), rect(30, -9000, 9000, 9000)]
    written(folder, "land.gpkg", land, no=["L1", "L2"], dl=["0103", "0601"])
    return folder / "layers.toml"


def judged_world(folder: Path, by_registry: bool) -> tuple[CaseStore, str, Files]:
    """Two changes judged; the case is that of the larger one."""
    layers, url = layers_in(folder), new_url(folder)
    store = open_store(url)
    if by_registry:
        for name, layer in load_catalogue(layers).items():
            state_of = day("2020-12-31").date() if layer.kind == "map" else None
            brought(store, folder, layer, "2021-09-10", name, state_of=state_of)
    change_frame.write(changes_of(HERE, THERE), folder / "changes.gpkg", {})
    given_layers = None if by_registry else layers
    judge_changes(
        folder / "changes.gpkg", given_layers, url, folder / "book.toml", "140105", as_of=day("2021-10-01")
    )
    case = max(store.cases(CaseFilter()).items, key=lambda one: one.area_m2)
    assert case.verdict == "suspected_violation"
    return store, case.id, files_in(folder)


@pytest.fixture(params=["registry", "files"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[CaseStore, str, Files]:
    return judged_world(tmp_path, request.param == "registry")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A bundle with two files of evidence."""
    store, case_id, files = judged_world(tmp_path, True)
    give(store, files, case_id, true_photo(tmp_path / "a.jpg"), despite="drawn")
    give(store, files, case_id, photo(tmp_path / "b.png"), kind="document")
    bundled(store, files, case_id, tmp_path / "out.zip")
    return tmp_path / "out.zip"


def bundled(store: CaseStore, files: Files, case_id: str, out: Path) -> Bundled:
    return write_bundle(store, files, case_id, out, LIMITS)


def again(path: Path) -> Rejudged:
    return replay_bundle(path, LIMITS)


def member(path: Path, name: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(name))


def test_a_bundle_replays_to_the_same_verdict_bit_for_bit(
    world: tuple[CaseStore, str, Files], tmp_path: Path
) -> None:
    store, case_id, files = world
    give(store, files, case_id, true_photo(tmp_path / "a.jpg"), despite="drawn")
    said = bundled(store, files, case_id, tmp_path / "out.zip")
    assert (said.same, said.note) == (True, "")
    # Nothing but the zip is left.
    shutil.move(tmp_path / "out.zip", tmp_path / "kept.zip")
    store.engine.dispose()
    for path in tmp_path.iterdir():
        if path.name != "kept.zip":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    found = again(tmp_path / "kept.zip")
    assert (found.same, found.altered, found.note, found.case_id) == (True, [], "", case_id)
    assert found.found == found.written
    assert found.sha256 == said.sha256
    facts = json.loads(found.found)["facts"]
    # The change holds four permits of 40 m side; the river's bank lies 1,800 m to the west.
    assert facts["permits_share"] == pytest.approx(0.64, abs=1e-5)
    assert facts["rivers_distance_m"] == pytest.approx(1800, abs=0.01)
    assert (facts["rivers_nearest"], facts["land_use_dominant"]) == ("R1", "0601")


def test_only_what_counts_is_in_it_with_its_vintages(tmp_path: Path) -> None:
    store, case_id, files = judged_world(tmp_path, True)
    bundled(store, files, case_id, tmp_path / "out.zip")
    permits, rivers = (
        member(tmp_path / "out.zip", f"layers/{name}.geojson") for name in ("permits", "rivers")
    )
    # Of 400 permits those that touch: four inside, five whose corner or side does.
    numbers = sorted(feature["properties"]["number"] for feature in permits["features"])
    assert 4 <= len(numbers) <= 9
    assert {"P0", "P1", "P20", "P21"} <= set(numbers)
    assert {feature["properties"]["attribute_holder"] for feature in permits["features"]} >= {
        "holder 0",
        "holder 1",
    }
    assert [feature["properties"]["number"] for feature in rivers["features"]] == ["R1"]
    (vintage,) = permits["vintages"]
    assert (vintage["kind"], vintage["features"], len(vintage["id"])) == ("register", 400, 16)
    place = shapely.geometry.shape(permits["features"][0]["geometry"])
    assert (113.9 < place.centroid.x < 114.1) and (37.8 < place.centroid.y < 38)
    names = zipfile.ZipFile(tmp_path / "out.zip").namelist()
    assert [name for name in names if "/" not in name] == [
        "case.json", "change.geojson", "events.json", "verdict.json", "judgement.json", "ledger.json", "judging.json",
        "evidence.json", MANIFEST,
    ]  # fmt: skip
    ledger = member(tmp_path / "out.zip", "ledger.json")
    assert sum(ledger["class_m2"].values()) == pytest.approx(ledger["area_m2"])
    assert [event["kind"] for event in member(tmp_path / "out.zip", "events.json")] == ["opened"]


def test_the_same_content_is_the_same_zip(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    give(store, files, case_id, true_photo(tmp_path / "a.jpg"), despite="drawn")
    for name in ("one.zip", "two.zip"):
        bundled(store, files, case_id, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    give(store, files, case_id, photo(tmp_path / "b.jpg"))
    more = bundled(store, files, case_id, tmp_path / "two.zip")
    assert (more.same, (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()) == (
        True,
        False,
    )


def test_later_vintages_turn_nothing(tmp_path: Path) -> None:
    store, case_id, files = judged_world(tmp_path, True)
    bundled(store, files, case_id, tmp_path / "one.zip")
    written(tmp_path, "permits.gpkg", [HERE], no=["NEW"], since=["2000-01-01"], who=["x"])
    layer = load_catalogue(tmp_path / "layers.toml")["permits"]
    brought(store, tmp_path, layer, "2021-11-10", "permits")
    assert bundled(store, files, case_id, tmp_path / "two.zip").same
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_layers_that_are_no_longer_there_are_said(tmp_path: Path) -> None:
    store, case_id, files = judged_world(tmp_path, False)
    written(tmp_path, "rivers.gpkg", [rect(200, 0, 300, 10)], no=["R9"])
    said = bundled(store, files, case_id, tmp_path / "out.zip")
    assert (said.same, said.note) == (True, AS_WRITTEN)
    found = again(tmp_path / "out.zip")
    assert (found.same, found.note) == (True, AS_WRITTEN)


def test_a_judgement_without_its_rulebook_is_not_judged_again(tmp_path: Path) -> None:
    store, case_id = case_in(tmp_path)
    said = bundled(store, files_in(tmp_path), case_id, tmp_path / "out.zip")
    found = again(tmp_path / "out.zip")
    assert (said.same, said.note, found.same, found.note) == (None, NO_JUDGING, None, NO_JUDGING)
    assert (found.altered, json.loads(found.written)["verdict"]) == ([], "suspected_violation")


def test_no_bundle_without_its_evidence(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    one = give(store, files, case_id, true_photo(tmp_path / "a.jpg")).evidence
    kept = Path(files.root) / one.sha256[:2] / one.sha256
    kept.chmod(0o644)
    kept.write_bytes(b"x" * one.size)
    with pytest.raises(BadInput, match=r"evidence 1 \(a.jpg, .* was altered in .*; restore it from a backup"):
        bundled(store, files, case_id, tmp_path / "out.zip")
    kept.unlink()
    with pytest.raises(
        BadInput, match=r"evidence 1 \(a.jpg, .* is missing from .*; restore it from a backup"
    ):
        bundled(store, files, case_id, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".partial-")] == []
    with pytest.raises(NotFound, match="no case has the id 'x'"):
        bundled(store, files, "x", tmp_path / "out.zip")


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


def test_packed_by_another_program_it_is_still_the_same(made: Path, tmp_path: Path) -> None:
    packed = rewritten(made, tmp_path / "a.zip", lambda _: None, compression=zipfile.ZIP_DEFLATED)
    found = again(packed)
    assert (found.same, found.sha256) == (True, again(made).sha256)


@given(st.integers(0, 1 << 30), st.integers(1, 255))
def test_a_flipped_byte_is_found_or_changes_nothing_that_is_told(tmp_path: Path, at: int, mask: int) -> None:
    if not (tmp_path / "out.zip").exists():
        store, case_id, files = judged_world(tmp_path, True)
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
    book = member(made, f"rulebooks/{version}.json")
    book["title"] = "Another"
    with pytest.raises(BadInput, match=f"its rulebook {version} says something else"):
        again(junk(f"rulebooks/{version}.json", json.dumps(book).encode()))


def test_a_full_disk_leaves_no_bundle(
    world: tuple[CaseStore, str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, case_id, files = world
    give(store, files, case_id, true_photo(tmp_path / "a.jpg"))

    def full(*_: Any) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("evidence.bundle.Writer.stream", full)
    with pytest.raises(CannotWrite, match=r"the disk or quota is full"):
        bundled(store, files, case_id, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()
