"""The files that a run reads: hashed once, and held to that, also by a run that goes on with another's work."""

import itertools
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ground.errors import BadInput
from imagery import remote
from imagery.address import Address

RECORD = "inputs.json"


@dataclass(frozen=True)
class Inputs:
    """sha256 of each file, and its stamp when it was hashed.

    A file's stamp is its size and time of change in nanoseconds; an object's is `remote.stamp`.
    """

    sha256: dict[str, str]
    stamps: dict[str, tuple[int, int | str]]

    def still_the_same(self) -> None:
        """Nobody wrote to a file while it was read.

        Raises:
            BadInput: somebody did.
        """
        for href, stamp in self.stamps.items():
            # Of an object whose server tells neither ETag nor time, only its content can say.
            unsaid = not stamp[1] and remote.sha256(href) != self.sha256[href]
            if unsaid or _stamp(href) != stamp:
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
    if twins := [href for href, after in itertools.pairwise(files) if str(href) == str(after)]:
        raise BadInput(
            f"{twins[0]}: stands for two files that differ only in the part that may be secret and is not written "
            "down; give each a path of its own"
        )
    stamps = {href: _stamp(href) for href in files}
    with ThreadPoolExecutor() as pool:
        digests = pool.map(remote.sha256, files)
        return Inputs(dict(zip(files, digests, strict=True)), stamps)


def _stamp(href: str) -> tuple[int, int | str]:
    if isinstance(href, Address):
        return remote.stamp(href)
    try:
        status = Path(href).stat()
    except OSError as error:
        raise BadInput(f"{href}: cannot be read ({error.strerror}); check the path") from error
    return status.st_size, status.st_mtime_ns
