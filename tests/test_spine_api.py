"""The API through a real client: pages that lose nothing, filters, errors in one shape, pictures in place."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rasterio.transform import from_origin

from api.app import create_app
from cases import ledger
from cases.facts import Facts
from cases.rules import Judgement, Verdict
from cases.store import CaseStore, open_store
from cases.workflow import load_workflow
from detection import changes

UTM = CRS.from_epsg(32649)


def entry(columns: range, pair: str = "p", **more: Any) -> ledger.Entry:
    """Changes of 10 m in a row, one a hundred meters; odd ones are doubts."""
    shapes = [shapely.box(600_000 + 100 * c, 4_200_000, 600_010 + 100 * c, 4_200_010) for c in columns]
    frame = changes.make(np.array(shapes), UTM, pair_id=pair, **more)
    judgements, regions = {}, {}
    for change, shape in zip(frame["change_id"], frame.geometry, strict=True):
        column = round((shape.bounds[0] - 600_000) / 100)
        verdict = Verdict.DOUBT if column % 2 else Verdict.SUSPECTED_VIOLATION
        judgements[change] = Judgement(
            verdict=verdict, rule_id="R", basis="b", seen={}, missing={}, proof="photo", rulebook="v"
        )
        regions[change] = "140105" if column < 5 else "140_06"
    facts = {change: Facts({"l_share": 0.0}) for change in judgements}
    return ledger.Entry(
        changes=frame, facts=facts, judgements=judgements, regions=regions, layers={}, scenes=[], pair={}
    )


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    import pandas as pd

    made = open_store(str(tmp_path / "cases.db"))
    dates = {
        "before": pd.Timestamp("2020-08-01", tz="UTC"),
        "after": pd.Timestamp("2021-08-01T09:30", tz="UTC"),
    }
    ledger.record(made, entry(range(10), **dates), load_workflow())
    return made


@pytest.fixture
def client(store: CaseStore) -> TestClient:
    return TestClient(create_app(store))


def walk(client: TestClient, limit: int, between: Any = None, **query: Any) -> list[str]:
    ids, cursor = [], 0
    while True:
        page = client.get("/cases", params={"cursor": cursor, "limit": limit, **query}).json()
        ids += [case["id"] for case in page["items"]]
        if page["next"] is None:
            return ids
        cursor = page["next"]
        if between:
            between()


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 12), st.integers(0, 1000))
def test_pages_repeat_nothing_and_lose_nothing_while_others_work(
    store: CaseStore, client: TestClient, limit: int, seed: int
) -> None:
    at_the_start = set(walk(client, 1000))
    turn = iter(range(10_000))

    def others_work() -> None:
        number = 100 + seed * 50 + next(turn)
        ledger.record(store, entry(range(number, number + 2), f"pair {seed}"), load_workflow())
        for case in client.get("/cases", params={"limit": 3}).json()["items"]:
            client.post(
                f"/cases/{case['id']}/moves", json={"to": "field_check", "actor": "Li Wei", "role": "county"}
            )

    calls = iter(range(4))
    seen = walk(client, limit, lambda: others_work() if next(calls, None) is not None else None)
    assert len(seen) == len(set(seen))
    assert at_the_start <= set(seen)


FILTERS: list[tuple[dict[str, Any], int]] = [
    ({}, 10), ({"verdict": "doubt"}, 5), ({"status": "suspected"}, 5), ({"status": "closed"}, 0),
    ({"region": "14"}, 10), ({"region": "1401"}, 5), ({"region": "140_"}, 5), ({"region": "%"}, 0),
    ({"class": "unclassified"}, 10), ({"class": "linear"}, 0),
    ({"from": "2021-08-01"}, 10), ({"until": "2021-08-01"}, 10), ({"until": "2021-07-31"}, 0),
    ({"from": "2021-08-02"}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("query", "count"), FILTERS)
def test_filters(client: TestClient, query: dict[str, Any], count: int) -> None:
    page = client.get("/cases", params=query).json()
    assert page["total"] == len(page["items"]) == count


def test_a_box_finds_what_it_meets(client: TestClient) -> None:
    west, south = Transformer.from_crs(UTM, 4326, always_xy=True).transform(600_195, 4_199_990)
    east, north = Transformer.from_crs(UTM, 4326, always_xy=True).transform(600_405, 4_200_020)
    box = f"{west},{south},{east},{north}"
    # Columns 2, 3 and 4 lie between 200 m and 410 m.
    assert client.get("/cases", params={"bbox": box}).json()["total"] == 3
    features = client.get("/changes", params={"bbox": box}).json()["features"]
    assert len(features) == 3
    assert all(shapely.geometry.shape(f["geometry"]).is_valid for f in features)
    # From the box's east across 180° to its west: the rest of the world, and column 4, which straddles the edge.
    assert client.get("/cases", params={"bbox": f"{east},-90,{west},90"}).json()["total"] == 8
    assert client.get("/cases", params={"bbox": "170,-10,-170,10"}).json()["total"] == 0


BAD: list[tuple[str, int, str]] = [
    ("/cases/nobody", 404, "no case has the id 'nobody'"),
    ("/scenes/nobody/quicklook", 404, "no scene has the id 'nobody'"),
    ("/nowhere.txt", 404, "Not Found"),
    ("/cases?bbox=1,2,3", 400, "is not four numbers"),
    ("/cases?bbox=nan,0,1,1", 400, "is not on the earth"),
    ("/cases?bbox=0,5,1,1", 400, "is not on the earth"),
    ("/cases?limit=0", 422, "greater than or equal to 1"),
    ("/cases?cursor=-1", 422, "greater than or equal to 0"),
    ("/cases?from=yesterday", 422, "query.from"),
    ("/scenes/..%2F..%2Fetc%2Fpasswd/quicklook", 404, "Not Found"),
]


def test_changes_without_a_case_are_listed_too(store: CaseStore, client: TestClient) -> None:
    lawful = entry(range(500, 503), "another pair")
    said = {change: replace(one, verdict=Verdict.LAWFUL) for change, one in lawful.judgements.items()}
    ledger.record(store, replace(lawful, judgements=said), load_workflow())
    found = client.get("/changes").json()
    assert (found["numberMatched"], found["numberReturned"], found["next"]) == (13, 13, None)
    assert [f["properties"]["case_id"] for f in found["features"]].count(None) == 3
    pages = [client.get("/changes", params={"limit": 5, "cursor": c}).json() for c in (0, 5, 10)]
    assert [len(page["features"]) for page in pages] == [5, 5, 3]
    assert [page["next"] for page in pages] == [5, 10, None]


@pytest.mark.parametrize(("path", "status", "said"), BAD)
def test_errors_have_one_shape(client: TestClient, path: str, status: int, said: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "message"}
    assert said in answer.json()["message"]


def test_a_case_tells_all_and_moves_by_the_workflow(client: TestClient) -> None:
    case = client.get("/cases", params={"verdict": "suspected_violation"}).json()["items"][0]["id"]
    sheet = client.get(f"/cases/{case}").json()
    assert (sheet["rule"], sheet["proof"], sheet["status"]) == ("R", "photo", "suspected")
    assert sheet["moves"] == [{"to": "field_check", "roles": ["county"], "needs": []}]
    assert sheet["geometry"]["type"] == "Polygon"
    move = {"to": "field_check", "actor": "李伟", "role": "county"}
    assert client.post(f"/cases/{case}/moves", json=move).json()["status"] == "field_check"
    refused = client.post(f"/cases/{case}/moves", json={**move, "to": "proven"})
    assert refused.status_code == 409
    assert "cannot go to proven without photo" in refused.json()["message"]
    assert client.post(f"/cases/{case}/moves", json={**move, "to": "decision"}).status_code == 409
    assert client.post(f"/cases/{case}/moves", json={**move, "sudo": True}).status_code == 422
    assert [e["actor"] for e in client.get(f"/cases/{case}").json()["events"]] == ["tiankan", "李伟"]


def test_a_quicklook_lies_where_the_scene_lies(tmp_path: Path, store: CaseStore, client: TestClient) -> None:
    path = tmp_path / "scene.tif"
    values = np.random.default_rng(1).integers(1, 255, (3, 50, 80)).astype("uint8")
    transform = from_origin(12_500_000, 4_500_000, 30, 30)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=80,
        height=50,
        count=3,
        dtype="uint8",
        crs="EPSG:3857",
        transform=transform,
    ) as sink:
        sink.write(values)
    row = {
        "id": "abc", "name": "scene", "sensor": "rgb", "acquired": None, "gsd_m": 30.0, "href": str(path),
        "west": 1.0, "south": 1.0, "east": 2.0, "north": 2.0,
    }  # fmt: skip
    ledger.record(store, ledger.Entry(**{**entry(range(1)).__dict__, "scenes": [row]}), load_workflow())
    answer = client.get("/scenes/abc/quicklook")
    assert answer.content[:8] == b"\x89PNG\r\n\x1a\n"
    assert answer.headers["x-bounds"] == "12500000.000,4498500.000,12502400.000,4500000.000"
    assert "href" not in client.get("/scenes").json()[0]
    path.unlink()
    gone = client.get("/scenes/abc/quicklook")
    assert (gone.status_code, gone.json()["error"]) == (404, "NotFound")


def test_health_and_page_are_served_with_a_strict_policy(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
