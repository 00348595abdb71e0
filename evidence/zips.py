"""Zips that are the same whenever their contents are, with a manifest; and zips of strangers, read without harm."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from evidence.limits import Limits
from ground.errors import BadInput, one_line
from ground.files import CHUNK

MANIFEST, CASE = "manifest.json", "case.json"
FORMAT, VERSION = "tiankan-bundle", 1
NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The moment that every member says it is of: a zip that tells when it was made is never made twice."""
MOST_MEMBERS = 100_000
MOST_JSON = 1 << 29
"""Bytes of a member that is read into memory."""
SPOILED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
"""What zipfile raises on members that are spoiled, encrypted or packed in a way it does not know."""


def to_json(value: Any) -> bytes:
    """JSON; numbers to their last bit, keys in their order, which counts in a rulebook."""
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    return (text + "\n").encode()


def whole_of(members: dict[str, str]) -> str:
    """The sha256 of all members: of the lines `sha256  name` in the order of the names."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(members.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


class Writer:
    """A zip under way. Members are not packed: packing differs from library to library, and photos gain nothing."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, strict_timestamps=True)
        self.members: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    def add(self, name: str, data: bytes) -> None:
        """A member held in memory."""
        with self._member(name, len(data)) as sink:
            sink.write(data)
        self.members[name], self.sizes[name] = hashlib.sha256(data).hexdigest(), len(data)

    def stream(self, name: str, chunks: Iterable[bytes], size: int) -> str:
        """A member of so many bytes, which come in pieces; its sha256."""
        found = hashlib.sha256()
        with self._member(name, size) as sink:
            for chunk in chunks:
                found.update(chunk)
                sink.write(chunk)
        self.members[name], self.sizes[name] = found.hexdigest(), size
        return self.members[name]

    def close(self, case_id: str) -> str:
        """The manifest, and the end; the sha256 of the whole."""
        whole = whole_of(self.members)
        listed = {
            name: {"sha256": digest, "bytes": self.sizes[name]} for name, digest in self.members.items()
        }
        said = {"format": FORMAT, "version": VERSION, "case": case_id, "sha256": whole, "members": listed}
        with self._member(MANIFEST, 0) as sink:
            sink.write(to_json(said))
        self.archive.close()
        return whole

    def abandon(self) -> None:
        """No zip: nothing more is written. Else zipfile would, when it is forgotten, to a disk that is full."""
        sink, self.archive.fp = self.archive.fp, None
        with suppress(OSError):
            if sink is not None:
                sink.close()

    @contextmanager
    def _member(self, name: str, size: int) -> Iterator[Any]:
        info = zipfile.ZipInfo(name, NO_TIME)
        info.create_system, info.external_attr, info.file_size = 3, 0o644 << 16, size
        with self.archive.open(info, "w") as sink:
            yield sink


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator["Reader"]:
    """A bundle of whoever gave it; nothing of it is ever unpacked onto the disk.

    Raises:
        BadInput: it is no zip, no bundle, or made to do harm.
    """
    if path.exists() and not path.is_file():
        # A pipe would be waited for.
        raise BadInput(f"{path}: cannot be read (it is no file); give the path of a bundle")
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); give the path of a bundle") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise BadInput(f"{path}: is no zip, or broken ({one_line(error, 80)}); fetch it again") from error
    with archive:
        _refuse_harm(path, archive, limits)
        yield Reader(path, archive)


def _refuse_harm(path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise BadInput(f"{path}: has {len(infos):,} members, more than any bundle; it is not read")
    seen = set[str]()
    for info in infos:
        name = info.orig_filename
        if (
            name.startswith(("/", "\\"))
            or "\\" in name
            or ":" in name
            or "\0" in name
            or ".." in name.split("/")
        ):
            raise BadInput(f"{path}: its member {name!r} has a path that leads out of it; it is not read")
        # Others give up all that they unpack to at once, whatever they say that is.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise BadInput(
                f"{path}: its member {name!r} is packed in a way that bundles are not; it is not read"
            )
        if name in seen:
            raise BadInput(f"{path}: has two members {name!r}; it is not read")
        seen.add(name)
        if (
            info.file_size > limits.largest_ratio.value * max(info.compress_size, 1)
            and info.file_size > CHUNK
        ):
            raise BadInput(f"{path}: its member {name!r} unpacks to {info.file_size:,} bytes; it is not read")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > limits.largest_bundle_bytes.value:
        most = int(limits.largest_bundle_bytes.value)
        raise BadInput(f"{path}: unpacks to {unpacked:,} bytes; at most {most:,} are read (evidence.toml)")
    # The same bytes may stand for many members.
    packed, size = sum(info.compress_size for info in infos), path.stat().st_size
    if packed > size:
        raise BadInput(f"{path}: its members lie over each other; it is not read")


class Reader:
    """A bundle's manifest and members."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self.archive = path, archive
        # Some programs add folders; what is named like one and holds bytes is none.
        self.names = {
            info.orig_filename for info in archive.infolist() if info.file_size or not info.is_dir()
        }
        said = self._manifest()
        self.case_id: str = said["case"]
        self.sha256: str = said["sha256"]
        self.listed: dict[str, str] = {name: entry["sha256"] for name, entry in said["members"].items()}

    def altered(self) -> list[str]:
        """A sentence for each member that is not as the manifest says: altered, missing, or not of the bundle."""
        found = []
        for name in sorted(self.listed):
            if name not in self.names:
                found.append(f"{_shown(name)}: is missing")
            elif (digest := self._sha256(name)) != self.listed[name]:
                why = "was altered" if digest else "was altered, and cannot be read"
                found.append(f"{_shown(name)}: {why}")
        added = sorted(self.names - self.listed.keys() - {MANIFEST})
        found += [f"{_shown(name)}: was added" for name in added]
        if whole_of(self.listed) != self.sha256:
            found.append(f"{MANIFEST}: was altered: the sha256 of the whole is not that of its members")
        return found or self._misnamed()

    def _misnamed(self) -> list[str]:
        """The manifest where it names another case than the members, whose sum does not hold that name."""
        own = self.json(CASE)
        if isinstance(own, dict) and own.get("id") == self.case_id:
            return []
        return [f"{MANIFEST}: was altered: it names another case than {CASE}"]

    def json(self, name: str) -> Any:
        """A member that holds JSON.

        Raises:
            BadInput: there is none, or it holds something else.
        """
        if name not in self.names:
            raise BadInput(f"{self.path}: has no member {name}; it is no bundle of Tiankan, or not whole")
        try:
            return json.loads(self._read(name))
        except (*SPOILED, RecursionError) as error:
            raise BadInput(
                f"{self.path}: its member {name} cannot be read ({one_line(error, 80)})"
            ) from error

    def line(self, name: str) -> str:
        """A member of one line."""
        return self._read(name).decode().removesuffix("\n")

    def _read(self, name: str) -> bytes:
        if self.archive.getinfo(name).file_size > MOST_JSON:
            raise ValueError(f"it has more than {MOST_JSON:,} bytes")
        return self.archive.read(name)

    def _manifest(self) -> dict[str, Any]:
        said = self.json(MANIFEST)
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise BadInput(f"{self.path}: its {MANIFEST} is not that of a bundle of Tiankan")
        if said.get("version") != VERSION:
            raise BadInput(
                f"{self.path}: is of version {said.get('version')!r}; this Tiankan reads {VERSION}"
            )
        members = said.get("members")
        sound = isinstance(members, dict) and all(
            isinstance(entry, dict) and isinstance(entry.get("sha256"), str) for entry in members.values()
        )
        named = [said.get("case"), said.get("sha256")]
        if not sound or not all(isinstance(one, str) and one.isprintable() for one in named):
            raise BadInput(f"{self.path}: its {MANIFEST} does not list its members; fetch it again")
        return said

    def _sha256(self, name: str) -> str:
        """Of a member as it unpacks; "" where it cannot be read."""
        found = hashlib.sha256()
        try:
            with self.archive.open(name) as stream:
                while chunk := stream.read(CHUNK):
                    found.update(chunk)
        except SPOILED:
            return ""
        return found.hexdigest()


def _shown(name: str) -> str:
    """A stranger's name as it may be printed: what is no letter would speak to the terminal."""
    return name if name.isprintable() else repr(name)
