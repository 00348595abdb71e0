"""Bundles: the same bytes again, the same verdict bit for bit without a database, nothing without its evidence."""

import errno
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import shapely

from cadastre.layers import load_catalogue
from cases.store import CaseStore
from evidence.bundle import AS_WRITTEN, NO_JUDGING
from evidence.files import Files
from evidence.zips import MANIFEST
from ground.errors import BadInput, CannotWrite, NotFound
from tests.bundle_world import HERE, again, bundled, judged_world, member
from tests.cases_world import new_store, new_url, rect
from tests.evidence_world import case_in, files_in, give, photo, true_photo
from tests.registry_world import brought, written


@pytest.fixture(params=["registry", "files"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[CaseStore, str, Files]:
    return judged_world(tmp_path, new_url(tmp_path), request.param == "registry")


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
    assert facts["rivers_nearest"] == "R1"


def test_only_what_counts_is_in_it_with_its_vintages(tmp_path: Path) -> None:
    store, case_id, files = judged_world(tmp_path, new_url(tmp_path), True)
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
    store, case_id, files = judged_world(tmp_path, new_url(tmp_path), True)
    bundled(store, files, case_id, tmp_path / "one.zip")
    written(tmp_path, "permits.gpkg", [HERE], no=["NEW"], since=["2000-01-01"], who=["x"])
    layer = load_catalogue(tmp_path / "layers.toml")["permits"]
    brought(store, tmp_path, layer, "2021-11-10", "permits")
    assert bundled(store, files, case_id, tmp_path / "two.zip").same
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_layers_that_are_no_longer_there_are_said(tmp_path: Path) -> None:
    store, case_id, files = judged_world(tmp_path, new_url(tmp_path), False)
    written(tmp_path, "rivers.gpkg", [rect(200, 0, 300, 10)], no=["R9"])
    said = bundled(store, files, case_id, tmp_path / "out.zip")
    assert (said.same, said.note) == (True, AS_WRITTEN)
    found = again(tmp_path / "out.zip")
    assert (found.same, found.note) == (True, AS_WRITTEN)


def test_a_judgement_without_its_rulebook_is_not_judged_again(tmp_path: Path) -> None:
    store, case_id = case_in(new_store(tmp_path))
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
