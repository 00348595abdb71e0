"""Chips: the same ground from both scenes, the outline where it lies, and a word where there is no picture."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyproj import Geod, Transformer

from cases.records import SceneRecord
from reports.chips import GONE, NOT_RECORDED, OUTLINE, SEEN, SIDE_PX, UNSEEN, Chip, chip, frame_of, scale_of
from tests.reports_world import AFTER, BEFORE, outline, pixels, scene_row


def record(folder: Path, values: Any, name: str = "one", **more: Any) -> SceneRecord:
    row = scene_row(folder, name, more.pop("day", BEFORE), values, **more)
    box = tuple(row.pop(edge) for edge in ("west", "south", "east", "north"))
    return SceneRecord(**row, bbox=box)


def drawn(made: Chip) -> Any:
    assert made.png is not None
    with Image.open(io.BytesIO(made.png)) as image:
        assert image.size == (SIDE_PX, SIDE_PX)
        return np.asarray(image).astype(int)


def yellow(picture: Any) -> Any:
    return np.argwhere((picture == np.array(OUTLINE[:3])).all(axis=2))


def test_the_change_is_drawn_where_it_lies_and_to_scale(tmp_path: Path) -> None:
    # 100 m × 60 m in pixels of 10 m: 32 pixels across at least, 320 m; 720 picture elements are 2.25 for a metre.
    frame = frame_of(outline(), 10)
    assert frame.side_m == pytest.approx(320)
    made = chip(record(tmp_path, pixels(4000)), frame)
    assert (made.state, made.unseen) == (SEEN, {})
    picture = drawn(made)
    rows, columns = yellow(picture)[:, 0], yellow(picture)[:, 1]
    # The grid's north is 1.84° off that of UTM 50: 225 × 135 turned by it are 229 × 142.
    assert columns.max() - columns.min() == pytest.approx(229, abs=5)
    assert rows.max() - rows.min() == pytest.approx(142, abs=5)
    assert columns.min() + columns.max() == pytest.approx(SIDE_PX, abs=4)
    # White ground within the outline, dark ground without.
    assert picture[360, 360].min() > 240
    assert picture[360, 100].max() < 160


def test_both_chips_show_the_same_ground(tmp_path: Path) -> None:
    frame = frame_of(outline(), 10)
    one = yellow(drawn(chip(record(tmp_path, pixels()), frame)))
    fine = np.repeat(np.repeat(pixels(3000), 5, axis=1), 5, axis=2)
    other = yellow(drawn(chip(record(tmp_path, fine, "fine", gsd_m=2.0, day=AFTER), frame)))
    assert (one == other).all()


def test_north_and_scale_are_true() -> None:
    # The frame's zone is UTM 50, whose meridian is 117° E; the place lies 3° west of it, where its north leans east.
    shape = outline()
    frame, lon, lat = frame_of(shape, 10), shape.centroid.x, shape.centroid.y
    move = Transformer.from_crs("EPSG:4326", frame.crs, always_xy=True)
    (x, x_north), (y, y_north) = move.transform([lon, lon], [lat, lat + 0.001])
    leaning_west = np.degrees(np.arctan2(x - x_north, y_north - y))
    assert frame.convergence == pytest.approx(leaning_west, abs=0.002)
    true_m = Geod(ellps="WGS84").inv(lon, lat, lon, lat + 0.001)[2]
    assert frame.scale == pytest.approx(np.hypot(x_north - x, y_north - y) / true_m, abs=1e-5)


@pytest.mark.parametrize(("side", "bar"), [(320, 50), (400, 100), (79, 10), (8000, 2000), (1e5, 20_000)])
def test_a_scale_bar_is_round_and_a_quarter_of_the_side_at_most(side: float, bar: float) -> None:
    assert scale_of(side) == bar


def test_a_speck_gets_a_ring_and_a_giant_fits(tmp_path: Path) -> None:
    from tests.cases_world import LONLAT, changes_of, rect

    speck = changes_of(rect(0, 0, 8, 8), crs=LONLAT).geometry.iloc[0]
    made = yellow(drawn(chip(record(tmp_path, pixels()), frame_of(speck, 10))))
    assert np.ptp(made[:, 0]) == pytest.approx(80, abs=3)
    giant = changes_of(rect(-400, -400, 400, 400), crs=LONLAT).geometry.iloc[0]
    made = yellow(drawn(chip(record(tmp_path, pixels(), "two"), frame_of(giant, 10))))
    assert np.ptp(made[:, 0]) == pytest.approx(SIDE_PX / 1.7, abs=8)


def test_what_was_not_recorded_is_counted(tmp_path: Path) -> None:
    # Half of the change has no data: 5 of its 10 columns.
    values = pixels(4000)
    values[:, 44:50, 50:55] = 0
    made = chip(record(tmp_path, values), frame_of(outline(), 10))
    assert made.state == SEEN
    assert made.unseen is not None
    assert made.unseen["nodata"] == pytest.approx(0.5, abs=0.06)
    assert made.png is not None


def test_a_scene_that_cannot_be_shown_is_said(tmp_path: Path) -> None:
    frame = frame_of(outline(), 10)
    assert chip(None, frame) == Chip(NOT_RECORDED)
    one = record(tmp_path, pixels())
    values = pixels()
    values[:] = 0
    dark = chip(record(tmp_path, values, "dark"), frame)
    assert (dark.state, dark.png) == (UNSEEN, None)
    # Another scene under the same name: elsewhere.
    moved = SceneRecord(**{**one.__dict__, "bbox": tuple(edge + 1 for edge in one.bbox)})
    assert chip(moved, frame).state == GONE
    Path(one.href).write_text("no picture")
    assert chip(one, frame).state == GONE
    Path(one.href).unlink()
    gone = chip(one, frame)
    assert (gone.state, gone.png) == (GONE, None)
    assert str(one.href) in gone.why
