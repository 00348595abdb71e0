"""Scenes on servers and in buckets: the same pixels as local ones; every fault of a server a sentence."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio
from rasterio.windows import Window

from ground.errors import BadInput, TiankanError, Unreachable
from ground.files import sha256
from imagery import remote
from imagery.address import address_of
from imagery.blocks import BandFile
from imagery.catalog import open_scene
from pipeline import DetectOptions, Handles, detect
from tests.remote_world import (
    ROOT,
    Objects,
    both,
    digests,
    local_pair,
    same_pixels,
    tiankan,
)

OPTIONS = DetectOptions(handles=Handles(window=512, workers=2))


def test_a_pair_on_a_server_gives_what_the_local_pair_gives(objects: Objects, tmp_path: Path) -> None:
    here = detect(*local_pair(objects), tmp_path / "here", OPTIONS)
    there = detect(*both(f"{objects.url}/bucket"), tmp_path / "there", OPTIONS)
    assert same_pixels(tmp_path / "here", tmp_path / "there")
    assert digests(there) == digests(here) and there["pair_id"] == here["pair_id"]
    assert there["counts"] == here["counts"] and here["counts"]["changes"] >= 1
    assert there["inputs"]["before"]["source"] == f"{objects.url}/bucket/before.tif"
    assert there["inputs"]["before"]["name"] == "before"
    # Streamed once, to be hashed; everything else was read in parts.
    assert objects.sent_whole("/bucket/before.tif") == objects.sent_whole("/bucket/after.tif") == 1
    assert not [path for path, _ in objects.asked if not path.endswith(".tif")]


@pytest.mark.parametrize("start", ["s3://bucket", "/vsis3/bucket"])
def test_a_pair_in_a_bucket_gives_what_the_local_pair_gives(
    bucket: Objects, tmp_path: Path, start: str
) -> None:
    here = detect(*local_pair(bucket), tmp_path / "here", OPTIONS)
    there = detect(*both(start), tmp_path / "there", OPTIONS)
    assert same_pixels(tmp_path / "here", tmp_path / "there") and digests(there) == digests(here)
    assert there["inputs"]["after"]["files"][0]["path"] == "s3://bucket/after.tif"


@pytest.mark.parametrize("start", ["http", "s3"])
@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (404, BadInput, r"before\.tif: there is no such object \(HTTP status 404\); check the address"),
        (403, BadInput, r"before\.tif: may not be read \(HTTP status 403\); "),
        (
            503,
            Unreachable,
            r"before\.tif: its server cannot serve it now \(HTTP status 503\); run again later",
        ),
    ],
)
def test_an_object_that_is_not_to_be_had_is_one_sentence(
    bucket: Objects, tmp_path: Path, start: str, status: int, kind: type[TiankanError], said: str
) -> None:
    bucket.statuses["/bucket/before.tif"] = status
    pair = both("s3://bucket" if start == "s3" else f"{bucket.url}/bucket")
    with pytest.raises(kind, match=said) as caught:
        detect(*pair, tmp_path / "out", OPTIONS)
    assert "\n" not in str(caught.value)


def test_a_server_without_ranges_is_named(objects: Objects, tmp_path: Path) -> None:
    objects.ranges = False
    with pytest.raises(BadInput, match=r"sends whole files only \(no HTTP ranges\).*download it and give"):
        detect(*both(f"{objects.url}/bucket"), tmp_path / "out", OPTIONS)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://nowhere.invalid/a.tif", "the name of its server is not known (DNS); check the address"),
        ("http://127.0.0.1:9/a.tif", "its server takes no connection; check the address"),
        ("ftp://server/a.tif", "ftp://…: is no address that can be read; write https://"),
        ("s3://bucket", "s3://…: is no address that can be read"),
        ("/vsicurl?header.Authorization=hush&url=http://x", "/vsicurl…: is no address"),
        ("https://[hush/a.tif", "https://…: is no address"),
    ],
)
def test_an_address_nobody_answers_at_ends_in_one_sentence(tmp_path: Path, address: str, said: str) -> None:
    done = tiankan("detect", "--before", address, "--after", address, "--out", str(tmp_path / "out"))
    assert done.returncode == 2 and said in done.stderr and "hush" not in done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_blocks_that_a_server_cannot_give_are_unseen_with_exit_code_3(
    objects: Objects, tmp_path: Path
) -> None:
    with rasterio.open(objects.folder / "bucket" / "before.tif") as source:
        at, size = (int(source.get_tag_item(f"BLOCK_{w}_2_2", "TIFF", bidx=1)) for w in ("OFFSET", "SIZE"))
    objects.broken["/bucket/before.tif"] = range(at + size // 2, at + size)
    before, after = both(f"{objects.url}/bucket")
    done = tiankan("detect", "--before", before, "--after", after, "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 3, done.stderr
    lost = json.loads(done.stdout)["unreadable"]
    assert (
        lost["blocks"][before] >= 1
        and 0 < lost["share"] < 0.25
        and f"{before} cannot be decoded" in done.stderr
    )


def test_ground_whose_server_died_is_no_unseen_ground(objects: Objects) -> None:
    scene = open_scene(f"{objects.url}/bucket/before.tif")
    window = Window(300, 300, 200, 200)
    with BandFile(scene.files[0], [1], scene.grid, None, smooth=True) as file:
        objects.dies_after = 0
        with pytest.raises(Unreachable, match=r"before\.tif: the connection to its server broke; check"):
            file.read(window)
        objects.dies_after = None
        assert file.read(window).spoiled is None and not file.spoiled


def test_a_run_whose_server_died_before_its_end_is_gone_on_with(objects: Objects, tmp_path: Path) -> None:
    def advance(step: str, done: int, total: int) -> None:
        if step == "detect" and done == total:
            objects.dies_after = 0

    with pytest.raises(Unreachable, match=r"\.tif: the connection to its server broke; check .* run again"):
        detect(*both(f"{objects.url}/bucket"), tmp_path / "out", OPTIONS, advance)
    assert not (tmp_path / "out" / "run.json").exists()
    objects.dies_after = None
    run = detect(*both(f"{objects.url}/bucket"), tmp_path / "out", OPTIONS)
    detect(*local_pair(objects), tmp_path / "here", OPTIONS)
    assert run["engine"]["resumed_windows"] == 4 and run["unreadable"] is None
    assert same_pixels(tmp_path / "here", tmp_path / "out")


def test_a_stream_that_breaks_is_gone_on_with_and_hashed_whole(objects: Objects) -> None:
    objects.breaks_once["/bucket/after.tif"] = 100_000
    there = address_of(f"{objects.url}/bucket/after.tif")
    assert remote.sha256(there) == sha256(objects.folder / "bucket" / "after.tif")
    assert ("/bucket/after.tif", "bytes=65536-") in objects.asked


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline import DetectOptions, Handles, detect
def advance(name, at, total):
    if name == "detect" and at >= 2:
        os.kill(os.getpid(), signal.SIGKILL)
detect(*sys.argv[1:3], Path(sys.argv[3]), DetectOptions(handles=Handles(window=512, workers=1)), advance)
"""


def changed(objects: Objects) -> bytes:
    """Makes the later scene another one; what it was."""
    path = objects.folder / "bucket" / "after.tif"
    old = path.read_bytes()
    with rasterio.open(path, "r+") as sink:
        sink.write(sink.read(1) + 1, 1)
    return old


def test_an_object_changed_since_a_run_was_killed_is_named_and_nothing_is_lost(
    objects: Objects, tmp_path: Path
) -> None:
    pair = both(f"{objects.url}/bucket", "?token=hush-hush")
    words = [sys.executable, "-c", KILLED, *pair, str(tmp_path / "out")]
    assert subprocess.run(words, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert all(b"hush" not in p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())
    old = changed(objects)
    with pytest.raises(
        BadInput, match=r"after\.tif\?token=…: was changed since the run in .* put the old file"
    ):
        detect(*pair, tmp_path / "out", OPTIONS)
    (objects.folder / "bucket" / "after.tif").write_bytes(old)
    assert detect(*pair, tmp_path / "out", OPTIONS)["engine"]["resumed_windows"] >= 2


@pytest.mark.parametrize("tells_etag", [True, False])
def test_an_object_changed_while_it_is_read_is_named(
    objects: Objects, tmp_path: Path, tells_etag: bool
) -> None:
    objects.tells_etag = tells_etag

    def advance(step: str, done: int, total: int) -> None:
        if step == "detect" and done == total:
            changed(objects)

    with pytest.raises(BadInput, match=r"after\.tif: was changed while it was read"):
        detect(*both(f"{objects.url}/bucket"), tmp_path / "out", OPTIONS, advance)


@pytest.mark.parametrize("query", ["", "?versionId=1"])
def test_an_object_that_was_replaced_is_read_anew_by_the_same_process(
    objects: Objects, tmp_path: Path, query: str
) -> None:
    first = detect(*both(f"{objects.url}/bucket", query), tmp_path / "first", OPTIONS)
    changed(objects)
    second = detect(*both(f"{objects.url}/bucket", query), tmp_path / "second", OPTIONS)
    here = detect(*local_pair(objects), tmp_path / "here", OPTIONS)
    assert digests(second) == digests(here) != digests(first)
    assert same_pixels(tmp_path / "here", tmp_path / "second")


def item(objects: Objects, name: str, href: str) -> None:
    (objects.folder / "items").mkdir(exist_ok=True)
    document = {
        "type": "Feature", "stac_version": "1.0.0", "id": "scene", "geometry": None, "links": [],
        "properties": {"datetime": "2020-08-04T00:00:00Z", "tiankan:sensor": "rgb"},
        "assets": {"image": {"href": href, "bands": [{"name": "R"}, {"name": "G"}, {"name": "B"}]}},
    }  # fmt: skip
    (objects.folder / "items" / name).write_text(json.dumps(document))


def test_an_item_on_a_server_or_in_a_bucket_names_its_assets_from_there(bucket: Objects) -> None:
    item(bucket, "a.json", "../bucket/before.tif")
    item(bucket, "b.json", "s3://bucket/before.tif")
    item(bucket, "c", "/bucket/before.tif")
    item(bucket, "../bucket/d.json", "./before.tif")
    web = f"{bucket.url}/bucket/before.tif"
    assert open_scene(f"{bucket.url}/items/a.json").files == [web]
    assert open_scene(f"{bucket.url}/items/b.json").files == ["s3://bucket/before.tif"]
    # The address of an Item in a STAC API has no suffix: its type says what it is.
    assert open_scene(f"{bucket.url}/items/c").files == [web]
    assert open_scene("s3://bucket/d.json").files == ["s3://bucket/before.tif"]
    assert open_scene("s3://bucket/d.json").id == "scene"
    item(bucket, "e.json", "file:///etc/passwd")
    with pytest.raises(BadInput, match=r"asset file:///etc/passwd would be a file of this machine"):
        open_scene(f"{bucket.url}/items/e.json")
