"""Files of evidence on disk and in an object store: every fault by name, nothing half-written, never in memory."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cases.store import CaseStore
from evidence.adding import listed
from evidence.files import Files, open_files
from evidence.places import place_of
from evidence.verify import Fault, faults
from ground.errors import BadInput, CannotWrite
from ground.files import sha256
from tests.cases_world import new_store
from tests.evidence_world import (
    case_in,
    files_in,
    give,
    true_photo,
)


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, str, Files]:
    store, case_id = case_in(new_store(tmp_path))
    return store, case_id, files_in(tmp_path)


def named(found: Iterator[Fault]) -> list[tuple[str, int | None]]:
    return [(fault.kind, fault.serial) for fault in found]


def test_every_fault_is_found_and_named(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case_id, files = world
    kept = []
    for seed in range(1, 5):
        one = give(store, files, case_id, true_photo(tmp_path / f"{seed}.jpg", seed)).evidence
        path = Path(files.root) / one.sha256[:2] / one.sha256
        path.chmod(0o644)
        kept.append(path)
    data = bytearray(kept[1].read_bytes())
    data[len(data) // 2] ^= 1
    kept[0].unlink()
    kept[1].write_bytes(data)
    kept[2].write_bytes(kept[2].read_bytes()[:-1])
    (Path(files.root) / "ab").mkdir(exist_ok=True)
    (Path(files.root) / "ab" / ("ab" + "0" * 62)).write_bytes(b"nobody's")
    (Path(files.root) / "notes.txt").write_bytes(b"nobody's")
    found = list(faults(store, files))
    assert [(f.kind, f.serial) for f in found] == [
        ("missing", 1), ("altered", 2), ("size", 3), ("unnamed", None), ("unnamed", None),
    ]  # fmt: skip
    assert f"evidence 2 of case {case_id} (2.jpg, sha256 " in found[1].text
    assert [f.file for f in found[3:]] == ["ab" + "0" * 62, "notes.txt"]
    assert named(faults(store, files, case_id)) == named(iter(found[:3]))
    # What was altered is not healed in silence by giving the file again.
    with pytest.raises(BadInput, match="was altered; restore it from a backup"):
        give(store, files, case_id, tmp_path / "2.jpg")
    # What is missing comes back with the file.
    assert not give(store, files, case_id, tmp_path / "1.jpg").new
    assert named(faults(store, files, case_id)) == [("altered", 2), ("size", 3)]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    world: tuple[CaseStore, str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, case_id, files = world

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("evidence.files.os.fsync", full)
    with pytest.raises(CannotWrite, match="the disk or quota is full"):
        give(store, files, case_id, true_photo(tmp_path / "a.jpg"))
    assert (files.names(), listed(store, case_id)) == ([], [])
    assert [p for p in Path(files.root).rglob("*") if p.is_file()] == []


def test_a_file_changed_while_it_is_read_is_refused(tmp_path: Path) -> None:
    for files in (files_in(tmp_path), open_files("memory://changed/evidence")):
        path = tmp_path / "a.bin"
        path.write_bytes(b"one")
        digest = sha256(path)
        path.write_bytes(b"two")
        with pytest.raises(BadInput, match="was changed while it was read"):
            files.put(path, digest)
        assert files.names() == []


def test_places_that_mean_nothing(tmp_path: Path) -> None:
    store, _ = case_in(new_store(tmp_path))
    url = store.engine.url
    assert place_of(" s3://bucket/x ", url) == "s3://bucket/x"
    if url.get_backend_name() == "sqlite":
        assert place_of("", url) == str(tmp_path / "cases.evidence")
    else:
        with pytest.raises(BadInput, match="TIANKAN_EVIDENCE: is not set"):
            place_of("", url)
    for place, said in (("nosuch://x", "cannot be used"), ("", "is no place")):
        with pytest.raises(BadInput, match=said):
            open_files(place)
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be read \\(Not a directory\\)"):
        open_files(str(tmp_path / "file")).put(true_photo(tmp_path / "a.jpg"), sha256(tmp_path / "a.jpg"))


def test_a_large_file_is_never_in_memory_whole(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "large.bin"
    with path.open("wb") as sink:
        sink.truncate(1 << 27)
    digest, files = sha256(path), files_in(tmp_path)
    tracemalloc.start()
    files.put(path, digest)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 24
    assert files.size(digest) == 1 << 27
