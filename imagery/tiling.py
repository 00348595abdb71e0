"""A grid cut into windows that cover every pixel once, each with the context its detector needs."""

from collections.abc import Iterator
from dataclasses import dataclass

from rasterio.windows import Window


@dataclass(frozen=True)
class PaddedWindow:
    """`outer` is read, `inner` is kept; both in pixels of the whole grid, `outer` clipped at its border."""

    inner: Window
    outer: Window

    @property
    def crop(self) -> tuple[slice, slice]:
        """Where `inner` lies in an array of `outer`: rows, columns."""
        top = self.inner.row_off - self.outer.row_off
        left = self.inner.col_off - self.outer.col_off
        return slice(top, top + self.inner.height), slice(left, left + self.inner.width)


def padded(width: int, height: int, column: int, row: int, size: int, margin: int) -> PaddedWindow:
    """The window of `size` pixels at (column, row) of a grid, with `margin` pixels on every side that has them."""
    inner = Window(column, row, min(size, width - column), min(size, height - row))
    left, top = max(0, column - margin), max(0, row - margin)
    right = min(width, column + inner.width + margin)
    bottom = min(height, row + inner.height + margin)
    return PaddedWindow(inner, Window(left, top, right - left, bottom - top))


def windows(width: int, height: int, size: int, margin: int = 0) -> Iterator[PaddedWindow]:
    """Windows of `size` pixels, row by row, with `margin` pixels of context on every side that has them."""
    for row in range(0, height, size):
        for column in range(0, width, size):
            yield padded(width, height, column, row, size, margin)


def count_windows(width: int, height: int, size: int) -> int:
    """How many windows `windows` yields."""
    return -(-width // size) * -(-height // size)
