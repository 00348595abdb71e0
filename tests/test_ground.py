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

from ground.crs import (
    LONLAT,
    crs_of,
    equal_area_crs,
    geodesic_area_m2,
    geodesic_perimeter_m,
    metres_per_unit,
    shiftable,
    to_crs,
    transformed,
    transformer,
)
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
    with (
        pytest.raises(CannotWrite, match=r"out: could not be written \(File exists\)"),
        staging_folder(tmp_path / "out"),
    ):
        pass
    assert (tmp_path / "out").read_text() == "a file"


def test_one_line_folds_and_cuts() -> None:
    assert one_line("two\n  lines\t here") == "two lines here"
    assert one_line("abcdef", 4) == "abc…"


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
