"""STAC Items read and written: a scene as every other catalogue of the world describes it."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac
import shapely
from pystac.errors import STACError, STACTypeError

from ground.crs import LONLAT, to_crs
from ground.errors import BadInput, one_line
from ground.files import written_beside
from imagery import remote, sensors
from imagery.address import Address, beside, file_name
from imagery.raster import check_measured, grid_of, opened
from imagery.scene import BandRef, Scene

PLATFORMS = {
    "sentinel-2": "sentinel-2", "landsat-4": "landsat-tm", "landsat-5": "landsat-tm", "landsat-7": "landsat-tm",
    "landsat-8": "landsat-oli", "landsat-9": "landsat-oli",
}  # fmt: skip
"""Beginnings of STAC platform and constellation names, and the sensor that they carry."""

ITEM_SUFFIXES = {".json", ".geojson"}
"""Of files that are Items; any other is a raster."""
NOT_MEASURED = {"thumbnail", "overview", "visual"}
"""Asset roles of pictures made for the eye: their values are stretched, never to be measured."""
PICTURES = ("visual", "thumbnail", "overview", "preview", "rendered_preview")
"""Beginnings of the keys of such assets, for some catalogues give them the role of data."""
UNUSED = "unused-"
"""Beginning of the name that `write_item` gives to a band of a file that is none of the scene's."""

EXTENSIONS = ["projection/v2.0.0", "file/v2.1.0", "eo/v2.0.0"]


def read_item(path: str, sensor: str | None, acquired: datetime | None) -> Scene:
    """The scene an Item describes; `sensor` and `acquired` outrank what it says.

    Raises:
        BadInput: not an Item, of an unknown platform, where it cannot be read, or without a known band.
    """
    item = _load(path)
    name = sensor or sensor_of(item, path)
    used = used_assets(item, name)
    refs = [
        BandRef(band, beside(path, str(used.of[key].href)), index)
        for band, (key, index) in used.bands.items()
    ]
    mask = None
    if (quality := sensors.sensor(name, path).mask) and used.mask:
        mask = BandRef(quality.band, beside(path, str(used.of[used.mask[0]].href)), used.mask[1])
    if not refs:
        raise BadInput(f"{path}: no asset holds a band of sensor {name}; name its bands or pass --sensor")
    return Scene(
        id=item.id,
        sensor=name,
        acquired_utc=acquired or _utc(item.datetime),
        bands=tuple(refs),
        mask=mask,
        grid=min((_grid(ref.href) for ref in refs), key=lambda grid: grid.gsd_m),
        source=path,
    )


def _utc(moment: datetime | None) -> datetime | None:
    """A time without a zone is UTC, as STAC says, and not that of this machine."""
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC) if moment else None


def _grid(href: str) -> Any:
    with opened(href) as source:
        check_measured(source, href)
        return grid_of(source, href)


def _load(path: str) -> pystac.Item:
    try:
        if isinstance(path, Address):
            return item_of(remote.document(path), path)
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        raise _no_item(path, error) from error
    return item_of(document, path)


def item_of(document: Any, where: str) -> pystac.Item:
    """The Item that a JSON document is.

    Raises:
        BadInput: it is none.
    """
    try:
        return pystac.Item.from_dict(document)
    except (STACError, STACTypeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_item(where, error) from error


def _no_item(where: str, error: Exception) -> BadInput:
    return BadInput(f"{where}: is not a STAC Item ({one_line(error, 160)}); give an Item or a raster")


def sensor_of(item: pystac.Item, where: str) -> str:
    """The sensor by the Item's platform or constellation.

    Raises:
        BadInput: neither is known.
    """
    if named := item.properties.get("tiankan:sensor"):
        return str(named)
    said = [str(item.properties.get(key) or "") for key in ("constellation", "platform")]
    texts = [text.lower().replace("_", "-").replace(" ", "-") for text in said]
    for start, found in PLATFORMS.items():
        if any(text.startswith(start) for text in texts):
            return found
    raise BadInput(f"{where}: platform {said[1] or said[0]!r} is not a known sensor; pass --sensor NAME")


@dataclass(frozen=True)
class Used:
    """Which assets of an Item a scene is read from, by key: (asset key, band index) of each band and of the mask."""

    bands: dict[str, tuple[str, int]]
    mask: tuple[str, int] | None
    of: dict[str, pystac.Asset]


def used_assets(item: pystac.Item, sensor: str) -> Used:
    """The assets that hold bands of the sensor or its quality mask, the first of each."""
    quality = sensors.sensor(sensor, item.id).mask
    bands: dict[str, tuple[str, int]] = {}
    mask = None
    for key, asset in _assets(item):
        listed = _band_list(asset)
        if quality and (index := _mask_index(quality.band, key, listed)):
            mask = mask or (key, index)
        for band, index in _bands_in(sensor, key, listed):
            bands.setdefault(band, (key, index))
    keys = {key for key, _ in (*bands.values(), *([mask] if mask else []))}
    return Used(bands, mask, {key: asset for key, asset in item.assets.items() if key in keys})


def _assets(item: pystac.Item) -> list[tuple[str, pystac.Asset]]:
    """Measured assets, JP2 after its COG twin because it decodes a hundred times slower."""
    measured = [
        (key, asset)
        for key, asset in item.assets.items()
        if not NOT_MEASURED & set(asset.roles if isinstance(asset.roles, list) else [])
        and not key.lower().startswith(PICTURES)
    ]
    return sorted(measured, key=lambda pair: pair[1].href.lower().endswith(".jp2"))


def _band_list(asset: pystac.Asset) -> list[dict[str, Any]]:
    listed = asset.extra_fields.get("bands") or asset.extra_fields.get("eo:bands") or []
    return [band for band in listed if isinstance(band, dict)] if isinstance(listed, list) else []


def _mask_index(band: str, key: str, listed: list[dict[str, Any]]) -> int | None:
    """1-based index of the quality band in an asset, by its band list, else by its key."""
    names = [str(entry.get("name", "")).upper() for entry in listed]
    if band in names:
        return names.index(band) + 1
    return 1 if key.upper() == band else None


def _bands_in(sensor: str, key: str, listed: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """(our band name, index) of an asset's bands: by its band list, else by its key."""
    entry = sensors.load_sensors()[sensor]
    if not entry.bands:
        named = [(str(band.get("name", f"b{i}")), i) for i, band in enumerate(listed, 1)]
        return [(name, index) for name, index in named if not name.startswith(UNUSED)]
    names = sensors.known_names(entry)
    found = []
    for index, band in enumerate(listed, 1):
        words = (band.get("name"), band.get("eo:common_name"), band.get("common_name"))
        hits = (names.get(sensors.same_band(str(word))) for word in words if word)
        if hit := next((name for name in hits if name), None):
            found.append((hit, index))
    by_key = names.get(sensors.same_band(key))
    return [(by_key, 1)] if by_key and not found and len(listed) <= 1 else found


def band_named(path: str, band: str, names: tuple[str, ...]) -> BandRef | None:
    """A band of an Item that is none of its sensor's, by any of its names."""
    wanted = {name.upper() for name in names}
    for key, asset in _assets(_load(path)):
        listed = _band_list(asset)
        for index, entry in enumerate(listed, 1):
            said = (entry.get("name"), entry.get("eo:common_name"), entry.get("common_name"))
            if wanted & {str(word).upper() for word in said if word}:
                return BandRef(band, beside(path, str(asset.href)), index)
        if key.upper() in wanted and len(listed) <= 1:
            return BandRef(band, beside(path, str(asset.href)), 1)
    return None


def write_item(scene: Scene, path: Path, checksums: dict[str, str], note: str = "") -> None:
    """A STAC 1.1 Item with relative hrefs, written beside and renamed.

    `checksums`: sha256 of each file of the scene, kept as multihash in `file:checksum`.
    """
    outline = to_crs([shapely.Polygon(scene.grid.outline())], scene.grid.crs, LONLAT, scene.source)[0]
    bbox = list(outline.bounds)
    item = pystac.Item(
        id=scene.id,
        geometry=shapely.geometry.mapping(outline),
        bbox=bbox,
        datetime=scene.acquired_utc,
        properties=_properties(scene, note),
    )
    for href in scene.files:
        key = asset_key(scene, href)
        item.add_asset(key, _asset(scene, href, path.resolve().parent, checksums[href]))
    document = item.to_dict(include_self_link=False)
    host = "https://stac-extensions.github.io"
    document["stac_extensions"] = [f"{host}/{extension}/schema.json" for extension in EXTENSIONS]
    with written_beside(path) as beside:
        beside.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _properties(scene: Scene, note: str) -> dict[str, Any]:
    code = scene.grid.crs.to_authority()
    properties: dict[str, Any] = {
        "tiankan:sensor": scene.sensor,
        "gsd": round(scene.grid.gsd_m, 3),
        "proj:code": ":".join(code) if code else None,
        "proj:transform": list(scene.grid.transform)[:6],
        "proj:shape": [scene.grid.height, scene.grid.width],
    }
    if note:
        properties["description"] = note
    if scene.acquired_utc is None:
        # STAC wants a range where the moment is unknown: since the first satellite picture of land.
        properties["start_datetime"] = "1972-07-23T00:00:00Z"
        properties["end_datetime"] = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
    return properties


def asset_key(scene: Scene, href: str) -> str:
    """The key of a file of a scene among its Item's assets: its band's name where the scene has several files."""
    names = [ref.name for ref in scene.bands if ref.href == href]
    if not names and scene.mask:
        return scene.mask.name
    one_file = len({ref.href for ref in scene.bands}) == 1
    return "image" if one_file and (len(names) > 1 or len(scene.bands) == 1) else "_".join(names)


def _asset(scene: Scene, href: str, folder: Path, checksum: str) -> pystac.Asset:
    bands = {ref.index: ref.name for ref in scene.bands if ref.href == href}
    names = bands | ({scene.mask.index: scene.mask.name} if scene.mask and scene.mask.href == href else {})
    # The list's order is the file's: a band that is not ours keeps its place under a name that is none.
    listed = [_band_entry(scene, names.get(i, f"{UNUSED}{i}")) for i in range(1, max(names) + 1)]
    is_tiff = file_name(href).suffix.lower() in {".tif", ".tiff"}
    return pystac.Asset(
        href=_written(href, folder),
        media_type=pystac.MediaType.GEOTIFF if is_tiff else None,
        roles=["data"] if bands else ["metadata", "mask"],
        extra_fields={"file:checksum": "1220" + checksum} | ({"bands": listed} if bands else {}),
    )


def _written(href: str, folder: Path) -> str:
    if not isinstance(href, Address):
        return Path(os.path.relpath(Path(href).resolve(), folder)).as_posix()
    if href.hides:
        raise BadInput(
            f"{href}: is read by a secret, which no Item may hold; copy it with --cog, or give an address without"
        )
    return str(href)


def _band_entry(scene: Scene, name: str) -> dict[str, str]:
    common = sensors.common_name(scene.sensor, name)
    return {"name": name} | ({"eo:common_name": common} if common != name else {})


def find_items(folder: Path) -> list[Path]:
    """STAC Items below a folder, in the order of their paths."""
    return [path for path in sorted(folder.rglob("*.json")) if _is_item(path)]


def _is_item(path: Path) -> bool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("type") == "Feature" and "stac_version" in document
