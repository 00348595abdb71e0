"""What a file is by its first bytes, whatever its name says."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

UNKNOWN = "application/octet-stream"
TEXT = "text/plain"
HEAD = 4096
"""Bytes looked at."""
SIGNATURES = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"GIF8", "image/gif"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
)
HEIC = "image/heic"
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
BRANDS = {
    **dict.fromkeys(HEIC_BRANDS, HEIC), b"avif": "image/avif", b"avis": "image/avif", b"M4A ": "audio/mp4",
}  # fmt: skip
"""Of files that begin with `ftyp`; any other is a video."""
OFFICE = {
    "word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def media_type(path: Path) -> str:
    """The media type of a file's bytes; UNKNOWN where they tell nothing."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    for offset, mark, kind in SIGNATURES:
        if head.startswith(mark, offset):
            return kind
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "image/bmp"
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], "video/mp4")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _packed(path)
    return TEXT if _is_text(head) else UNKNOWN


def _packed(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return UNKNOWN
    return next(
        (kind for folder, kind in OFFICE.items() if any(n.startswith(folder) for n in names)),
        "application/zip",
    )


def _is_text(head: bytes) -> bool:
    """UTF-8 or GB 18030 without control characters; a letter cut in two at the end does not count."""
    if not head or any(byte < 9 or (13 < byte < 32 and byte != 27) for byte in head):
        return False
    for encoding in ("utf-8", "gb18030"):
        for cut in range(4):
            try:
                head[: len(head) - cut].decode(encoding)
                return True
            except UnicodeDecodeError:
                continue
    return False


def ending(media: str, types: Mapping[str, Sequence[str]]) -> str:
    """The usual ending of a name, with its point; "" where there is none."""
    known = types.get(media)
    return f".{known[0]}" if known else ""
