"""Bands of a file resampled to another grid; what was not recorded stays apart from what is zero."""

from contextlib import ExitStack, closing
from typing import Any
from xml.sax.saxutils import escape

from rasterio.enums import Resampling
from rasterio.io import DatasetReader, MemoryFile
from rasterio.vrt import WarpedVRT

from ground.crs import shiftable
from imagery.raster import mask_band, rasterio_crs
from imagery.scene import Grid


def warped(
    stack: ExitStack,
    source: DatasetReader,
    indexes: list[int],
    own: Grid,
    grid: Grid,
    nodata: float | None,
    smooth: bool,
) -> WarpedVRT:
    """The bands `indexes` of a file that lies on `own`, in that order, on `grid`; closed with the stack.

    A band more, alpha, says what was recorded, unless `nodata` is a value other than 0: then each band
    keeps that value by itself.
    """
    file = stack.enter_context(closing(MemoryFile(_bands_only(source, indexes, own).encode(), ext=".vrt")))
    plain = stack.enter_context(closing(file.open()))
    there, here = shiftable(own.crs, grid.crs, source.name)
    # Not their own contexts, which may only be left in the thread that entered them.
    return stack.enter_context(
        closing(
            WarpedVRT(
                plain,
                src_crs=rasterio_crs(there),
                crs=rasterio_crs(here),
                transform=grid.transform,
                width=grid.width,
                height=grid.height,
                resampling=Resampling.bilinear if smooth else Resampling.nearest,
                **_validity(source, nodata),
            )
        )
    )


def _validity(source: DatasetReader, nodata: float | None) -> dict[str, Any]:
    if nodata is None or mask_band(source) is not None:
        return {"add_alpha": True}
    if nodata == 0:
        # Zero is also a color: only a pixel that is zero in every band was not recorded.
        return {"add_alpha": True, "src_nodata": 0, "UNIFIED_SRC_NODATA": "YES"}
    return {"src_nodata": nodata, "nodata": nodata, "UNIFIED_SRC_NODATA": "NO"}


def _bands_only(source: DatasetReader, indexes: list[int], own: Grid) -> str:
    """A virtual file of some bands: a quality band beside them must not say what is zero in every band."""
    file = f'<SourceFilename relativeToVRT="0">{escape(source.name)}</SourceFilename>'

    def band(dtype: str, attributes: str, name: str) -> str:
        inside = f"<SimpleSource>{file}<SourceBand>{name}</SourceBand></SimpleSource>"
        return f'<VRTRasterBand dataType="{dtype}"{attributes}>{inside}</VRTRasterBand>'

    bands = [band(_gdal_type(source.dtypes[i - 1]), f' band="{n}"', str(i)) for n, i in enumerate(indexes, 1)]
    if (mask := mask_band(source)) is not None:
        bands.append(f"<MaskBand>{band('Byte', '', str(mask) if mask else 'mask,1')}</MaskBand>")
    place = ", ".join(map(repr, own.transform.to_gdal()))
    return (
        f'<VRTDataset rasterXSize="{own.width}" rasterYSize="{own.height}">'
        f"<GeoTransform>{place}</GeoTransform>{''.join(bands)}</VRTDataset>"
    )


def _gdal_type(dtype: str) -> str:
    """GDAL's name of a numpy type: uint8 is Byte, uint16 UInt16, float32 Float32."""
    return "Byte" if dtype == "uint8" else dtype.capitalize().replace("Uint", "UInt")
