"""run.json: what was given, what was done, what came out; the other outputs carry its ids."""

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import geopandas as gpd
import pyproj
import rasterio
import shapely

from detection.detectors import Choice
from detection.predict import WINDOW, Prediction
from ground.clock import peak_rss_mib
from ground.files import short_hash
from imagery.address import whole
from imagery.scene import Observation, Scene, ScenePair, pair_id


def scene_hash(scene: Scene, hashes: dict[str, str]) -> str:
    """A scene's id: hash of its bands and the contents they lie in, wherever the files are and whatever their names."""
    bands = [*scene.bands, *([scene.mask] if scene.mask else [])]
    return short_hash("scene", *(f"{band.name}:{band.index}:{hashes[band.href]}" for band in bands))


def head(
    pair: ScenePair,
    hashes: dict[str, str],
    *,
    choice: Choice,
    asked: str,
    max_false_clues: float | None,
    smallest_m2: float,
    window: int | None,
    grow: float | None,
) -> dict[str, Any]:
    """What is known before the work. `hashes`: sha256 of each file of both scenes."""
    before, after = (_scene_entry(s, hashes) for s in (pair.before, pair.after))
    return {
        "made_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "pair_id": pair_id(before["id"], after["id"]),
        "inputs": {"before": before, "after": after},
        "detector": choice.detector,
        "detector_asked": asked,
        "detector_why": choice.why,
        "parameters": {
            "threshold": choice.threshold,
            "grow": choice.threshold if grow is None else min(grow, choice.threshold),
            "max_false_clues": max_false_clues,
            "min_mapping_unit_m2": smallest_m2,
            "bands": list(pair.names),
            "window": window or choice.window or WINDOW,
            "card_sha256": choice.card_sha256,
        },
        "grid": {
            "crs": ":".join(pair.grid.crs.to_authority() or (pair.grid.crs.name,)),
            "transform": list(pair.grid.transform)[:6],
            "width": pair.grid.width,
            "height": pair.grid.height,
            "gsd_m": round(pair.grid.gsd_m, 6),
        },
        "versions": versions(),
    }


def made_by(run: dict[str, Any]) -> dict[str, str]:
    """The part that change.tif and changes.gpkg carry as metadata."""
    files = [file for scene in run["inputs"].values() for file in scene["files"]]
    return {
        "TIANKAN_VERSION": run["versions"]["tiankan"],
        "TIANKAN_PAIR": run["pair_id"],
        "TIANKAN_DETECTOR": run["detector"],
        "TIANKAN_PARAMETERS": json.dumps(run["parameters"]),
        "TIANKAN_INPUTS_SHA256": json.dumps({file["path"]: file["sha256"] for file in files}),
    }


def _scene_entry(scene: Scene, hashes: dict[str, str]) -> dict[str, Any]:
    west, south, east, north = scene.grid.lonlat_bounds(scene.source)
    return {
        "id": scene_hash(scene, hashes),
        "name": scene.id,
        "sensor": scene.sensor,
        "acquired_utc": scene.acquired_utc.isoformat() if scene.acquired_utc else None,
        "bands": [band.name for band in scene.bands],
        "mask": scene.mask.name if scene.mask else None,
        "crs": ":".join(scene.grid.crs.to_authority() or (scene.grid.crs.name,)),
        "gsd_m": round(scene.grid.gsd_m, 6),
        "bbox": [round(v, 7) for v in (west, south, east, north)],
        "source": whole(scene.source),
        "files": [{"path": whole(h), "sha256": hashes[h]} for h in scene.files],
    }


def versions() -> dict[str, str]:
    """Everything whose change could change a result."""
    names = ("tiankan", "numpy", "scipy", "torch", "timm", "rasterio", "shapely", "geopandas", "pyproj")
    found = {name: version(name) for name in names}
    return found | {
        "python": platform.python_version(),
        "gdal": rasterio.__gdal_version__,
        "geos": shapely.geos_version_string,
        "proj": pyproj.proj_version_str,
    }


def tail(
    pair: ScenePair, frame: gpd.GeoDataFrame, prediction: Prediction, seconds: dict[str, float]
) -> dict[str, Any]:
    """What is known after it: areas by pixel count, changes by their polygons, and what it took."""
    pixel_m2 = pair.grid.gsd_m**2
    total = pair.grid.width * pair.grid.height
    seen = prediction.pixels[Observation.OBSERVED]
    return {
        "learned": prediction.parameters,
        "counts": {
            "pixels": total,
            "observed_pixels": seen,
            "unseen_pixels": {
                code.name.lower(): count
                for code, count in prediction.pixels.items()
                if code is not Observation.OBSERVED and count
            },
            "changes": len(frame),
        },
        "observed_m2": round(seen * pixel_m2, 2),
        "unseen_m2": round((total - seen) * pixel_m2, 2),
        "changed_m2": round(float(frame["area_m2"].sum()), 2),
        "unreadable": _unreadable(prediction, pixel_m2),
        "seconds": seconds,
        "engine": prediction.engine | _pace(total, prediction, seconds),
    }


def _unreadable(prediction: Prediction, pixel_m2: float) -> dict[str, Any] | None:
    """What could not be decoded; None where everything could."""
    pixels = prediction.pixels[Observation.UNREADABLE]
    if not pixels:
        return None
    share = pixels / sum(prediction.pixels.values())
    return {"blocks": prediction.spoiled, "m2": round(pixels * pixel_m2, 2), "share": round(share, 6)}


def _pace(total: int, prediction: Prediction, seconds: dict[str, float]) -> dict[str, Any]:
    """Megapixels, their rates (a second), and peak memory. Windows of an earlier run took no time of this one."""
    mega = total / 1e6
    looked = mega * (1 - prediction.engine["resumed_windows"] / prediction.engine["windows"])
    return {
        "megapixels": round(mega, 3),
        "detect_mpx_per_s": round(looked / max(seconds["detect"], 1e-3), 3),
        "total_mpx_per_s": round(looked / max(sum(seconds.values()), 1e-3), 3),
        "peak_rss_mib": peak_rss_mib(),
    }
