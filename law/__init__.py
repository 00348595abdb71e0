"""Law as data: a pack a jurisdiction, with its rulebooks by year, its layers and its golden table."""

from pathlib import Path

from ground.errors import BadInput

PACKS = Path(__file__).parent
DEFAULT = "cn"


def packs() -> list[str]:
    """The names of the shipped packs."""
    return sorted(path.parent.name for path in PACKS.glob("*/rulebook"))


def pack_of(name_or_path: str | Path) -> Path:
    """The folder of a pack, or the file or folder that a path names.

    Raises:
        BadInput: it is neither.
    """
    name = str(name_or_path)
    if name in packs():
        return PACKS / name
    if not Path(name).exists():
        raise BadInput(f"{name}: is neither a pack ({', '.join(packs())}) nor a file or folder of rulebooks")
    return Path(name)


def rulebooks_of(name_or_path: str | Path) -> Path:
    """Where the rulebooks of a pack lie; a path that holds no `rulebook/` is taken as it is.

    Raises:
        BadInput: neither a pack nor a path.
    """
    pack = pack_of(name_or_path)
    return pack / "rulebook" if (pack / "rulebook").is_dir() else pack
