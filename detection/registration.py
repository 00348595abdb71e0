"""How far a pair's scenes lie apart: measured before anything is compared, and written down as a raster."""

from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from ground.errors import BadInput
from imagery.align import Alignment, measure
from imagery.raster import small_cache, writing
from imagery.reader import PairReader
from imagery.scene import Grid, ScenePair
from imagery.sensors import sensor

BANDS = ("shift in columns, px", "shift in rows, px", "residual, px", "trusted tie points")

Float = NDArray[np.float32]


def registration(pair: ScenePair) -> Alignment:
    """What tie points say of the pair.

    Raises:
        BadInput: the scenes lie farther apart than the more patient of their sensors allows.
    """
    budget = max(sensor(s.sensor, s.source).misregistration_budget_px for s in (pair.before, pair.after))
    with small_cache(), PairReader(pair) as reader:

        def read(window: Window) -> tuple[Float, Float, NDArray[np.uint8]]:
            block = reader.read(window)
            return block.before, block.after, block.observation

        try:
            return measure(read, pair.grid.width, pair.grid.height, budget)
        except BadInput as error:
            raise BadInput(f"{pair.after.source}: {error}") from error


def write_raster(alignment: Alignment, grid: Grid, path: Path, made_by: dict[str, str]) -> None:
    """Cells of the grid with the median shift and residual of their tie points, NaN where none is trusted."""
    nodes = alignment.nodes
    rows, columns = nodes.dx.shape
    cells = Grid(grid.crs, grid.transform @ Affine.scale(nodes.cell_px), columns, rows)
    planes = np.stack([nodes.dx, nodes.dy, nodes.residual, nodes.trusted.astype(float)]).astype(np.float32)
    with writing(path, cells, count=len(BANDS), dtype="float32", nodata=np.nan, compress="ZSTD") as sink:
        sink.write(planes)
        sink.descriptions = BANDS
        sink.update_tags(**made_by)
