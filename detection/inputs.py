"""The files that a run reads: hashed once, and held to that, also by a run that goes on with another's work."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ground.errors import BadInput
from ground.files import sha256

RECORD = "inputs.json"


@dataclass(frozen=True)
class Inputs:
    """sha256 of each file, and (size, time of change in nanoseconds) when it was hashed."""

    sha256: dict[str, str]
    stamps: dict[str, tuple[int, int]]

    def still_the_same(self) -> None:
        """Nobody wrote to a file while it was read.

        Raises:
            BadInput: somebody did.
        """
        for href, stamp in self.stamps.items():
            if _stamp(href) != stamp:
                raise BadInput(f"{href}: was changed while it was read; run again when it is whole")

    def same_as_in(self, work: Path) -> None:
        """The files are those that the work in a folder was begun with; noted there if it is only beginning.

        Raises:
            BadInput: one has another content now.
        """
        note = work / RECORD
        if not note.is_file():
            beside = note.with_suffix(".new")
            beside.write_text(json.dumps(self.sha256))
            beside.replace(note)
            return
        then = json.loads(note.read_text())
        for href, digest in self.sha256.items():
            if then.get(href) != digest:
                raise BadInput(
                    f"{href}: was changed since the run in {work} was interrupted (sha256 {str(then.get(href))[:12]}… "
                    f"then, {digest[:12]}… now); put the old file back to go on, or remove that folder to begin anew"
                )


def given(hrefs: Iterable[str]) -> Inputs:
    """The files as they are now, hashed side by side."""
    files = sorted(hrefs)
    stamps = {href: _stamp(href) for href in files}
    with ThreadPoolExecutor() as pool:
        digests = pool.map(lambda href: sha256(Path(href)), files)
        return Inputs(dict(zip(files, digests, strict=True)), stamps)


def _stamp(href: str) -> tuple[int, int]:
    try:
        status = Path(href).stat()
    except OSError as error:
        raise BadInput(f"{href}: cannot be read ({error.strerror}); check the path") from error
    return status.st_size, status.st_mtime_ns
