"""Files that are whole or absent: written beside their place and renamed; hashed; disk faults named."""

import errno
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ground.errors import BadInput, CannotWrite, TiankanError, one_line

CHUNK = 1 << 20
"""Bytes hashed between two reports of progress."""

STAGING = ".partial-"
"""How the name of every staging folder begins."""

LOCK = ".lock"
"""File in a folder of unfinished work that the process at work in it holds."""

_ENDS_OF_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def sha256(path: Path, advance: Callable[[int], None] | None = None) -> str:
    """Hex digest of a file, read in chunks; `advance` is told the bytes done since it was last told."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                if advance:
                    advance(len(chunk))
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); give the path of a readable file"
        ) from error
    return digest.hexdigest()


def short_hash(*parts: str | bytes) -> str:
    """16 hex digits that depend on the parts, their order and their borders, and on nothing else."""
    return hashlib.sha256(_bordered(parts)).hexdigest()[:16]


def short_hashes(*first: str | bytes) -> Callable[..., str]:
    """`short_hash` of these parts and more, for many that begin alike."""
    begun = hashlib.sha256(_bordered(first))

    def more(*parts: str | bytes) -> str:
        whole = begun.copy()
        whole.update(_bordered(parts))
        return whole.hexdigest()[:16]

    return more


def _bordered(parts: Iterable[str | bytes]) -> bytes:
    found = []
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found += [len(data).to_bytes(8, "big"), data]
    return b"".join(found)


def cannot_write(path: Path, error: BaseException) -> CannotWrite:
    """The sentence for a failed write."""
    code = error.errno if isinstance(error, OSError) else None
    # GDAL's errors carry no number: ask the disk.
    full = code in _ENDS_OF_SPACE or (code is None and _free_bytes(path) < CHUNK)
    unsure = f"most often the disk or a quota is full; the library said: {one_line(error, 120)}"
    why = "the disk or quota is full" if full else (os.strerror(code) if code else unsure)
    final = path.parent.parent / path.name if path.parent.name.startswith(STAGING) else path
    return CannotWrite(
        f"{final}: could not be written ({why}); free some space or choose another folder, then run again"
    )


def _free_bytes(path: Path) -> int:
    existing = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
    return shutil.disk_usage(existing).free


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder inside `folder` (so renames out of it are atomic), removed whatever happens.

    Faults of space and permission leave as one sentence; what was killed half-way never has a final name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=folder))
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield staging
    except OSError as error:
        if isinstance(error, TiankanError) or error.errno not in _ENDS_OF_SPACE:
            raise
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """Standard error closed to C libraries: libtiff prints line after line there when a disk is full.

    What goes wrong still comes as an exception, and becomes the one sentence that a user is owed.
    """
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def refuse_folder(final: Path) -> None:
    """Nothing, unless a folder lies where a file is to be written.

    Raises:
        BadInput: it does; before any work.
    """
    if final.is_dir():
        raise BadInput(f"{final}: is a folder; give the path of a file")


@contextmanager
def written_beside(final: Path) -> Iterator[Path]:
    """A path to write to, of the same name in a staging folder, renamed to `final` if the block succeeds."""
    refuse_folder(final)
    with staging_folder(final.parent) as staging:
        yield staging / final.name
        os.replace(staging / final.name, final)


@contextmanager
def unfinished_folder(folder: Path, key: str, keep: Callable[[Path], bool]) -> Iterator[Path]:
    """A hidden folder inside `folder` for work that a later run with the same key goes on with.

    It is removed when the block succeeds, with what other runs left behind; when it fails or is killed, it stays
    if `keep` says that something in it is worth going on with.

    Raises:
        BadInput: another process is at work in it.
    """
    work = folder / f"{STAGING}{key}"
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = os.open(work / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise cannot_write(folder, error) from error
    done = False
    try:
        if not _locked(lock):
            done = True
            raise BadInput(f"{folder}: another run is at work there on the same scenes; wait for it to end")
        yield work
        done = True
        shutil.rmtree(work, ignore_errors=True)
        for other in folder.glob(f"{STAGING}*"):
            _remove_abandoned(other)
    except OSError as error:
        if isinstance(error, TiankanError) or error.errno not in _ENDS_OF_SPACE:
            raise
        raise cannot_write(folder, error) from error
    finally:
        if not done and not keep(work):
            shutil.rmtree(work, ignore_errors=True)
        os.close(lock)


def _locked(descriptor: int) -> bool:
    """Whether nobody else holds the lock; a process that dies lets go of it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_abandoned(work: Path) -> None:
    """Removes a folder of unfinished work that nobody is at work in."""
    try:
        lock = os.open(work / LOCK, os.O_RDWR)
    except OSError:
        return
    try:
        if _locked(lock):
            shutil.rmtree(work, ignore_errors=True)
    finally:
        os.close(lock)
