"""Figures of a change map against answers counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics import Counts, count, f1, interval, scores

KNOWN = np.ones((10, 10), dtype=bool)


def plane(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    out = np.zeros((10, 10), dtype=np.float32)
    for row, column, height, width in boxes:
        out[row : row + height, column : column + width] = 1
    return out


def test_pixels_and_objects_counted_by_hand() -> None:
    label = plane((0, 0, 4, 4), (6, 6, 2, 2)) > 0  # 16 and 4 pixels
    said = plane((0, 0, 4, 3), (0, 8, 2, 2))  # 12 of the first, none of the second, 4 of nothing
    found = count(said, label, KNOWN, 0.5, 10.0)
    assert (found.true_positive, found.false_positive, found.false_negative, found.true_negative) == (
        12,
        4,
        8,
        76,
    )
    assert (found.objects, found.said, found.false_objects, found.matched.tolist()) == (2, 2, 1, [1, 1])
    figures = scores(found)
    assert figures["precision"] == pytest.approx(12 / 16)
    assert figures["recall"] == pytest.approx(12 / 20)
    assert figures["f1"] == pytest.approx(24 / 36)
    assert figures["iou"] == pytest.approx(12 / 24)
    assert figures["flag_all_f1"] == pytest.approx(40 / 120)
    assert figures["object_f1_iou_0.5"] == pytest.approx(0.5)
    assert figures["false_alarms_per_km2"] == pytest.approx(1 / 0.01)  # 100 pixels of 100 m²
    assert figures["ece"] == pytest.approx(
        (4 * 1 + 8 * 1) / 100
    )  # said 1, changed 12/16; said 0, changed 8/84


def test_an_object_between_the_two_overlaps_counts_at_the_lower_only() -> None:
    label, said = plane((0, 0, 4, 5)) > 0, plane((0, 0, 4, 2))  # IoU 8 / 20
    assert count(said, label, KNOWN, 0.5, None).matched.tolist() == [1, 0]


def test_what_is_not_known_counts_for_nothing() -> None:
    label, said, known = plane((0, 0, 5, 10)) > 0, plane((5, 0, 5, 10)), KNOWN.copy()
    known[5:] = False
    found = count(said, label, known, 0.5, 1.0)
    assert (found.true_positive, found.false_positive, found.false_negative, found.true_negative) == (
        0,
        0,
        50,
        0,
    )


def test_nothing_to_find_and_nothing_found_is_right_and_unknown_figures_are_none() -> None:
    found = count(plane(), plane() > 0, KNOWN, 0.5, None)
    assert f1(found) == 1.0
    assert scores(found)["precision"] is None
    assert scores(found)["false_alarms_per_km2"] is None


@given(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 2**32 - 1))
def test_sums_over_pairs_are_sums_of_counts(kinds: list[bool], seed: int) -> None:
    rng = np.random.default_rng(seed)
    each = [
        count(rng.random((10, 10)).astype(np.float32) * kind, rng.random((10, 10)) > 0.7, KNOWN, 0.5, 1.0)
        for kind in kinds
    ]
    total = each[0] + each[1] + each[2] + each[3]
    assert total.true_positive + total.false_positive + total.false_negative + total.true_negative == 400
    assert 0 <= f1(total) <= 1
    assert total.bin_pixels.sum() == 400


def test_the_interval_of_equal_pairs_is_a_point_and_of_unlike_ones_holds_the_figure() -> None:
    good = count(plane((0, 0, 4, 4)), plane((0, 0, 4, 4)) > 0, KNOWN, 0.5, 1.0)
    bad = count(plane((6, 6, 4, 4)), plane((0, 0, 4, 4)) > 0, KNOWN, 0.5, 1.0)
    assert interval([good, good, good], f1) == (1.0, 1.0)
    low, high = interval([good, bad, good, bad], f1)
    assert low < f1(good + bad) < high
    assert isinstance(good + bad, Counts)
