"""Where changes come from: the scenes and the pair that run.json beside them tells of, and the layers' hashes."""

import json
import platform
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import shapely

from cadastre.layers import Catalogue
from cadastre.whole import files_of
from ground.errors import BadInput, one_line
from ground.files import sha256

RUN_JSON = "run.json"


def pair_rows(changes: Path, pairs: set[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The scenes and the pair that run.json beside the changes tells of, if it is theirs.

    Raises:
        BadInput: it is theirs, but not as `detect` writes it.
    """
    beside = changes.with_name(RUN_JSON)
    if not beside.is_file():
        return [], {}
    try:
        run = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{beside}: is not JSON ({error}); run `tiankan detect` again") from error
    if not isinstance(run, dict) or (pairs and run.get("pair_id") not in pairs):
        return [], {}
    try:
        scenes = [_scene_row(entry) for entry in run["inputs"].values()]
        before, after = (scene["id"] for scene in scenes)
        return scenes, {"id": run["pair_id"], "before_scene": before, "after_scene": after, "made": run}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            f"{beside}: does not tell of two scenes ({type(error).__name__}: {one_line(error, 80)}); "
            "run `tiankan detect` again"
        ) from error


def _scene_row(entry: dict[str, Any]) -> dict[str, Any]:
    west, south, east, north = (float(value) for value in entry["bbox"])
    acquired = entry["acquired_utc"]
    return {
        "id": entry["id"], "name": entry["name"], "sensor": entry["sensor"],
        "acquired": datetime.fromisoformat(acquired) if acquired else None,
        "gsd_m": float(entry["gsd_m"]), "href": entry["source"],
        "west": west, "south": south, "east": east, "north": north,
    }  # fmt: skip


def versions() -> dict[str, str]:
    """What measures and judges, where no imagery is read."""
    found = {name: version(name) for name in ("tiankan", "numpy", "shapely", "geopandas", "pyproj")}
    return found | {"python": platform.python_version(), "geos": shapely.geos_version_string}


def layer_hashes(layers: Path, catalogue: Catalogue) -> dict[str, str]:
    """sha256 of layers.toml and of every file that its layers and their coverage are read from."""
    hashes = {layers.name: sha256(layers)}
    for layer in catalogue.values():
        for named in (layer.path, layer.coverage):
            for file in files_of(layers.parent / named):
                hashes[(Path(named).parent / file.name).as_posix()] = sha256(file)
    return hashes
