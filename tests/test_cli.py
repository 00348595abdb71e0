"""The launcher on bad days: one sentence on standard error, exit code 2, nothing half-written."""

import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

import cli

ROOT = Path(__file__).parent.parent


def _scene(path: Path, seed: int = 1, **profile: object) -> Path:
    values = np.random.default_rng(seed).integers(1000, 1100, (4, 64, 64)).astype("uint16")
    given = {"crs": "EPSG:32649", "transform": from_origin(6e5, 4.2e6, 10, 10), "count": 4} | profile
    with rasterio.open(path, "w", driver="GTiff", width=64, height=64, dtype="uint16", **given) as sink:
        sink.write(values[: int(str(given["count"]))])
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return _scene(tmp_path / "before.tif", 1), _scene(tmp_path / "after.tif", 2)


def tiankan(*words: object, limit: Callable[[], None] | None = None, **env: str) -> tuple[int, str, str]:
    """Exit code, output and complaint of a verb: in this process, or through the launcher for `limit` and `env`."""
    given = list(map(str, words))
    if limit is None and not env:
        return _here(given)
    done = subprocess.run(
        [str(ROOT / "tiankan"), *given],
        capture_output=True, text=True, check=False, env=os.environ | env, preexec_fn=limit,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def _here(words: list[str]) -> tuple[int, str, str]:
    argv, sys.argv = sys.argv, ["tiankan", *words]
    # Files, not strings: bars of progress ask for a descriptor.
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        try:
            with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
                code = cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = argv
        out.seek(0), err.seek(0)
        return code, out.read(), err.read()


def refusal(*words: object, limit: Callable[[], None] | None = None, **env: str) -> str:
    """The one sentence of a refusal."""
    code, out, err = tiankan(*words, limit=limit, **env)
    assert (code, out) == (2, "")
    assert err.startswith("tiankan: ")
    assert err.count("\n") == 1
    return err


def _layers(folder: Path, text: str) -> Path:
    path = folder / "layers.toml"
    path.write_text(text, encoding="utf-8")
    return path


BAD_TABLES = [
    (
        '[a]\ntitel = "x"\npath = "p"\ncoverage = "bounds"\nmeasures = []\n',
        "a.titel: is not a known key; allowed are",
    ),
    ('[a]\ntitle = "x"\npath = "p"\nmeasures = []\n', "a.coverage: is missing; add it"),
    (
        '[a]\ntitle = "x"\npath = "p"\ncoverage = "bounds"\nmeasures = ["area"]\n',
        "measure 'area' is unknown; use m2,",
    ),
    (
        '[a]\ntitle = "x"\npath = 3\ncoverage = "bounds"\nmeasures = []\n',
        "a.path: 3 is wrong: input should be a valid",
    ),
    ("[a\n", "is not valid TOML: Expected ']'"),
    ("a = 3\n", "a: 3 is wrong: it must be a table with keys of its own"),
]


@pytest.mark.parametrize(("text", "said"), BAD_TABLES)
def test_a_typo_in_layers_toml_is_told_before_any_work(
    pair: tuple[Path, Path], tmp_path: Path, text: str, said: str
) -> None:
    layers, out = _layers(tmp_path, text), tmp_path / "out"
    words = ("run", "--before", pair[0], "--after", pair[1], "--layers", layers, "--db", tmp_path / "c.db")
    err = refusal(*words, "--out", out)
    assert str(layers) in err
    assert said in err
    assert not out.exists()
    assert not (tmp_path / "c.db").exists()


def test_a_typo_in_a_rulebook_names_file_and_key(pair: tuple[Path, Path], tmp_path: Path) -> None:
    book = tmp_path / "book.toml"
    book.write_text(
        'title = "t"\njurisdiction = "x"\neffective_from = 2020-01-01\n'
        '[[rule]]\nid = "A"\nverdict = "violation"\nbasis = "b"\nwhen = {}\n'
    )
    layers = _layers(tmp_path, "")
    words = ("run", "--before", pair[0], "--after", pair[1], "--layers", layers, "--out", tmp_path / "out")
    err = refusal(*words, "--rules", book, "--db", tmp_path / "c.db")
    # A machine may never say violation: the verdict does not exist.
    assert f"{book}: rule.0.verdict: 'violation' is wrong" in err
    assert "'suspected_violation'" in err


BAD_WORDS = [
    (("--detector", "unet"), "--detector: 'unet' is unknown; use auto, model or cva or irmad"),
    (("--sensor", "gf-9"), "sensor 'gf-9' is unknown; use one of generic, gf-1"),
    (("--before-date", "yesterday"), "'yesterday' is not a date; write 2020-08-04"),
    (("--before-date", "2021-01-01", "--after-date", "2020-01-01"), "swap --before and --after"),
    (("--threshold", "0"), "--threshold: 0.0 is not within 0 and 1"),
]


@pytest.mark.parametrize(("words", "said"), BAD_WORDS)
def test_a_wrong_word_is_refused(
    pair: tuple[Path, Path], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "out"
    assert said in refusal("detect", "--before", pair[0], "--after", pair[1], "--out", out, *words)
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("most_bytes", "name"), [(2_000, "alignment.tif"), (4_000, "change.tif"), (50_000, "changes.gpkg")]
)
def test_a_full_disk_is_one_sentence_and_leaves_no_final_name(
    pair: tuple[Path, Path], tmp_path: Path, most_bytes: int, name: str
) -> None:
    # This process may write files of so many bytes: enough for one file more each time.
    err = refusal(
        "detect", "--before", pair[0], "--after", pair[1], "--out", tmp_path / "out",
        limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
    )  # fmt: skip
    assert f"{name}: could not be written" in err
    assert "free some space or choose another folder" in err
    assert [path for path in (tmp_path / "out").iterdir() if not path.name.startswith(".partial-")] == []


def test_no_place_to_write_is_said(pair: tuple[Path, Path], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    err = refusal("detect", "--before", pair[0], "--after", pair[1], "--out", blocked / "out")
    assert "could not be written (Not a directory)" in err


def test_a_database_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, longer than a header of a hundred bytes " * 4)
    assert "there is no database" in refusal("cases", "list", "--db", tmp_path / "none.db")
    assert "is not a database" in refusal("cases", "list", "--db", tmp_path / "notes.txt")
    assert "is not a database URL" in refusal("cases", "list", "--db", "oracle://x/y")
    assert not (tmp_path / "none.db").exists()


def test_a_wrong_setting_is_said() -> None:
    assert "TIANKAN_PORT: 'abc' is wrong" in refusal("serve", TIANKAN_PORT="abc")


def test_a_minimum_area_of_zero_keeps_every_pixel(tmp_path: Path) -> None:
    for name, bump in (("before", 0), ("after", 9000)):
        values = np.random.default_rng(5).integers(1000, 1100, (4, 64, 64)).astype("uint16")
        values[:, 20, 30] += bump
        with rasterio.open(
            tmp_path / f"{name}.tif", "w", driver="GTiff", width=64, height=64, count=4, dtype="uint16",
            crs="EPSG:32649", transform=from_origin(6e5, 4.2e6, 10, 10),
        ) as sink:  # fmt: skip
            noise = np.random.default_rng(6 if bump else 7).integers(0, 20, values.shape)
            sink.write(values + noise.astype("uint16"))
    words = ("--before", tmp_path / "before.tif", "--after", tmp_path / "after.tif", "--json")
    few = tiankan("detect", *words, "--out", tmp_path / "a")[1]
    all_of_it = tiankan("detect", *words, "--out", tmp_path / "b", "--min-area", "0")[1]
    # One pixel changed: under the smallest change of four pixels by default, kept when asked.
    assert '"changes": 0' in few
    assert '"changes": 1' in all_of_it


def test_help_and_usage_name_the_program() -> None:
    code, out, _ = tiankan("--help")
    assert code == 0
    assert out.startswith("Usage: tiankan ")
    code, _, err = tiankan("detect", "--before", "a.tif")
    assert code == 2
    assert "Missing option '--after'" in err
    assert "Traceback" not in err


def test_a_reader_who_leaves_early_sees_no_traceback(pair: tuple[Path, Path], tmp_path: Path) -> None:
    line = (
        f"{ROOT / 'tiankan'} detect --before {pair[0]} --after {pair[1]} --out {tmp_path / 'o'} --json | true"
    )
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stderr == ""
