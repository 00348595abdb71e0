"""The cadastre of the demonstration, drawn for the place: no open cadastre covers it, and every row says so."""

import os
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from shapely.affinity import translate

from ground.files import staging_folder

CRS = "EPSG:3035"
ORIGIN = (5_272_000.0, 2_532_000.0)
"""Easting and northing, EPSG:3035, of the drawing's local metres."""
DRAWN = "drawn for the demonstration, not a real cadastre"
LAYERS_TOML = Path(__file__).with_name("layers.toml")
RULEBOOK = Path(__file__).parent / "rulebook"
REGION = "RO-CS"
"""ISO 3166-2 of Caraș-Severin, where the place lies."""

EXTENT = (-20, 0, 985, 1010)
ROAD = [
    (192, 4), (195, 165), (230, 185), (300, 120), (370, 75), (450, 100), (520, 120), (600, 100), (660, 130),
    (715, 165), (722, 215), (765, 245), (850, 235), (905, 262), (983, 275),
]  # fmt: skip
FOREST_EDGE = [
    (-19, 180), (195, 215), (240, 215), (300, 165), (370, 120), (450, 140), (520, 160), (600, 140), (660, 170),
    (690, 215), (740, 290), (850, 280), (984, 320),
]  # fmt: skip
COMPARTMENT_BORDERS = {"UP 12A": (-19, 265), "UP 12B": (265, 530), "UP 12C": (530, 760), "UP 12D": (760, 984)}
ROAD_HALF_WIDTH = 35.0


def _compartments() -> gpd.GeoDataFrame:
    forest = shapely.Polygon([*FOREST_EDGE, (984, 1006), (-19, 1006)])
    pieces = {
        name: shapely.intersection(forest, shapely.box(west, 0, east, 1006))
        for name, (west, east) in COMPARTMENT_BORDERS.items()
    }
    return _frame(list(pieces.values()), compartment=list(pieces))


def _felling_permits() -> gpd.GeoDataFrame:
    return _frame(
        [shapely.box(530, 480, 984, 1006), shapely.box(265, 560, 530, 1006)],
        permit=["FP 2015/031", "FP 2012/007"],
        valid_from=["2015-03-01", "2012-01-01"],
        valid_to=["2021-12-31", "2017-12-31"],
    )


def _road_permits() -> gpd.GeoDataFrame:
    corridor = shapely.LineString(ROAD).buffer(ROAD_HALF_WIDTH, cap_style="flat")
    return _frame([corridor], permit=["RP 2015/002"], valid_from=["2015-01-01"], valid_to=["2030-12-31"])


def _protected() -> gpd.GeoDataFrame:
    reserve = shapely.Polygon([(-17, 225), (150, 235), (205, 330), (180, 450), (60, 480), (-17, 460)])
    return _frame([reserve], name=["Old beeches (drawn)"])


def _frame(shapes: list[shapely.Geometry], **columns: list[str]) -> gpd.GeoDataFrame:
    placed = [translate(shape, *ORIGIN) for shape in shapes]
    data = {name: np.array(values, dtype=object) for name, values in columns.items()}
    return gpd.GeoDataFrame({**data, "source": DRAWN}, geometry=placed, crs=CRS)


def draw(folder: Path) -> Path:
    """All layers as GeoPackages and their layers.toml in `folder`; returns the layers.toml."""
    frames = {
        "compartments": _compartments(),
        "felling_permits": _felling_permits(),
        "road_permits": _road_permits(),
        "protected": _protected(),
    }
    with staging_folder(folder) as staging:
        for name, frame in frames.items():
            path = staging / f"{name}.gpkg"
            pyogrio.write_dataframe(frame, path, layer=name, layer_metadata={"DESCRIPTION": DRAWN})
        extent = _frame([shapely.box(*EXTENT)], name=["the square kilometre that was drawn"])
        pyogrio.write_dataframe(extent.to_crs(4326), staging / "extent.geojson", driver="GeoJSON")
        shutil.copyfile(LAYERS_TOML, staging / "layers.toml")
        for path in sorted(staging.iterdir()):
            os.replace(path, folder / path.name)
    return folder / "layers.toml"
