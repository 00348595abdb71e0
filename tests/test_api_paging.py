"""Pages that repeat nothing and lose nothing while others work, and requests that no one should send."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import create_app
from cases.store import CaseFilter, CaseStore
from tests.cases_world import ROAD, SMALL_BOOK, book, lonlat_changes, new_store, put, row_of_changes

NEW_LAW = book(effective_from="2024-01-01")
WORK = st.lists(
    st.sampled_from(["open one", "open five", "move first", "move last", "judge anew", "rest"]), max_size=8
)


class Others:
    """Who work on the same cases while somebody reads; everything they did is known."""

    def __init__(self, store: CaseStore, count: int) -> None:
        self.store, self.count, self.law = store, 0, SMALL_BOOK
        self.open(count)

    def open(self, more: int) -> None:
        if more:
            put(
                self.store,
                row_of_changes(more, first=self.count),
                rulebook=self.law,
                region=f"14010{self.count % 2}",
            )
            self.count += more

    def do(self, work: str) -> None:
        if work.startswith("open"):
            self.open({"one": 1, "five": 5}[work.split()[1]])
        elif work.startswith("move"):
            waiting = self.store.cases(CaseFilter(status="suspected"), limit=1000).items
            if waiting:
                key = waiting[0 if work == "move first" else -1].id
                self.store.move(key, "field_check", ROAD, actor="李伟", role="county")
        elif work == "judge anew":
            self.law = NEW_LAW if self.law is SMALL_BOOK else SMALL_BOOK
            put(self.store, row_of_changes(self.count), rulebook=self.law, region="")


def walk(
    client: TestClient, path: str, limit: int, others: Others, work: list[str], **query: Any
) -> list[str]:
    """The ids on all pages, while between two pages others do a piece of work, and later nothing more."""
    seen: list[str] = []
    cursor, left = 0, iter(work)
    while True:
        page = client.get(path, params={"cursor": cursor, "limit": limit} | query).json()
        rows = page["items"] if "items" in page else page["features"]
        assert len(rows) <= limit
        seen += [row["id"] for row in rows]
        if page["next"] is None:
            return seen
        assert rows, "a page that says there is more is not empty"
        assert page["next"] > cursor
        cursor = page["next"]
        others.do(next(left, "rest"))


@settings(max_examples=20, deadline=None)
@given(
    path=st.sampled_from(["/cases", "/changes"]),
    count=st.integers(0, 25),
    limit=st.integers(1, 12),
    work=WORK,
)
def test_pages_repeat_nothing_and_lose_nothing_that_was_there_at_the_start(
    tmp_path_factory: pytest.TempPathFactory, path: str, count: int, limit: int, work: list[str]
) -> None:
    store = new_store(tmp_path_factory.mktemp("paging"))
    others, client = Others(store, count), TestClient(create_app(store))
    at_first = walk(client, path, 1000, others, [])
    assert len(at_first) == count
    seen = walk(client, path, limit, others, work)
    assert len(seen) == len(set(seen))
    assert seen[:count] == at_first  # all of them, and in the order in which they were opened
    # What came meanwhile comes after, if at all, and a second walk has it all.
    assert walk(client, path, limit, others, [])[: len(seen)] == seen
    assert len(walk(client, path, 1000, others, [])) == others.count


@settings(max_examples=10, deadline=None)
@given(limit=st.integers(1, 7), work=WORK)
def test_a_filter_that_moves_do_not_touch_loses_nothing_either(
    tmp_path_factory: pytest.TempPathFactory, limit: int, work: list[str]
) -> None:
    store = new_store(tmp_path_factory.mktemp("paging"))
    others, client = Others(store, 9), TestClient(create_app(store))
    others.open(8)
    asked = {"region": "140101"}
    at_first = walk(client, "/cases", 1000, others, [], **asked)
    assert len(at_first) == 8  # of 17, those opened second
    seen = walk(client, "/cases", limit, others, work, **asked)
    assert seen[:8] == at_first
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("count", "limit", "sizes"), [(6, 3, [3, 3]), (7, 3, [3, 3, 1]), (2, 3, [2]), (0, 3, [0])]
)
def test_the_last_page_is_full_or_short_but_never_empty(
    tmp_path: Path, count: int, limit: int, sizes: list[int]
) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(count))
    client = TestClient(create_app(store))
    for path, rows in (("/cases", "items"), ("/changes", "features")):
        found, cursor = [], 0
        while cursor is not None:
            page = client.get(path, params={"limit": limit, "cursor": cursor}).json()
            found.append(len(page[rows]))
            cursor = page["next"]
        assert found == sizes
        beyond = client.get(path, params={"cursor": 2**53}).json()
        assert (beyond[rows], beyond["next"]) == ([], None)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    store = new_store(tmp_path)
    put(store, lonlat_changes((100, 35, 100.01, 35.01)))
    return TestClient(create_app(store), raise_server_exceptions=False)


LONG = "x" * 10_000
ASKED_BADLY: list[tuple[str, int, str]] = [
    ("/cases/nobody", 404, "NotFound: no case has the id 'nobody'; `tiankan cases list` shows them"),
    (f"/cases/{LONG}", 404, "NotFound: no case has the id"),
    ("/cases/%00", 404, "NotFound: no case has the id '\\x00'"),
    ("/cases/..%2F..%2Fpyproject.toml", 404, "HttpError: Not Found"),
    ("/scenes/nobody/quicklook", 404, "NotFound: no scene has the id 'nobody'; GET /scenes lists them"),
    ("/scenes/..%2F..%2Fetc%2Fpasswd/quicklook", 404, "HttpError: Not Found"),
    ("/scenes/%2Fetc%2Fpasswd/quicklook", 404, "HttpError: Not Found"),
    ("/scenes/..%5C..%5Cpasswd/quicklook", 404, "NotFound: no scene has the id"),
    ("/scenes/x/quicklook?size=0", 422, "InvalidRequest: query.size: "),
    ("/scenes/x/quicklook?size=100000", 422, "InvalidRequest: query.size: "),
    ("/..%2Fapp.py", 404, "HttpError: Not Found"),
    ("/%2e%2e/app.py", 404, "HttpError: Not Found"),
    ("/%2Fetc%2Fpasswd", 404, "HttpError: Not Found"),
    ("/nowhere", 404, "HttpError: Not Found"),
    ("/cases?limit=0", 422, "InvalidRequest: query.limit: "),
    ("/cases?limit=1001", 422, "InvalidRequest: query.limit: "),
    ("/cases?cursor=-1", 422, "InvalidRequest: query.cursor: "),
    ("/cases?cursor=99999999999999999999", 422, "InvalidRequest: query.cursor: "),
    ("/cases?cursor=1.5", 422, "InvalidRequest: query.cursor: "),
    ("/cases?from=yesterday", 422, "InvalidRequest: query.from: "),
    ("/cases?until=2021-02-30", 422, "InvalidRequest: query.until: "),
    ("/cases?status=%00", 422, "InvalidRequest: query.status: "),
    (f"/cases?region={LONG}", 422, "InvalidRequest: query.region: "),
    ("/cases?class=a%0Ab", 422, "InvalidRequest: query.class: "),
    (f"/cases?bbox={LONG}", 422, "InvalidRequest: query.bbox: "),
    *[
        (f"{path}?bbox={box}", 400, said)
        for path in ("/cases", "/changes")
        for box, said in (
            ("1,2,3", "BadInput: bbox: '1,2,3' is not four numbers; write west,south,east,north in degrees"),
            ("1,2,3,4,5", "BadInput: bbox: '1,2,3,4,5' is not four numbers"),
            ("a,b,c,d", "BadInput: bbox: 'a,b,c,d' is not four numbers"),
            ("", "BadInput: bbox: '' is not four numbers"),
            ("nan,0,1,1", "BadInput: bbox: 'nan,0,1,1' is not on the earth; longitudes lie within ±180"),
            ("0,nan,1,1", "BadInput: bbox: '0,nan,1,1' is not on the earth"),
            ("0,0,inf,1", "BadInput: bbox: '0,0,inf,1' is not on the earth"),
            ("0,0,1e400,1", "BadInput: bbox: '0,0,1e400,1' is not on the earth"),
            ("0,5,1,4", "BadInput: bbox: '0,5,1,4' is not on the earth"),
            ("181,0,182,1", "BadInput: bbox: '181,0,182,1' is not on the earth"),
            ("0,0,1,91", "BadInput: bbox: '0,0,1,91' is not on the earth"),
        )
    ],
]


@pytest.mark.parametrize(("url", "status", "said"), ASKED_BADLY, ids=[url[:40] for url, _, _ in ASKED_BADLY])
def test_every_refusal_has_one_shape(client: TestClient, url: str, status: int, said: str) -> None:
    answer = client.get(url)
    assert answer.status_code == status
    body = answer.json()
    assert set(body) == {"error", "message"}
    assert f"{body['error']}: {body['message']}".startswith(said)


MOVE = {"to": "field_check", "actor": "李伟", "role": "county"}
SENT_BADLY: list[tuple[Any, int, str]] = [
    ({"to": "field_check"}, 422, "InvalidRequest: body.actor: Field required"),
    ([], 422, "InvalidRequest: body: "),
    (MOVE | {"sudo": True}, 422, "InvalidRequest: body.sudo: Extra inputs are not permitted"),
    (MOVE | {"status": "closed"}, 422, "InvalidRequest: body.status: Extra inputs"),
    (MOVE | {"actor": ""}, 422, "InvalidRequest: body.actor: "),
    (MOVE | {"actor": "a\0b"}, 422, "InvalidRequest: body.actor: "),
    (MOVE | {"actor": LONG}, 422, "InvalidRequest: body.actor: "),
    (MOVE | {"actor": 7}, 422, "InvalidRequest: body.actor: "),
    (MOVE | {"actor": None}, 422, "InvalidRequest: body.actor: "),
    (MOVE | {"to": LONG}, 422, "InvalidRequest: body.to: "),
    (MOVE | {"to": "\0"}, 422, "InvalidRequest: body.to: "),
    (MOVE | {"role": LONG}, 422, "InvalidRequest: body.role: "),
    (MOVE | {"evidence": {"reason": LONG}}, 422, "InvalidRequest: body.evidence.reason: "),
    (MOVE | {"evidence": {"reason": "a\0b"}}, 422, "InvalidRequest: body.evidence.reason: "),
    (MOVE | {"evidence": {LONG: "a"}}, 422, "InvalidRequest: body.evidence."),
    (MOVE | {"evidence": {str(i): "a" for i in range(65)}}, 422, "InvalidRequest: body.evidence: "),
    (MOVE | {"evidence": ["photo"]}, 422, "InvalidRequest: body.evidence: "),
    (MOVE | {"evidence": {"photo": 5}}, 422, "InvalidRequest: body.evidence.photo: "),
    (MOVE | {"evidence": {"foto": "a.jpg"}}, 409, "IllegalMove: evidence 'foto' is unknown; use one of photo, "),
    (MOVE | {"evidence": {"photo": " "}}, 409, "IllegalMove: evidence 'photo' refers to nothing"),
    (MOVE | {"actor": "tiankan"}, 409, "IllegalMove: case {case}: a move is made by a named person"),
    (MOVE | {"role": "machine"}, 409, "IllegalMove: case {case}: role 'machine' may not move it"),
    (MOVE | {"to": "violation"}, 409, "IllegalMove: case {case} cannot go from suspected to violation; from here"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "said"), SENT_BADLY)
def test_a_body_that_is_wrong_moves_nothing(client: TestClient, body: Any, status: int, said: str) -> None:
    key = client.get("/cases").json()["items"][0]["id"]
    answer = client.post(f"/cases/{key}/moves", json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "message"}
    assert f"{answer.json()['error']}: {answer.json()['message']}".startswith(said.format(case=key))
    assert client.get("/cases").json()["items"][0]["version"] == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b'{"to":', b"\xff\xfe{}", b'{"to":"field_check","actor":"\\ud800","role":"county"}', b"[" * 90_000],
)
def test_bytes_that_are_no_json_are_refused(client: TestClient, raw: bytes) -> None:
    key = client.get("/cases").json()["items"][0]["id"]
    answer = client.post(f"/cases/{key}/moves", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert set(answer.json()) == {"error", "message"}


def test_a_case_that_is_not_there_cannot_be_moved_and_a_list_cannot_be_written(client: TestClient) -> None:
    lost = client.post("/cases/nobody/moves", json=MOVE)
    assert (lost.status_code, lost.json()["error"]) == (404, "NotFound")
    for method in (client.post, client.put, client.delete, client.patch):
        refused = method("/cases")
        assert (refused.status_code, set(refused.json())) == (405, {"error", "message"})
        assert "GET" in refused.headers["allow"]
