"""The second ring: real textures displaced by known amounts; and what is measured of real pairs as they are."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window
from scipy.ndimage import fourier_shift, shift

from ground.errors import BadInput
from imagery.align import measure
from imagery.catalog import open_scene
from imagery.pairing import make_pair
from imagery.reader import PairReader
from tests.ground_world import moved_back, reader

DATA = Path(os.environ.get("TIANKAN_REAL_DATA") or Path(__file__).parent.parent.parent / "shared" / "data")
EDGE = 16
BUDGET = 4.0
# Parts of a band's spread from which a pixel counts as changed. At a quarter, what is left is no displacement:
# it is detail finer than the pixels (5 m by nearest neighbor, Landsat in 6 bits) that no resampling brings back.
LEAST = (0.25, 0.5, 1.0)

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}; set TIANKAN_REAL_DATA"),
]

NAIP = "series-naip/m_4709963_se_14_1_{}.tif"
SCENES = {
    "wetlands, 5 m": (NAIP.format("20120731"), [1, 2, 3, 4]),
    "city and fields, Landsat": ("pair-taizhou/t1.tif", [1, 2, 3, 4, 5, 6]),
    "farmland, Sentinel-2": ("pair-season-austria/two_seasons.tif", [1, 2, 3, 4]),
    "town, 0.6 m": ("pair-joplin/2011_pre_tornado.tif", [1, 2, 3]),
    "village, 0.2 m": ("pairs-fotbcd/before/train_13825.tif", [1, 2, 3]),
    "suburb, 0.2 m": ("pairs-fotbcd/before/val_104.tif", [1, 2, 3]),
}
SHIFTS = [(0.5, -0.5), (1.25, 0.75), (-3.4, 2.6), (6.0, -5.3)]
SEASONS = {
    "farmland, Sentinel-2": [
        ("pair-season-austria/two_seasons.tif", [b, b + 1, b + 2, b + 3]) for b in (1, 5)
    ],
    "Landsat 2000 and 2003": [(f"pair-taizhou/t{t}.tif", [1, 2, 3, 4, 5, 6]) for t in (1, 2)],
    "wetlands 2012 and 2014": [(NAIP.format(day), [1, 2, 3, 4]) for day in ("20120731", "20140720")],
    "wetlands 2016 and 2020": [
        (NAIP.format("20160816"), [1, 2, 3, 4]),
        (NAIP.format("20200831"), [1, 2, 3, 4]),
    ],
}


def values(name: str, bands: list[int]) -> Any:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with rasterio.open(path) as source:
        window = Window(0, 0, min(source.width, 1024), min(source.height, 1024))
        return source.read(bands, window=window).astype(np.float32)


def displaced(scene: Any, dx: float, dy: float, how: str = "spline") -> Any:
    """What lies at (x, y) of the scene lies at (x + dx, y + dy) of the outcome."""
    if how == "spline":
        return np.stack([shift(band, (dy, dx), order=5, mode="mirror") for band in scene]).astype(np.float32)
    spectra = [fourier_shift(np.fft.fft2(band.astype(float)), (dy, dx)) for band in scene]
    return np.stack([np.fft.ifft2(spectrum).real for spectrum in spectra]).astype(np.float32)


def differing(before: Any, after: Any, least: float) -> float:
    """Share of pixels, away from the border, that differ by over `least` of their band's spread."""
    spread = before.std(axis=(1, 2), keepdims=True)
    difference = (np.abs(before - after) / spread).max(axis=0)[EDGE:-EDGE, EDGE:-EDGE]
    return float((difference > least).mean())


def found_error(alignment: Any, shape: tuple[int, int], dx: float, dy: float) -> float:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    found = alignment.field.at(x, y)
    return float(np.sqrt(np.mean((found[0] - dx) ** 2 + (found[1] - dy) ** 2)))


@pytest.mark.parametrize("how", ["spline", "fourier"])
@pytest.mark.parametrize("name", SCENES)
def test_a_real_scene_displaced_by_a_known_amount(name: str, how: str) -> None:
    before = values(*SCENES[name])
    _, height, width = before.shape
    random = np.random.default_rng(6)
    total = np.zeros(2)
    for dx, dy in SHIFTS:
        after = displaced(before, dx, dy, how)
        noisy = after * 1.2 + 5 + random.normal(0, 0.02 * before.std(), before.shape)
        alignment = measure(reader(before, noisy.astype(np.float32)), width, height, BUDGET)
        assert alignment.report["applied"], alignment.report["why"]
        error = found_error(alignment, (height, width), dx, dy)
        mended, _ = moved_back(alignment.field, after)
        shares = {
            least: (differing(before, after, least), differing(before, mended, least)) for least in LEAST
        }
        told = ", ".join(f"> {least}: {raw:.2%} to {left:.3%}" for least, (raw, left) in shares.items())
        print(f"{name} {how} ({dx}, {dy}): off {error:.3f} px; false change {told}")
        assert error <= 0.2
        assert shares[1.0][1] <= shares[1.0][0] / 10
        total += np.array(shares[0.5])
    assert total[1] <= total[0] / 10


@pytest.mark.parametrize("name", SEASONS)
def test_a_shift_between_two_real_dates_is_told_from_what_was_there(name: str) -> None:
    before, after = (values(*part) for part in SEASONS[name])
    height, width = (min(a, b) for a, b in zip(before.shape[1:], after.shape[1:], strict=True))
    before, after = before[:, :height, :width], after[:, :height, :width]
    raw = measure(reader(before, after), width, height, BUDGET).report
    print(f"{name}, as it is: {raw}")
    assert raw["known"]
    for dx, dy in SHIFTS[1:]:
        moved = displaced(after, dx, dy)
        report = measure(reader(before, moved), width, height, BUDGET).report
        more = (
            report["shift_px"]["dx"] - raw["shift_px"]["dx"],
            report["shift_px"]["dy"] - raw["shift_px"]["dy"],
        )
        print(
            f"  moved by ({dx}, {dy}): found ({more[0]:.2f}, {more[1]:.2f}), left {report['residual_px']} px"
        )
        assert report["applied"]
        assert np.hypot(more[0] - dx, more[1] - dy) <= 0.2


REAL_PAIRS = [
    ("pair-joplin/2011_pre_tornado.tif", "pair-joplin/2011_post_tornado.tif"),
    ("pair-suriname/example_t0.tif", "pair-suriname/example_t1.tif"),
    *[
        (f"pairs-fotbcd/before/{n}.tif", f"pairs-fotbcd/after/{n}.tif")
        for n in ("train_8024", "val_104", "val_25")
    ],
    (NAIP.format("20100629"), NAIP.format("20200831")),
]


@pytest.mark.parametrize("names", REAL_PAIRS, ids=lambda names: str(names[0]))
def test_real_pairs_as_they_are(names: tuple[str, str]) -> None:
    for name in names:
        if not (DATA / name).is_file():
            pytest.skip(f"{DATA / name} is not there")
    pair = make_pair(*(open_scene(DATA / name) for name in names))
    with PairReader(pair) as source:

        def read(window: Window) -> Any:
            block = source.read(window)
            return block.before, block.after, block.observation

        try:
            report = measure(read, pair.grid.width, pair.grid.height, BUDGET).report
        except BadInput as refusal:
            print(f"{names[0]}: refused, {refusal}")
            return
    print(f"{names[0]}: {report}")
    assert report["known"] or not report["applied"]
    assert report["residual_px"] is None or report["residual_px"] < 8
