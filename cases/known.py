"""What is known of the cadastre on a day: its layers in hand, and where each came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyproj import CRS

from cadastre.layers import Catalogue, LayerData, load_catalogue, read_layers
from cases.provenance import layer_hashes


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


def from_files(path: Path, crs: CRS) -> Known:
    """The layers of a layers.toml as their files are now.

    Raises:
        BadInput: a layer cannot be used.
    """
    catalogue = load_catalogue(path)
    layers = read_layers(catalogue, path.parent, crs)
    return Known(
        catalogue=catalogue, layers=layers, sources=layer_hashes(path, catalogue), place=str(path.resolve())
    )
