"""The store of evidence: files under their sha256 on disk or in an object store, written once and read back."""

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from fsspec.implementations.arrow import ArrowFSWrapper
from fsspec.implementations.local import LocalFileSystem

from evidence.places import system_of
from ground.errors import BadInput, CannotWrite, NotFound, TiankanError, Unreachable, one_line
from ground.files import CHUNK, STAGING, cannot_write, staging_folder

BLOCK = 8 * CHUNK
"""Bytes sent or fetched at a time; S3 takes parts of no less than 5 MiB."""
NAME = re.compile(r"[0-9a-f]{64}")
SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def open_files(place: str) -> "Files":
    """The store at a folder or a URL, as s3://bucket/prefix. Nothing is asked of it yet.

    Raises:
        BadInput: the place means nothing here.
    """
    return Files(*system_of(place))


class Files:
    """Files by their sha256: `ab/abcdef…` below a root. None is ever overwritten."""

    def __init__(self, system: Any, root: str, shown: str) -> None:
        self.system, self.root, self.shown = system, root, shown
        self.is_local = isinstance(system, LocalFileSystem)

    def put(self, source: Path, digest: str) -> bool:
        """Takes in the file whose sha256 was found to be `digest`; False where it lay there already, whole.

        Raises:
            BadInput: it is not that file any more; or what lies there under its name was altered.
            CannotWrite, Unreachable: no space, no rights, no answer; nothing half-written was left.
        """
        if self._present(digest, source):
            return False
        with self._told(digest, writes=True):
            copied = self._put_local(source, digest) if self.is_local else self._put_remote(source, digest)
        if copied is None:
            return not self._present(digest, source)
        found = self.sha256(digest) if copied == digest else copied
        if found == digest:
            return True
        self._remove(digest)
        if copied != digest:
            raise BadInput(f"{source}: was changed while it was read; hand it in again")
        raise CannotWrite(
            f"{self.shown}: what was written of {source} reads back as something else; check the disk"
        )

    def chunks(self, digest: str) -> Iterator[bytes]:
        """A file, piece by piece.

        Raises:
            NotFound: it is not there.
        """
        with self._told(digest), self.system.open(self._path(digest), "rb", block_size=BLOCK) as stream:
            while chunk := stream.read(CHUNK if self.is_local else BLOCK):
                yield chunk

    def sha256(self, digest: str) -> str:
        """The sha256 of what lies under a name."""
        found = hashlib.sha256()
        for chunk in self.chunks(digest):
            found.update(chunk)
        return found.hexdigest()

    def size(self, digest: str) -> int | None:
        """Bytes of a file; None where there is none."""
        with self._told(digest):
            self.system.invalidate_cache()
            try:
                return int(self.system.info(self._path(digest))["size"])
            except FileNotFoundError:
                return None

    def swapped(self, digest: str) -> str:
        """What stands on disk in the place of a file that was written here: a link, a pipe; "" where it is a file."""
        path = Path(self._path(digest))
        if not self.is_local:
            return ""
        for one, what in ((path.parent, "its folder"), (path, "its file")):
            if one.is_symlink():
                return f"{what} was replaced by a symbolic link to {os.readlink(one)}"
        return (
            ""
            if path.is_file() or not path.exists()
            else "its file was replaced by something that is no file"
        )

    def names(self) -> list[str]:
        """What lies below the root, by path from there: of a file of evidence its sha256, else as it is called."""
        with self._told(""):
            self.system.invalidate_cache()
            try:
                # Told to raise: else what cannot be listed would count as nothing there.
                paths = self.system.find(self.root, on_error="raise")
            except FileNotFoundError:
                paths = []
        found = [path.removeprefix(self.root).lstrip("/") for path in paths]
        kept = (path for path in found if not path.startswith(STAGING))
        return sorted(p[3:] if NAME.fullmatch(p[3:]) and p[:3] == f"{p[3:5]}/" else p for p in kept)

    def _path(self, digest: str) -> str:
        return f"{self.root}/{digest[:2]}/{digest}"

    def _present(self, digest: str, source: Path) -> bool:
        if self.size(digest) is None:
            return False
        if self.sha256(digest) == digest:
            return True
        raise BadInput(
            f"{self.shown}: the file kept under the sha256 of {source} ({digest[:16]}…) was altered; restore it from "
            "a backup, `tiankan audit verify` names all of them"
        )

    def _put_local(self, source: Path, digest: str) -> str | None:
        """The sha256 of what was copied; None where somebody else has just written it."""
        final = Path(self._path(digest))
        with staging_folder(Path(self.root)) as staging:
            with source.open("rb") as given, (staging / digest).open("xb") as kept:
                found = _copied(given, kept)
                kept.flush()
                os.fsync(kept.fileno())
            if found != digest:
                return found
            (staging / digest).chmod(0o444)
            final.parent.mkdir(exist_ok=True)
            if final.exists():
                return None
            os.rename(staging / digest, final)
        return found

    def _put_remote(self, source: Path, digest: str) -> str | None:
        """The same, put only where none is; an object comes into sight when all of it is there."""
        # Of pyarrow's S3 nobody can ask that; whoever comes between writes the same bytes under the same name.
        mode = "wb" if isinstance(self.system, ArrowFSWrapper) else "xb"
        found = None
        try:
            with (
                source.open("rb") as given,
                self.system.open(self._path(digest), mode, block_size=BLOCK) as kept,
            ):
                found = _copied(given, kept)
        except FileExistsError:
            return None
        except FileNotFoundError as error:
            raise BadInput(
                f"TIANKAN_EVIDENCE: there is no {self.shown}; make the bucket, or mend its name"
            ) from error
        except OSError:
            # What was read of the source until then may have been sent as if it were all.
            self._remove(digest)
            raise
        return found

    def _remove(self, digest: str) -> None:
        """What was just written, unless it is whole after all: somebody else may have put it there."""
        if self.size(digest) is None or self.sha256(digest) == digest:
            return
        with self._told(digest):
            self.system.rm_file(self._path(digest))

    @contextmanager
    def _told(self, digest: str, writes: bool = False) -> Iterator[None]:
        """Faults of disk and server as one sentence."""
        try:
            yield
        except TiankanError:
            raise
        except (OSError, NotImplementedError) as error:
            raise self._sentence(digest, writes, error) from error

    def _sentence(self, digest: str, writes: bool, error: Exception) -> TiankanError:
        # What S3 says comes last: before it stands which key was asked for.
        said = str(error).rpartition("AWS Error ")[2]
        why = getattr(error, "strerror", None) or one_line(said, 120) or type(error).__name__
        if isinstance(error, FileNotFoundError) and not writes:
            return NotFound(f"{self.shown}: holds no file {digest}; restore it from a backup")
        if self.is_local and isinstance(error, OSError) and writes:
            return cannot_write(Path(self.root), error)
        if "NO_SUCH_BUCKET" in why:
            return BadInput(
                f"TIANKAN_EVIDENCE: there is no bucket at {self.shown}; make it, or mend its name"
            )
        if self.is_local or isinstance(error, PermissionError) or "ACCESS_DENIED" in why:
            return BadInput(f"TIANKAN_EVIDENCE: {self.shown} cannot be read ({why}); check rights and keys")
        if isinstance(error, OSError) and error.errno in SPACE:
            return CannotWrite(f"{self.shown}: nothing was kept ({why}); free some space, then run again")
        return Unreachable(
            f"TIANKAN_EVIDENCE: {self.shown} does not answer ({why}); check it, then run again"
        )


def _copied(given: BinaryIO, kept: BinaryIO) -> str:
    """All of one stream into another; the sha256 of what passed."""
    found = hashlib.sha256()
    while chunk := given.read(CHUNK):
        found.update(chunk)
        kept.write(chunk)
    return found.hexdigest()
