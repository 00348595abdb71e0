"""What lies on which land inside each change: features in force on a day, each bit of ground counted once."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from cadastre.crossing import Features, Pieces, cross, features_of
from cadastre.dated import NO_SCENE_DATES, SINCE_WHEN, Days, silent
from cadastre.layers import LayerData
from cadastre.overlay import Shapes, difference, intersection, union

UNCLASSIFIED = "unclassified"
CULTIVATED = "cultivated"
CLOSES_M2 = 0.01
"""Pieces that miss their change by more are cut anew, one after the other, each from what the others left."""

Groups = Mapping[str, Sequence[str]]


def grouping(groups: Groups) -> Callable[[str], str]:
    """The group with the longest prefix of a class, UNCLASSIFIED where none has one; each class is looked up once."""
    known: dict[str, str] = {}
    prefixes = [(len(code), name, code) for name, codes in groups.items() for code in codes]

    def group(land_class: str) -> str:
        if land_class not in known:
            found = [(length, name) for length, name, code in prefixes if land_class.startswith(code)]
            known[land_class] = max(found)[1] if found else UNCLASSIFIED
        return known[land_class]

    return group


class Crossed:
    """A layer's features inside changes, those in force on a day each, in the order in which they count."""

    def __init__(self, shapes: Shapes, days: NDArray[np.datetime64], data: LayerData, name: str) -> None:
        self.shapes = shapes
        self.features: Features = features_of(data)
        self.pieces: Pieces = cross(shapes, self.features, least_m2=0.0)
        day, feature = days[self.pieces.change], self.pieces.feature
        begins, ends = self.features.begins[feature], self.features.ends[feature]
        valid = ((begins <= day) & (ends >= day)) | ~self.features.dated[feature]
        self.rows = np.flatnonzero(valid & (self.pieces.area_m2 > 0))
        self.borders = np.searchsorted(self.pieces.change[self.rows], np.arange(len(shapes) + 1))
        self.why = silent(name, data, shapes, Days(days, days))
        """Of each change, why what lies in it on its day is not known; None where it is."""
        timeless = self.features.undated[feature] & ~(ends < day)
        for rows, reason in (
            (self.features.dated[feature] & np.isnat(day), NO_SCENE_DATES),
            (timeless, SINCE_WHEN),
        ):
            lost = np.unique(self.pieces.change[rows])
            self.why[lost[self.why[lost] == None]] = f"layer {name}: {reason}"  # noqa: E711
        classes = self.features.texts("land_class", feature)
        self.classes = [one or UNCLASSIFIED for one in classes]
        self.numbers = self.features.texts("number", feature)

    def own(self, change: int) -> list[int]:
        """Rows of a change's pieces."""
        found: list[int] = self.rows[self.borders[change] : self.borders[change + 1]].tolist()
        return found

    def in_order(self, change: int) -> list[int]:
        """The same in the order in which they count: by number, what has none last."""

        def order(row: int) -> tuple[bool, str, str, float]:
            number = self.numbers[row]
            return not number, number or "", self.classes[row], -float(self.pieces.area_m2[row])

        return sorted(self.own(change), key=order)

    def by_class(self, change: int) -> dict[str, float]:
        """m² by class, counted once."""
        rows, found = self.own(change), dict[str, float]()
        areas = self.pieces.area_m2[rows]
        if self.pieces.overlapping[change] or areas.sum() > self.shapes[change].area + CLOSES_M2:
            cut = self.cut(change)
            rows, areas = self.in_order(change), shapely.area(np.array(cut, dtype=object))
        for row, area in zip(rows, areas.tolist(), strict=True):
            found[self.classes[row]] = found.get(self.classes[row], 0.0) + area
        return found

    def cut(self, change: int) -> list[shapely.Geometry]:
        """Each feature's piece of what those before it left, moved to the origin, where GEOS is most exact."""
        rest, found = self.shapes[[change]], []
        origin = np.floor(shapely.bounds(rest)[0, :2])
        rest = shapely.transform(rest, lambda xy: xy - origin)
        for row in self.in_order(change):
            feature = self.features.shapes[[self.pieces.feature[row]]]
            feature = shapely.transform(feature, lambda xy: xy - origin)
            found.append(intersection(rest, feature)[0])
            rest = difference(rest, feature)
        return found

    def covered_m2(self, change: int) -> float:
        """What all features cover."""
        return sum(self.by_class(change).values())

    def shared_m2(self, changes: Sequence[int], land: "Crossed", group: Callable[[str], str]) -> list[float]:
        """What these features share in each change with the cultivated pieces of `land`."""
        found = np.zeros(len(changes))
        plain = [
            at
            for at, i in enumerate(changes)
            if not (self.pieces.overlapping[i] or land.pieces.overlapping[i])
        ]
        for at in set(range(len(changes))) - set(plain):
            found[at] = self._shared_once(changes[at], land, group)
        pairs = [
            (at, row, other)
            for at in plain
            for row in self.own(changes[at])
            for other in land.own(changes[at])
            if group(land.classes[other]) == CULTIVATED
        ]
        if pairs:
            at, row, other = np.array(pairs).T
            mine = self.features.shapes[self.pieces.feature[row]]
            pieces = intersection(self.shapes[np.asarray(changes)[at]], mine)
            shared = intersection(pieces, land.features.shapes[land.pieces.feature[other]])
            np.add.at(found, at, shapely.area(shared))
        return found.tolist()

    def _shared_once(self, change: int, land: "Crossed", group: Callable[[str], str]) -> float:
        """The same where features lie over each other."""
        order = land.in_order(change)
        tilled = [
            piece for row, piece in zip(order, land.cut(change), strict=True)
            if group(land.classes[row]) == CULTIVATED
        ]  # fmt: skip
        one, other = (union(np.array(pieces, dtype=object)) for pieces in (tilled, self.cut(change)))
        return float(shapely.area(intersection(np.array([one]), np.array([other])))[0])
