"""The text encoding of a Shapefile's attribute table: UTF-8, or GBK as Chinese software writes it."""

import codecs
from pathlib import Path

from ground.errors import BadInput

HEADER = 32
CHUNK = 1 << 20
HEADER_LENGTH = slice(8, 10)
LANGUAGE_BYTE = 29
GBK_LANGUAGE = 0x4D
"""Language driver id of code page 936 in a DBF header."""


def dbf_encoding(shapefile: Path) -> str:
    """`.cpg` file, else the header's language byte, else UTF-8 if every byte of the table is, else GB 18030.

    Without a word in the files, GDAL would read Latin-1 and turn every Chinese name into noise.

    Raises:
        BadInput: the table is missing.
    """
    for cpg in (shapefile.with_suffix(".cpg"), shapefile.with_suffix(".CPG")):
        if cpg.is_file():
            named = cpg.read_text(encoding="ascii", errors="ignore").strip()
            if named:
                return _python_name(named)
    table = next(
        (p for p in (shapefile.with_suffix(".dbf"), shapefile.with_suffix(".DBF")) if p.is_file()), None
    )
    if table is None:
        raise BadInput(f"{shapefile}: its attribute table {shapefile.stem}.dbf is missing; copy it beside")
    return _sniff(table)


def _python_name(cpg: str) -> str:
    """What writers put into .cpg files, as a codec name."""
    name = cpg.upper().replace(" ", "")
    if name in {"936", "CP936", "GBK", "GB2312", "ANSI936", "GB18030"}:
        return "GB18030"
    return "UTF-8" if name in {"UTF-8", "UTF8", "65001", "CP65001"} else cpg


def _sniff(table: Path) -> str:
    """Whichever of the two reads the table with fewer broken characters; a field cut in mid-letter breaks one."""
    with table.open("rb") as stream:
        header = stream.read(HEADER)
        if len(header) < HEADER:
            raise BadInput(f"{table}: is cut short; copy it again")
        if header[LANGUAGE_BYTE] == GBK_LANGUAGE:
            return "GB18030"
        stream.seek(int.from_bytes(header[HEADER_LENGTH], "little"))
        decoders = {name: codecs.getincrementaldecoder(name)("replace") for name in ("UTF-8", "GB18030")}
        broken = dict.fromkeys(decoders, 0)
        while chunk := stream.read(CHUNK):
            for name, decoder in decoders.items():
                broken[name] += decoder.decode(chunk).count("\ufffd")
    return min(broken, key=lambda name: broken[name])
