"""The text encoding of a Shapefile's attribute table: UTF-8, or GBK as Chinese software writes it."""

import codecs
from pathlib import Path

import geopandas as gpd

from ground.errors import BadInput, one_line

RAW = "ISO-8859-1"
"""Under this name GDAL hands the bytes of a table over unaltered; it drops what another cannot read."""

HEADER = 32
CHUNK = 1 << 20
HEADER_LENGTH = slice(8, 10)
LANGUAGE_BYTE = 29
GBK_LANGUAGE = 0x4D
"""Language driver id of code page 936 in a DBF header."""


def dbf_encoding(shapefile: Path) -> str:
    """`.cpg` file, else the header's language byte, else UTF-8 if the table reads so, else GB 18030.

    Without a word in the files, GDAL would read Latin-1 and turn every Chinese name into noise.

    Raises:
        BadInput: the table is missing, or the `.cpg` names no encoding.
    """
    table = next(
        (p for p in (shapefile.with_suffix(".dbf"), shapefile.with_suffix(".DBF")) if p.is_file()), None
    )
    if table is None:
        raise BadInput(f"{shapefile}: its attribute table {shapefile.stem}.dbf is missing; copy it beside")
    for cpg in (shapefile.with_suffix(".cpg"), shapefile.with_suffix(".CPG")):
        if cpg.is_file():
            named = cpg.read_text(encoding="ascii", errors="ignore").strip()
            if named:
                return _not_utf8(table, _python_name(named, cpg), f"{cpg.name} says {named}")
    return _sniff(table)


def not_text(path: Path, encoding: str | None, error: UnicodeDecodeError) -> BadInput:
    """What to say of text of another encoding: only a Shapefile may have any but UTF-8."""
    if path.suffix.lower() == ".shp":
        mend = "set `encoding` in layers.toml"
    else:
        mend = f"save it as UTF-8, for example with iconv -f GB18030 -t UTF-8 {path.name}"
    return BadInput(f"{path}: its text is not {encoding or 'UTF-8'} ({one_line(error, 100)}); {mend}")


def in_letters(frame: gpd.GeoDataFrame, encoding: str, wanted: set[str]) -> gpd.GeoDataFrame:
    """A frame read as RAW with its column names, and the text in the columns `wanted`, decoded.

    Raises:
        UnicodeDecodeError: the text is of another encoding.
    """
    frame = frame.rename(columns={name: _text(name, encoding) for name in frame.columns})
    for name in wanted & set(frame.columns):
        frame[name] = frame[name].map(lambda v: _text(v, encoding) if isinstance(v, str) else v)
    return frame


def _text(raw: str, encoding: str) -> str:
    """A letter that the width of its field cut in two is dropped: the decoder waits for its other half."""
    return codecs.getincrementaldecoder(encoding)("strict").decode(raw.encode(RAW))


def _python_name(named: str, cpg: Path) -> str:
    """What writers put into .cpg files, as a codec name."""
    name = named.upper().replace(" ", "")
    if name in {"936", "CP936", "GBK", "GB2312", "ANSI936", "GB18030"}:
        return "GB18030"
    if name in {"UTF-8", "UTF8", "65001", "CP65001"}:
        return "UTF-8"
    try:
        return codecs.lookup(named).name
    except LookupError as error:
        raise BadInput(
            f"{cpg}: {named!r} is no encoding; write UTF-8 or GBK there, or set `encoding` in layers.toml"
        ) from error


def _sniff(table: Path) -> str:
    """UTF-8 unless it breaks more than it reads: a field's width may cut a letter in two; GBK text breaks most.

    By chance two bytes of GBK read as one letter of UTF-8's first pages in one case of five; three hardly ever.
    """
    with table.open("rb") as stream:
        header = stream.read(HEADER)
        if len(header) < HEADER:
            raise BadInput(f"{table}: is cut short; copy it again")
        if header[LANGUAGE_BYTE] == GBK_LANGUAGE:
            return _not_utf8(table, "GB18030", "its language byte says GBK")
    broken, read = _utf8_letters(table)
    return "GB18030" if broken > read else "UTF-8"


def _not_utf8(table: Path, encoding: str, why: str) -> str:
    """The encoding a table is said to have; GBK reads most UTF-8 without a fault, as noise."""
    if encoding == "GB18030":
        broken, read = _utf8_letters(table, 0.0)
        if read > broken:
            raise BadInput(
                f'{table}: {why}, but its text reads as UTF-8; set `encoding = "utf-8"` in layers.toml, or '
                '"gb18030" if it truly is'
            )
    return encoding


def _utf8_letters(table: Path, short: float = 0.25) -> tuple[int, float]:
    """How much of a table's text breaks as UTF-8, and how much reads; a letter of two bytes counts as `short`."""
    with table.open("rb") as stream:
        stream.seek(int.from_bytes(stream.read(HEADER)[HEADER_LENGTH], "little"))
        decoder = codecs.getincrementaldecoder("UTF-8")("replace")
        broken, read = 0, 0.0
        while chunk := stream.read(CHUNK):
            letters = [letter for letter in decoder.decode(chunk) if not letter.isascii()]
            broken += letters.count("\ufffd")
            read += sum(1 if letter > "\u07ff" else short for letter in letters if letter != "\ufffd")
    return broken, read
