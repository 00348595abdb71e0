"""Scenes on servers and in buckets: the same bytes as local ones, no secret written down, every fault a sentence."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from ground.errors import BadInput, TiankanError, Unreachable
from ground.files import sha256
from imagery import remote
from imagery.address import Address, address_of, beside, file_name
from imagery.blocks import BandFile
from imagery.catalog import add_scene, list_scenes, open_scene
from pipeline import Cluster, DetectOptions, Handles, detect, pairs_of, run_batch
from tests.remote_world import Objects, serving

ROOT = Path(__file__).parent.parent
OPTIONS = DetectOptions(handles=Handles(window=512, workers=2))
MADE = ("change.tif", "changes.gpkg", "changes.parquet", "alignment.tif", "run.json")


@pytest.fixture
def world(tmp_path: Path, noisy_pair: Callable[..., Any]) -> Iterator[Objects]:
    """A server of a bucket with two scenes of 700 × 900 pixels in blocks of 256, with a planted change."""
    (tmp_path / "served" / "bucket").mkdir(parents=True)
    before, after = noisy_pair(3, 700, 900)
    after[:, 480:540, 490:560] += 2000
    for name, values in (("before", before), ("after", after)):
        with rasterio.open(
            tmp_path / "served" / "bucket" / f"{name}.tif", "w", driver="GTiff", width=900, height=700, count=3,
            dtype="uint16", crs="EPSG:32649", transform=from_origin(6e5, 4.2e6, 10, 10), compress="DEFLATE",
            tiled=True, blockxsize=256, blockysize=256, interleave="pixel",
        ) as sink:  # fmt: skip
            sink.write(values.clip(0, 65_000).astype("uint16"))
    with serving(tmp_path / "served") as served:
        yield served


@pytest.fixture
def bucket(world: Objects, monkeypatch: pytest.MonkeyPatch) -> Objects:
    """The same server as S3, for anybody to read."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_S3_ENDPOINT", world.host)
    monkeypatch.setenv("AWS_HTTPS", "NO")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return world


def both(start: str, end: str = "") -> tuple[str, str]:
    return f"{start}/before.tif{end}", f"{start}/after.tif{end}"


def local(world: Objects) -> tuple[str, str]:
    return both(str(world.folder / "bucket"))


def same_pixels(one: Path, other: Path) -> bool:
    with rasterio.open(one / "change.tif") as a, rasterio.open(other / "change.tif") as b:
        return bool((a.read() == b.read()).all())


def digests(run: dict[str, Any]) -> list[str]:
    return [file["sha256"] for scene in run["inputs"].values() for file in scene["files"]]


def tiankan(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "cli.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_nowhere(secret: str, out: Path, *said: str) -> None:
    """No file below a folder holds it, packed tags of rasters included."""
    for path in out.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    with rasterio.open(out / "change.tif") as source:
        assert secret not in json.dumps(source.tags())
    assert not any(secret in text for text in said)


def test_a_pair_on_a_server_gives_what_the_local_pair_gives(world: Objects, tmp_path: Path) -> None:
    here = detect(*local(world), tmp_path / "here", OPTIONS)
    there = detect(*both(f"{world.url}/bucket"), tmp_path / "there", OPTIONS)
    assert same_pixels(tmp_path / "here", tmp_path / "there")
    assert digests(there) == digests(here) and there["pair_id"] == here["pair_id"]
    assert there["counts"] == here["counts"] and here["counts"]["changes"] >= 1
    assert there["inputs"]["before"]["source"] == f"{world.url}/bucket/before.tif"
    assert there["inputs"]["before"]["name"] == "before"
    # Streamed once, to be hashed; everything else was read in parts.
    assert world.sent_whole("/bucket/before.tif") == world.sent_whole("/bucket/after.tif") == 1
    assert not [path for path, _ in world.asked if not path.endswith(".tif")]


@pytest.mark.parametrize("start", ["s3://bucket", "/vsis3/bucket"])
def test_a_pair_in_a_bucket_gives_what_the_local_pair_gives(
    bucket: Objects, tmp_path: Path, start: str
) -> None:
    here = detect(*local(bucket), tmp_path / "here", OPTIONS)
    there = detect(*both(start), tmp_path / "there", OPTIONS)
    assert same_pixels(tmp_path / "here", tmp_path / "there") and digests(there) == digests(here)
    assert there["inputs"]["after"]["files"][0]["path"] == "s3://bucket/after.tif"


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
    assert digests(run) == [sha256(Path(path)) for path in local(bucket)]
    for secret in ("AKOPEN", "hush-hush", "X-Amz"):
        check_nowhere(secret, tmp_path / "out", json.dumps(run))


@pytest.mark.parametrize("way", ["user:hush-hush@", "?token=hush-hush&versionId=7"])
def test_a_secret_in_an_address_opens_it_and_is_written_nowhere(
    world: Objects, tmp_path: Path, way: str
) -> None:
    world.password = "hush-hush" if way.startswith("?") else "user:hush-hush"
    user, query = ("", way) if way.startswith("?") else (way, "")
    pair = both(f"http://{user}{world.host}/bucket", query)
    done = tiankan(
        "detect", "--before", pair[0], "--after", pair[1], "--out", str(tmp_path / "out"), "--json"
    )
    assert done.returncode == 0, done.stderr
    check_nowhere("hush-hush", tmp_path / "out", done.stdout, done.stderr)
    source = json.loads(done.stdout)["inputs"]["before"]["source"]
    assert source == f"{world.url}/bucket/before.tif" + ("?token=…&versionId=7" if query else "")
    world.password = "another"
    again = tiankan("detect", "--before", pair[0], "--after", pair[1], "--out", str(tmp_path / "out"))
    assert again.returncode == 2 and "may not be read (HTTP status 403)" in again.stderr
    assert "hush-hush" not in again.stderr and again.stderr.count("\n") == 1
    world.password, world.statuses["/bucket/before.tif"] = None, 418
    odd = tiankan("detect", "--before", pair[0], "--after", pair[1], "--out", str(tmp_path / "out"))
    assert odd.returncode == 2 and "hush-hush" not in odd.stderr


def test_a_spoiled_file_behind_a_secret_is_told_of_without_it(
    world: Objects, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (world.folder / "bucket" / "before.tif").write_bytes(b"no raster" * 99)
    pair = both(f"http://user:hush-hush@{world.host}/bucket", "?sig=hush-hush")
    with pytest.raises(BadInput, match=r"before\.tif\?sig=…: cannot be read as a raster") as caught:
        detect(*pair, tmp_path / "out", OPTIONS)
    world.statuses["/bucket/before.tif"] = 503
    with pytest.raises(Unreachable, match="its server cannot serve it now"):
        detect(*pair, tmp_path / "out", OPTIONS)
    world.dies_after = 0
    with pytest.raises(Unreachable, match="the connection to its server broke"):
        detect(*pair, tmp_path / "out", OPTIONS)
    assert "hush-hush" not in str(caught.value) and "hush-hush" not in caplog.text


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


def test_a_server_without_ranges_is_named(world: Objects, tmp_path: Path) -> None:
    world.ranges = False
    with pytest.raises(BadInput, match=r"sends whole files only \(no HTTP ranges\).*download it and give"):
        detect(*both(f"{world.url}/bucket"), tmp_path / "out", OPTIONS)


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


def test_blocks_that_a_server_cannot_give_are_unseen_with_exit_code_3(world: Objects, tmp_path: Path) -> None:
    with rasterio.open(world.folder / "bucket" / "before.tif") as source:
        at, size = (int(source.get_tag_item(f"BLOCK_{w}_2_2", "TIFF", bidx=1)) for w in ("OFFSET", "SIZE"))
    world.broken["/bucket/before.tif"] = range(at + size // 2, at + size)
    before, after = both(f"{world.url}/bucket")
    done = tiankan("detect", "--before", before, "--after", after, "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 3, done.stderr
    lost = json.loads(done.stdout)["unreadable"]
    assert (
        lost["blocks"][before] >= 1
        and 0 < lost["share"] < 0.25
        and f"{before} cannot be decoded" in done.stderr
    )


def test_ground_whose_server_died_is_no_unseen_ground(world: Objects) -> None:
    scene = open_scene(f"{world.url}/bucket/before.tif")
    window = Window(300, 300, 200, 200)
    with BandFile(scene.files[0], [1], scene.grid, None, smooth=True) as file:
        world.dies_after = 0
        with pytest.raises(Unreachable, match=r"before\.tif: the connection to its server broke; check"):
            file.read(window)
        world.dies_after = None
        assert file.read(window).spoiled is None and not file.spoiled


def test_a_run_whose_server_died_before_its_end_is_gone_on_with(world: Objects, tmp_path: Path) -> None:
    def advance(step: str, done: int, total: int) -> None:
        if step == "detect" and done == total:
            world.dies_after = 0

    with pytest.raises(Unreachable, match=r"\.tif: the connection to its server broke; check .* run again"):
        detect(*both(f"{world.url}/bucket"), tmp_path / "out", OPTIONS, advance)
    assert not (tmp_path / "out" / "run.json").exists()
    world.dies_after = None
    run = detect(*both(f"{world.url}/bucket"), tmp_path / "out", OPTIONS)
    detect(*local(world), tmp_path / "here", OPTIONS)
    assert run["engine"]["resumed_windows"] == 4 and run["unreadable"] is None
    assert same_pixels(tmp_path / "here", tmp_path / "out")


def test_a_stream_that_breaks_is_gone_on_with_and_hashed_whole(world: Objects) -> None:
    world.breaks_once["/bucket/after.tif"] = 100_000
    there = address_of(f"{world.url}/bucket/after.tif")
    assert remote.sha256(there) == sha256(world.folder / "bucket" / "after.tif")
    assert ("/bucket/after.tif", "bytes=65536-") in world.asked


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline import DetectOptions, Handles, detect
def advance(name, at, total):
    if name == "detect" and at >= 2:
        os.kill(os.getpid(), signal.SIGKILL)
detect(*sys.argv[1:3], Path(sys.argv[3]), DetectOptions(handles=Handles(window=512, workers=1)), advance)
"""


def changed(world: Objects) -> bytes:
    """Makes the later scene another one; what it was."""
    path = world.folder / "bucket" / "after.tif"
    old = path.read_bytes()
    with rasterio.open(path, "r+") as sink:
        sink.write(sink.read(1) + 1, 1)
    return old


def test_an_object_changed_since_a_run_was_killed_is_named_and_nothing_is_lost(
    world: Objects, tmp_path: Path
) -> None:
    pair = both(f"{world.url}/bucket", "?token=hush-hush")
    words = [sys.executable, "-c", KILLED, *pair, str(tmp_path / "out")]
    assert subprocess.run(words, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert all(b"hush" not in p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())
    old = changed(world)
    with pytest.raises(
        BadInput, match=r"after\.tif\?token=…: was changed since the run in .* put the old file"
    ):
        detect(*pair, tmp_path / "out", OPTIONS)
    (world.folder / "bucket" / "after.tif").write_bytes(old)
    assert detect(*pair, tmp_path / "out", OPTIONS)["engine"]["resumed_windows"] >= 2


@pytest.mark.parametrize("tells_etag", [True, False])
def test_an_object_changed_while_it_is_read_is_named(
    world: Objects, tmp_path: Path, tells_etag: bool
) -> None:
    world.tells_etag = tells_etag

    def advance(step: str, done: int, total: int) -> None:
        if step == "detect" and done == total:
            changed(world)

    with pytest.raises(BadInput, match=r"after\.tif: was changed while it was read"):
        detect(*both(f"{world.url}/bucket"), tmp_path / "out", OPTIONS, advance)


def test_an_object_that_was_replaced_is_read_anew_by_the_same_process(world: Objects, tmp_path: Path) -> None:
    first = detect(*both(f"{world.url}/bucket"), tmp_path / "first", OPTIONS)
    changed(world)
    second = detect(*both(f"{world.url}/bucket"), tmp_path / "second", OPTIONS)
    here = detect(*local(world), tmp_path / "here", OPTIONS)
    assert digests(second) == digests(here) != digests(first)
    assert same_pixels(tmp_path / "here", tmp_path / "second")


def item(world: Objects, name: str, href: str) -> None:
    (world.folder / "items").mkdir(exist_ok=True)
    document = {
        "type": "Feature", "stac_version": "1.0.0", "id": "scene", "geometry": None, "links": [],
        "properties": {"datetime": "2020-08-04T00:00:00Z", "tiankan:sensor": "rgb"},
        "assets": {"image": {"href": href, "bands": [{"name": "R"}, {"name": "G"}, {"name": "B"}]}},
    }  # fmt: skip
    (world.folder / "items" / name).write_text(json.dumps(document))


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


def test_a_table_of_pairs_takes_addresses_and_paths_from_its_own_folder(
    world: Objects, tmp_path: Path
) -> None:
    table = world.folder / "pairs.csv"
    table.write_text(f"before,after\nbucket/before.tif,{world.url}/bucket/after.tif?token=hush-hush\n")
    (pair,) = pairs_of(table)
    assert pair.name == "before--after" and pair.before == str(world.folder / "bucket" / "before.tif")
    (result,) = run_batch([pair], tmp_path / "out", OPTIONS)
    assert (result.status, result.why) == ("done", "")
    check_nowhere("hush-hush", tmp_path / "out" / "before--after")
    assert all(b"hush" not in p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())


def test_a_remote_scene_is_added_to_a_catalog_by_its_address_or_as_a_copy(
    world: Objects, tmp_path: Path
) -> None:
    there = f"{world.url}/bucket/before.tif"
    add_scene(there, tmp_path / "linked", "rgb", "2020-08-04", cog=False)
    (row,) = list_scenes(tmp_path / "linked")
    assert open_scene(row["item"]).files == [there]
    with pytest.raises(BadInput, match="is read by a secret, which no Item may hold; copy it with --cog"):
        add_scene(f"{there}?token=hush", tmp_path / "secret", "rgb", None, cog=False)
    add_scene(f"{there}?token=hush", tmp_path / "secret", "rgb", None, cog=True)
    assert b"hush" not in (tmp_path / "secret" / "before.json").read_bytes()
    (row,) = list_scenes(tmp_path / "secret")
    assert open_scene(row["item"]).files == [str(tmp_path / "secret" / "before.tif")]


def test_ray_workers_read_what_a_secret_opens(world: Objects, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    world.password = "hush-hush"
    pair = both(f"{world.url}/bucket", "?token=hush-hush")
    with Cluster("local", 2) as cluster:
        run = detect(*pair, tmp_path / "there", OPTIONS, cluster=cluster)
    detect(*local(world), tmp_path / "here", OPTIONS)
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


def test_two_objects_that_only_a_hidden_part_tells_apart_are_refused(world: Objects, tmp_path: Path) -> None:
    pair = (f"{world.url}/bucket/before.tif?id=1", f"{world.url}/bucket/before.tif?id=2")
    with pytest.raises(BadInput, match=r"\?id=…: stands for two files that differ only in the part"):
        detect(*pair, tmp_path / "out", OPTIONS)
