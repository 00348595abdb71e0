"""Typst pages: a template, its data and pictures made into a PDF; the same of the same to the last byte."""

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import typst

from ground.errors import BadInput, one_line
from reports.fonts import chosen_for

FOLDER = Path(__file__).parent


def rendered(
    template: str,
    data: dict[str, Any],
    files: dict[str, bytes],
    at: datetime,
    form: Literal["pdf", "png"] = "pdf",
) -> list[bytes]:
    """The PDF (one item), or with form "png" a picture of every page.

    `data` is what the template reads as data.json; `files` lie beside it by name; `at` is the date inside the PDF.

    Raises:
        BadInput: no font holds some character.
    """
    text = json.dumps(data, ensure_ascii=False)
    source = (FOLDER / template).read_bytes()
    fonts = chosen_for(text + source.decode())
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "data.json").write_text(text, encoding="utf-8")
        (root / "fonts.json").write_text(json.dumps(fonts.families), encoding="utf-8")
        (root / "main.typ").write_bytes(source)
        for file, content in files.items():
            (root / file).write_bytes(content)
        compiler = typst.Compiler(input=root / "main.typ", root=root, font_paths=fonts.fonts)
        try:
            made = compiler.compile(format=form, ppi=110.0, timestamp=int(at.timestamp()))
        except typst.TypstError as error:
            raise BadInput(f"{template}: cannot be set ({one_line(error)}); report this fault") from error
    return list(made) if isinstance(made, list) else [made or b""]
