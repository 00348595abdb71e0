"""The text of a Shapefile's table: bytes laid by hand, so that each name is known before it is read."""

from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cadastre.encoding import dbf_encoding
from cadastre.facts import measure_crs
from cadastre.layers import Layer, LayerData, read_layer
from ground.errors import BadInput
from tests.cases_world import GRID, changes_of, rect

NAMES = ["永久基本农田图斑", "五台县豆村镇", "plain", "联通"]
LANGUAGE_BYTE, GBK_LANGUAGE = 29, 0x4D


def dbf(column: bytes, values: list[bytes], width: int, language: int = 0) -> bytes:
    """A dBase III table of one text column, cut to `width` bytes a value wherever that falls."""
    head_length, record_length = 32 + 32 + 1, 1 + width
    head = bytes([3, 121, 9, 1]) + len(values).to_bytes(4, "little")
    head += head_length.to_bytes(2, "little") + record_length.to_bytes(2, "little") + bytes(20)
    field = column.ljust(11, b"\0") + b"C" + bytes(4) + bytes([width]) + bytes(15)
    table = bytearray(
        head + field + b"\r" + b"".join(b" " + v[:width].ljust(width) for v in values) + b"\x1a"
    )
    table[LANGUAGE_BYTE] = language
    return bytes(table)


def shapefile(
    folder: Path, encoding: str, cpg: str | None, language: int = 0, width: int = 40, column: str = "MC"
) -> Path:
    """A Shapefile of a square for each name."""
    path = folder / "农田.shp"
    squares = [rect(20 * i, 0, 20 * i + 10, 10) for i in range(len(NAMES))]
    pyogrio.write_dataframe(gpd.GeoDataFrame(geometry=squares, crs=GRID), path, encoding="UTF-8")
    path.with_suffix(".cpg").unlink()
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg, encoding="ascii")
    names = [name.encode(encoding) for name in NAMES]
    path.with_suffix(".dbf").write_bytes(dbf(column.encode(encoding), names, width, language))
    return path


def read(path: Path, column: str = "MC", encoding: str | None = None) -> LayerData:
    layer = Layer(
        title="农田", path=path.name, coverage="everywhere", measures=["m2"], columns={"number": column},
        encoding=encoding,
    )  # fmt: skip
    return read_layer(layer, path.parent, measure_crs(changes_of(rect(0, 0, 100, 100))))


@pytest.mark.parametrize(
    ("encoding", "cpg", "language"),
    [
        ("utf-8", "UTF-8", 0),
        ("utf-8", "utf8\r\n", 0),
        ("utf-8", "65001", 0),
        ("gbk", "GBK", 0),
        ("gbk", "936", 0),
        ("gbk", "ANSI 936\n", 0),
        ("gbk", "GB2312", 0),
        ("gbk", None, 0),
        ("gbk", None, GBK_LANGUAGE),
        ("gbk", "", 0),
        ("utf-8", None, 0),
        ("utf-8", "UTF-8", GBK_LANGUAGE),  # the .cpg outranks the header
    ],
)
def test_names_come_out_as_they_were_written(
    tmp_path: Path, encoding: str, cpg: str | None, language: int
) -> None:
    data = read(shapefile(tmp_path, encoding, cpg, language))
    assert data.frame["number"].tolist() == NAMES


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_a_chinese_column_name_is_found(tmp_path: Path, encoding: str) -> None:
    path = shapefile(tmp_path, encoding, None, column="权利人")
    assert read(path, "权利人").frame["number"].tolist() == NAMES


def test_utf8_cut_in_mid_letter_is_still_utf8(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "utf-8", None, width=10)
    assert dbf_encoding(path) == "UTF-8"
    # 10 bytes hold three letters of three bytes and a stump, which goes.
    assert read(path).frame["number"].tolist() == ["永久基", "五台县", "plain", "联通"]


def test_utf8_that_is_whole_gbk_once_cut_is_still_utf8(tmp_path: Path) -> None:
    cut = NAMES[0].encode()[:10]
    assert (
        len(cut.decode("gb18030")) == 5
    )  # five letters, none broken: a count of broken ones alone is fooled
    path = shapefile(tmp_path, "utf-8", None)
    path.with_suffix(".dbf").write_bytes(dbf(b"MC", [cut] * 4, 10))
    assert read(path).frame["number"].tolist() == ["永久基"] * 4


def test_gbk_cut_in_mid_letter_is_still_gbk(tmp_path: Path) -> None:
    # 9 bytes hold four letters of two bytes and a stump, which goes.
    path = shapefile(tmp_path, "gbk", None, width=9)
    assert read(path).frame["number"].tolist() == ["永久基本", "五台县豆", "plain", "联通"]


def test_the_encoding_of_layers_toml_outranks_a_lying_cpg(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "gbk", "UTF-8")
    with pytest.raises(BadInput, match=r"农田\.shp: its text is not UTF-8 .*set `encoding` in layers\.toml"):
        read(path)
    assert read(path, encoding="gbk").frame["number"].tolist() == NAMES


def test_where_bytes_are_both_the_header_decides(tmp_path: Path) -> None:
    both = "通".encode("gbk")
    assert both.decode("utf-8") == "ͨ"  # two bytes of GBK that are by chance a letter of UTF-8
    for language, encoding in ((GBK_LANGUAGE, "GB18030"), (0, "UTF-8")):
        path = shapefile(tmp_path, "gbk", None)
        path.with_suffix(".dbf").write_bytes(dbf(b"MC", [both] * 4, 10, language))
        assert dbf_encoding(path) == encoding


def test_gbk_read_as_utf8_is_refused_rather_than_mangled(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "gbk", None)
    for name in ("utf-8", "utf8"):
        with pytest.raises(BadInput, match=f"its text is not {name}"):
            read(path, encoding=name)


def test_a_cpg_that_names_no_encoding_is_named(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "gbk", "OEM")
    with pytest.raises(BadInput, match=r"农田\.cpg: 'OEM' .*set `encoding` in layers\.toml"):
        read(path)
    assert read(path, encoding="gbk").frame["number"].tolist() == NAMES


def test_a_missing_or_cut_table_is_named_once(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "gbk", None)
    path.with_suffix(".dbf").write_bytes(b"\x03only the beginning")
    with pytest.raises(BadInput, match=r"农田\.dbf: is cut short; copy it again$"):
        read(path)
    path.with_suffix(".dbf").unlink()
    with pytest.raises(BadInput, match=r"its attribute table 农田\.dbf is missing; copy it beside$"):
        read(path)


def test_capital_suffixes_of_old_software_are_found(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "gbk", "GBK")
    for suffix in (".cpg", ".dbf"):
        path.with_suffix(suffix).rename(path.with_suffix(suffix.upper()))
    assert read(path).frame["number"].tolist() == NAMES


# Common letters of land administration; every one of them is in GB 2312.
LETTERS = st.text(
    "永久基本农田图斑五台县豆村镇建设用地宅基生态红线保护区水库公路光伏采矿权", min_size=1, max_size=30
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(LETTERS, min_size=1, max_size=20), encoding=st.sampled_from(["utf-8", "gbk"]))
def test_either_encoding_is_told_from_the_other(tmp_path: Path, values: list[str], encoding: str) -> None:
    path = tmp_path / "t.shp"
    table = dbf(b"MC", [value.encode(encoding) for value in values], 100)
    path.with_suffix(".dbf").write_bytes(table)
    whole = "".join(values).encode(encoding)
    if encoding == "gbk" and whole.decode("utf-8", "replace").count("\ufffd") == 0:
        return  # bytes that are both; nobody can tell
    assert dbf_encoding(path) == {"utf-8": "UTF-8", "gbk": "GB18030"}[encoding]
