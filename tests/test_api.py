"""The API through a real client: every route, every filter, every error in one shape, each answer known by hand."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from fastapi.testclient import TestClient
from rasterio.transform import from_origin

from api.app import create_app
from cases.store import CaseStore
from tests.cases_world import ROAD, lonlat_changes, new_store, put

CLASSES = ("vegetation_loss", "vegetation_gain", "linear", "unclassified")
BOXES = ((100.0, 35, 100.004, 35.001), (100.01, 35, 100.013, 35.001), (100.02, 35, 100.022, 35.001),
         (100.03, 35, 100.0301, 35.00008))  # fmt: skip
"""Side by side, ever smaller; the last a sliver of some 80 m². Suspected, doubt (gain), suspected, and no case."""


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    made = new_store(tmp_path)
    put(made, lonlat_changes(*BOXES, change_class=list(CLASSES), probability=[0.9, 0.8, 0.7, 0.6]))
    return made


@pytest.fixture
def client(store: CaseStore) -> TestClient:
    return TestClient(create_app(store))


def ids(client: TestClient, **query: Any) -> list[str]:
    """The serials of the cases that a filter finds, as text."""
    answer = client.get("/cases", params=query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["total"] == len(body["items"])
    return [str(case["serial"]) for case in body["items"]]


def test_a_list_of_cases_shows_what_the_machine_said(client: TestClient) -> None:
    body = client.get("/cases").json()
    assert (body["total"], body["next"], len(body["items"])) == (3, None, 3)
    first, second, _ = body["items"]
    assert {key: first[key] for key in ("serial", "status", "verdict", "rule", "change_class", "region")} == {
        "serial": 1, "status": "suspected", "verdict": "suspected_violation", "rule": "LAST",
        "change_class": "vegetation_loss", "region": "140105",
    }  # fmt: skip
    # 0.004° × 0.001° at 35° N: 365.1 m × 111.0 m; a mu is 2000/3 m².
    assert first["area_m2"] == pytest.approx(365.1 * 111.0, rel=1e-3)
    assert first["area_mu"] == round(first["area_m2"] * 3 / 2000, 2)
    assert first["bbox"] == [100.0, 35.0, 100.004, 35.001]
    assert (first["before"], first["after"]) == ("2021-05-01T03:00:00Z", "2021-09-01T03:00:00Z")
    assert (second["verdict"], second["missing"]) == (
        "doubt", {"approvals_share": "no layer in layers.toml measures it"},
    )  # fmt: skip
    assert second["proof"] == "number of the approval"


def test_a_case_with_history_outline_and_moves(client: TestClient) -> None:
    key = client.get("/cases").json()["items"][0]["id"]
    file = client.get(f"/cases/{key}").json()
    assert [(e["kind"], e["actor"], e["to_status"]) for e in file["events"]] == [
        ("opened", "tiankan", "suspected")
    ]
    assert file["moves"] == [{"to": "field_check", "roles": ["county"], "needs": []}]
    assert shapely.geometry.shape(file["geometry"]).equals(shapely.box(*BOXES[0]))
    assert file["facts"]["change_probability"] == 0.9
    move = {"to": "field_check", "actor": "李伟", "role": "county"}
    moved = client.post(f"/cases/{key}/moves", json=move)
    assert (moved.status_code, moved.json()["status"], moved.json()["version"]) == (200, "field_check", 2)
    again = client.get(f"/cases/{key}").json()
    assert [(m["to"], m["needs"]) for m in again["moves"]] == [("proven", ["photo", "field_evidence"])]
    assert [e["actor"] for e in again["events"]] == ["tiankan", "李伟"]
    proof = {"photo": "IMG_0412.jpg", "field_evidence": "record 7\nsecond line"}
    proven = client.post(f"/cases/{key}/moves", json=move | {"to": "proven", "evidence": proof}).json()
    assert proven["held"] == proof


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "123"),
    ({"status": "suspected"}, "13"), ({"status": "doubt"}, "2"), ({"status": "closed"}, ""),
    ({"verdict": "doubt"}, "2"), ({"verdict": "other"}, ""),
    ({"class": "linear"}, "3"), ({"class": "unclassified"}, ""),
    ({"region": "14"}, "123"), ({"region": "140105"}, "123"), ({"region": "1401050"}, ""), ({"region": "41"}, ""),
    ({"region": "%"}, ""), ({"region": "_"}, ""), ({"region": "1_0105"}, ""), ({"region": "14%5"}, ""),
    # The later scene is of 2021-09-01, 03:00 UTC: both days are included.
    ({"from": "2021-09-01"}, "123"), ({"from": "2021-09-02"}, ""),
    ({"until": "2021-09-01"}, "123"), ({"until": "2021-08-31"}, ""),
    ({"from": "2021-09-01", "until": "2021-09-01"}, "123"), ({"from": "0001-01-01", "until": "9999-12-31"}, "123"),
    ({"bbox": "100.005,34,100.5,36"}, "23"),
    ({"bbox": "100.004,35.001,100.009,35.5"}, "1"),  # touches a corner
    ({"bbox": "100.0041,35,100.0099,36"}, ""),
    ({"bbox": "100.001,35.0002,100.001,35.0002"}, "1"),  # a point inside
    ({"bbox": "-180,-90,180,90"}, "123"), ({"bbox": " 100.005, 34, 100.5, 36"}, "23"),
    ({"bbox": "100.02,34,100.003,36"}, "13"),  # from 100.02° E around the earth to 100.003° E
    ({"bbox": "170,34,-170,36"}, ""),
    ({"bbox": "100.005,34,100.5,36", "status": "suspected"}, "3"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "found"), FILTERS, ids=lambda value: str(value))
def test_filters(client: TestClient, query: dict[str, Any], found: str) -> None:
    assert "".join(ids(client, **query)) == found


def test_a_region_is_found_by_its_beginning_whatever_letters_are_in_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for i, region in enumerate(("14_1", "14%1", "1401", "RO-CS", "")):
        box = (100 + i, 35, 100.001 + i, 35.001)
        put(store, lonlat_changes(box, change_class="linear"), region=region)
    client = TestClient(create_app(store))
    asked = {"14": "123", "14_": "1", "14%": "2", "140": "3", "RO": "4", "": "12345", "/": "", "ro": ""}
    assert {begin: "".join(ids(client, region=begin)) for begin in asked} == asked


def test_boxes_at_the_antimeridian(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, lonlat_changes((179.99, 0, 180, 0.004), (-180, 0, -179.99, 0.003), (0, 0, 0.01, 0.002)))
    client = TestClient(create_app(store))
    asked = {
        "179,-1,-179,1": "12", "179,-1,180,1": "1", "-180,-1,-179,1": "2", "180,-1,-180,1": "12",
        "179.995,-1,-1,1": "12", "-179.995,-1,179.995,1": "123", "-1,-1,1,1": "3", "1,-1,-1,1": "12",
    }  # fmt: skip
    assert {box: "".join(ids(client, bbox=box)) for box in asked} == asked


def test_changes_are_geojson_in_longitude_latitude_with_their_verdicts(client: TestClient) -> None:
    answer = client.get("/changes")
    assert answer.headers["content-type"] == "application/geo+json"
    body = answer.json()
    assert (body["type"], body["numberMatched"], body["numberReturned"], body["next"]) == (
        "FeatureCollection",
        4,
        4,
        None,
    )
    for feature, box in zip(body["features"], BOXES, strict=True):
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        assert shape.equals(shapely.box(*box))  # x is the longitude: 100, and y the latitude: 35
        assert shapely.is_ccw(shape.exterior)  # the right-hand rule of RFC 7946
        assert feature["bbox"] == list(box)
    said = [(f["properties"]["verdict"], f["properties"]["status"]) for f in body["features"]]
    assert said == [
        ("suspected_violation", "suspected"), ("doubt", "doubt"), ("suspected_violation", "suspected"), ("other", None),
    ]  # fmt: skip
    first = body["features"][0]["properties"]
    assert (first["probability"], first["ndvi_change"], first["pair_id"]) == (0.9, None, "pair")
    assert first["after"] == "2021-09-01T03:00:00+00:00"
    few = client.get("/changes", params={"bbox": "100.005,34,100.5,36", "limit": 2}).json()
    assert (few["numberMatched"], few["numberReturned"]) == (3, 2)
    rest = client.get("/changes", params={"bbox": "100.005,34,100.5,36", "cursor": few["next"]}).json()
    assert [f["properties"]["change_class"] for f in rest["features"]] == ["unclassified"]


def test_a_ring_drawn_clockwise_and_its_hole_are_turned(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    frame = lonlat_changes((100, 35, 100.1, 35.1))
    hole = shapely.box(100.02, 35.02, 100.04, 35.04).exterior.coords
    frame.geometry = [shapely.Polygon(list(frame.geometry.iloc[0].exterior.coords)[::-1], [hole])]
    put(store, frame)
    polygon = shapely.geometry.shape(
        TestClient(create_app(store)).get("/changes").json()["features"][0]["geometry"]
    )
    assert shapely.is_ccw(polygon.exterior)
    assert not shapely.is_ccw(polygon.interiors[0])
    assert polygon.area == pytest.approx(0.01 - 0.0004)


def test_a_picture_lies_on_the_map_to_the_meter(tmp_path: Path, store: CaseStore, client: TestClient) -> None:
    path = tmp_path / "scene.tif"
    profile = {"driver": "GTiff", "width": 60, "height": 40, "count": 3, "dtype": "uint8", "crs": "EPSG:4326"}
    transform = from_origin(100.0, 35.02, 0.0005, 0.0005)
    with rasterio.open(path, "w", transform=transform, **profile) as sink:
        sink.write(np.random.default_rng(7).integers(1, 255, (3, 40, 60)).astype("uint8"))
    scene = {
        "id": "0123456789abcdef", "name": "scene", "sensor": "rgb", "acquired": None, "gsd_m": 50.0,
        "href": str(path), "west": 100.0, "south": 35.0, "east": 100.03, "north": 35.02,
    }  # fmt: skip
    put(store, lonlat_changes(BOXES[0]), scenes=[scene])
    (listed,) = client.get("/scenes").json()
    assert "href" not in listed
    assert (listed["id"], listed["bbox"], listed["sensor"]) == (
        scene["id"],
        [100.0, 35.0, 100.03, 35.02],
        "rgb",
    )
    answer = client.get("/scenes/0123456789abcdef/quicklook", params={"size": 300})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(answer.content[i : i + 4], "big") for i in (16, 20))
    # No pixel is invented: 60 pixels across, and on Mercator 40 / cos(35°) = 48.8 of the same size down.
    assert (width, height) == (60, 49)
    # Web Mercator by its formula: a·λ and a·ln tan(π/4 + φ/2), a = 6378137 m.
    x = [6378137 * math.radians(lon) for lon in (100.0, 100.03)]
    y = [6378137 * math.log(math.tan(math.pi / 4 + math.radians(lat) / 2)) for lat in (35.0, 35.02)]
    bounds = [float(value) for value in answer.headers["x-bounds"].split(",")]
    assert bounds == pytest.approx([x[0], y[0], x[1], y[1]], abs=0.01)
    path.unlink()
    gone = client.get("/scenes/0123456789abcdef/quicklook")
    said = "the file of scene scene is no longer on this machine as it was; put it back"
    assert (gone.status_code, gone.json()) == (404, {"error": "NotFound", "message": said})


def test_health_pairs_description_and_page(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/pairs").json() == []
    paths = set(client.get("/openapi.json").json()["paths"])
    assert paths == {
        "/healthz", "/cases", "/cases/{case_id}", "/cases/{case_id}/moves", "/changes", "/pairs", "/scenes",
        "/scenes/{scene_id}/quicklook",
    }  # fmt: skip
    page = client.get("/")
    assert "text/html" in page.headers["content-type"]
    for answer in (page, client.get("/cases"), client.get("/nowhere")):
        assert answer.headers["content-security-policy"].startswith(
            "default-src 'self'; img-src 'self' blob:"
        )
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_may_be_done_next_is_what_the_workflow_says(store: CaseStore, client: TestClient) -> None:
    key = client.get("/cases").json()["items"][0]["id"]
    for status in ("field_check", "proven", "city_review"):
        evidence = {"photo": "a", "field_evidence": "b"}
        role = "city" if status == "city_review" else "county"
        store.move(key, status, ROAD, actor="李伟", role=role, evidence=evidence)
    offered = {move["to"] for move in client.get(f"/cases/{key}").json()["moves"]}
    assert offered == {move.to for move in ROAD.from_status("city_review")} == {"province_review", "returned"}
    assert json.loads(client.get(f"/cases/{key}").text)["version"] == 4
