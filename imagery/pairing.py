"""Two scenes put on one grid: which CRS, which pixel size, which part of the earth, which bands."""

import math

from affine import Affine

from ground.crs import transformed, transformer
from ground.errors import BadInput
from imagery.scene import BandRef, Grid, Scene, ScenePair
from imagery.sensors import common_name

ALIGNED_PIXELS = 1e-3
"""Grids whose pixels differ by less than this part of a pixel at every corner are one grid."""


def make_pair(before: Scene, after: Scene) -> ScenePair:
    """The pair on one grid.

    Raises:
        BadInput: no ground or no band in common, or `before` is the later one.
        UnknownDatum: one scene's datum cannot be turned into the other's.
    """
    if before.acquired_utc and after.acquired_utc and before.acquired_utc > after.acquired_utc:
        raise BadInput(
            f"{before.source}: was acquired {before.acquired_utc:%Y-%m-%d}, later than {after.source} "
            f"({after.acquired_utc:%Y-%m-%d}); swap --before and --after"
        )
    grid = common_grid(before, after)
    names, bands = _common_bands(before, after)
    return ScenePair(before=before, after=after, grid=grid, bands=bands, names=names)


def _common_bands(before: Scene, after: Scene) -> tuple[tuple[str, ...], tuple[tuple[BandRef, BandRef], ...]]:
    theirs = {common_name(after.sensor, ref.name): ref for ref in after.bands}
    found = [
        (common_name(before.sensor, ref.name), ref, theirs[common_name(before.sensor, ref.name)])
        for ref in before.bands
        if common_name(before.sensor, ref.name) in theirs
    ]
    both_generic = before.sensor == after.sensor == "generic"
    if not found or (both_generic and len(before.bands) != len(after.bands)):
        raise BadInput(
            f"{after.source}: its {len(after.bands)} bands ({', '.join(theirs)}) do not match the "
            f"{len(before.bands)} of {before.source}; pass --before-sensor and --after-sensor that share bands"
        )
    return tuple(name for name, _, _ in found), tuple((b, a) for _, b, a in found)


def common_grid(before: Scene, after: Scene) -> Grid:
    """The overlap of two scenes, on the grid of the projected, then coarser, then earlier one.

    Projected first, because a buffer in degrees is a bug; coarser, because detail cannot be invented.
    """
    host = min((before, after), key=lambda s: (not s.grid.crs.is_projected, -round(s.grid.gsd_m, 6)))
    guest = after if host is before else before
    base = host.grid if host.grid.is_north_up else _north_up(host.grid)
    left, bottom, right, top = _overlap(base, host, guest)
    t = base.transform
    c0, c1 = _inner((left - t.c) / t.a, (right - t.c) / t.a, base.width)
    r0, r1 = _inner((top - t.f) / t.e, (bottom - t.f) / t.e, base.height)
    if c1 <= c0 or r1 <= r0:
        raise _no_overlap(host, guest)
    return Grid(base.crs, t @ Affine.translation(c0, r0), c1 - c0, r1 - r0)


def _inner(low: float, high: float, most: int) -> tuple[int, int]:
    """Whole pixels inside [low, high], clipped to the grid."""
    return max(0, math.ceil(low - ALIGNED_PIXELS)), min(most, math.floor(high + ALIGNED_PIXELS))


def _overlap(base: Grid, host: Scene, guest: Scene) -> tuple[float, float, float, float]:
    west, south, east, north = host.grid.lonlat_bounds(host.source)
    w, s, e, n = guest.grid.lonlat_bounds(guest.source)
    if max(west, w) >= min(east, e) or max(south, s) >= min(north, n):
        raise _no_overlap(host, guest)
    move = transformer(guest.grid.crs, base.crs, guest.source)
    xs, ys = transformed(move, guest.grid.outline())
    if not all(map(math.isfinite, (*xs, *ys))):
        raise BadInput(
            f"{guest.source}: its corners cannot be placed in {base.crs.name}; check its coordinate system"
        )
    left, bottom, right, top = base.bounds
    return (max(left, min(xs)), max(bottom, min(ys)), min(right, max(xs)), min(top, max(ys)))


def _no_overlap(host: Scene, guest: Scene) -> BadInput:
    boxes = [tuple(round(v, 5) for v in s.grid.lonlat_bounds(s.source)) for s in (host, guest)]
    return BadInput(
        f"{guest.source}: shows none of the ground of {host.source} (west, south, east, north: {boxes[1]} "
        f"against {boxes[0]}); give two scenes of one place"
    )


def _north_up(grid: Grid) -> Grid:
    """North-up pixels over the whole of a rotated or south-up grid: as large as its own, square if rotated."""
    t = grid.transform
    square = math.sqrt(abs(t.determinant))
    across, down = (abs(t.a), abs(t.e)) if t.b == t.d == 0 else (square, square)
    left, bottom, right, top = grid.bounds
    width = math.ceil((right - left) / across - ALIGNED_PIXELS)
    height = math.ceil((top - bottom) / down - ALIGNED_PIXELS)
    return Grid(grid.crs, Affine(across, 0, left, 0, -down, top), width, height)


def offset_in(grid: Grid, source: Grid) -> tuple[int, int] | None:
    """Column and row of `grid`'s first pixel in `source`, if the two share pixels; else None."""
    if grid.crs != source.crs:
        return None
    inverse = ~source.transform
    corners = [(0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height)]
    there = [inverse @ (grid.transform @ corner) for corner in corners]
    column, row = round(there[0][0]), round(there[0][1])
    gaps = [abs(x - column - c) + abs(y - row - r) for (x, y), (c, r) in zip(there, corners, strict=True)]
    return (column, row) if max(gaps) < ALIGNED_PIXELS else None
