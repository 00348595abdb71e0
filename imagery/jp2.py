"""Whether a JPEG 2000 file is whole: OpenJPEG gives tiles that were cut off as zeros, and no error."""

import struct
from collections.abc import Callable
from pathlib import Path

Read = Callable[[int, int], bytes]
"""Bytes of a file from a place on, so many; fewer at its end."""

END = b"\xff\xd9"
"""The marker at the end of every codestream (ISO/IEC 15444-1, A.4.4)."""
BARE = b"\xff\x4f"
"""The marker at the beginning of a codestream that is in no box."""


def is_cut_short(path: Path) -> bool:
    """Whether a file breaks off."""
    with path.open("rb") as stream:

        def read(at: int, count: int) -> bytes:
            stream.seek(at)
            return stream.read(count)

        return breaks_off(read, path.stat().st_size)


def breaks_off(read: Read, size: int) -> bool:
    """Whether a box reaches beyond the file's end, or the codestream does not end as it must."""
    if read(0, 2) == BARE:
        return not _ends(read, size)
    place = 0
    while place < size:
        length, kind, header = _box(read(place, 16), size - place)
        if length < header or place + length > size:
            return True
        if kind == b"jp2c":
            return not _ends(read, place + length)
        place += length
    return True


def _box(start: bytes, rest: int) -> tuple[int, bytes, int]:
    """Length of a box with its header, its kind, and the header's length (same standard, I.4)."""
    if len(start) < 8:
        return 0, b"", 8
    length, kind = struct.unpack(">I4s", start[:8])
    if length == 1 and len(start) == 16:
        return int(struct.unpack(">Q", start[8:])[0]), kind, 16
    # 0: to the end of the file.
    return length or rest, kind, 8


def _ends(read: Read, end: int) -> bool:
    return read(max(0, end - 2), 2) == END
