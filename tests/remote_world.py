"""A true HTTP server on loopback with ranges and ETags, which is also as much of S3 as GDAL asks for."""

import base64
import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import rasterio
from rasterio.transform import from_origin

ROOT = Path(__file__).parent.parent
KINDS = {".json": "application/json", "": "application/geo+json"}


class Objects(ThreadingHTTPServer):
    """The server, what it serves, and how it misbehaves."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[tuple[str, str]] = []
        """Every request: path, and the range asked for."""
        self.statuses: dict[str, int] = {}
        """Path to an HTTP status that is all the answer there is."""
        self.ranges = True
        self.tells_etag = True
        self.password: str | None = None
        """`user:password` or the value of the query's `token` without which nothing is served."""
        self.signed = False
        """Whether a request needs a signature, in its header or its query."""
        self.broken: dict[str, range] = {}
        """Path to bytes at which every connection breaks but that which asks for all the rest."""
        self.breaks_once: dict[str, int] = {}
        """Path to the byte at which the first connection for the whole file breaks."""
        self.dies_after: int | None = None
        """Requests after which no connection is answered."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def sent_whole(self, path: str) -> int:
        """How often a file was asked for from its first byte to its last."""
        return self.asked.count((path, "bytes=0-"))

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that has enough closes the connection."""


@contextmanager
def serving(folder: Path) -> Iterator[Objects]:
    world = Objects(folder)
    thread = threading.Thread(target=world.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield world
    finally:
        world.shutdown()
        thread.join()
        world.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Objects

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        world, path = self.server, unquote(urlsplit(self.path).path)
        file = world.folder / path.lstrip("/")
        # What was signed for GET is not signed for HEAD.
        if "?" in self.path or not self._may() or path in world.statuses or not file.is_file():
            self._empty(403 if "?" in self.path or not self._may() else world.statuses.get(path, 404))
            return
        self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(file.stat().st_size))
        self.end_headers()

    def do_GET(self) -> None:
        world, path = self.server, unquote(urlsplit(self.path).path)
        asked = self.headers.get("Range", "")
        world.asked.append((path, asked))
        if world.dies_after is not None and len(world.asked) > world.dies_after:
            self.close_connection = True
            return
        file = world.folder / path.lstrip("/")
        if not self._may():
            self._empty(403)
        elif status := world.statuses.get(path):
            self._empty(status)
        elif not file.is_file():
            self._empty(404)
        else:
            self._send(path, file, asked)

    def _may(self) -> bool:
        world, query = self.server, parse_qs(urlsplit(self.path).query)
        said = self.headers.get("Authorization", "")
        if world.signed:
            return said.startswith("AWS4-HMAC-SHA256") or "X-Amz-Signature" in query
        if world.password is None:
            return True
        basic = "Basic " + base64.b64encode(world.password.encode()).decode()
        return said == basic or query.get("token") == [world.password]

    def _send(self, path: str, file: Path, asked: str) -> None:
        world, data = self.server, file.read_bytes()
        size, first, last = len(data), 0, len(data) - 1
        if asked and world.ranges:
            low, _, high = asked.removeprefix("bytes=").partition("-")
            first, last = int(low), min(int(high or last), last)
            if first >= size:
                self._empty(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", KINDS.get(file.suffix, "image/tiff"))
        self.send_header("Content-Length", str(last - first + 1))
        if world.tells_etag:
            self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
        self.end_headers()
        part = data[first : last + 1]
        if (
            (bad := world.broken.get(path))
            and not asked.endswith("-")
            and first < bad.stop
            and last >= bad.start
        ):
            part = part[: len(part) // 2]
        if asked == "bytes=0-":
            part = part[: world.breaks_once.pop(path, size)]
        self.wfile.write(part)

    def _empty(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def draw(folder: Path, noisy_pair: Callable[..., tuple[Any, Any]]) -> None:
    """Two scenes of 700 × 900 pixels in blocks of 256, with a planted change."""
    folder.mkdir(parents=True)
    before, after = noisy_pair(3, 700, 900)
    after[:, 480:540, 490:560] += 2000
    for name, values in (("before", before), ("after", after)):
        with rasterio.open(
            folder / f"{name}.tif", "w", driver="GTiff", width=900, height=700, count=3, dtype="uint16",
            crs="EPSG:32649", transform=from_origin(6e5, 4.2e6, 10, 10), compress="DEFLATE", tiled=True,
            blockxsize=256, blockysize=256, interleave="pixel",
        ) as sink:  # fmt: skip
            sink.write(values.clip(0, 65_000).astype("uint16"))


def both(start: str, end: str = "") -> tuple[str, str]:
    return f"{start}/before.tif{end}", f"{start}/after.tif{end}"


def local_pair(objects: Objects) -> tuple[str, str]:
    return both(str(objects.folder / "bucket"))


def same_pixels(one: Path, other: Path) -> bool:
    with rasterio.open(one / "change.tif") as a, rasterio.open(other / "change.tif") as b:
        return bool((a.read() == b.read()).all())


def digests(run: dict[str, Any]) -> list[str]:
    return [file["sha256"] for scene in run["inputs"].values() for file in scene["files"]]


def tiankan(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "cli.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)
