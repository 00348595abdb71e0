"""Detectors, thresholds and polygons against answers known by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import CRS

import detection.predict
import pipeline
from detection import changes
from detection.irmad import Moments, fit_irmad
from detection.linear import label_parts, linear_part
from detection.polygons import change_mask, outlines, trace
from detection.sample import Sample
from detection.threshold import background, change_scale, otsu
from ground.errors import BadInput
from imagery.scene import Grid

UTM = CRS.from_epsg(32649)
GRID = Grid(UTM, Affine(10, 0, 600_000, 0, -10, 4_200_000), 40, 40)


def scene(path: Path, values: Any, nodata: float | None = None) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", count=len(values), height=values.shape[1], width=values.shape[2],
        dtype=values.dtype.name, crs="EPSG:32649", transform=GRID.transform, nodata=nodata,
    ) as sink:  # fmt: skip
        sink.write(values)
    return path


def world(bands: int, side: int = 100, seed: int = 4) -> tuple[Any, Any]:
    """The same ground on two dates under another light, with a little noise of its own on each."""
    random = np.random.default_rng(seed)
    ground = random.normal(0, 300, (bands, side, side)).cumsum(axis=2) / 5 + 4000
    gain = random.uniform(0.8, 1.2, (bands, 1, 1))
    before, after = (
        ground + random.normal(0, 10, ground.shape),
        ground * gain + random.normal(0, 10, ground.shape),
    )
    return before, after


def found(tmp_path: Path, before: Any, after: Any, **options: Any) -> Any:
    a = scene(tmp_path / "a.tif", np.clip(before, 1, 65_000).astype("uint16"))
    b = scene(tmp_path / "b.tif", np.clip(after, 1, 65_000).astype("uint16"))
    pipeline.detect(a, b, tmp_path / "out", pipeline.DetectOptions(**options))
    with rasterio.open(tmp_path / "out" / "change.tif") as made:
        return made.read()


@pytest.mark.parametrize(("bands", "detector"), [(6, "irmad"), (4, "irmad"), (3, "cva"), (1, "cva")])
def test_a_planted_change_is_found_to_the_pixel_and_nothing_else(
    tmp_path: Path, bands: int, detector: str
) -> None:
    before, after = world(bands)
    after[:, 30:42, 50:65] += 3000
    probability, codes = found(tmp_path, before, after)
    assert (codes == 0).all()
    truth = np.zeros((100, 100), bool)
    truth[30:42, 50:65] = True
    assert (probability[truth] >= 127).all()
    # Beyond 3.5 widths of a Gaussian lie 2 pixels in 10,000: alone, and sieved.
    assert ((probability >= 127) & ~truth).sum() <= 5
    frame = changes.read(tmp_path / "out" / "changes.gpkg")
    assert len(frame) == 1
    # 12 × 15 pixels of 10 m; UTM's scale at this meridian makes the true area 0.06 % larger or smaller.
    assert frame["area_m2"].iloc[0] == pytest.approx(18_000, rel=1e-3)
    run = (tmp_path / "out" / "run.json").read_text()
    assert f'"detector": "{detector}"' in run


@pytest.mark.parametrize("bands", [4, 3])
def test_an_unchanged_pair_stays_empty(tmp_path: Path, bands: int) -> None:
    before, after = world(bands)
    found(tmp_path, before, after)
    assert len(changes.read(tmp_path / "out" / "changes.gpkg")) == 0


@pytest.mark.parametrize("bands", [5, 2])
def test_a_scene_against_itself_has_no_change(tmp_path: Path, bands: int) -> None:
    before, _ = world(bands)
    probability, _ = found(tmp_path, before, before)
    assert (probability < 127).all()


def test_constant_and_repeated_bands_do_no_harm(tmp_path: Path) -> None:
    before, after = world(3)
    after[:, 10:20, 10:20] += 3000
    more = [np.full((1, 100, 100), 7.0), before[:1]], [np.full((1, 100, 100), 9.0), after[:1]]
    probability, _ = found(tmp_path, np.concatenate([before, *more[0]]), np.concatenate([after, *more[1]]))
    assert (probability[10:20, 10:20] >= 127).all()
    assert (probability >= 127).sum() == 100


def test_the_map_does_not_depend_on_the_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = world(3, 150)
    after[:, 60:70, 60:70] += 900
    maps = []
    for size in (1024, 64, 37):
        monkeypatch.setattr(detection.predict, "WINDOW", size)
        maps.append(found(tmp_path, before, after, detector="cva"))
    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])


def test_what_nobody_saw_is_an_error_and_not_an_empty_map(tmp_path: Path) -> None:
    dark = scene(tmp_path / "dark.tif", np.zeros((4, 20, 20), "uint16"), nodata=0)
    light = scene(tmp_path / "light.tif", np.full((4, 20, 20), 9, "uint16"))
    with pytest.raises(BadInput, match="only 0 pixels are seen on both dates"):
        pipeline.detect(dark, light, tmp_path / "out", pipeline.DetectOptions())
    assert list((tmp_path / "out").iterdir()) == []


@settings(deadline=None, max_examples=25)
@given(st.floats(0.2, 5), st.floats(-500, 500), st.integers(0, 1000))
def test_irmad_does_not_see_gain_offset_and_mixing(gain: float, offset: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    before = random.normal(0, 100, (4, 900))
    after = before + random.normal(0, 10, before.shape)
    after[:, :40] += 300
    mix = np.eye(4) + random.uniform(-0.2, 0.2, (4, 4))
    plain = fit_irmad(Sample(before, after, 1))(before, after)
    mixed = mix @ after * gain + offset
    turned = fit_irmad(Sample(before, mixed, 1))(before, mixed)
    np.testing.assert_allclose(turned, plain, atol=2e-3)


@given(st.integers(0, 1000), st.integers(2, 50))
def test_moments_in_chunks_are_the_moments(seed: int, cut: int) -> None:
    random = np.random.default_rng(seed)
    rows, weights = random.normal(5, 3, (60, 3)), random.uniform(0, 1, 60)
    moments = Moments(3)
    moments.add(rows[:cut], weights[:cut])
    moments.add(rows[cut:], weights[cut:])
    np.testing.assert_allclose(moments.mean, np.average(rows, axis=0, weights=weights))
    np.testing.assert_allclose(moments.covariance, np.cov(rows.T, aweights=weights, ddof=0), rtol=1e-9)


def test_otsu_and_background() -> None:
    two = np.concatenate([np.full(300, 1.0), np.full(100, 9.0)])
    assert 1.0 <= otsu(two) < 9.0
    noise = np.random.default_rng(1).normal(10, 2, 50_000)
    mode, width = background(noise)
    assert (mode, width) == (pytest.approx(10, abs=0.5), pytest.approx(2, rel=0.2))
    # Nothing but noise: the threshold lies clear of it, and hardly a pixel beyond.
    assert (noise > change_scale(noise).threshold).mean() < 1e-3
    assert change_scale(np.ones(9)).parameters()["threshold"] is None


def bytes_of(mask: Any, value: int = 254) -> Any:
    return np.where(mask, value, 0).astype("uint8")


def test_the_smallest_change_is_four_pixels_and_corners_do_not_join() -> None:
    mask = np.zeros((40, 40), bool)
    mask[2:4, 2:4] = True  # four pixels: kept
    mask[10, 10:13] = True  # three: sieved
    mask[20:23, 20:23] = mask[23:26, 23:26] = True  # two squares that meet at a corner
    kept = change_mask(bytes_of(mask), 0.5, 4)
    assert kept.sum() == 4 + 9 + 9
    labels, kinds = label_parts(kept, np.zeros_like(kept))
    shapes = trace(labels, len(kinds), GRID)
    assert sorted(shape.area for shape in shapes) == [400.0, 900.0, 900.0]
    assert shapely.box(600_020, 4_199_960, 600_040, 4_199_980).equals(min(shapes, key=lambda s: s.area))


def test_a_cloud_neither_joins_nor_is_filled() -> None:
    probability = np.zeros((40, 40), "uint8")
    probability[5:15, 5:15] = 254
    probability[8:10, 8:10] = 255  # unseen inside: stays a hole
    probability[12, 12] = 0  # one unchanged pixel inside: filled
    probability[20:24, 20:24] = probability[20:24, 26:30] = 254
    probability[20:24, 24:26] = 255  # unseen between two groups: keeps them apart
    kept = change_mask(probability, 0.5, 4)
    assert kept.sum() == 100 - 4 + 16 + 16
    labels, kinds = label_parts(kept, np.zeros_like(kept))
    assert len(kinds) == 3
    assert [len(s.interiors) for s in trace(labels, 3, GRID)] == [1, 0, 0]


def test_a_road_is_told_from_the_field_it_touches() -> None:
    mask = np.zeros((60, 90), bool)
    mask[30:33, :] = True  # a road of three pixels, 900 m long
    mask[33:50, 10:30] = True  # a field below it
    linear = linear_part(mask, mask, 10.0, 4)
    assert linear[30:33, 31:].all()
    assert not linear[34:50].any()
    labels, kinds = label_parts(mask, linear)
    areas = np.bincount(labels.ravel())[1:]
    assert areas.sum() == mask.sum()
    assert kinds.any()
    assert not kinds.all()


@settings(deadline=None, max_examples=60)
@given(arrays(bool, (20, 20)), st.integers(1, 6))
def test_areas_of_parts_sum_to_the_mask(mask: Any, smallest: int) -> None:
    grid = Grid(UTM, GRID.transform, 20, 20)
    kept = change_mask(bytes_of(mask), 0.5, smallest)
    labels, kinds = label_parts(kept, linear_part(kept, kept, 10.0, smallest))
    shapes = trace(labels, len(kinds), grid)
    assert sum(shape.area for shape in shapes) == pytest.approx(100.0 * kept.sum())
    assert all(shape.is_valid for shape in shapes)
    sizes = np.bincount(labels.ravel())[1:]
    assert [shape.area for shape in shapes] == pytest.approx((100.0 * sizes).tolist())


def test_outlines_carry_the_mean_probability(tmp_path: Path) -> None:
    values = np.zeros((2, 40, 40), "uint8")
    values[0, 4:8, 4:8], values[0, 4:8, 8:12] = 254, 127
    path = scene(tmp_path / "change.tif", values, nodata=255)
    made = outlines(path, threshold=0.5, smallest_m2=400)
    # Half of the pixels are certain, half are at 127 / 254.
    assert made.probability.tolist() == [pytest.approx(0.75)]
    assert made.polygons[0].equals(shapely.box(600_040, 4_199_920, 600_120, 4_199_960))


def test_a_change_has_one_id_however_it_is_written() -> None:
    square = shapely.box(600_000, 4_199_900, 600_100, 4_200_000)
    turned = shapely.Polygon([*square.exterior.coords[2:], *square.exterior.coords[1:3]])
    noisy = shapely.transform(square, lambda xy: xy + 1e-6)
    ids = {
        changes.change_id("pair", shape, UTM) for shape in (square, turned, shapely.reverse(square), noisy)
    }
    assert len(ids) == 1
    other = changes.change_id("another pair", square, UTM)
    assert other not in ids


@given(st.floats(1, 500), st.floats(1, 500))
def test_ribbon_width_of_a_rectangle_is_its_shorter_side(a: float, b: float) -> None:
    width = float(changes.ribbon_width_m(a * b, 2 * (a + b)))
    assert width == pytest.approx(min(a, b), rel=1e-5, abs=1e-4)


def test_the_frame_refuses_what_is_no_change() -> None:
    good = changes.make(np.array([shapely.box(600_000, 4_199_900, 600_100, 4_200_000)]), UTM, pair_id="p")
    assert good["area_m2"].iloc[0] == pytest.approx(10_000, rel=1e-3)
    with pytest.raises(BadInput, match="no column area_m2"):
        changes.check(good.drop(columns="area_m2"), "x.gpkg")
    with pytest.raises(BadInput, match="stands twice"):
        changes.check(good.loc[[0, 0]], "x.gpkg")
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    with pytest.raises(BadInput, match="not a valid polygon"):
        changes.check(good.set_geometry([bow], crs=UTM), "x.gpkg")
