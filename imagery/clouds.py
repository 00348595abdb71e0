"""Clouds of a Sentinel-2 scene that came without its scene classes: a mask in their codes, by s2cloudless."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from ground.errors import BadInput
from ground.files import staging_folder
from imagery import stac
from imagery.address import file_name
from imagery.ingest import Advance, stands
from imagery.raster import BLOCK, opened, to_cog, writing
from imagery.reader import SceneReader
from imagery.scene import BandRef, Grid, Observation, Scene

SENSOR = "sentinel-2"
BANDS = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
"""What s2cloudless wants, in its order: reflectance at the top of the atmosphere, that is level 1C."""
CIRRUS = ("B10", "cirrus")
"""Names of the band that sees no ground, and therefore is none of the sensor's bands."""
GSD_M = 60
"""Of the mask: three of the ten bands have no more, and its authors average over what a finer one would show."""
THRESHOLD, AVERAGE_OVER, DILATION = 0.4, 4, 2
"""The settings of its authors for 60 m: probability, and pixels by which it is smoothed and the clouds grow."""
NO_DATA, CLEAR, CLOUD = 0, 7, 8
"""Codes of SCL: no data, unclassified (which counts as seen), cloud of medium probability."""
NO_REFLECTANCE = 3.0
"""The brightest cloud reflects less: values beyond are digital numbers."""


def made_by() -> str:
    """What the Item and the mask say of where the mask is from."""
    return (
        f"SCL: clouds by s2cloudless {version('s2cloudless')}, {GSD_M} m, threshold {THRESHOLD}, no shadows"
    )


def cloud_mask(
    scene: Scene, given: str, folder: Path, kept: dict[Path, str], advance: Advance | None = None
) -> BandRef:
    """The quality band of a scene, as a COG `folder`/<id>_SCL.tif; one that `kept` vouches for stays.

    `given`: the raster or Item that the scene was read from, for the cirrus band is in no scene.

    Raises:
        BadInput: not Sentinel-2, masked already, undated, without the ten bands, or s2cloudless is not installed.
    """
    refs = _ten_bands(scene, given)
    detector = _detector()
    target = folder / f"{scene.id}_SCL.tif"
    if not stands(given, target, kept):
        grid = _coarse(scene.grid)
        chance, seen = _chances(scene, refs, grid, detector, advance)
        cloudy = detector.get_mask_from_prob(chance[None])[0]
        codes = np.where(seen, np.where(cloudy > 0, CLOUD, CLEAR), NO_DATA).astype(np.uint8)
        with staging_folder(folder) as staging:
            plain = staging / "plain.tif"
            with writing(plain, grid, count=1, dtype="uint8", nodata=NO_DATA) as sink:
                sink.write(codes, 1)
                sink.update_tags(TIFFTAG_IMAGEDESCRIPTION=made_by())
            to_cog(plain, staging / target.name, "NEAREST")
            (staging / target.name).replace(target)
    return BandRef("SCL", str(target), 1)


def _detector() -> Any:
    try:
        from s2cloudless.cloud_detector import S2PixelCloudDetector
    except ImportError as error:
        raise BadInput(
            "--clouds: s2cloudless is not installed; install it with `pip install -c constraints.txt -e '.[clouds]'`"
        ) from error
    return S2PixelCloudDetector(threshold=THRESHOLD, average_over=AVERAGE_OVER, dilation_size=DILATION)


def _ten_bands(scene: Scene, given: str) -> tuple[BandRef, ...]:
    """The bands in the order of s2cloudless."""
    if scene.sensor != SENSOR:
        raise BadInput(
            f"{given}: is of sensor {scene.sensor}, and clouds are found in {SENSOR} only; leave out --clouds"
        )
    if scene.mask:
        raise BadInput(f"{given}: has the quality band {scene.mask.name} already; leave out --clouds")
    if scene.acquired_utc is None:
        raise BadInput(f"{given}: has no date, on which its reflectance depends; pass --date for --clouds")
    held = {ref.name: ref for ref in scene.bands}
    if cirrus := _cirrus(given):
        held["B10"] = cirrus
    if missing := [name for name in BANDS if name not in held]:
        raise BadInput(
            f"{given}: lacks {', '.join(missing)} of the ten bands in which s2cloudless finds clouds; give all bands "
            "of level 1C (level 2A has no B10, but brings its own SCL)"
        )
    refs = tuple(held[name] for name in BANDS)
    for href in dict.fromkeys(ref.href for ref in refs):
        _check_type(href)
    return refs


def _check_type(href: str) -> None:
    with opened(href) as source:
        if source.dtypes[0] != "uint16" and not source.dtypes[0].startswith("float"):
            raise BadInput(
                f"{href}: its values are {source.dtypes[0]}, not the uint16 of level 1C nor float reflectance; "
                "leave out --clouds"
            )


def _cirrus(given: str) -> BandRef | None:
    if file_name(given).suffix.lower() in stac.ITEM_SUFFIXES:
        return stac.band_named(given, "B10", CIRRUS)
    with opened(given) as source:
        names = [(text or "").upper() for text in source.descriptions]
    index = next((i for i, name in enumerate(names, 1) if name in {word.upper() for word in CIRRUS}), None)
    return BandRef("B10", given, index) if index else None


def _coarse(grid: Grid) -> Grid:
    """The same ground in pixels of about 60 m."""
    factor = max(1, round(GSD_M / grid.gsd_m))
    transform = grid.transform @ Affine.scale(factor, factor)
    return Grid(grid.crs, transform, -(-grid.width // factor), -(-grid.height // factor))


def _chances(
    scene: Scene, refs: tuple[BandRef, ...], grid: Grid, detector: Any, advance: Advance | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Probability of cloud in each pixel of the grid, and where the scene holds data."""
    chance = np.zeros((grid.height, grid.width), dtype=np.float32)
    seen = np.zeros(chance.shape, dtype=bool)
    with SceneReader(scene, grid, refs) as reader:
        for window in _strips(grid):
            values, codes = reader.read(window)
            rows, columns = window.toslices()
            here = codes == Observation.OBSERVED
            seen[rows, columns] = here
            if here.any() and np.median(values[:, here]) > NO_REFLECTANCE:
                raise BadInput(
                    f"{scene.source}: its values are no reflectance from 0 to 1; scale them, or leave out --clouds"
                )
            found = detector.get_cloud_probability_maps(np.moveaxis(values, 0, -1)[None])[0]
            chance[rows, columns] = np.where(here, found, 0)
            if advance:
                advance("clouds", int(rows.stop), grid.height)
    return chance, seen


def _strips(grid: Grid) -> Iterator[Window]:
    for row in range(0, grid.height, BLOCK):
        yield Window(0, row, grid.width, min(BLOCK, grid.height - row))
