"""A scene as a picture: natural color, at its place in Web Mercator, clear where nothing was recorded."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer
from rasterio.transform import from_origin

from imagery.catalog import open_scene
from imagery.quicklook import Quicklook, mercator_grid, natural_bands, quicklook

Raster = Callable[..., Path]


def pixels(picture: Quicklook) -> Any:
    with Image.open(io.BytesIO(picture.png)) as image:
        assert (image.format, image.mode) == ("PNG", "RGBA")
        return np.asarray(image)


def mercator(transform: Any) -> dict[str, Any]:
    return {"transform": transform, "crs": "EPSG:3857"}


def test_colors_are_natural_and_what_was_not_recorded_is_clear(raster: Raster) -> None:
    # Ten columns in Web Mercator already: the first not recorded, then black, then white, then pure colors.
    values = np.zeros((4, 10, 10), "uint16")
    values[:, :, 5:] = 4000
    values[[0, 1, 3], :, 7] = 1
    values[:, :, 0] = 0
    values[:, :, 1:5] = 1
    path = raster(
        "a.tif", values, names=["B02", "B03", "B04", "B08"], **mercator(from_origin(12e6, 4.5e6, 10, 10))
    )
    picture = quicklook(open_scene(path, "sentinel-2"))
    shown = pixels(picture)
    assert shown.shape == (10, 10, 4)
    assert picture.bounds == pytest.approx((12_000_000, 4_499_900, 12_000_100, 4_500_000))
    assert (shown[:, 0, 3] == 0).all()
    assert (shown[:, 1:, 3] == 255).all()
    # Stretched from the 1st to the 99th percentile: 1 is black and 4000 is white; column 7 is red alone.
    assert shown[5, [2, 6, 7]].tolist() == [[0, 0, 0, 255], [255, 255, 255, 255], [255, 0, 0, 255]]


def test_the_middle_of_the_stretch_is_brightened(raster: Raster) -> None:
    # A quarter of the way from black to white: the root of it is a half, 127 of 255.
    values = np.repeat([0, 100, 400], [40, 20, 40]).reshape(1, 10, 10).astype("uint16")
    shown = pixels(quicklook(open_scene(raster("a.tif", values, **mercator(from_origin(12e6, 4.5e6, 1, 1))))))
    assert np.unique(shown[..., 0]).tolist() == [0, 127, 255]
    assert (shown[..., 0] == shown[..., 1]).all()
    assert (shown[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("count", "sensor", "names"),
    [
        (3, None, ["R", "G", "B"]),
        (4, "gf-2", ["B3", "B2", "B1"]),
        (6, "landsat-tm", ["B3", "B2", "B1"]),
        (2, None, ["b1"]),
    ],
)
def test_natural_color_where_there_is_color(
    raster: Raster, numbered: Callable[..., Any], count: int, sensor: str | None, names: list[str]
) -> None:
    scene = open_scene(raster("a.tif", numbered(count, 2, 2)), sensor)
    assert [ref.name for ref in natural_bands(scene)] == names


def test_a_cloud_is_shown_to_the_eye(raster: Raster) -> None:
    values = np.full((5, 4, 4), 1000, "uint16")
    values[4] = 9
    path = raster("a.tif", values, names=["B02", "B03", "B04", "B08", "SCL"])
    shown = pixels(quicklook(open_scene(path, "sentinel-2")))
    assert shown[shown.shape[0] // 2, shown.shape[1] // 2, 3] == 255


def test_the_picture_lies_where_the_scene_lies(raster: Raster, numbered: Callable[..., Any]) -> None:
    scene = open_scene(raster("a.tif", numbered(3, 100, 200)))
    grid = mercator_grid(scene, 50)
    # No more than 50 pixels on the longer side, in the scene's shape, and square.
    assert (grid.width, grid.height) == (50, 26)
    assert grid.transform.a == pytest.approx(-grid.transform.e, rel=0.03)
    move = Transformer.from_crs(32649, 3857, always_xy=True)
    xs, ys = move.transform(
        [600_000, 602_000, 602_000, 600_000], [4_200_000, 4_200_000, 4_199_000, 4_199_000]
    )
    assert grid.bounds == pytest.approx((min(xs), min(ys), max(xs), max(ys)), abs=0.01)
    assert max(mercator_grid(scene, 4096).width, mercator_grid(scene, 4096).height) == 200


def test_a_scene_of_which_nothing_was_recorded_is_a_clear_picture(raster: Raster) -> None:
    shown = pixels(quicklook(open_scene(raster("a.tif", np.zeros((3, 4, 4), "uint8"), nodata=0))))
    assert (shown[..., 3] == 0).all()


def test_one_pixel_is_a_picture(raster: Raster) -> None:
    shown = pixels(quicklook(open_scene(raster("a.tif", np.full((3, 1, 1), 9, "uint8")))))
    assert shown.shape == (1, 1, 4)
