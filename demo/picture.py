"""One picture of the result: before, after, and the changes in the colors of their verdicts."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from rasterio.windows import Window

from ground.crs import crs_of, to_crs
from ground.files import written_beside
from imagery.reader import PairReader
from imagery.scene import Grid, ScenePair

COLORS = {
    "suspected_violation": "#e4002b", "doubt": "#ff9500", "lawful": "#2fbf4f", "other": "#58a6ff",
    "rural_road": "#2fbf4f", "facility": "#2fbf4f", "temporary": "#2fbf4f", "pseudo_change": "#bbbbbb",
}  # fmt: skip
NAMES = {"suspected_violation": "suspected violation"}
STRETCH = (1, 99)
"""Percentiles that become black and white, taken over both dates so that they can be compared."""
MOST_PIXELS = 1500
CREDIT = (
    "Imagery: contains modified Copernicus Sentinel data (2015, 2020). Parcels and permits: drawn, not real."
)


def draw(
    pair: ScenePair,
    changes: gpd.GeoDataFrame,
    verdicts: dict[str, str],
    target: Path,
    made_by: dict[str, str],
) -> None:
    """A PNG of three panels. `verdicts` by change_id; `made_by` goes into its metadata."""
    before, after = _pictures(pair)
    figure = Figure(figsize=(15, 6.2), dpi=110, layout="constrained")
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    titles = [_when("Before", pair.before.acquired_utc), _when("After", pair.after.acquired_utc)]
    faded = np.repeat(0.25 + 0.5 * after.mean(axis=2, keepdims=True), 3, axis=2)
    for ax, image, title in zip(axes, [before, after, faded], [*titles, "What changed"], strict=True):
        _show(ax, image, pair.grid, title)
    shapes = to_crs(changes.geometry.to_numpy(), crs_of(changes.crs, "changes"), pair.grid.crs, "changes")
    for shape, change in zip(shapes, changes["change_id"], strict=True):
        _outline(axes[2], shape, COLORS[verdicts[change]])
    _scale_bar(axes[0], pair.grid)
    counts = {v: list(verdicts.values()).count(v) for v in COLORS if v in verdicts.values()}
    handles = [Patch(color=COLORS[v], label=f"{NAMES.get(v, v)} ({n})") for v, n in counts.items()]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles) or 1, frameon=False, fontsize=11
    )
    figure.suptitle(CREDIT, fontsize=9, color="#555555", y=0.995, va="top")
    with written_beside(target) as beside:
        figure.savefig(beside, metadata=made_by)


def _when(word: str, moment: Any) -> str:
    return f"{word}: {moment:%Y-%m-%d}" if moment else word


def _pictures(pair: ScenePair) -> list[NDArray[np.float32]]:
    """Both dates as (rows, columns, 3), 0 to 1, in natural color where there is any, thinned to a screen."""
    order = [pair.names.index(name) for name in ("red", "green", "blue") if name in pair.names]
    order = order if len(order) == 3 else [0, 0, 0]
    step = max(1, -(-max(pair.grid.width, pair.grid.height) // MOST_PIXELS))
    with PairReader(pair) as reader:
        block = reader.read(Window(0, 0, pair.grid.width, pair.grid.height))
    pictures = []
    for values in (block.before, block.after):
        chosen = values[order, ::step, ::step]
        seen = block.observation[::step, ::step] == 0
        low, high = np.percentile(chosen[:, seen], STRETCH) if seen.any() else (0.0, 1.0)
        scaled = np.clip((chosen - low) / max(high - low, 1e-9), 0, 1)
        pictures.append(np.where(seen, scaled, 1.0).transpose(1, 2, 0).astype(np.float32))
    return pictures


def _show(ax: Axes, image: NDArray[np.float32], grid: Grid, title: str) -> None:
    left, bottom, right, top = grid.bounds
    ax.imshow(np.sqrt(image), extent=(left, right, bottom, top), interpolation="nearest")
    ax.set_title(title, fontsize=13)
    ax.set_xticks([])
    ax.set_yticks([])


def _outline(ax: Axes, shape: shapely.Polygon, color: str) -> None:
    for ring in (shape.exterior, *shape.interiors):
        ax.plot(*np.asarray(ring.coords).T, color=color, linewidth=1.8)


def _scale_bar(ax: Axes, grid: Grid) -> None:
    if not grid.crs.is_projected:
        return
    left, bottom, right, top = grid.bounds
    length = 10 ** np.floor(np.log10((right - left) / 3)) * 2
    x, y = left + (right - left) * 0.04, bottom + (top - bottom) * 0.05
    ax.plot([x, x + length], [y, y], color="white", linewidth=4, solid_capstyle="butt")
    ax.text(x, y + (top - bottom) * 0.015, f"{length:g} m", color="white", fontsize=10)
