"""Before and after chips of a change: the same ground cut from both scenes, its outline, scale and north drawn in."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from PIL import Image, ImageDraw, ImageFont
from pyproj import CRS, Proj

from cases.records import SceneRecord
from ground.crs import LONLAT, to_crs
from ground.errors import BadInput, Unreachable
from imagery.catalog import open_scene
from imagery.quicklook import painted
from imagery.reader import Codes
from imagery.scene import Grid, Observation, Scene

SIDE_PX = 720
"""Pixels of a chip's side as it is drawn."""
AROUND = 1.7
"""Side of the chip's ground over the longer side of the change."""
LEAST_PIXELS = 32
"""Pixels of the coarser scene that a chip shows across at least: less is nothing to look at."""
HARD_TO_FIND_PX = 24
"""A change drawn smaller than this gets a ring about it."""
OUTLINE, HALO = (255, 210, 0, 255), (0, 0, 0, 255)
UNKNOWN_GSD_M = 1.0
"""Where no scene is recorded nothing is cut, and any will do."""
MOVED_DEGREES = 1e-4
"""By which the box of a scene may differ from what was recorded of it."""
GONE, NOT_RECORDED, UNSEEN, SEEN = "gone", "not_recorded", "unseen", "seen"


@dataclass(frozen=True)
class Frame:
    """The ground that both chips show: a square about the change; true north is `convergence` degrees off up."""

    crs: CRS
    outline: shapely.Geometry
    """The change in `crs`."""
    x: float
    y: float
    side_m: float
    scale: float
    """Length of a true metre in `crs`."""
    convergence: float

    def grid(self, gsd_m: float, most: int = SIDE_PX) -> Grid:
        """The square on pixels as fine as the scene's, and never more than `most` of them."""
        count = max(1, min(most, math.ceil(self.side_m / gsd_m - 1e-9)))
        pixel, half = self.side_m / count, self.side_m / 2
        return Grid(self.crs, Affine(pixel, 0, self.x - half, 0, -pixel, self.y + half), count, count)


@dataclass(frozen=True)
class Chip:
    """`state`: seen, unseen (no picture, or none of the change), gone (the file), not_recorded (the scene).

    `unseen`: share of the change by the reason why it was not seen; `why`: what the reader said of a file that is gone.
    """

    state: str
    png: bytes | None = None
    unseen: dict[str, float] | None = None
    why: str = ""


def frame_of(outline: shapely.Geometry, coarsest_m: float) -> Frame:
    """The ground to show of a change in degrees, in scenes of a ground sample distance of `coarsest_m` at most."""
    west, south, east, north = outline.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    crs = utm_of(lon, lat)
    there = Proj(crs).get_factors(lon, lat)
    shape = to_crs(np.array([outline], dtype=object), LONLAT, crs, "change")[0]
    left, bottom, right, top = shape.bounds
    extent = max(right - left, top - bottom)
    side = max(extent * AROUND, extent + 4 * coarsest_m, LEAST_PIXELS * coarsest_m)
    middle = (left + right) / 2, (bottom + top) / 2
    return Frame(crs, shape, *middle, side, there.meridional_scale, there.meridian_convergence)


def ground_of(outline: shapely.Geometry, scenes: Mapping[str, SceneRecord | None]) -> Frame:
    """The ground to show of a change in these scenes, the same in each."""
    return frame_of(outline, max((scene.gsd_m for scene in scenes.values() if scene), default=UNKNOWN_GSD_M))


def utm_of(lon: float, lat: float) -> CRS:
    """The UTM zone of a place: known to PROJ by its number, so that ten reports a second need no search for ways."""
    zone = min(60, int((lon + 180) // 6) + 1)
    return CRS.from_epsg((32600 if lat >= 0 else 32700) + zone)


def chip(record: SceneRecord | None, frame: Frame) -> Chip:
    """What a scene shows of the frame; a scene that cannot be shown is said, never left blank."""
    if record is None:
        return Chip(NOT_RECORDED)
    try:
        scene = as_recorded(record)
        picture, codes = painted(scene, frame.grid(scene.grid.gsd_m))
    except (BadInput, Unreachable) as error:
        return Chip(GONE, why=str(error))
    unseen = _unseen(codes, frame)
    if np.isin(codes, (Observation.NODATA, Observation.OUTSIDE)).all():
        return Chip(UNSEEN, unseen=unseen)
    state = UNSEEN if sum(unseen.values()) > 0.9995 else SEEN
    return Chip(state, _drawn(picture, frame), unseen)


def as_recorded(record: SceneRecord) -> Scene:
    """The scene behind a record.

    Raises:
        BadInput: its file is gone, or another scene lies there now, as its box or its time tells.
    """
    scene = open_scene(record.href, record.sensor)
    box = scene.grid.lonlat_bounds(scene.source)
    moved = max(abs(now - was) for now, was in zip(box, record.bbox, strict=True)) > MOVED_DEGREES
    others = scene.acquired_utc and record.acquired and scene.acquired_utc != record.acquired
    if moved or others:
        raise BadInput(
            f"{record.href}: is not the scene {record.name} that was compared (another box or time); put it back"
        )
    return scene


def _unseen(codes: Codes, frame: Frame) -> dict[str, float]:
    """Share of the change's area by the reason why it was not seen; pixels are cut finer, for a small change is few."""
    finer = math.ceil(SIDE_PX / codes.shape[0])
    cut = codes.repeat(finer, axis=0).repeat(finer, axis=1)
    grid = frame.grid(frame.side_m / cut.shape[0], most=cut.shape[0])
    # What is smaller than a picture element lies in those that it touches.
    for all_touched in (False, True):
        inside = rasterio.features.geometry_mask(
            [frame.outline], cut.shape, grid.transform, invert=True, all_touched=all_touched
        )
        if inside.any():
            break
    found = cut[inside]
    counts = {Observation(int(code)).name.lower(): int((found == code).sum()) for code in np.unique(found)}
    counts.pop("observed", None)
    return {name: count / found.size for name, count in counts.items()}


def _drawn(picture: Image.Image, frame: Frame) -> bytes:
    """The chip with outline, scale bar and north arrow, on white where nothing was recorded."""
    how = Image.Resampling.NEAREST if picture.width * 3 < SIDE_PX else Image.Resampling.BICUBIC
    ground = Image.new("RGB", (SIDE_PX, SIDE_PX), "white")
    shown = picture.resize((SIDE_PX, SIDE_PX), how)
    ground.paste(shown, mask=shown.getchannel("A"))
    pen = ImageDraw.Draw(ground)
    _outline(pen, frame)
    _scale_bar(pen, frame.side_m / frame.scale)
    _north(pen, frame.convergence)
    stream = io.BytesIO()
    ground.save(stream, "PNG", optimize=False)
    return stream.getvalue()


def _outline(pen: ImageDraw.ImageDraw, frame: Frame) -> None:
    scale, half = SIDE_PX / frame.side_m, frame.side_m / 2

    def to_pixels(xy: np.ndarray) -> np.ndarray:
        return np.column_stack([(xy[:, 0] - frame.x + half) * scale, (frame.y + half - xy[:, 1]) * scale])

    drawn = shapely.transform(frame.outline, to_pixels)
    rings = [ring for part in shapely.get_parts(drawn) for ring in (part.exterior, *part.interiors)]
    for color, width in ((HALO, 5), (OUTLINE, 3)):
        for ring in rings:
            pen.line([(x, y) for x, y in ring.coords], fill=color, width=width, joint="curve")
    left, top, right, bottom = drawn.bounds
    if max(right - left, bottom - top) < HARD_TO_FIND_PX:
        x, y = (left + right) / 2, (top + bottom) / 2
        for color, width in ((HALO, 4), (OUTLINE, 2)):
            pen.ellipse((x - 40, y - 40, x + 40, y + 40), outline=color, width=width)


def scale_of(side_m: float) -> float:
    """Metres of a scale bar: 1, 2 or 5 times a power of ten, a quarter of the side at most."""
    power = 10.0 ** math.floor(math.log10(side_m / 4))
    return max(step * power for step in (1, 2, 5) if step * power <= side_m / 4)


def _scale_bar(pen: ImageDraw.ImageDraw, side_m: float) -> None:
    metres = scale_of(side_m)
    long = metres / side_m * SIDE_PX
    said = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    left, base = 20, SIDE_PX - 22
    pen.rectangle((left - 8, base - 34, left + max(long, 70) + 8, base + 12), fill=(255, 255, 255))
    pen.rectangle((left, base - 4, left + long, base + 4), fill=(0, 0, 0))
    pen.text((left, base - 32), said, fill=(0, 0, 0), font=ImageFont.load_default(22))


def _north(pen: ImageDraw.ImageDraw, convergence: float) -> None:
    x, y = SIDE_PX - 40, 36
    turn = math.radians(-convergence)
    arrow = [(0, -20), (-14, 20), (0, 11), (14, 20)]
    turned = [
        (x + px * math.cos(turn) - py * math.sin(turn), y + px * math.sin(turn) + py * math.cos(turn))
        for px, py in arrow
    ]
    pen.rectangle((x - 26, 8, x + 26, 90), fill=(255, 255, 255))
    pen.polygon(turned, fill=(0, 0, 0))
    pen.text((x, 60), "N", fill=(0, 0, 0), font=ImageFont.load_default(24), anchor="ma")
