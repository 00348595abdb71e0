"""Whether a JPEG 2000 file is whole: OpenJPEG gives tiles that were cut off as zeros, and no error."""

import struct
from pathlib import Path
from typing import BinaryIO

END = b"\xff\xd9"
"""The marker at the end of every codestream (ISO/IEC 15444-1, A.4.4)."""
BARE = b"\xff\x4f"
"""The marker at the beginning of a codestream that is in no box."""


def is_cut_short(path: Path) -> bool:
    """Whether a box reaches beyond the file's end, or the codestream does not end as it must."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(2) == BARE:
            return not _ends(stream, size)
        place = 0
        while place < size:
            stream.seek(place)
            length, kind, header = _box(stream.read(16), size - place)
            if length < header or place + length > size:
                return True
            if kind == b"jp2c":
                return not _ends(stream, place + length)
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


def _ends(stream: BinaryIO, end: int) -> bool:
    stream.seek(max(0, end - 2))
    return stream.read(2) == END
