"""What is known of the cadastre on a day: its layers in hand, and where each came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyproj import CRS
from sqlalchemy import select
from sqlalchemy.orm import Session

from cadastre.as_known import as_known
from cadastre.layers import Catalogue, LayerData, load_catalogue, read_layers
from cadastre.registry import catalogue_known, layers_known
from cases.provenance import layer_hashes
from cases.rulebook import Rulebook
from database.tables import JudgingRow, RulebookRow
from ground.crs import crs_of
from ground.errors import BadInput
from ground.files import sha256


@dataclass(frozen=True, kw_only=True)
class Known:
    """Layers in the CRS of measuring.

    `sources`: sha256 of every file, or the id of every vintage, by name; `place`: the layers.toml, "" for the registry.
    """

    catalogue: Catalogue
    layers: Mapping[str, LayerData]
    sources: dict[str, str]
    place: str

    def described(self) -> dict[str, Any]:
        """The catalogue as plain data."""
        return {name: layer.model_dump(mode="json") for name, layer in self.catalogue.items()}


def from_files(path: Path, crs: CRS, as_of: datetime) -> Known:
    """The layers of a layers.toml as their files are now, less what they say was known only after `as_of`.

    Raises:
        BadInput: a layer cannot be used.
    """
    catalogue = load_catalogue(path)
    read = read_layers(catalogue, path.parent, crs)
    layers = {name: as_known(data, as_of) for name, data in read.items()}
    return Known(
        catalogue=catalogue, layers=layers, sources=layer_hashes(path, catalogue), place=str(path.resolve())
    )


def from_registry(
    session: Session, as_of: datetime, crs: CRS, box: tuple[float, float, float, float] | None
) -> Known:
    """What the registry of the database knew at a moment; `box` in degrees is where the changes lie.

    Raises:
        BadInput: it knew no layer then.
    """
    catalogue = catalogue_known(session, as_of)
    if not catalogue:
        raise BadInput(
            f"--db: its registry knew no layer on {as_of:%Y-%m-%d}; fill it with `tiankan cadastre import`, "
            "or pass --layers layers.toml"
        )
    layers, vintages = layers_known(session, catalogue, as_of, crs, box)
    return Known(catalogue=catalogue, layers=layers, sources=vintages, place="")


def from_judging(
    session: Session, judging: JudgingRow, box: tuple[float, float, float, float]
) -> Known | None:
    """What a judging knew: its vintages, or its files if they are still as they were."""
    crs = crs_of(judging.crs, "judging")
    place = str(judging.versions["place"])
    if not place:
        return from_registry(session, judging.as_of, crs, box)
    path = Path(place)
    # What layers.toml says counts only while it is the one that judged; it may not even be TOML any more.
    if not path.is_file() or judging.layers.get(path.name) != sha256(path):
        return None
    if layer_hashes(path, load_catalogue(path)) != judging.layers:
        return None
    return from_files(path, crs, judging.as_of)


def books_of(session: Session, judging: JudgingRow) -> list[Rulebook]:
    """The rulebooks that were known to a judging, oldest first.

    Raises:
        BadInput: one of them is not in the database.
    """
    found = {
        row.id: Rulebook.model_validate(row.content)
        for row in session.scalars(select(RulebookRow).where(RulebookRow.id.in_(judging.rulebooks)))
    }
    for version in judging.rulebooks:
        if version not in found:
            raise BadInput(
                f"rulebook {version} of the judging of {judging.as_of:%Y-%m-%d} is not in the database; "
                "restore it from a backup"
            )
    return [found[version] for version in judging.rulebooks]
