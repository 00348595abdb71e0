"""Masks as runs against the same masks as arrays: every operation, every shape."""

from typing import Any

import numpy as np
import pytest
import rasterio.features
import scipy.ndimage
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detection import components, rings
from detection.look import FULL, UNSEEN
from detection.polygons import levels
from detection.runs import label, painted, runs_of, totals
from ground.errors import BadInput
from tests.mask_world import change_mask

MASKS = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))
PAIRS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)
MAPS = arrays(
    np.uint8,
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    elements=st.sampled_from([0, 100, 127, 254, 255]),
)


@given(both=PAIRS)
def test_sets_of_pixels(both: Any) -> None:
    one, other = both
    a, b, rows = runs_of(one), runs_of(other), len(one)
    assert np.array_equal(painted(a, 0, rows), one)
    assert np.array_equal(painted(a & b, 0, rows), one & other)
    assert np.array_equal(painted(a | b, 0, rows), one | other)
    assert np.array_equal(painted(a - b, 0, rows), one & ~other)


@given(mask=MASKS, side=st.integers(1, 5))
def test_opening_by_a_square(mask: Any, side: int) -> None:
    opened = runs_of(mask).shrunk(side).grown(side)
    around = np.pad(mask, side)
    expected = scipy.ndimage.binary_opening(around, np.ones((side, side)))[side:-side, side:-side]
    assert np.array_equal(painted(opened, 0, len(mask)), expected)


@given(mask=MASKS, values=arrays(np.uint8, (14, 14)))
def test_groups_and_their_sums(mask: Any, values: Any) -> None:
    runs, values = runs_of(mask), np.ascontiguousarray(values[: mask.shape[0], : mask.shape[1]])
    labels, count = label(runs)
    expected, expected_count = scipy.ndimage.label(mask)
    assert count == expected_count
    sums = np.bincount(labels, totals(values, runs, 0), minlength=count)
    assert sums.tolist() == scipy.ndimage.sum_labels(values, expected, range(1, count + 1)).tolist()


@given(mask=MASKS)
def test_traced_like_a_whole_array(mask: Any) -> None:
    labels, count = label(runs_of(mask))
    shapes = rings.trace(runs_of(mask), labels, count, Affine.identity())
    assert shapely.is_valid(shapes).all()
    numbers = scipy.ndimage.label(mask)[0].astype(np.int32)
    expected = {
        int(number) - 1: shapely.geometry.shape(outline)
        for outline, number in rasterio.features.shapes(numbers, mask, connectivity=4)
    }
    assert all(shape.equals(expected[number]) for number, shape in enumerate(shapes))


@given(
    probability=MAPS,
    smallest_px=st.integers(1, 9),
    rows=st.integers(1, 15),
    grow=st.sampled_from([None, 0.3]),
)
@settings(max_examples=300)
def test_strips_change_nothing(probability: Any, smallest_px: int, rows: int, grow: float | None) -> None:
    whole = change_mask(probability, 0.5, smallest_px, 1000, grow)
    assert np.array_equal(change_mask(probability, 0.5, smallest_px, rows, grow), whole)


def test_change_spreads_around_what_is_certain_and_nowhere_else() -> None:
    # Two groups of half-sure pixels; one holds a sure one.
    probability = np.array([[100, 100, 254, 100, 0, 100, 100, 100, 100]], dtype=np.uint8)
    assert change_mask(probability, 0.9, 4, grow=0.3).tolist() == [[True] * 4 + [False] * 5]
    assert not change_mask(probability, 0.9, 4).any()


def test_a_spiral_across_many_strips_is_one_ring() -> None:
    spiral = np.zeros((61, 61), bool)
    low, high = 0, 60
    while low < high:
        spiral[low, low : high + 1] = spiral[low : high + 1, high] = True
        spiral[high, low : high + 1] = spiral[low + 2 : high + 1, low] = True
        spiral[low + 2, low : low + 3] = True
        low, high = low + 2, high - 2
    bytes_of = np.where(spiral, FULL, 0).astype(np.uint8)
    assert np.array_equal(change_mask(bytes_of, 0.5, 500, rows=3), spiral)
    labels, count = label(runs_of(spiral))
    assert count == 1
    (shape,) = rings.trace(runs_of(spiral), labels, count, Affine.identity())
    assert shape.is_valid and shape.area == spiral.sum()


def test_noise_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "MOST_RUNS", 1000)
    noise = np.where(np.arange(10_000).reshape(100, 100) % 2, FULL, 0).astype(np.uint8)
    strips = ((first, noise[first : first + 10]) for first in range(0, 100, 10))
    with pytest.raises(BadInput, match="as in noise; raise --threshold or --min-area"):
        components.find(strips, 100, 100, levels(0.5), 1)
    assert levels(0.5).unseen == UNSEEN
