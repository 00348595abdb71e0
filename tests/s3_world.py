"""As much of S3 on loopback as a store of files asks for: objects in memory, put whole or in parts, listed, removed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class S3(ThreadingHTTPServer):
    """The server; buckets are named `bucket`, and `objects` are by `bucket/key`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.asked: list[str] = []
        """Every request: its method, and its path with the query."""
        self.refuses: int | None = None
        """An HTTP status that is the answer to everything."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def url(self, prefix: str = "evidence") -> str:
        return f"s3://bucket/{prefix}?endpoint_override={self.host}&scheme=http&region=us-east-1"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has enough closes the connection."""


@contextmanager
def serving() -> Iterator[S3]:
    world = S3()
    thread = threading.Thread(target=world.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield world
    finally:
        world.shutdown()
        thread.join()
        world.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: S3
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _take(self) -> tuple[str, dict[str, list[str]], bytes]:
        parts = urlsplit(self.path)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            body = _unchunked(body)
        self.server.asked.append(f"{self.command} {self.path}")
        return unquote(parts.path).removeprefix("/"), parse_qs(parts.query, keep_blank_values=True), body

    def _chunks(self) -> bytes:
        found = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(found)

    def _refused(self) -> bool:
        if self.server.refuses is None:
            return False
        self._answer(self.server.refuses, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
        return True

    def do_HEAD(self) -> None:
        key, _, _ = self._take()
        if self._refused():
            return
        if key in ("bucket", "bucket/"):
            self._answer(200)
        elif (data := self.server.objects.get(key)) is None:
            self._answer(404)
        else:
            self._answer(200, b"", length=len(data))

    def do_GET(self) -> None:
        key, query, _ = self._take()
        if self._refused():
            return
        if key in ("bucket", "bucket/"):
            self._answer(200, _listing(self.server.objects, query))
        elif (data := self.server.objects.get(key)) is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>")
        elif said := self.headers.get("Range"):
            low, _, high = said.removeprefix("bytes=").partition("-")
            part = data[int(low) : int(high or len(data)) + 1]
            self._answer(
                206, part, **{"Content-Range": f"bytes {low}-{int(low) + len(part) - 1}/{len(data)}"}
            )
        else:
            self._answer(200, data)

    def do_PUT(self) -> None:
        key, query, body = self._take()
        if self._refused():
            return
        if "partNumber" in query:
            self.server.uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            self.server.objects[key] = body
        self._answer(200, b"", ETag='"x"')

    def do_POST(self) -> None:
        key, query, _ = self._take()
        if self._refused():
            return
        if "uploads" in query:
            name = f"u{len(self.server.uploads)}"
            self.server.uploads[name] = {}
            said = f"<Bucket>bucket</Bucket><Key>{escape(key)}</Key><UploadId>{name}</UploadId>"
            self._answer(
                200, f"<InitiateMultipartUploadResult>{said}</InitiateMultipartUploadResult>".encode()
            )
        else:
            parts = self.server.uploads.pop(query["uploadId"][0])
            self.server.objects[key] = b"".join(parts[number] for number in sorted(parts))
            self._answer(
                200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"
            )

    def do_DELETE(self) -> None:
        key, _, _ = self._take()
        if self._refused():
            return
        self.server.objects.pop(key, None)
        self._answer(204)

    def _answer(self, status: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Last-Modified", "Fri, 01 Jan 2021 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _unchunked(body: bytes) -> bytes:
    """What a client sent in pieces, each behind its length."""
    found = []
    while body:
        line, _, body = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if not size:
            break
        found.append(body[:size])
        body = body[size + 2 :]
    return b"".join(found)


def _listing(objects: dict[str, bytes], query: dict[str, list[str]]) -> bytes:
    prefix, delimiter = (query.get(name, [""])[0] for name in ("prefix", "delimiter"))
    keys, folders = [], set[str]()
    for path in sorted(objects):
        key = path.removeprefix("bucket/")
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            folders.add(prefix + rest.split(delimiter)[0] + delimiter)
        else:
            keys.append(key)
    most = int(query.get("max-keys", ["1000"])[0])
    contents = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(objects['bucket/' + key])}</Size>"
        "<LastModified>2021-01-01T00:00:00Z</LastModified></Contents>"
        for key in keys[:most]
    )
    common = "".join(
        f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in sorted(folders)
    )
    said = f"<Name>bucket</Name><KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>{contents}{common}"
    return f"<ListBucketResult>{said}</ListBucketResult>".encode()
