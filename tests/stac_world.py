"""A true STAC API on loopback: root, conformance, collections, search by GET and POST in pages, and the files."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import rasterio
from affine import Affine

COLLECTION = "sentinel-2-l2a"
BBOX = "112.10,37.90,112.20,38.00"
WHOLE = [112.0, 37.8, 112.3, 38.1]
"""A footprint around all of the area."""
WEST = [112.0, 37.8, 112.15, 38.1]
"""A footprint over its western half."""
CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/collections",
]


def ring(box: list[float]) -> dict[str, Any]:
    w, s, e, n = box
    return {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]}


def item(name: str, day: str, box: list[float] = WHOLE, **said: Any) -> dict[str, Any]:
    """Sentinel-2A of a sunny morning; `said`: properties with _ for :, None to leave one out."""
    properties = {
        "datetime": f"{day}T03:10:20Z", "platform": "sentinel-2a", "constellation": "sentinel-2", "gsd": 10,
        "eo:cloud_cover": 0, "view:sun_elevation": 60, "view:sun_azimuth": 140, "sat:relative_orbit": 61,
    }  # fmt: skip
    properties |= {key.replace("__", ":"): value for key, value in said.items()}
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": COLLECTION,
        "geometry": ring(box), "bbox": box, "links": [],
        "properties": {key: value for key, value in properties.items() if value is not None},
        "assets": {
            "red": {"href": f"{name}/red.tif", "roles": ["data"]},
            "nir": {"href": f"{name}/nir.tif", "roles": ["data"]},
            "scl": {"href": f"{name}/scl.tif", "roles": ["data"]},
            "visual": {"href": f"{name}/gone.tif", "roles": ["visual"]},
        },
    }  # fmt: skip


def draw(folder: Path, name: str, seed: int) -> None:
    """The three files of an Item: two bands of noise and clear ground."""
    (folder / name).mkdir(parents=True)
    values = np.random.default_rng(seed).integers(1, 9000, (2, 60, 80)).astype("uint16")
    for key, band in zip(("red", "nir", "scl"), (*values, np.full((60, 80), 4, "uint16")), strict=True):
        with rasterio.open(
            folder / name / f"{key}.tif", "w", driver="GTiff", width=80, height=60, count=1,
            dtype=band.dtype.name, crs="EPSG:32649", transform=Affine(10, 0, 600_000, 0, -10, 4_200_000),
        ) as sink:  # fmt: skip
            sink.write(band, 1)


class World(ThreadingHTTPServer):
    """The server and what it serves."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.items: list[Any] = []
        self.methods = ["GET", "POST"]
        self.page = 2
        self.paths: list[str] = []
        """Every request: method, path and the range asked for."""
        self.faults: dict[str, Any] = {}
        """Path to an HTTP status, or to bytes that are answered instead."""
        self.cut: dict[str, int] = {}
        """Path of a file to the bytes after which the connection breaks, once."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(folder: Path) -> Iterator[World]:
    world = World(folder)
    thread = threading.Thread(target=world.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield world
    finally:
        world.shutdown()
        thread.join()
        world.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: World

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer("POST", json.loads(body))

    def do_GET(self) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        asked: dict[str, Any] = dict(query)
        if "bbox" in query:
            asked["bbox"] = [float(part) for part in query["bbox"].split(",")]
        if "collections" in query:
            asked["collections"] = query["collections"].split(",")
        self._answer("GET", asked)

    def _answer(self, method: str, asked: dict[str, Any]) -> None:
        path = urlsplit(self.path).path
        self.server.paths.append(" ".join(filter(None, (method, path, self.headers.get("Range")))))
        fault = self.server.faults.get(path)
        if isinstance(fault, int):
            self._send(fault, b'{"code": "fault", "description": "on purpose"}')
        elif fault is not None:
            self._send(200, fault)
        elif path.startswith("/files/"):
            self._file(path)
        elif (document := self._document(method, path, asked)) is None:
            self._send(404, b'{"code": "NotFound"}')
        else:
            self._send(200, json.dumps(document).encode())

    def _document(self, method: str, path: str, asked: dict[str, Any]) -> Any:
        url = self.server.url
        if path == "/":
            links = [
                {"rel": "search", "href": f"{url}/search", "method": m, "type": "application/geo+json"}
                for m in self.server.methods
            ]
            links += [{"rel": "self", "href": f"{url}/"}, {"rel": "data", "href": f"{url}/collections"}]
            kind = {"type": "Catalog", "id": "w", "description": "w", "stac_version": "1.0.0"}
            return kind | {"conformsTo": CONFORMS, "links": links}
        if path == "/conformance":
            return {"conformsTo": CONFORMS}
        if path == f"/collections/{COLLECTION}":
            extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
            kind = {"type": "Collection", "id": COLLECTION, "stac_version": "1.0.0", "description": "d"}
            return kind | {"license": "other", "extent": extent, "links": []}
        return self._search(method, asked) if path == "/search" and method in self.server.methods else None

    def _search(self, method: str, asked: dict[str, Any]) -> Any:
        found = [each for each in self.server.items if _fits(each, asked)]
        start = int(asked.get("token", 0))
        page = found[start : start + self.server.page]
        links = []
        if start + self.server.page < len(found):
            more = {"token": str(start + self.server.page)}
            href = f"{self.server.url}/search"
            if method == "POST":
                links = [{"rel": "next", "href": href, "method": "POST", "body": asked | more}]
            else:
                box = ",".join(str(part) for part in asked["bbox"])
                rest = f"collections={COLLECTION}&bbox={box}&datetime={asked['datetime']}"
                links = [{"rel": "next", "href": f"{href}?{rest}&token={more['token']}", "method": "GET"}]
        return {"type": "FeatureCollection", "features": page, "links": links}

    def _file(self, path: str) -> None:
        file = self.server.folder / path.removeprefix("/files/")
        if not file.is_file():
            self._send(404, b"")
            return
        data = file.read_bytes()
        first = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(data) - first))
        self.send_header("ETag", f'"{hash(data)}"')
        self.end_headers()
        end = self.server.cut.pop(path, len(data))
        self.wfile.write(data[first:end])

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _fits(each: Any, asked: dict[str, Any]) -> bool:
    """As a server filters; what it cannot read it lets pass."""
    try:
        day = each["properties"]["datetime"]
        start, end = asked["datetime"].split("/")
        w, s, e, n = each["bbox"]
        west, south, east, north = asked["bbox"]
        apart = w > east or e < west or s > north or n < south
        return start <= day <= end and not apart and each["collection"] in asked["collections"]
    except (KeyError, TypeError):
        return True
