"""Files given for a case as a report shows them: read back, hashed, photos made small; what is wrong is never good."""

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image, ImageOps, UnidentifiedImageError

from cases.proof import against
from evidence.adding import Evidence
from evidence.checks import Said
from evidence.exif import BROKEN, FORMATS
from evidence.files import Files
from evidence.limits import Limits
from ground.errors import BadInput, NotFound, Unreachable

WHOLE, MISSING, ALTERED, RESIZED, UNREAD = "whole", "missing", "altered", "resized", "unread"
READABLE = {WHOLE, UNREAD}
"""What is not known to be wrong."""
MOST_READ = 1 << 28
"""Bytes that are read for one report, photos first: a video is not hashed while somebody waits for a page."""
MOST_SHOWN = 12
"""Photos that are shown; all are listed."""
SIDE_PX, QUALITY = 640, 82
"""Of a photo as it is shown, 84 mm wide."""
TOO_LARGE, NO_STORE, NO_ANSWER = "too_large", "no_store", "no_answer"
TOO_MANY_PIXELS, NO_PICTURE = "too_many_pixels", "no_picture"


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One file given. `why`: of a file that was not read, or a photo that cannot be shown; `found`: of one altered."""

    number: int
    """In the order in which they were given, from 1."""
    given: Evidence
    state: str
    found: str = ""
    why: str = ""
    is_photo: bool = False
    thumbnail: bytes | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a move may rest on it, as far as is known here."""
        return self.state in READABLE and bool(self.given.despite or not against(self.given.checks))

    @property
    def place(self) -> tuple[float, float] | None:
        """Where it says it was taken, if that could be measured: a position on another datum is none."""
        told = any(one["check"] == "distance" and one["said"] != Said.UNKNOWN for one in self.given.checks)
        if not told or self.given.lon is None or self.given.lat is None:
            return None
        return self.given.lon, self.given.lat


def exhibits_of(files: Files | None, given: Sequence[Evidence], limits: Limits) -> list[Exhibit]:
    """What was given, read back; the same file twice is read once. Without a store nothing is read, which is said."""
    found: dict[int, Exhibit] = {}
    read: dict[str, Exhibit] = {}
    left, shown, silent = MOST_READ, MOST_SHOWN, "" if files else NO_STORE
    listed = [
        Exhibit(number=number, given=one, state=UNREAD, is_photo=one.kind in limits.photo_kinds)
        for number, one in enumerate(given, 1)
    ]
    for one in sorted(listed, key=lambda each: not each.is_photo):
        told = read.get(one.given.sha256)
        if told is None and files and not silent:
            try:
                told, data = _read(files, one, left)
            except Unreachable:
                # Asked once: each file of a store that is away would wait as long again.
                silent = NO_ANSWER
            except BadInput:
                told = replace(one, why=NO_ANSWER)
            else:
                left -= len(data)
                if one.is_photo and told.state == WHOLE and shown:
                    told, shown = _shown(told, data, limits), shown - 1
                read[one.given.sha256] = told
        if told is None:
            found[one.number] = replace(one, why=silent)
        else:
            found[one.number] = replace(told, number=one.number, given=one.given, is_photo=one.is_photo)
    return [found[one.number] for one in listed]


def _read(files: Files, one: Exhibit, most: int) -> tuple[Exhibit, bytes]:
    """A file as it lies in the store, and its bytes where it is whole."""
    size = files.size(one.given.sha256)
    if size is None:
        return replace(one, state=MISSING), b""
    if size != one.given.size:
        return replace(one, state=RESIZED, found=f"{size:,}"), b""
    if size > most:
        return replace(one, why=TOO_LARGE), b""
    try:
        data = b"".join(files.chunks(one.given.sha256))
    except NotFound:
        return replace(one, state=MISSING), b""
    digest = hashlib.sha256(data).hexdigest()
    if digest != one.given.sha256:
        return replace(one, state=ALTERED, found=digest), b""
    return replace(one, state=WHOLE), data


def _shown(one: Exhibit, data: bytes, limits: Limits) -> Exhibit:
    try:
        return replace(one, thumbnail=thumbnail(data, int(limits.largest_pixels.value)))
    except OverflowError:
        return replace(one, why=TOO_MANY_PIXELS)
    except (UnidentifiedImageError, RuntimeError, *BROKEN):
        return replace(one, why=NO_PICTURE)


def thumbnail(data: bytes, most_pixels: int) -> bytes:
    """A picture made small, held as it was taken, as JPEG.

    Raises:
        OverflowError: it has more pixels than are looked at.
        UnidentifiedImageError and others: it is no picture that can be opened here, or a spoiled one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > most_pixels:
                raise OverflowError(f"{image.width} × {image.height} pixels")
            # A JPEG is unpacked at a half, a quarter or an eighth of its size, in that much less time.
            image.draft("RGB", (SIDE_PX, SIDE_PX))
            small = ImageOps.exif_transpose(image)
            small.thumbnail((SIDE_PX, SIDE_PX))
            sink = io.BytesIO()
            small.convert("RGB").save(sink, "JPEG", quality=QUALITY)
    return sink.getvalue()
