"""The store of evidence in S3, over its true protocol on loopback, and in fsspec's memory: the same answers."""

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from cases.store import CaseStore
from evidence.adding import listed
from evidence.files import Files, open_files
from evidence.rejudge import replay_bundle
from evidence.verify import faults
from ground.errors import BadInput, NotFound, Unreachable
from ground.files import sha256
from tests.bundle_world import bundled, judged_world
from tests.cases_world import new_store, new_url
from tests.evidence_world import LIMITS, case_in, give, true_photo
from tests.s3_world import S3, serving
from tests.test_evidence_files import named


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with serving() as world:
        yield world


@pytest.fixture(params=["s3", "memory"])
def remote(request: pytest.FixtureRequest, s3: S3) -> Files:
    """An empty store, over the protocol or in fsspec's memory."""
    return open_files(s3.url() if request.param == "s3" else f"memory://{secrets.token_hex(4)}/evidence")


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, str]:
    return case_in(new_store(tmp_path))


def test_an_object_store_keeps_the_same(world: tuple[CaseStore, str], remote: Files, tmp_path: Path) -> None:
    store, case_id = world
    assert (remote.names(), remote.size("0" * 64)) == ([], None)
    one = give(store, remote, case_id, true_photo(tmp_path / "a.jpg")).evidence
    assert not give(store, remote, case_id, tmp_path / "a.jpg").new
    assert remote.names() == [one.sha256]
    assert (remote.put(tmp_path / "a.jpg", one.sha256), remote.size(one.sha256)) == (False, one.size)
    assert b"".join(remote.chunks(one.sha256)) == (tmp_path / "a.jpg").read_bytes()
    assert list(faults(store, remote)) == []
    path = f"{remote.root}/{one.sha256[:2]}/{one.sha256}"
    remote.system.pipe_file(path, bytes(one.size))
    remote.system.pipe_file(f"{remote.root}/ab/{'ab' + '0' * 62}", b"x")
    assert named(faults(store, remote)) == [("altered", 1), ("unnamed", None)]
    with pytest.raises(BadInput, match="was altered; restore it from a backup"):
        remote.put(tmp_path / "a.jpg", one.sha256)
    remote.system.rm_file(path)
    assert named(faults(store, remote)) == [("missing", 1), ("unnamed", None)]
    with pytest.raises(NotFound, match=f"holds no file {one.sha256}"):
        remote.sha256(one.sha256)


def test_a_bundle_is_made_from_there(s3: S3, tmp_path: Path) -> None:
    store, case_id, _ = judged_world(tmp_path, new_url(tmp_path), True)
    files = open_files(s3.url())
    give(store, files, case_id, true_photo(tmp_path / "a.jpg"))
    assert bundled(store, files, case_id, tmp_path / "out.zip").same
    assert replay_bundle(tmp_path / "out.zip", LIMITS).same
    s3.objects.clear()
    with pytest.raises(BadInput, match="is missing from s3://bucket/evidence; restore it from a backup"):
        bundled(store, files, case_id, tmp_path / "out.zip")


def test_a_large_object_goes_in_parts(s3: S3, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(secrets.token_bytes(1 << 20) * 40)
    digest, files = sha256(path), open_files(s3.url("a/b"))
    assert files.put(path, digest)
    assert len([one for one in s3.asked if "partNumber" in one]) >= 4
    assert s3.objects[f"bucket/a/b/{digest[:2]}/{digest}"] == path.read_bytes()


def test_an_object_is_put_only_where_none_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = open_files("memory://put-only/evidence")
    path = true_photo(tmp_path / "a.jpg")
    digest = sha256(path)
    fsspec.filesystem("memory").pipe_file(f"{files.root}/{digest[:2]}/{digest}", path.read_bytes())
    # Somebody else put it after we looked.
    first, whole = iter([None]), Files.size
    monkeypatch.setattr(Files, "size", lambda self, name: next(first, whole(self, name)))
    assert files.put(path, digest) is False


def test_who_fails_does_not_remove_what_another_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = open_files("memory://fails/evidence")
    path = true_photo(tmp_path / "a.jpg")
    digest = sha256(path)

    def another_is_faster(_given: object, _kept: object) -> str:
        fsspec.filesystem("memory").pipe_file(f"{files.root}/{digest[:2]}/{digest}", path.read_bytes())
        raise ConnectionResetError("gone")

    monkeypatch.setattr("evidence.files._copied", another_is_faster)
    with pytest.raises(Unreachable):
        files.put(path, digest)
    assert files.sha256(digest) == digest


def test_a_server_that_refuses_or_is_not_there_is_one_sentence(
    world: tuple[CaseStore, str], s3: S3, tmp_path: Path
) -> None:
    store, case_id = world
    path, files = true_photo(tmp_path / "a.jpg"), open_files(s3.url())
    for status, error, said in (
        (403, BadInput, r"s3://bucket/evidence cannot be read \(ACCESS_DENIED.*check rights and keys"),
        (500, Unreachable, "s3://bucket/evidence does not answer .*HTTP status 500"),
    ):
        s3.refuses = status
        with pytest.raises(error, match=said):
            give(store, files, case_id, path)
        with pytest.raises((BadInput, Unreachable)):
            files.names()
    assert listed(store, case_id) == []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{probe.getsockname()[1]}"
    silent = open_files(f"s3://bucket/x?endpoint_override={nobody}&scheme=http&region=us-east-1")
    with pytest.raises(Unreachable, match="s3://bucket/x does not answer"):
        give(store, silent, case_id, path)


def test_urls_that_mean_nothing() -> None:
    for place, said in (
        ("s3://key:word@bucket/x", "a URL of S3 holds no keys"),
        ("s3://bucket/x?regoin=a", "'regoin' is unknown; use endpoint_override, scheme, region, anonymous"),
        ("s3:///x", "names no bucket"),
    ):
        with pytest.raises(BadInput, match=said) as told:
            open_files(place)
        assert "word" not in str(told.value)
