"""Windows cover every pixel once, and each has all the context that there is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imagery.tiling import count_windows, windows

SIDES = st.integers(1, 40)


def told(
    width: int, height: int, size: int, margin: int = 0
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(left, top, width, height) of each inner and outer window."""
    return [
        tuple((w.col_off, w.row_off, w.width, w.height) for w in (padded.inner, padded.outer))
        for padded in windows(width, height, size, margin)
    ]


def test_windows_by_hand() -> None:
    # 7 × 5 pixels in windows of 4 with one pixel of context: two columns and two rows of windows.
    assert told(7, 5, 4, 1) == [
        ((0, 0, 4, 4), (0, 0, 5, 5)),
        ((4, 0, 3, 4), (3, 0, 4, 5)),
        ((0, 4, 4, 1), (0, 3, 5, 2)),
        ((4, 4, 3, 1), (3, 3, 4, 2)),
    ]
    assert told(4, 4, 4) == [((0, 0, 4, 4), (0, 0, 4, 4))]
    assert told(1, 3, 2, 9) == [((0, 0, 1, 2), (0, 0, 1, 3)), ((0, 2, 1, 1), (0, 0, 1, 3))]


@given(width=SIDES, height=SIDES, size=SIDES, margin=st.integers(0, 12))
def test_every_pixel_is_kept_once_with_its_context(width: int, height: int, size: int, margin: int) -> None:
    ground = np.arange(width * height).reshape(height, width)
    kept = np.zeros((height, width), dtype=int)
    cut = list(windows(width, height, size, margin))
    for padded in cut:
        inner, outer = padded.inner, padded.outer
        rows, columns = inner.toslices()
        kept[rows, columns] += 1
        read = ground[outer.toslices()]
        # What is cropped out of what was read is the inner window.
        assert np.array_equal(read[padded.crop], ground[rows, columns])
        # On each side the context is whole, or ends at the border.
        assert outer.col_off == max(0, inner.col_off - margin)
        assert outer.row_off == max(0, inner.row_off - margin)
        assert outer.col_off + outer.width == min(width, inner.col_off + inner.width + margin)
        assert outer.row_off + outer.height == min(height, inner.row_off + inner.height + margin)
    assert (kept == 1).all()
    assert len(cut) == count_windows(width, height, size)
