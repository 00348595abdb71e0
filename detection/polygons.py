"""A change map turned into polygons: threshold, sieve, trace on cell edges, simplify, measure; strip by strip.

The polygons do not depend on the strips, nor on the windows that the map was made in.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from detection.components import Levels, Strip, find
from detection.linear import linear_part
from detection.look import FULL, MIDDLE, UNSEEN, threshold_byte
from detection.rings import trace
from detection.runs import Runs, joined, label, neighbors, totals
from imagery.raster import BLOCK, grid_of, opened, small_cache
from imagery.scene import Grid

SIMPLIFY_PIXELS = 0.75
"""Side of the square, in pixels, whose area a corner must reach to be kept (Visvalingam and Whyatt 1993):
just over the half pixel of a stair."""
STRONG = 0.99
"""Probability of change in whose midst a line is looked for."""
STRIP_PIXELS = 1 << 24
"""Pixels of the map held at once."""

CHUNK, BATCH = 2000, 100
"""Parts traced, and polygons simplified, at once, at least."""


@dataclass(frozen=True)
class Parts:
    """Runs of change with the part that each belongs to, from 0; lines are parts of their own, behind the others."""

    runs: Runs
    labels: NDArray[np.int32]
    is_linear: NDArray[np.bool_]
    """One a part."""


@dataclass(frozen=True)
class Outlines:
    """Polygons of change in the grid's CRS, and the mean of the change map inside each, 0 to 1."""

    grid: Grid
    polygons: NDArray[np.object_]
    probability: NDArray[np.float64]
    is_linear: NDArray[np.bool_]
    direction: NDArray[np.float64] | None = None
    """Mean of building after less building before inside each, −1 to 1, where the detector knows it."""


def outlines(
    change_map: Path, *, threshold: float, smallest_m2: float, grow: float | None = None
) -> Outlines:
    """The polygons of a change map: those where probability reaches `threshold`, of `smallest_m2` and more.

    `grow`: probability down to which a change spreads around what reaches `threshold`; None: the same.
    """
    with small_cache(), opened(str(change_map)) as source:
        grid = grid_of(source, str(change_map))
        found = parts(strips(source, 1), grid, levels(threshold, grow), smallest_pixels(smallest_m2, grid))
        strength = means(strips(source, 1), found) / FULL
        direction = means(strips(source, 3), found) / MIDDLE - 1 if source.count > 2 else None
    return Outlines(grid, drawn(found, grid), strength, found.is_linear, direction)


def drawn(parts: Parts, grid: Grid) -> NDArray[np.object_]:
    """The polygon of each part, traced and simplified a few thousand parts at a time: stairs take much memory."""
    together = clusters(parts)
    chunks = _split(together, CHUNK)
    chunk, place = (np.empty(len(together), dtype=np.int32) for _ in range(2))
    for number, members in enumerate(chunks):
        chunk[members], place[members] = number, np.arange(len(members))
    runs_by_chunk = np.argsort(chunk[parts.labels], kind="stable")
    ends = np.cumsum(np.bincount(chunk[parts.labels], minlength=len(chunks)))
    side = abs(grid.transform.determinant) ** 0.5 * SIMPLIFY_PIXELS

    def one(number: int) -> NDArray[np.object_]:
        here = runs_by_chunk[ends[number - 1] if number else 0 : ends[number]]
        runs = Runs(parts.runs.starts[here], parts.runs.stops[here], parts.runs.stride)
        members = chunks[number]
        traced = trace(runs, place[parts.labels[here]], len(members), grid.transform)
        return simplify(traced, side, together[members])

    found = np.empty(len(together), dtype=object)
    with ThreadPoolExecutor() as pool:
        for members, polygons in zip(chunks, pool.map(one, range(len(chunks))), strict=True):
            found[members] = polygons
    return found


def levels(threshold: float, grow: float | None = None) -> Levels:
    """The bytes that decide."""
    seed = threshold_byte(threshold)
    spread = seed if grow is None else min(threshold_byte(grow), seed)
    return Levels(spread, seed, max(threshold_byte(STRONG), spread), UNSEEN)


def smallest_pixels(smallest_m2: float, grid: Grid) -> int:
    """The pixels that make up a minimum mapping unit."""
    return max(1, int(np.ceil(smallest_m2 / grid.gsd_m**2 - 1e-6)))


def strips(source: DatasetReader, band: int) -> Iterator[Strip]:
    """A band of a map from top to bottom, in whole rows of blocks; the next is read while one is worked on."""
    rows = max(1, STRIP_PIXELS // source.width // BLOCK) * BLOCK

    def read(first: int) -> Strip:
        window = Window(0, first, source.width, min(rows, source.height - first))
        return first, source.read(band, window=window)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(read, 0)
        for first in range(rows, source.height, rows):
            here, coming = coming, pool.submit(read, first)
            yield here.result()
        yield coming.result()


def parts(strips: Iterator[Strip], grid: Grid, levels: Levels, smallest_px: int) -> Parts:
    """The parts of a map that become polygons."""
    found = find(strips, grid.width, grid.height, levels, smallest_px)
    return apart(found.change, linear_part(found.change, found.strong, grid.gsd_m, smallest_px))


def apart(change: Runs, lines: Runs) -> Parts:
    """Connected pixels of change, lines and what is none apart."""
    areas = change - lines
    areal, areal_count = label(areas)
    linear, line_count = label(lines)
    starts = np.concatenate((areas.starts, lines.starts))
    order = np.argsort(starts, kind="stable")
    stops = np.concatenate((areas.stops, lines.stops))
    labels = np.concatenate((areal, linear + np.int32(areal_count)))
    is_linear = np.arange(areal_count + line_count) >= areal_count
    # Runs of two parts may touch here, never overlap.
    return Parts(Runs(starts[order], stops[order], areas.stride), labels[order].astype(np.int32), is_linear)


def clusters(parts: Parts) -> NDArray[np.int32]:
    """A number for each part, the same for parts that touch, also at a corner."""
    wider = Runs(parts.runs.starts - 1, parts.runs.stops + 1, parts.runs.stride)
    pairs = [neighbors(wider, parts.runs, rows_up) for rows_up in (0, 1)]
    one, other = (parts.labels[np.concatenate(ends)] for ends in zip(*pairs, strict=True))
    return joined(one, other, len(parts.is_linear))[0]


def means(strips: Iterator[Strip], parts: Parts) -> NDArray[np.float64]:
    """Mean of a band of the map inside each part."""
    count = len(parts.is_linear)
    total, pixels = np.zeros(count), np.bincount(parts.labels, parts.runs.lengths, minlength=count)
    for first, values in strips:
        here = parts.runs.between(first, first + len(values))
        runs = Runs(parts.runs.starts[here], parts.runs.stops[here], parts.runs.stride)
        total += np.bincount(parts.labels[here], totals(values, runs, first), minlength=count)
    return np.asarray(total / np.maximum(pixels, 1))


def simplify(outlines: NDArray[np.object_], side: float, clusters: NDArray[np.int32]) -> NDArray[np.object_]:
    """Staircases made straight, borders that two polygons share kept shared; `side` in units of the CRS.

    `clusters`: which polygons may touch. The time of one call grows faster than its polygons, so clusters are
    simplified a few hundred polygons at a time.
    """
    if not len(outlines):
        return outlines
    smooth = np.empty_like(outlines)
    for batch in _split(clusters, BATCH):
        smooth[batch] = shapely.coverage_simplify(outlines[batch], side)
    # A ring that touches itself at a corner may come back invalid: its stairs are the truth.
    keep = shapely.is_valid(smooth) & ~shapely.is_empty(smooth)
    return np.where(keep, smooth, outlines)


def _split(clusters: NDArray[np.int32], most: int) -> list[NDArray[np.intp]]:
    """Parts in lots of about `most`, no cluster in two of them."""
    if not len(clusters):
        return []
    order = np.argsort(clusters, kind="stable")
    borders = np.flatnonzero(np.diff(clusters[order])) + 1
    # The first border between clusters behind every `most` parts.
    cuts = np.unique(borders // most, return_index=True)[1]
    return np.split(order, borders[cuts])
