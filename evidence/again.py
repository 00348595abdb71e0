"""Whether photos that were given for a case look at the parts into which it is cut: the same checks once more."""

import hashlib
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import shapely

from database.evidence_tables import EvidenceRow
from evidence.checks import Check, Said, Spot, check_place, plain
from evidence.exif import Picture, read_picture
from evidence.files import Files
from evidence.limits import Limits
from ground.errors import TiankanError

UNREAD = "the file could not be read again when the case was cut"
PLACED = ("distance", "direction")


class Again:
    """Checks of photos again; each photo is read once, from `files`, and trusted only if its bytes are the same."""

    def __init__(self, files: Files | None, limits: Limits) -> None:
        self._files, self._limits = files, limits
        self._pictures: dict[str, Picture | None] = {}

    def __call__(
        self, row: EvidenceRow, part: shapely.Geometry, before: datetime | None
    ) -> list[dict[str, Any]]:
        """The checks kept of a file with distance and direction as they are for a part, in degrees."""
        if row.kind not in self._limits.photo_kinds or not row.media_type.startswith("image/"):
            return list(row.checks)
        spot = Spot(change=part, before=before)
        new = {one["check"]: one for one in plain(self._looked(row, spot), self._limits.must_pass.checks)}
        return [new.get(one["check"], one) for one in row.checks]

    def _looked(self, row: EvidenceRow, spot: Spot) -> list[Check]:
        if row.sha256 not in self._pictures:
            self._pictures[row.sha256] = self._read(row.sha256)
        picture = self._pictures[row.sha256]
        if picture is None:
            return [Check(name, Said.UNKNOWN, UNREAD) for name in PLACED]
        return check_place(picture, spot, self._limits)

    def _read(self, digest: str) -> Picture | None:
        if self._files is None:
            return None
        found = hashlib.sha256()
        try:
            with tempfile.NamedTemporaryFile() as beside:
                for chunk in self._files.chunks(digest):
                    found.update(chunk)
                    beside.write(chunk)
                beside.flush()
                return read_picture(Path(beside.name), self._limits) if found.hexdigest() == digest else None
        except TiankanError:  # It is missing, or its store does not answer: unknown, and said so.
            return None
