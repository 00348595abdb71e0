"""Fonts of a report: what holds every character that will be printed, or a refusal; never boxes."""

import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typst
from fontTools.ttLib import TTFont, TTLibError

from ground.errors import BadInput

WHEEL = "cvttf_NotoSansCJK_Regular"
LIKED = (
    "Noto Sans CJK SC", "Noto Sans CJK TC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans SC",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "Microsoft YaHei", "SimSun", "PingFang SC",
    "DejaVu Sans",
)  # fmt: skip
"""Families of the system in the order in which they are taken."""
MEND = (
    "install a font that does: `pip install cvttf-notosanscjk-regular`, or your system's Noto Sans CJK "
    "(Debian: fonts-noto-cjk), or take the character out"
)


@dataclass(frozen=True)
class Face:
    """One font file (and its place in a collection) under the name by which typst knows it."""

    family: str
    path: str
    index: int


@dataclass(frozen=True)
class Chosen:
    """The fonts of one report: families in their order, and where typst finds them."""

    families: list[str]
    fonts: Any


def chosen_for(text: str) -> Chosen:
    """The fewest fonts that hold every character of a text: those of the wheel first, then of the system.

    Raises:
        BadInput: some character is held by none.
    """
    needed = {ord(char) for char in text if _is_printed(char)}
    families: list[str] = []
    for from_system in (False, True):
        for face in faces(from_system):
            held = needed & _characters(face.path, face.index)
            if held:
                families.append(face.family)
                needed -= held
            if not needed:
                return Chosen(families, _library(from_system))
    shown = ", ".join(f"{chr(code)} (U+{code:04X})" for code in sorted(needed)[:5])
    more = f" and {len(needed) - 5} more" if len(needed) > 5 else ""
    raise BadInput(f"report: no font on this machine holds {shown}{more}; {MEND}")


def _is_printed(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cf", "Zs", "Zl", "Zp"}


@cache
def faces(from_system: bool) -> list[Face]:
    """Upright regular faces: the wheel's, or with `from_system` those of the system too, the liked ones first."""
    found = [
        Face(font.family, font.path, font.index)
        for font in _library(from_system).fonts()
        if font.path and font.weight == 400 and font.style.lower() == "normal"
    ]
    order = {family: place for place, family in enumerate(LIKED)}
    return sorted(found, key=lambda face: (_of_wheel(face), order.get(face.family, len(order)), face.family))


def _of_wheel(face: Face) -> bool:
    """False, which sorts first, for the wheel's."""
    return WHEEL not in face.path


@cache
def _library(from_system: bool) -> Any:
    folder = _wheel()
    return typst.Fonts(
        include_system_fonts=from_system, include_embedded_fonts=False, font_paths=[folder] if folder else []
    )


def _wheel() -> str | None:
    spec = find_spec(WHEEL)
    return str(Path(spec.origin).parent) if spec and spec.origin else None


@lru_cache(maxsize=64)
def _characters(path: str, index: int) -> frozenset[int]:
    """What a face holds; nothing for a file that cannot be read as a font."""
    try:
        with TTFont(path, lazy=True, fontNumber=index) as font:
            return frozenset(font.getBestCmap() or ())
    except (TTLibError, OSError):
        return frozenset()
