"""Chips given as evidence: of both scenes the pixels about a change, and the picture that a report shows of them."""

import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.windows import Window

from cases.records import SceneRecord
from cases.store import CaseStore
from cases.workflow import Workflow
from evidence.adding import Added, Given, add, check_person
from evidence.files import Files
from evidence.limits import Limits
from ground.crs import to_crs
from ground.errors import BadInput, Unreachable
from imagery.reader import SceneReader
from imagery.scene import Grid, Scene
from reports.case_data import case_data
from reports.chips import Frame, as_recorded, chip, ground_of

KINDS = {"before": "chip_before", "after": "chip_after"}
MOST_PX = 4096
"""Longest side of a chip's pixels; of more ground there is the picture alone."""


@dataclass(frozen=True)
class Cut:
    """The files given, and a sentence for each that could not be cut."""

    given: list[Added]
    lacking: list[str]


@dataclass(frozen=True)
class _Piece:
    kind: str
    path: Path
    note: str


def give_chips(
    store: CaseStore, files: Files, case_id: str, by: tuple[str, str], workflow: Workflow, limits: Limits
) -> Cut:
    """Cuts both chips of a case from the scenes where they lie and gives them; the same chip adds nothing twice.

    `by`: name and role. A GeoTIFF of the scene's own pixels and grid (reflectance, the last band the observation code),
    and a PNG with the outline drawn in.

    Raises:
        NotFound, IllegalMove: no such case; no named person.
        CannotWrite, Unreachable: the store takes nothing in.
    """
    check_person(*by, workflow, "evidence is given")
    data = case_data(store, case_id, workflow)
    key, frame = data.said["case"]["id"], ground_of(data.outline, data.scenes)
    pieces: list[_Piece] = []
    lacking: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for which, record in data.scenes.items():
            try:
                pieces += _cut(record, frame, which, Path(folder), key)
            except (BadInput, Unreachable) as error:
                lacking.append(f"chip of the scene {which}: {error}")
        actor, role = by
        given = [
            add(
                store,
                files,
                key,
                Given(kind=p.kind, path=p.path, actor=actor, role=role, note=p.note),
                workflow,
                limits,
            )
            for p in pieces
        ]
    return Cut(given, lacking)


def _cut(record: SceneRecord | None, frame: Frame, which: str, folder: Path, case_id: str) -> list[_Piece]:
    """The files of one scene.

    Raises:
        BadInput: the scene is not recorded, gone, another one, or shows nothing of this ground.
    """
    if record is None:
        raise BadInput("no scene is recorded for this date; judge the change with the scenes it was found in")
    picture = chip(record, frame)
    if picture.png is None:
        raise BadInput(picture.why or f"scene {record.name} shows nothing of this ground")
    taken = f"{record.acquired:%Y-%m-%d %H:%M} UTC" if record.acquired else "at an unknown time"
    said = f"cut from scene {record.name} ({record.id}), {record.sensor}, taken {taken}"
    png, tif = folder / f"{which}-{record.name}.png", folder / f"{which}-{record.name}.tif"
    png.write_bytes(picture.png)
    pieces = [_Piece(KINDS[which], png, f"{said}; drawn with the outline")]
    tags = {
        "CASE": case_id, "SCENE": record.name, "SCENE_ID": record.id, "SENSOR": record.sensor,
        "ACQUIRED": record.acquired.isoformat() if record.acquired else "unknown",
        "SOFTWARE": f"tiankan {version('tiankan')}",
    }  # fmt: skip
    size = _pixels(as_recorded(record), frame, tif, tags)
    if size is None:
        return pieces
    return [_Piece(KINDS[which], tif, f"{said}; {size} pixels of the scene itself"), *pieces]


def _pixels(scene: Scene, frame: Frame, to: Path, tags: dict[str, str]) -> str | None:
    """The scene's own pixels of the frame, on its own grid; their size in words, None where they are too many."""
    window = _window(scene.grid, frame)
    if max(window.width, window.height) > MOST_PX:
        return None
    with SceneReader(scene, scene.grid, scene.bands) as reader:
        values, codes = reader.read(window, hide_unseen=False)
    with rasterio.open(
        to, "w", driver="GTiff", width=window.width, height=window.height, count=len(values) + 1, dtype="float32",
        crs=scene.grid.crs, transform=scene.grid.shift(window), compress="deflate", predictor=3,
    ) as sink:  # fmt: skip
        sink.write(np.concatenate([values.astype("float32"), codes[None].astype("float32")]))
        sink.descriptions = (*(ref.name for ref in scene.bands), "observation")
        sink.update_tags(**tags)
    return f"{window.width} × {window.height}"


def _window(grid: Grid, frame: Frame) -> Window:
    """The pixels that the frame touches.

    Raises:
        BadInput: it lies beside the scene.
    """
    half = frame.side_m / 2
    square = shapely.box(frame.x - half, frame.y - half, frame.x + half, frame.y + half)
    ring = shapely.get_coordinates(to_crs(np.array([square], dtype=object), frame.crs, grid.crs, "chip"))
    back = ~grid.transform
    places = np.array([back @ (float(x), float(y)) for x, y in ring])
    (left, top), (right, bottom) = np.floor(places.min(axis=0)), np.ceil(places.max(axis=0))
    left, right = (int(np.clip(each, 0, grid.width)) for each in (left, right))
    top, bottom = (int(np.clip(each, 0, grid.height)) for each in (top, bottom))
    if right <= left or bottom <= top:
        raise BadInput("the scene does not reach this ground")
    return Window(left, top, right - left, bottom - top)
