"""Files are whole or absent, hashes are of content, a typo in a TOML file is named, no datum shifts in silence."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from ground import crs
from ground.crs import LONLAT, to_crs, transformer
from ground.errors import BadInput, CannotWrite, UnknownDatum, one_line
from ground.files import sha256, short_hash, staging_folder, written_beside
from ground.tables import Strict, load_toml, parse

ROOT = Path(__file__).parent.parent
# NIST FIPS 180-2, appendix B.1, and the digest of nothing.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("content", "digest"), [(b"abc", ABC), (b"", NOTHING)])
def test_sha256_is_the_standard_one(tmp_path: Path, content: bytes, digest: str) -> None:
    (tmp_path / "f").write_bytes(content)
    assert sha256(tmp_path / "f") == digest


def test_sha256_tells_how_far_it_is(tmp_path: Path) -> None:
    # Two whole chunks of 1 MiB and five bytes.
    (tmp_path / "f").write_bytes(b"x" * (2 * 1024 * 1024 + 5))
    told: list[int] = []
    assert sha256(tmp_path / "f", told.append) == hashlib.sha256((tmp_path / "f").read_bytes()).hexdigest()
    assert told == [1024 * 1024, 1024 * 1024, 5]


@pytest.mark.parametrize(("name", "why"), [("absent", "No such file"), ("", "Is a directory")])
def test_sha256_names_the_file_that_it_cannot_read(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(BadInput, match=f"{tmp_path / name}: cannot be read .{why}"):
        sha256(tmp_path / name)


def test_short_hash_depends_on_parts_order_and_borders_only() -> None:
    # Length of each part in eight bytes, then the part: 2 "ab", 1 "c".
    told = b"\0\0\0\0\0\0\0\2ab" + b"\0\0\0\0\0\0\0\1c"
    assert short_hash("ab", "c") == hashlib.sha256(told).hexdigest()[:16]
    assert short_hash("ab", "c") == short_hash(b"ab", "c")
    others = {short_hash(*p) for p in (("ab", "c"), ("a", "bc"), ("c", "ab"), ("abc",), ("ab", "c", ""), ())}
    assert len(others) == 6


@given(one=st.lists(st.text(max_size=4), max_size=4), other=st.lists(st.text(max_size=4), max_size=4))
def test_short_hashes_are_equal_when_the_parts_are(one: list[str], other: list[str]) -> None:
    assert (short_hash(*one) == short_hash(*other)) == (one == other)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    final = tmp_path / "kept.txt"
    final.write_text("old")
    with pytest.raises(RuntimeError, match="half-way"), written_beside(final) as beside:
        beside.write_text("half")
        raise RuntimeError("half-way")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("kept.txt", "old")]
    with written_beside(final) as beside:
        beside.write_text("new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("kept.txt", "new")]


def test_a_killed_write_never_has_the_final_name(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from ground.files import written_beside
with written_beside(Path(sys.argv[1]) / "final.txt") as beside:
    beside.write_text("half")
    os._exit(9)
"""
    assert python(code, tmp_path).returncode == 9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".partial-")
    assert [p.name for p in left.iterdir()] == ["final.txt"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from ground.errors import CannotWrite
from ground.files import written_beside
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    with written_beside(Path(sys.argv[1]) / "final.txt") as beside:
        beside.write_text("x" * 20_000)
except CannotWrite as error:
    print(error)
"""
    done = python(code, tmp_path)
    assert done.stdout == (
        f"{tmp_path}: could not be written (the disk or quota is full); "
        "free some space or choose another folder, then run again\n"
    )
    assert (list(tmp_path.iterdir()), done.stderr) == ([], "")


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    said = r"out: could not be written \(File exists\)"
    with pytest.raises(CannotWrite, match=said), staging_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out").read_text() == "a file"


def test_one_line_folds_and_cuts() -> None:
    assert (one_line("two\n  lines\t here"), one_line("abcdef", 4)) == ("two lines here", "abc…")


class Leaf(Strict):
    height: float
    kind: int = 1


class Tree(Strict):
    leaves: dict[str, Leaf]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[leaves.oak]\nheigth = 2", "leaves.oak.heigth: is not a known key; allowed are height, kind"),
        ("[leaves.oak]", "leaves.oak.height: is missing; add it"),
        (
            "[leaves.oak]\nheight = 'tall'",
            "leaves.oak.height: 'tall' is wrong: input should be a valid number",
        ),
        ("leaves = { oak = 3 }", "leaves.oak: 3 is wrong: it must be a table with keys of its own"),
        ("[trunk]\n[leaves]", "trunk: is not a known key; allowed are leaves"),
    ],
)
def test_a_typo_is_named_with_its_file_and_key(tmp_path: Path, toml: str, said: str) -> None:
    path = tmp_path / "tree.toml"
    path.write_text(toml)
    with pytest.raises(BadInput) as caught:
        parse(Tree, load_toml(path), path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = 1\nb = = 2", "is not valid TOML: Invalid value (at line 2, column 5); mend that line"),
        ("名 = 1".encode("gbk"), "is not UTF-8 (byte 0); save it as UTF-8"),
        (None, "cannot be read (No such file or directory); give the path of a TOML file"),
    ],
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "t.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        load_toml(path)
    assert str(caught.value) == f"{path}: {said}"


BEIJING, XIAN, NEW_BEIJING = (4214, 2412, 21413), (4610, 2327, 2343), (4555, 4568)


@pytest.mark.parametrize("modern", [4326, 4490, 4546, 32649])
@pytest.mark.parametrize("old", [*BEIJING, *XIAN, *NEW_BEIJING])
def test_an_unknown_shift_is_refused_in_both_directions(old: int, modern: int) -> None:
    one, other = CRS.from_epsg(old), CRS.from_epsg(modern)
    for source, target in ((one, other), (other, one)):
        with pytest.raises(
            UnknownDatum, match=r"^f\.tif: the shift from .* give the data in CGCS2000 or WGS 84"
        ):
            transformer(source, target, "f.tif")


@pytest.mark.parametrize("ellipsoid", ["+ellps=krass", "+a=6378140 +rf=298.257"])
def test_an_unnamed_datum_is_refused_too(ellipsoid: str) -> None:
    with pytest.raises(UnknownDatum):
        transformer(CRS(f"+proj=tmerc +lon_0=111 +x_0=500000 {ellipsoid} +units=m"), LONLAT, "f")


def test_one_old_datum_needs_no_shift() -> None:
    # 2412 is the 3-degree zone 36 of Beijing 1954: its meridian 108° lies at 36 500 000.
    x, y = transformer(CRS.from_epsg(4214), CRS.from_epsg(2412), "f").transform(108, 0)
    assert (x, y) == pytest.approx((36_500_000, 0), abs=1e-6)


GEOGCS = (
    'GEOGCS["Beijing 1954",DATUM["Beijing_1954",SPHEROID["Krassowsky 1940",6378245,298.3],TOWGS84[{}]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)
SHIFT = (15.8, -154.4, -82.3)
WITH_PARAMETERS = [
    GEOGCS.format("15.8,-154.4,-82.3,0,0,0,0"),
    "+proj=longlat +ellps=krass +towgs84=15.8,-154.4,-82.3",
]


@pytest.mark.parametrize("text", WITH_PARAMETERS)
@pytest.mark.parametrize("target", [4326, 4490])
def test_parameters_are_used_on_the_way_to_either_modern_datum(text: str, target: int) -> None:
    a, e2 = 6378245.0, (2 - 1 / 298.3) / 298.3
    lon, lat = np.radians([111.0, 38.0])
    n = a / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    x, y, z = n * np.cos(lat) * np.cos(lon), n * np.cos(lat) * np.sin(lon), n * (1 - e2) * np.sin(lat)
    x, y, z = np.add((x, y, z), SHIFT)
    east, north = transformer(CRS(text), CRS.from_epsg(target), "f").transform(111, 38)
    assert east == pytest.approx(np.degrees(np.arctan2(y, x)), abs=1e-9)
    # Whatever the height: tan φ = (z + e² N sin φ) / p, on the WGS 84 ellipsoid.
    a, e2, phi = 6378137.0, 0.00669437999014, np.radians(north)
    n = a / np.sqrt(1 - e2 * np.sin(phi) ** 2)
    assert np.degrees(np.arctan2(z + e2 * n * np.sin(phi), np.hypot(x, y))) == pytest.approx(north, abs=1e-8)
    back = transformer(CRS.from_epsg(target), CRS(text), "f").transform(east, north)
    assert back == pytest.approx((111, 38), abs=1e-8)


def test_parameters_of_zero_are_none() -> None:
    with pytest.raises(UnknownDatum):
        transformer(CRS(GEOGCS.format("0,0,0,0,0,0,0")), CRS.from_epsg(4490), "f")


def test_gdal_is_given_what_it_can_shift() -> None:
    # Beside parameters, GDAL would take CGCS2000 for the old datum itself.
    bound, grid = CRS(WITH_PARAMETERS[0]), CRS.from_epsg(4546)
    there, here = crs.shiftable(bound, grid, "f")
    assert there == bound
    assert here.geodetic_crs == LONLAT
    assert here.coordinate_operation == grid.coordinate_operation
    assert crs.shiftable(grid, LONLAT, "f") == (grid, LONLAT)


def test_cgcs2000_and_wgs84_are_one_and_x_comes_first() -> None:
    def moved(source: int, target: int, x: float, y: float) -> tuple[float, float]:
        return transformer(CRS.from_epsg(source), CRS.from_epsg(target), "f").transform(x, y)

    assert moved(4490, 4326, 111.123456789, 38.987654321) == (111.123456789, 38.987654321)
    assert moved(4326, 4490, 111.123456789, 38.987654321) == (111.123456789, 38.987654321)
    # The same zone with its number before the easting, and without.
    assert moved(4525, 4546, 37_508_778.25, 4_206_000.5) == pytest.approx((508_778.25, 4_206_000.5), abs=1e-6)
    # Zone 25 has its meridian at 75°; the equator is at 0.
    assert moved(4513, 4326, 25_500_000, 0) == pytest.approx((75, 0), abs=1e-12)
    # GRS 80: 4,984,944.378 m of meridian to 45° (UTM: times 0.9996), 10,001,965.729 m to the pole.
    assert moved(4490, 4546, 111, 45) == pytest.approx((500_000, 4_984_944.378), abs=1e-3)
    assert moved(4490, 4546, 111, 90) == pytest.approx((500_000, 10_001_965.729), abs=1e-3)
    assert moved(32649, 4546, 500_000, 4_982_950.400) == pytest.approx((500_000, 4_984_944.378), abs=1e-3)


def test_geometries_move_whole_or_not_at_all() -> None:
    ring = shapely.box(499_000, 4_983_000, 501_000, 4_985_000)
    (moved,) = to_crs([ring], CRS.from_epsg(4546), CRS.from_epsg(4525), "f")
    assert moved.bounds == pytest.approx((37_499_000, 4_983_000, 37_501_000, 4_985_000), abs=1e-6)
    assert to_crs([ring], LONLAT, LONLAT, "f")[0] is ring
    with pytest.raises(BadInput, match=r"f: some coordinates lie outside what .* order of its axes"):
        to_crs([shapely.Point(200, 95)], LONLAT, CRS.from_epsg(4546), "f")
    xs, ys = crs.transformed(transformer(LONLAT, CRS.from_epsg(4546), "f"), [(200, 95)])
    assert np.isinf([*xs, *ys]).all()


def test_areas_and_lengths_are_those_of_the_ellipsoid() -> None:
    # An eighth of WGS 84: 510,065,621.724 km² / 8, bounded by a quarter of the equator and two meridians.
    octant = shapely.Polygon([(0, 0), (90, 0), (0, 90)])
    assert crs.geodesic_area_m2(octant) == pytest.approx([510_065_621.724e6 / 8], rel=1e-9)
    around = 6378137 * np.pi / 2 + 2 * 10_001_965.729
    assert crs.geodesic_perimeter_m(octant) == pytest.approx([around], abs=1e-2)
    # 0.01° at 38° N: Δλ · M N cos φ Δφ at its middle: 878.265 m × 1109.966 m.
    e2, phi = 0.00669437999014, np.radians(38.005)
    w = 1 - e2 * np.sin(phi) ** 2
    m_n = 6378137**2 * (1 - e2) / w**2
    cell = shapely.box(111, 38, 111.01, 38.01)
    expected = m_n * np.cos(phi) * np.radians(0.01) ** 2
    assert crs.geodesic_area_m2([cell, octant])[0] == pytest.approx(expected, rel=1e-6)
    hole = shapely.box(111.002, 38.002, 111.004, 38.004)
    area = crs.geodesic_area_m2(cell.difference(hole))[0]
    assert area == pytest.approx(expected - crs.geodesic_area_m2(hole)[0], rel=1e-6)
    flat = to_crs([cell], LONLAT, crs.equal_area_crs(111, 38, 111.01, 38.01), "f")[0]
    assert flat.area == pytest.approx(expected, rel=1e-6)


def test_units_and_unknown_systems_are_told() -> None:
    # The foot of the U.S. survey: 1200 / 3937 m.
    assert crs.metres_per_unit(CRS.from_epsg(2965), "f") == pytest.approx(1200 / 3937, rel=1e-12)
    with pytest.raises(BadInput, match=r"layers: 'EPSG:1' is not a coordinate system that PROJ knows"):
        crs.crs_of("EPSG:1", "layers")
