"""Tie points of a pair: where the later scene shows what the earlier one does, by phase correlation of patches.

What is correlated is the direction of the edges in each band, doubled, so that an edge counts the same when
its dark and its bright side change places: fields do that between seasons. Season, light and contrast then
weigh little, outlines much.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Float = NDArray[np.float32]
Complex = NDArray[np.complex64]
Bool = NDArray[np.bool_]

HIGHEST = 0.48
"""Cycles a pixel beyond which nothing counts; the weight falls towards it, for there noise and aliases live."""
FLAT = 1e-4
"""A band whose standard deviation is a smaller part of its mean than this shows nothing."""
MOST_UNSEEN = 0.05
APART = 6
"""Pixels from the peak from where on the correlation counts as the rest."""
STEPS = np.arange(-14, 15) / 16
"""Where the correlation is looked up around a whole displacement; between them a parabola: 1/50 px and finer."""
LEAST_PEAK, LEAST_LEAD = 8.0, 1.3
"""A peak that is believed: standard deviations above the rest, and times the highest of the rest.

Of 1,644 patches of unrelated scenes 1 % passed; farmland in two seasons has peaks of 15 to 50.
"""
PENULTIMATE = 1.5
"""Pixels that the second look may still be away from the first."""


@dataclass(frozen=True)
class TiePoint:
    """`x`, `y`: pixels of the grid; `dx`, `dy`: where the later scene shows the same, pixels away."""

    x: float
    y: float
    dx: float
    dy: float
    peak: float
    lead: float

    @property
    def trusted(self) -> bool:
        """Its peak stands out from the rest of the correlation."""
        return self.peak >= LEAST_PEAK and self.lead >= LEAST_LEAD


def binned(values: NDArray[Any], codes: NDArray[np.uint8], times: int) -> tuple[Float, NDArray[np.uint8]]:
    """Pixels `times` as large: means of values, the largest of codes; what is left at the end is cut off."""
    rows, columns = (size // times for size in codes.shape)
    cells = (rows, times, columns, times)
    cut = slice(rows * times), slice(columns * times)
    means = values[:, *cut].reshape(-1, *cells).mean(axis=(2, 4), dtype=np.float32)
    return np.asarray(means), np.asarray(codes[cut].reshape(cells).max(axis=(1, 3)))


def edges(values: Float, seen: Bool) -> Complex:
    """Strength (its root) and doubled direction of edges, summed over bands; 0 beside what was not seen."""
    total = np.zeros(seen.shape, dtype=np.complex64)
    for band in values:
        known = band[seen]
        spread = float(known.std(dtype=np.float64)) if known.size else 0.0
        if spread <= FLAT * abs(float(known.mean(dtype=np.float64)) if known.size else 0.0):
            continue
        down, right = np.gradient(band / np.float32(spread))
        strength = np.sqrt(right * right + down * down)
        scale = strength * np.sqrt(strength) + np.float32(1e-3)
        total.real += (right * right - down * down) / scale
        total.imag += 2 * right * down / scale
    if not seen.all():
        total[ndimage.binary_dilation(~seen, np.ones((3, 3), dtype=bool))] = 0
    return total


@cache
def _weights(patch: int) -> tuple[Float, Float, NDArray[np.float64]]:
    """Hann window of a patch, weight of each frequency, and the frequencies in cycles a pixel."""
    window = np.hanning(patch + 2)[1:-1]
    cycles: NDArray[np.float64] = np.fft.fftfreq(patch).astype(np.float64)
    radius = np.hypot(cycles[:, None], cycles)
    weight = np.where(radius < HIGHEST, np.cos(np.pi / 2 * radius / HIGHEST) ** 2, 0)
    # The lowest are the window's own.
    weight[radius < 1.5 / patch] = 0
    weight /= weight.sum()
    return np.outer(window, window).astype(np.float32), weight.astype(np.float32), cycles


def correlate(before: Complex, after: Complex) -> tuple[float, float, float, float]:
    """dx, dy of two patches of edges, the peak in standard deviations of the rest, and its lead over the rest.

    Sub-pixel by an upsampled Fourier transform around the peak (Guizar-Sicairos et al. 2008).
    """
    size = len(before)
    window, weight, cycles = _weights(size)
    cross = fft.fft2(before * window).conj() * fft.fft2(after * window)
    strength = np.abs(cross)
    if not strength.max() > 0:
        return 0.0, 0.0, 0.0, 0.0
    cross *= weight / np.maximum(strength, strength.max() * np.float32(1e-6))
    surface = fft.ifft2(cross).real
    row, column = (int(i) for i in np.unravel_index(surface.argmax(), surface.shape))
    rest = surface[_far(size, row, column)]
    peak = (surface[row, column] - rest.mean()) / rest.std()
    lead = surface[row, column] / max(float(rest.max()), 1e-30)
    whole = [i - size if i >= size // 2 else i for i in (row, column)]
    down = np.exp(2j * np.pi * np.outer(whole[0] + STEPS, cycles))
    across = np.exp(2j * np.pi * np.outer(cycles, whole[1] + STEPS))
    near = (down @ cross @ across).real
    top = np.unravel_index(near.argmax(), near.shape)
    dy, dx = (_top(np.take(near, top[1 - axis], axis=1 - axis), int(top[axis])) for axis in (0, 1))
    return whole[1] + dx, whole[0] + dy, float(peak), float(lead)


def _far(size: int, row: int, column: int) -> Bool:
    down, across = ((np.arange(size) - i + size // 2) % size - size // 2 for i in (row, column))
    return np.asarray(down[:, None] ** 2 + across**2 > APART**2)


def _top(line: NDArray[np.float64], i: int) -> float:
    """Where a parabola through the highest of `line` and its neighbors is highest."""
    if not 0 < i < len(line) - 1:
        return float(STEPS[i])
    bend = line[i - 1] - 2 * line[i] + line[i + 1]
    part = (line[i - 1] - line[i + 1]) / (2 * bend) if bend else 0.0
    return float(STEPS[i] + part * (STEPS[1] - STEPS[0]))


def tie_points(
    before: Float, after: Float, codes: NDArray[np.uint8], patch: int, most_a_side: int
) -> Iterator[TiePoint]:
    """Tie points of one block, evenly spread; patches that show too little are tried, too, and not trusted."""
    seen = codes == 0
    first, second = edges(before, seen), edges(after, seen)
    places = [_places(size, patch, most_a_side) for size in seen.shape]
    for row in places[0]:
        for column in places[1]:
            yield _tie_point(first, second, seen, (row, column), patch)


def _places(size: int, patch: int, most: int) -> list[int]:
    count = min(most, 1 + (size - patch) // (patch // 2)) if size >= patch else 0
    return [int(i) for i in np.linspace(0, size - patch, count).round()] if count > 1 else [0] * count


def _tie_point(first: Complex, second: Complex, seen: Bool, place: tuple[int, int], patch: int) -> TiePoint:
    """A patch looked at twice: where it lies, and once more cut out where it was found."""
    here = _cut(place, patch)
    none = TiePoint(place[1] + (patch - 1) / 2, place[0] + (patch - 1) / 2, 0.0, 0.0, 0.0, 0.0)
    if (~seen[here]).mean() > MOST_UNSEEN:
        return none
    dx, dy, peak, lead = correlate(first[here], second[here])
    # Beyond a quarter of the patch too little is in both, and chance finds its peaks there.
    if peak == 0 or max(abs(dx), abs(dy)) > patch / 4:
        return none
    whole = round(dy), round(dx)
    if whole != (0, 0):
        place = (
            _within(seen.shape[0], place[0], whole[0], patch),
            _within(seen.shape[1], place[1], whole[1], patch),
        )
        there = _cut((place[0] + whole[0], place[1] + whole[1]), patch)
        if place[0] < 0 or place[1] < 0 or (~seen[there]).mean() > MOST_UNSEEN:
            return none
        right, down, peak, lead = correlate(first[_cut(place, patch)], second[there])
        if max(abs(right), abs(down)) > PENULTIMATE:
            return none
        dx, dy = whole[1] + right, whole[0] + down
    return TiePoint(place[1] + (patch - 1) / 2, place[0] + (patch - 1) / 2, dx, dy, peak, lead)


def _cut(place: tuple[int, int], patch: int) -> tuple[slice, slice]:
    return slice(place[0], place[0] + patch), slice(place[1], place[1] + patch)


def _within(size: int, place: int, whole: int, patch: int) -> int:
    """The nearest place where the patch and the displaced patch both lie in the block; -1: there is none."""
    lowest, highest = max(0, -whole), min(size, size - whole) - patch
    return min(max(place, lowest), highest) if lowest <= highest else -1
