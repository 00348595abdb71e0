"""A displaced scene is put back the same in every window, exactly where it can be, and never out of the unseen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from imagery.shift import ShiftField, moved
from imagery.tiling import windows

WIDTH, HEIGHT = 1100, 700
OBSERVED, NODATA, OUTSIDE, CLOUD = range(4)
FIELDS: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "whole": lambda x, y: (np.full_like(x, 3), np.full_like(y, -2)),
    "uniform": lambda x, y: (np.full_like(x, 2.3), np.full_like(y, -1.7)),
    "affine": lambda x, y: (2.3 + 5e-4 * (x - 700) - 3e-4 * y, -1.2 + 3e-4 * x + 5e-4 * (y - 600)),
    # Around a whole displacement, where offsets alternate within a window.
    "straddling": lambda x, y: (0.1 * np.sin(x / 200), 0.1 * np.cos(y / 200 + x / 100)),
    "steep": lambda x, y: (6 * np.sin(x / 300), 5 * np.cos(y / 250)),
}


def reader(values: Any, codes: Any) -> Callable[[Window], tuple[Any, Any]]:
    def read(window: Window) -> tuple[Any, Any]:
        place = (
            slice(window.row_off, window.row_off + window.height),
            slice(window.col_off, window.col_off + window.width),
        )
        assert (window.row_off, window.col_off) >= (0, 0)
        assert codes[place].shape == (window.height, window.width), "read beyond the grid"
        return values[:, *place], codes[place]

    return read


def world(width: int = WIDTH, height: int = HEIGHT, seed: int = 5) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    values = random.random((3, height, width), dtype=np.float32)
    codes = np.where(random.random((height, width)) < 1e-3, CLOUD, OBSERVED).astype(np.uint8)
    codes[200:260, 300:420] = NODATA
    values[:, codes != OBSERVED] = 0
    return values, codes


WORLD = world()


def whole(field: ShiftField) -> tuple[Any, Any]:
    return moved(field, Window(0, 0, WIDTH, HEIGHT), (WIDTH, HEIGHT), reader(*WORLD))


@pytest.fixture(scope="module")
def wholes() -> dict[str, tuple[ShiftField, Any, Any]]:
    fields = {name: ShiftField.over(WIDTH, HEIGHT, 256, at) for name, at in FIELDS.items()}
    return {name: (field, *whole(field)) for name, field in fields.items()}


@pytest.mark.parametrize("size", [64, 100, 512, 1024])
@pytest.mark.parametrize("name", FIELDS)
def test_windows_of_any_size_make_the_same_whole(wholes: Any, name: str, size: int) -> None:
    field, values, codes = wholes[name]
    for padded in windows(WIDTH, HEIGHT, size):
        window = padded.inner
        part, reasons = moved(field, window, (WIDTH, HEIGHT), reader(*WORLD))
        rows = slice(window.row_off, window.row_off + window.height)
        columns = slice(window.col_off, window.col_off + window.width)
        assert (part.dtype, reasons.dtype) == (np.float32, np.uint8)
        assert np.array_equal(part, values[:, rows, columns])
        assert np.array_equal(reasons, codes[rows, columns])


@given(
    st.sampled_from(sorted(FIELDS)),
    st.integers(0, WIDTH - 1),
    st.integers(0, HEIGHT - 1),
    st.integers(1, 300),
    st.integers(1, 300),
)
def test_any_window_is_part_of_the_whole(
    wholes: Any, name: str, left: int, top: int, width: int, height: int
) -> None:
    field, values, codes = wholes[name]
    window = Window(left, top, min(width, WIDTH - left), min(height, HEIGHT - top))
    part, reasons = moved(field, window, (WIDTH, HEIGHT), reader(*WORLD))
    rows, columns = slice(top, top + window.height), slice(left, left + window.width)
    assert np.array_equal(part, values[:, rows, columns])
    assert np.array_equal(reasons, codes[rows, columns])


def test_a_whole_displacement_copies() -> None:
    values, codes = WORLD
    found, reasons = whole(ShiftField.over(WIDTH, HEIGHT, 512, FIELDS["whole"]))
    # Three to the right and two up: the first two rows and the last three columns come from beyond the grid.
    assert np.array_equal(found[:, 2:, :-3], values[:, :-2, 3:])
    assert np.array_equal(reasons[2:, :-3], codes[:-2, 3:])
    assert (reasons[:2] == OUTSIDE).all()
    assert (reasons[:, -3:] == OUTSIDE).all()
    assert (found[:, reasons != OBSERVED] == 0).all()


def test_no_displacement_changes_nothing() -> None:
    found, reasons = whole(ShiftField.over(WIDTH, HEIGHT, 512, lambda x, y: (0 * x, 0 * y)))
    assert np.array_equal(found, WORLD[0])
    assert np.array_equal(reasons, WORLD[1])


def test_a_pixel_is_seen_only_if_all_it_is_made_of_was() -> None:
    codes = np.zeros((12, 14), np.uint8)
    codes[5, 6], codes[5, 9] = NODATA, CLOUD
    values = np.ones((1, 12, 14), np.float32)
    half = ShiftField.over(14, 12, 16, lambda x, y: (0 * x + 0.5, 0 * y))
    _, reasons = moved(half, Window(0, 0, 14, 12), (14, 12), reader(values, codes))
    # Column c is made of c - 1 … c + 2 of its own row, for only columns are displaced by a part.
    expected = [OUTSIDE, *[0] * 3, *[NODATA] * 3, *[CLOUD] * 4, 0, OUTSIDE, OUTSIDE]
    assert reasons[5].tolist() == expected
    assert (reasons[[4, 6], 1:12] == OBSERVED).all()


def test_the_unseen_may_be_shown_to_the_eye() -> None:
    values, codes = np.ones((1, 9, 9), np.float32), np.full((9, 9), CLOUD, np.uint8)
    half = ShiftField.over(9, 9, 16, lambda x, y: (0 * x + 0.5, 0 * y))
    shown, reasons = moved(half, Window(3, 3, 2, 2), (9, 9), reader(values, codes), hide_unseen=False)
    assert shown[0].tolist() == [[1, 1], [1, 1]]
    assert (reasons == CLOUD).all()


@pytest.mark.parametrize("name", FIELDS)
def test_a_smooth_scene_is_displaced_as_the_field_says(name: str) -> None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(float)

    def scene(x: Any, y: Any) -> Any:
        return np.sin(x / 7) + np.cos(y / 9 + x / 20)

    field = ShiftField.over(WIDTH, HEIGHT, 128, FIELDS[name])
    values = scene(columns, rows)[None].astype(np.float32)
    codes = np.zeros((HEIGHT, WIDTH), np.uint8)
    found, reasons = moved(field, Window(0, 0, WIDTH, HEIGHT), (WIDTH, HEIGHT), reader(values, codes))
    dx, dy = field.at(columns, rows)
    error = np.abs(found[0] - scene(columns + dx, rows + dy))[reasons == OBSERVED]
    # The steep field turns a pixel by 2 % over its reach; all real ones are far smoother.
    assert error.max() < (2e-2 if name == "steep" else 1e-3)


@given(st.floats(-6, 6), st.floats(-6, 6), st.sampled_from([16, 100, 256]))
def test_the_field_of_a_window_is_the_field_at_its_pixels(dx: float, dy: float, spacing: int) -> None:
    field = ShiftField.over(333, 250, spacing, lambda x, y: (dx + x / 1000, dy - y / 900 + x / 800))
    rows, columns = np.mgrid[60:160, 90:333].astype(float)
    expected = field.at(columns, rows)
    for nodes, values in zip((field.dx, field.dy), expected, strict=True):
        assert np.allclose(field.component(nodes, 60, 90, 100, 243), values, rtol=0, atol=2e-6)
    assert np.allclose(expected[0], dx + columns / 1000, rtol=0, atol=1e-9)
    assert field.margin >= np.abs(np.stack(expected)).max() + 2


def test_a_grid_smaller_than_the_kernel() -> None:
    field = ShiftField.over(1, 1, 256, lambda x, y: (0 * x + 0.4, 0 * y))
    found, reasons = moved(
        field, Window(0, 0, 1, 1), (1, 1), reader(np.ones((2, 1, 1), np.float32), np.zeros((1, 1), np.uint8))
    )
    assert (found.tolist(), reasons.tolist()) == ([[[0]], [[0]]], [[OUTSIDE]])
