"""Scenes out of what the user has: a STAC Item or a plain raster."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ground.errors import BadInput
from imagery import remote, sensors, stac
from imagery.address import Address, address_of, file_name
from imagery.clouds import cloud_mask, made_by
from imagery.ingest import Advance, checksums_in, copied
from imagery.raster import alpha_band, check_measured, grid_of, opened
from imagery.scene import BandRef, Scene


def parse_date(text: str | None, where: str) -> datetime | None:
    """A day (midnight UTC) or an ISO 8601 time; one without a zone is UTC."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{where}: {text!r} is not a date; write 2020-08-04 or 2020-08-04T09:30:00Z"
        ) from error


def open_scene(path: str | Path, sensor: str | None = None, acquired: str | None = None) -> Scene:
    """A scene from a STAC Item or a raster, by its path or address; `sensor` and `acquired` outrank what the file says.

    Raises:
        BadInput: the file cannot be a scene; the sentence says why.
        Unreachable: its server does not answer.
    """
    where = address_of(path)
    when = parse_date(acquired, where)
    suffix = file_name(where).suffix.lower()
    nameless = isinstance(where, Address) and not suffix and remote.is_json(where)
    if suffix in stac.ITEM_SUFFIXES or nameless:
        return stac.read_item(where, sensor, when)
    return _from_raster(where, sensor, when)


def _from_raster(href: str, sensor: str | None, when: datetime | None) -> Scene:
    with opened(href) as source:
        check_measured(source, href)
        grid = grid_of(source, href)
        alpha = alpha_band(source)
        images = [i for i in source.indexes if i != alpha]
        described = tuple(source.descriptions[i - 1] for i in images)
        name = sensor or sensors.guess(len(images))
        entry = sensors.sensor(name, href)
        bands = [(n, images[i - 1]) for n, i in sensors.bands_in_file(name, described, href)]
        tagged = source.tags(ns="IMAGERY").get("ACQUISITIONDATETIME")
        mask = _mask_in(source.descriptions, entry.mask.band) if entry.mask else None
    refs = tuple(BandRef(n, href, i) for n, i in bands)
    return Scene(
        id=file_name(href).stem,
        sensor=name,
        acquired_utc=when or parse_date(tagged, href),
        bands=refs,
        mask=BandRef(entry.mask.band, href, mask) if entry.mask and mask else None,
        grid=grid,
        source=href,
    )


def _mask_in(descriptions: tuple[str | None, ...], band: str) -> int | None:
    return next((i for i, text in enumerate(descriptions, 1) if (text or "").upper() == band), None)


def list_scenes(folder: Path) -> list[dict[str, Any]]:
    """A row for each STAC Item below a folder.

    Raises:
        BadInput: there is no such folder, or an Item cannot be read.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder; add scenes with `tiankan scenes add`")
    return [scene_row(open_scene(path)) for path in stac.find_items(folder)]


def scene_row(scene: Scene) -> dict[str, Any]:
    """What a list shows of a scene."""
    code = scene.grid.crs.to_authority()
    return {
        "id": scene.id,
        "sensor": scene.sensor,
        "acquired": scene.acquired_utc,
        "gsd_m": round(scene.grid.gsd_m, 3),
        "bands": ", ".join(ref.name for ref in scene.bands),
        "mask": scene.mask.name if scene.mask else None,
        "crs": ":".join(code) if code else scene.grid.crs.name,
        "pixels": f"{scene.grid.width} × {scene.grid.height}",
        "item": scene.source,
    }


def add_scene(
    path: str | Path,
    folder: Path,
    sensor: str | None,
    acquired: str | None,
    cog: bool,
    advance: Advance | None = None,
    clouds: bool = False,
) -> dict[str, Any]:
    """A STAC Item in `folder` for a raster, with COG copies beside it if asked; its row. Again changes nothing.

    `clouds`: with a cloud mask too, for Sentinel-2 that came without one.

    Raises:
        BadInput: the file is no scene, or the folder holds another one of its name.
    """
    scene = open_scene(path, sensor, acquired)
    if Path(scene.id).name != scene.id:
        raise BadInput(
            f"{scene.source}: its id {scene.id!r} cannot be the name of a file; mend the Item's id"
        )
    item = folder / f"{scene.id}.json"
    checksums = {href: remote.sha256(href) for href in scene.files}
    note = f"source sha256 {', '.join(checksums.values())}"
    if item.is_file() and note not in item.read_text(encoding="utf-8"):
        raise BadInput(
            f"{item}: another scene of this name is there already; rename {file_name(address_of(path))} or remove it"
        )
    kept = checksums_in(item)
    if cog:
        scene = copied(scene, folder, kept, advance)
    if clouds:
        scene = replace(scene, mask=cloud_mask(scene, address_of(path), folder, kept, advance))
        note = f"{note}; {made_by()}"
    if cog or clouds:
        checksums = {href: remote.sha256(href) for href in scene.files}
    stac.write_item(scene, item, checksums, note)
    return scene_row(open_scene(item))
