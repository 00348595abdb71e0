"""Addresses: what opens them is kept for reading and written nowhere."""

import json
import pickle
import re
from pathlib import Path

import pytest
import rasterio

from ground.errors import BadInput, Unreachable
from ground.files import sha256
from imagery.address import Address, address_of, beside, file_name
from imagery.catalog import add_scene, list_scenes, open_scene
from pipeline import Cluster, DetectOptions, Handles, detect, pairs_of, run_batch
from tests.remote_world import (
    Objects,
    both,
    digests,
    local_pair,
    same_pixels,
    tiankan,
)

OPTIONS = DetectOptions(handles=Handles(window=512, workers=2))


def check_nowhere(secret: str, out: Path, *said: str) -> None:
    """No file below a folder holds it, packed tags of rasters included."""
    for path in out.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    with rasterio.open(out / "change.tif") as source:
        assert secret not in json.dumps(source.tags())
    assert not any(secret in text for text in said)


def test_a_bucket_that_wants_signatures_gets_them_and_no_key_is_written_down(
    bucket: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.signed = True
    with pytest.raises(
        BadInput, match=r"s3://bucket/before\.tif: may not be read \(HTTP status 403\); set AWS"
    ):
        detect(*both("s3://bucket"), tmp_path / "out", OPTIONS)
    monkeypatch.delenv("AWS_NO_SIGN_REQUEST")
    with pytest.raises(BadInput, match=r"s3://bucket/before\.tif: there are no credentials to read it with"):
        detect(*both("s3://bucket"), tmp_path / "out", OPTIONS)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKOPEN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    run = detect(*both("s3://bucket"), tmp_path / "out", OPTIONS)
    assert digests(run) == [sha256(Path(path)) for path in local_pair(bucket)]
    for secret in ("AKOPEN", "hush-hush", "X-Amz"):
        check_nowhere(secret, tmp_path / "out", json.dumps(run))


@pytest.mark.parametrize("way", ["user:hush-hush@", "?token=hush-hush&versionId=7"])
def test_a_secret_in_an_address_opens_it_and_is_written_nowhere(
    objects: Objects, tmp_path: Path, way: str
) -> None:
    objects.password = "hush-hush" if way.startswith("?") else "user:hush-hush"
    user, query = ("", way) if way.startswith("?") else (way, "")
    pair = both(f"http://{user}{objects.host}/bucket", query)
    done = tiankan(
        "detect", "--before", pair[0], "--after", pair[1], "--out", str(tmp_path / "out"), "--json"
    )
    assert done.returncode == 0, done.stderr
    check_nowhere("hush-hush", tmp_path / "out", done.stdout, done.stderr)
    source = json.loads(done.stdout)["inputs"]["before"]["source"]
    assert source == f"{objects.url}/bucket/before.tif" + ("?token=…&versionId=7" if query else "")
    objects.password = "another"
    again = tiankan("detect", "--before", pair[0], "--after", pair[1], "--out", str(tmp_path / "out"))
    assert again.returncode == 2 and "may not be read (HTTP status 403)" in again.stderr
    assert "hush-hush" not in again.stderr and again.stderr.count("\n") == 1
    objects.password, objects.statuses["/bucket/before.tif"] = None, 418
    odd = tiankan("detect", "--before", pair[0], "--after", pair[1], "--out", str(tmp_path / "out"))
    assert odd.returncode == 2 and "hush-hush" not in odd.stderr


def test_a_spoiled_file_behind_a_secret_is_told_of_without_it(
    objects: Objects, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    (objects.folder / "bucket" / "before.tif").write_bytes(b"no raster" * 99)
    pair = both(f"http://user:hush-hush@{objects.host}/bucket", "?sig=hush-hush")
    with pytest.raises(BadInput, match=r"before\.tif\?sig=…: cannot be read as a raster") as caught:
        detect(*pair, tmp_path / "out", OPTIONS)
    objects.statuses["/bucket/before.tif"] = 503
    with pytest.raises(Unreachable, match="its server cannot serve it now"):
        detect(*pair, tmp_path / "out", OPTIONS)
    objects.dies_after = 0
    with pytest.raises(Unreachable, match="the connection to its server broke"):
        detect(*pair, tmp_path / "out", OPTIONS)
    assert "hush-hush" not in str(caught.value) and "hush-hush" not in caplog.text


def test_a_table_of_pairs_takes_addresses_and_paths_from_its_own_folder(
    objects: Objects, tmp_path: Path
) -> None:
    table = objects.folder / "pairs.csv"
    table.write_text(f"before,after\nbucket/before.tif,{objects.url}/bucket/after.tif?token=hush-hush\n")
    (pair,) = pairs_of(table)
    assert pair.name == "before--after" and pair.before == objects.folder / "bucket" / "before.tif"
    (result,) = run_batch([pair], tmp_path / "out", OPTIONS)
    assert (result.status, result.why) == ("done", "")
    check_nowhere("hush-hush", tmp_path / "out" / "before--after")
    assert all(b"hush" not in p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())


def test_a_remote_scene_is_added_to_a_catalog_by_its_address_or_as_a_copy(
    objects: Objects, tmp_path: Path
) -> None:
    there = f"{objects.url}/bucket/before.tif"
    add_scene(there, tmp_path / "linked", "rgb", "2020-08-04", cog=False)
    (row,) = list_scenes(tmp_path / "linked")
    assert open_scene(row["item"]).files == [there]
    with pytest.raises(BadInput, match="is read by a secret, which no Item may hold; copy it with --cog"):
        add_scene(f"{there}?token=hush", tmp_path / "secret", "rgb", None, cog=False)
    add_scene(f"{there}?token=hush", tmp_path / "secret", "rgb", None, cog=True)
    assert b"hush" not in (tmp_path / "secret" / "before.json").read_bytes()
    (row,) = list_scenes(tmp_path / "secret")
    assert open_scene(row["item"]).files == [str(tmp_path / "secret" / "before.tif")]


def test_ray_workers_read_what_a_secret_opens(objects: Objects, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    objects.password = "hush-hush"
    pair = both(f"{objects.url}/bucket", "?token=hush-hush")
    with Cluster("local", 2) as cluster:
        run = detect(*pair, tmp_path / "there", OPTIONS, cluster=cluster)
    detect(*local_pair(objects), tmp_path / "here", OPTIONS)
    assert same_pixels(tmp_path / "here", tmp_path / "there") and run["unreadable"] is None
    check_nowhere("hush-hush", tmp_path / "there")


def test_an_address_shows_no_secret_keeps_it_and_is_itself_after_a_journey() -> None:
    there = address_of("HTTPS://u:hush@h.cn/a%20b.tif?X-Amz-Signature=hush&flag&hush#hush")
    assert isinstance(there, Address) and there.url is not None and "u:hush@" in there.url
    assert re.search("hush", f"{there} {there!r} {[there]} {json.dumps({there: there})}") is None
    assert str(there) == "https://h.cn/a%20b.tif?X-Amz-Signature=…&…&…" and file_name(there).stem == "a b"
    back = pickle.loads(pickle.dumps(there))
    assert back == there and isinstance(back, Address) and back.reading == there.reading
    assert there != address_of("https://v@h.cn/a%20b.tif?X-Amz-Signature=1&f&g") and {str(there): 1}[there]
    assert address_of("/vsicurl/https://h/a.tif") == "https://h/a.tif"
    assert address_of("file:///a/b.tif") == "/a/b.tif" and address_of(Path("a.tif")) == "a.tif"
    assert file_name(address_of("s3://b/c/what?.tif")).name == "what?.tif"
    assert beside(address_of("https://u:p@h/x/i.json"), "a.tif") == address_of("https://u:p@h/x/a.tif")


def test_two_objects_that_only_a_hidden_part_tells_apart_are_refused(
    objects: Objects, tmp_path: Path
) -> None:
    pair = (f"{objects.url}/bucket/before.tif?id=1", f"{objects.url}/bucket/before.tif?id=2")
    with pytest.raises(BadInput, match=r"\?id=…: stands for two files that differ only in the part"):
        detect(*pair, tmp_path / "out", OPTIONS)
