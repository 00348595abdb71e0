"""Measures of what lies inside changes: area, share, count, numbers, dominant class and attribute; all changes at once.

Each takes what is inside every span of days of every change and gives a value a span: a number, a text, or None
where it is unknown.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cadastre.crossing import Features, Pieces
from cadastre.dated import Epochs
from cadastre.layers import ATTRIBUTE, DOMINANT, Layer
from cadastre.overlay import Shapes, union

Fact = float | str | None


@dataclass(frozen=True)
class Inside:
    """The pieces inside each span of each change."""

    changes: Shapes
    features: Features
    pieces: Pieces
    epochs: Epochs

    @property
    def spans(self) -> int:
        """How many there are."""
        return len(self.epochs.change)

    @cached_property
    def feature(self) -> NDArray[np.intp]:
        """The feature of each row."""
        return self.pieces.feature[self.epochs.row]

    @cached_property
    def area_m2(self) -> NDArray[np.float64]:
        """The area of each row's piece."""
        return self.pieces.area_m2[self.epochs.row]

    @cached_property
    def borders(self) -> NDArray[np.intp]:
        """Rows borders[i] to borders[i + 1] are those of span i."""
        return np.searchsorted(self.epochs.span, np.arange(self.spans + 1))

    def overlapping(self) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Spans whose pieces overlap, with their rows."""
        for span in np.flatnonzero(self.pieces.overlapping[self.epochs.change]).tolist():
            yield span, np.arange(self.borders[span], self.borders[span + 1])

    def union_m2(self, rows: NDArray[np.intp]) -> float:
        """Area of these rows' pieces; where they overlap it counts once."""
        if len(rows) < 2:
            return float(self.area_m2[rows].sum())
        return float(shapely.area(union(self.pieces.shapes[self.epochs.row[rows]])))

    @cached_property
    def covered_m2(self) -> NDArray[np.float64]:
        """Area of each span that is covered, unrounded."""
        total = np.bincount(self.epochs.span, weights=self.area_m2, minlength=self.spans).astype(float)
        for span, rows in self.overlapping():
            total[span] = self.union_m2(rows)
        return total


def rounded(values: NDArray[np.float64], digits: int) -> list[float]:
    """Rounded as decimals are, not as binary fractions times a power of ten."""
    return [round(value, digits) for value in values.tolist()]


def m2(inside: Inside) -> list[Fact]:
    """Area of the change that the features cover; where they overlap it counts once."""
    return [*rounded(inside.covered_m2, 3)]


def share(inside: Inside) -> list[Fact]:
    """The covered part of the change, 0 to 1."""
    whole = shapely.area(inside.changes)[inside.epochs.change]
    return [*rounded(np.minimum(1.0, inside.covered_m2 / whole), 6)]


def outside_m2(inside: Inside) -> list[Fact]:
    """Area of the change that no feature covers."""
    whole = shapely.area(inside.changes)[inside.epochs.change]
    return [*rounded(np.maximum(0.0, whole - inside.covered_m2), 3)]


def of_class(measure: Callable[[Inside], list[Fact]], prefixes: list[str]) -> Callable[[Inside], list[Fact]]:
    """A measure of those features only whose land class begins so; None where one of no class lies in the change."""

    def measured(inside: Inside) -> list[Fact]:
        known = inside.features.texts("land_class", inside.feature)
        chosen = np.array(
            [text is not None and text.startswith(tuple(prefixes)) for text in known], dtype=bool
        )
        spans = inside.epochs
        some = replace(inside, epochs=replace(spans, span=spans.span[chosen], row=spans.row[chosen]))
        values = measure(some)
        for span in np.unique(spans.span[known == None]):  # noqa: E711
            values[span] = None
        return values

    return measured


def count(inside: Inside) -> list[Fact]:
    """How many features share more than a border with the change."""
    return [*np.diff(inside.borders).astype(float).tolist()]


def numbers(inside: Inside) -> list[Fact]:
    """The numbers of the features that cover any of the change, sorted."""
    names = inside.features.texts("number", inside.feature).tolist()
    borders = inside.borders.tolist()
    return [_joined(names[start:stop]) for start, stop in pairwise(borders)]


def _joined(names: list[str | None]) -> str:
    return ", ".join(sorted({name for name in names if name}))


def dominant(inside: Inside) -> list[Fact]:
    """The land class that covers most of the change, in a layer without classes the number.

    Empty where nothing covers it; None where what covers most has none. A draw goes by the alphabet.
    """
    column = "land_class" if inside.features.has_classes else "number"
    texts = inside.features.texts(column, inside.feature)
    codes, names = pd.factorize(pd.Series(texts, dtype=object).fillna(""))
    key = inside.epochs.span * max(len(names), 1) + codes
    groups, which = np.unique(key, return_inverse=True)
    span, code = np.divmod(groups, max(len(names), 1))
    covered = np.bincount(which, weights=inside.area_m2, minlength=len(groups)).astype(float)
    for one, rows in inside.overlapping():
        for group in _within(span, one):
            covered[group] = inside.union_m2(rows[which[rows] == group])
    named = np.asarray(names, dtype=object)[code]
    best = _largest(span, covered, named.__getitem__)
    return _by_span(inside, span[best], named[best])


def _within(sorted_spans: NDArray[np.intp], span: int) -> range:
    return range(*np.searchsorted(sorted_spans, [span, span + 1]).tolist())


def measure_of(name: str, layer: Layer) -> Callable[[Inside], list[Fact]]:
    """The measure of this name that a layer may have."""
    if name in MEASURES:
        return MEASURES[name]
    if name.startswith(DOMINANT):
        return attribute(name.removeprefix(DOMINANT))
    measure, _, group = name.partition("_of_")
    return of_class(MEASURES[measure], layer.classes[group])


def attribute(name: str) -> Callable[[Inside], list[Fact]]:
    """The measure of an attribute: its text on the feature that covers most; empty where nothing covers the change.

    Of several that cover as much, the first by number, then by text.
    """

    def measured(inside: Inside) -> list[Fact]:
        number = inside.features.texts("number", inside.feature)
        text = inside.features.texts(f"{ATTRIBUTE}{name}", inside.feature)

        def order(row: int) -> tuple[bool, str, str]:
            return not number[row], number[row] or "", text[row] or ""

        best = _largest(inside.epochs.span, inside.area_m2, order)
        return _by_span(inside, inside.epochs.span[best], text[best])

    return measured


def _largest(
    span: NDArray[np.intp], area_m2: NDArray[np.float64], order: Callable[[int], Any]
) -> NDArray[np.intp]:
    """The row of each span with the largest area to 0.001 m²; of several, the first in `order`."""
    area = np.round(area_m2, 3)
    rows = np.lexsort((-area, span))
    first = np.flatnonzero(np.diff(span[rows], prepend=-1))
    best = rows[first]
    # Draws are few: the next row is of the same span and as large.
    after = np.minimum(first + 1, len(rows) - 1)
    drawn = (span[rows[after]] == span[best]) & (area[rows[after]] == area[best]) & (after != first)
    stops = np.append(first[1:], len(rows))
    for i in np.flatnonzero(drawn):
        own = rows[first[i] : stops[i]]
        equal = own[area[own] == area[best[i]]]
        best[i] = min(equal.tolist(), key=order)
    return best


def _by_span(inside: Inside, span: NDArray[np.intp], texts: NDArray[np.object_]) -> list[Fact]:
    found = np.full(inside.spans, "", dtype=object)
    found[span] = [text or None for text in texts]
    listed: list[Fact] = found.tolist()
    return listed


MEASURES: dict[str, Callable[[Inside], list[Fact]]] = {
    "outside_m2": outside_m2, "m2": m2, "share": share, "count": count, "dominant": dominant, "numbers": numbers,
}  # fmt: skip
"""Measures of what lies inside a change; `distance_m` and `nearest` look outside and are written apart."""
