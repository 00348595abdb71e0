"""The best pair is found in a true STAC API on loopback, fetched whole, and read by the rest of the house."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from ground.errors import BadInput, TiankanError, Unreachable
from ground.files import sha256
from imagery import fetching, harvest, stac_api
from imagery.catalog import list_scenes, open_scene
from imagery.harvest import Found, Wanted, fetch_best, read_wanted, search
from imagery.pairing import make_pair
from imagery.reader import PairReader
from tests.stac_world import BBOX, COLLECTION, WEST, World, draw, item, serving

BEFORE, AFTER = "2020-06-01/2020-09-30", "2023-06-01/2023-09-30"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three scenes of 2020 and three of 2023, in pages of two; files of those that ought to be chosen."""
    with serving(tmp_path / "served") as made:
        made.items = [
            item("b-hazy", "2020-07-10", eo__cloud_cover=12, sat__relative_orbit=18),
            item("b-half", "2020-07-12", WEST),
            item("b-best", "2020-08-20", eo__cloud_cover=5, view__sun_elevation=50),
            item("a-cloudy", "2023-08-20", eo__cloud_cover=70),
            item("a-best", "2023-08-15", eo__cloud_cover=3, view__sun_elevation=52, view__sun_azimuth=144,
                 platform="sentinel-2b"),
            item("a-early", "2023-06-10"),
        ]  # fmt: skip
        for each in made.items:
            each["links"] = [{"rel": "self", "href": f"{made.url}/files/{each['id']}.json"}]
        draw(made.folder, "b-best", 1)
        draw(made.folder, "a-best", 2)
        yield made


def ask(world: World | str, **said: Any) -> Wanted:
    api = world if isinstance(world, str) else world.url
    known = {"area": (BBOX, None), "periods": (BEFORE, AFTER), "collection": COLLECTION} | said
    return read_wanted(api, **known)


def best(found: Found) -> tuple[str, str]:
    return found.choices[0].before.id, found.choices[0].after.id


@pytest.mark.parametrize("methods", [["GET"], ["POST"], ["GET", "POST"]])
def test_the_best_pair_of_all_pages_is_chosen(world: World, methods: list[str]) -> None:
    world.methods = methods
    found = search(ask(world))
    rows = harvest.pair_rows(found)
    assert [(row["before"], row["after"]) for row in rows] == [
        ("b-best", "a-best"), ("b-hazy", "a-early"), ("b-best", "a-early"), ("b-hazy", "a-best"),
        ("b-half", "a-early"), ("b-half", "a-best"),
    ]  # fmt: skip
    terms = (
        "cloud",
        "uncovered",
        "season",
        "sun_elevation",
        "sun_azimuth",
        "sensor",
        "gsd",
        "view",
        "points",
    )
    # Cloud 5 + 3; 20 and 15 August: 5 days × 0.5; sun 2° × 1 and 4° × 0.5; two satellites: 2.
    assert [rows[0][term] for term in terms] == [8, 0, 2.5, 2, 2, 2, 0, 0, 16.5]
    # Cloud 12; 10 July and 10 June: 30 days × 0.5; another orbit: 20.
    assert [rows[1][term] for term in terms] == [12, 0, 15, 0, 0, 0, 0, 20, 47]
    # Cloud 5; 71 days × 0.5; sun 10°: no satellite twice, but the dearer season.
    assert [rows[2][term] for term in terms] == [5, 0, 35.5, 10, 0, 0, 0, 0, 50.5]
    # Cloud 12 + 3; 36 days × 0.5; sun 8° and 4° × 0.5; two satellites; another orbit.
    assert [rows[3][term] for term in terms] == [15, 0, 18, 8, 2, 2, 0, 20, 65]
    # Half of the area; 32 days × 0.5.
    assert [rows[4][term] for term in terms] == [0, 50, 16, 0, 0, 0, 0, 0, 66]
    searched = [path for path in world.paths if "/search" in path]
    # Three Items of each period come in two pages.
    assert searched == [f"{'POST' if 'POST' in methods else 'GET'} /search"] * 4


def test_the_pair_is_fetched_and_read(world: World, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folder = tmp_path / "got"
    rows = fetch_best(search(ask(world)), folder, lambda *step: told.append(step))
    assert [(row["id"], row["bands"], row["mask"]) for row in rows] == [
        ("b-best", "B04, B08", "SCL"), ("a-best", "B04, B08", "SCL")
    ]  # fmt: skip
    assert told[-1] == ("fetch", 2000, 2000)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    files = ("red.tif", "nir.tif", "scl.tif")
    assert names == {f"{i}/{name}" for i in ("a-best", "b-best") for name in (f"{i}.json", *files)}
    document = json.loads((folder / "a-best" / "a-best.json").read_text())
    red = folder / "a-best" / "red.tif"
    assert document["assets"]["red"]["file:checksum"] == "1220" + sha256(red)
    assert red.read_bytes() == (world.folder / "a-best" / "red.tif").read_bytes()
    assert document["links"][0]["href"] == f"{world.url}/files/a-best.json"
    assert (document["properties"]["eo:cloud_cover"], document["properties"]["platform"]) == (
        3,
        "sentinel-2b",
    )
    pair = make_pair(*(open_scene(folder / name / f"{name}.json") for name in ("b-best", "a-best")))
    with PairReader(pair) as reader, rasterio.open(red) as given:
        block = reader.read(Window(0, 0, 80, 60))
        # The scene is of 2023: 1000 is taken off, then 1/10000.
        assert np.allclose(block.after[0], given.read(1) / 10_000 - 0.1, atol=1e-6)
        assert not block.observation.any()
    assert list_scenes(folder) == sorted(rows, key=lambda row: str(row["id"]))


def test_again_fetches_nothing_and_a_spoiled_file_again(world: World, tmp_path: Path) -> None:
    found, folder = search(ask(world)), tmp_path / "got"
    fetch_best(found, folder)
    first = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    world.paths.clear()
    fetch_best(found, folder)
    assert world.paths == []
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == first
    (folder / "a-best" / "nir.tif").write_bytes(b"spoiled")
    fetch_best(found, folder)
    assert world.paths == ["GET /files/a-best/nir.tif"]
    assert sha256(folder / "a-best" / "nir.tif") == sha256(world.folder / "a-best" / "nir.tif")


def test_what_broke_off_is_gone_on_from(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "CHUNK", 1000)
    found, folder = search(ask(world)), tmp_path / "got"
    world.cut["/files/b-best/nir.tif"] = 5000
    with pytest.raises(Unreachable) as caught:
        fetch_best(found, folder)
    assert str(caught.value).startswith(f"{world.url}/files/b-best/nir.tif: could not be fetched (")
    assert str(caught.value).endswith("; run again to go on from where it broke off")
    # Nothing half-written has a name, and what came is kept.
    assert {p.name for p in (folder / "b-best").iterdir() if not p.name.startswith(".partial-")} == {
        "red.tif"
    }
    (folder / "b-best" / ".partial-0123456789abcdef.tif").write_bytes(b"of an older version")
    world.paths.clear()
    fetch_best(found, folder)
    asked = [path for path in world.paths if "b-best/nir" in path]
    assert asked == ["GET /files/b-best/nir.tif", "GET /files/b-best/nir.tif bytes=5000-"]
    assert sha256(folder / "b-best" / "nir.tif") == sha256(world.folder / "b-best" / "nir.tif")
    assert not list(folder.rglob(".partial-*"))


def refused(world: World, tmp_path: Path, kind: type[TiankanError], said: str) -> None:
    with pytest.raises(kind) as caught:
        fetch_best(search(ask(world)), tmp_path / "got")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [p for p in (tmp_path / "got").rglob("*") if p.is_file() and p.name != "red.tif"]


def test_what_cannot_be_fetched_is_named(world: World, tmp_path: Path) -> None:
    nir = world.items[2]["assets"]["nir"]
    world.faults["/files/b-best/nir.tif"] = b"<html>Please log in</html>"
    refused(world, tmp_path, BadInput, "nir.tif: what came is no raster; it may need an account")
    world.faults["/files/b-best/nir.tif"] = 403
    refused(world, tmp_path, Unreachable, "nir.tif: answered with HTTP status 403; check that you may fetch")
    del world.faults["/files/b-best/nir.tif"]
    nir["file:checksum"] = "1220" + "0" * 64
    refused(world, tmp_path, BadInput, "nir.tif: what came has not the sha256 that its Item says")
    nir["href"] = "s3://bucket/nir.tif"
    refused(world, tmp_path, BadInput, "asset nir lies at s3://bucket/nir.tif, which is neither https nor a")
    nir["href"] = (tmp_path / "gone.tif").as_uri()
    refused(world, tmp_path, BadInput, "gone.tif: there is no such file; mend the Item's href")
    nir["href"] = "http://127.0.0.1:9/nir.tif"
    refused(world, tmp_path, Unreachable, "http://127.0.0.1:9/nir.tif: could not be fetched (")
    world.items[2]["id"] = "../../evil"
    refused(world, tmp_path, BadInput, "its id '../../evil' cannot be the name of a folder")


def test_files_of_this_machine_and_alternate_addresses_are_taken(world: World, tmp_path: Path) -> None:
    here = world.folder / "b-best"
    assets = world.items[2]["assets"]
    assets["nir"]["href"] = (here / "nir.tif").as_uri()
    assets["red"] = {
        "href": "s3://b/r",
        "alternate": {"https": {"href": f"{world.url}/files/b-best/red.tif"}},
    }
    fetch_best(search(ask(world)), tmp_path / "got")
    for name in ("nir.tif", "red.tif"):
        assert sha256(tmp_path / "got" / "b-best" / name) == sha256(here / name)


def break_item(key: str, value: Any) -> Callable[[Any], Any]:
    def change(each: Any) -> Any:
        each[key] = value
        return each

    return change


BROKEN = [
    (lambda _: "text", "an Item without an id: is not a STAC Item"),
    (break_item("id", None), "an Item without an id: has no id or no properties"),
    (break_item("assets", []), "is not a STAC Item"),
    (break_item("assets", {}), "Item b-best: no asset holds a band of sensor sentinel-2"),
    (break_item("properties", {"datetime": None}), "Item b-best: is not a STAC Item"),
    (break_item("properties", {"datetime": "2020-07-99T03:10:20Z"}), "Item b-best: is not a STAC Item"),
    (break_item("geometry", None), "Item b-best: its footprint cannot be read"),
    (break_item("geometry", {"type": "Polygon", "coordinates": "x"}), "Item b-best: its footprint cannot be"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_a_broken_item_is_left_out_and_named(world: World, change: Callable[[Any], Any], said: str) -> None:
    world.items[2] = change(world.items[2])
    found = search(ask(world))
    assert best(found) == ("b-hazy", "a-early")
    assert len(found.broken) == 1
    assert said in found.broken[0]
    assert "\n" not in found.broken[0]
    assert f"Left out as broken: 1, the first: {found.broken[0]}" in harvest.legend(found)


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"/": b"<html>hello</html>"}, "is no STAC API or catalog ("),
        ({"/": b'{"type": "FeatureCollection"}'}, "is no STAC API or catalog ("),
        ({"/": b"[]"}, "is no STAC API or catalog ("),
        ({"/": 404}, "answered with HTTP status 404 ("),
        ({"/search": 500}, "answered with HTTP status 500 ("),
        ({"/search": b"not json"}, "its answer is broken ("),
        ({"/search": b'{"features": [1], "links": [{}]}'}, "its answer is broken ("),
        ({"/search": b'{"features": [1], "links": []}'}, "has no scene of sentinel-2-l2a in --before 2020-06-01"),
        ({"/search": b"[1, 2]"}, "its answer is broken ("),
        ({f"/collections/{COLLECTION}": 404}, "has no collection 'sentinel-2-l2a'; its /collections lists"),
        ({f"/collections/{COLLECTION}": 503}, "answered with HTTP status 503 ("),
        ({f"/collections/{COLLECTION}": b"{}"}, "its collection 'sentinel-2-l2a' is broken ("),
    ],
)  # fmt: skip
def test_a_server_at_fault_is_named(
    world: World, faults: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stac_api, "RETRIES", 0)
    world.faults = faults
    with pytest.raises(TiankanError) as caught:
        search(ask(world))
    assert str(caught.value).startswith(f"{world.url}: {said}")
    assert "\n" not in str(caught.value)


def test_no_server_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stac_api, "RETRIES", 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(Unreachable, match=rf"^{url}: did not answer \(.*\); check the address and the"):
            search(ask(url))
    with pytest.raises(BadInput, match=r"no\.json: cannot be read \(No such file or directory\); check the"):
        search(ask(str(tmp_path / "no.json")))


def test_a_server_whose_pages_never_end_is_left(world: World) -> None:
    page = {
        "features": world.items,
        "links": [{"rel": "next", "href": f"{world.url}/search", "method": "POST"}],
    }
    world.faults["/search"] = json.dumps(page).encode()
    assert best(search(ask(world))) == ("b-best", "a-best")
    assert world.paths.count("POST /search") == 4


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"area": (None, None)}, "--bbox and --aoi: give one of them"),
        ({"area": ("1,2,3", None)}, "--bbox 1,2,3: is not four numbers; write west,south,east,north"),
        ({"area": ("3,1,2,4", None)}, "--bbox 3,1,2,4: is no box in degrees"),
        ({"area": ("nan,1,2,4", None)}, "--bbox nan,1,2,4: is no box in degrees"),
        ({"periods": ("2020", AFTER)}, "--before 2020: is not two days; write FROM/TO"),
        ({"periods": ("2020-02-01/2020-01-01", AFTER)}, "--before 2020-02-01/2020-01-01: ends before it begins"),
        ({"periods": (AFTER, BEFORE)}, "--after 2020-06-01/2020-09-30: begins before --before"),
        ({"periods": ("2010-01-01/2010-02-01", AFTER)}, "make the period longer, or check the area"),
        ({"area": ("10,10,11,11", None)}, "make the period longer, or check the area"),
        ({"max_cloud": 2, "periods": ("2020-08-01/2020-09-30", AFTER)}, "1 have over 2 % cloud; allow more"),
        ({"sensor": "ikonos"}, "--sensor: sensor 'ikonos' is unknown; use one of"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_is_named(
    world: World, said: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadInput) as caught:
        search(ask(world, **said))
    assert sentence in str(caught.value)
