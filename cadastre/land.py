"""The area ledger: how much of a change lies on which land; what it adds up to is the change, to the last unit.

Amounts are whole numbers: 0.0001 m² and 0.01 亩, so sums are exact. What no feature with a class covers is
`unclassified`. Where features overlap, the first by number counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from cadastre.crossing import Features, Pieces, cross, features_of
from cadastre.dated import days_of
from cadastre.facts import measure_crs
from cadastre.layers import LayerData
from cadastre.overlay import Shapes, difference, intersection, union
from ground.crs import crs_of, to_crs
from ground.errors import BadInput
from ground.tables import load_toml, parse

UNCLASSIFIED = "unclassified"
CULTIVATED = "cultivated"
PER_M2 = 10_000
"""Units in a square metre."""
MU_M2 = 2000 / 3
"""1 亩."""
CLOSES_M2 = 0.01
"""Pieces that miss their change by more are cut anew, one after the other, each from what the others left."""

Groups = Mapping[str, Sequence[str]]


def load_groups(path: Path = Path(__file__).with_name("land.toml")) -> dict[str, list[str]]:
    """Groups of land classes: their code prefixes.

    Raises:
        BadInput: a typo, with file and key.
    """
    groups: dict[str, list[str]] = parse(dict[str, list[str]], load_toml(path), path)
    return groups


def group_of(land_class: str, groups: Groups) -> str:
    """The group with the longest prefix of a class; UNCLASSIFIED where none has one."""
    found = [
        (len(code), name) for name, codes in groups.items() for code in codes if land_class.startswith(code)
    ]
    return max(found)[1] if found else UNCLASSIFIED


@dataclass(frozen=True)
class LandLedger:
    """One change: `units` of 0.0001 m² by class, `mu_hundredths` of 亩 by group; both add up to the whole.

    `basic` (basic farmland) is a part of the cultivated units, `redline` lies over all of them.
    """

    units: dict[str, int]
    groups: dict[str, int]
    mu_hundredths: dict[str, int]
    basic: int = 0
    redline: int = 0

    @property
    def area_m2(self) -> float:
        """The whole."""
        return sum(self.units.values()) / PER_M2

    @property
    def area_mu(self) -> float:
        """The whole in 亩, two decimals."""
        return sum(self.mu_hundredths.values()) / 100

    @property
    def class_m2(self) -> dict[str, float]:
        """By land class."""
        return {name: amount / PER_M2 for name, amount in self.units.items()}

    @property
    def group_m2(self) -> dict[str, float]:
        """By group; every group is named, with nothing in it too."""
        return {name: amount / PER_M2 for name, amount in self.groups.items()}

    @property
    def group_mu(self) -> dict[str, float]:
        """By group in 亩, two decimals."""
        return {name: amount / 100 for name, amount in self.mu_hundredths.items()}

    @property
    def basic_m2(self) -> float:
        """Basic farmland; never more than is cultivated."""
        return self.basic / PER_M2

    @property
    def redline_m2(self) -> float:
        """Inside the ecological redline."""
        return self.redline / PER_M2


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """`total` in whole parts as near to `weights` as can be, by largest remainder; draws go to the first."""
    whole = sum(weights)
    if not whole:
        return [total if i == 0 else 0 for i in range(len(weights))]
    exact = [total * (weight / whole) for weight in weights]
    parts = [int(value) for value in exact]
    order = sorted(range(len(weights)), key=lambda i: (parts[i] - exact[i], i))
    missing = total - sum(parts)
    for i in range(abs(missing)):
        parts[order[i % len(order)]] += 1 if missing > 0 else -1
    return parts


def ledger_of(amounts: Mapping[str, float], area_m2: float, groups: Groups) -> LandLedger:
    """The ledger of m² by class in a change of `area_m2`; what they lack is unclassified, too much is scaled down."""
    known = {name: max(0.0, amount) for name, amount in amounts.items()}
    known[UNCLASSIFIED] = known.get(UNCLASSIFIED, 0.0) + max(0.0, area_m2 - sum(known.values()))
    names = sorted(known)
    units = dict(zip(names, apportion(round(area_m2 * PER_M2), [known[n] for n in names]), strict=True))
    sums = dict.fromkeys([*groups, UNCLASSIFIED], 0)
    for name, amount in units.items():
        sums[group_of(name, groups)] += amount
    hundredths = apportion(round(area_m2 / MU_M2 * 100), list(sums.values()))
    kept = {name: amount for name, amount in units.items() if amount}
    return LandLedger(kept, sums, dict(zip(sums, hundredths, strict=True)))


def land_ledger(
    changes: gpd.GeoDataFrame,
    data: LayerData,
    groups: Groups,
    basic: LayerData | None = None,
    redline: LayerData | None = None,
) -> dict[str, LandLedger]:
    """Ledgers by change_id, of the land as it was in force on the day of the scene before.

    `data` (land use, with land_class), `basic` and `redline` are in `measure_crs(changes)`.
    """
    crs = crs_of(changes.crs, "changes")
    shapes = to_crs(changes.geometry.to_numpy(), crs, measure_crs(changes), "changes")
    found = ledgers_of(shapes, days_of(changes).first, data, groups, basic, redline)
    return dict(zip(changes["change_id"].tolist(), found, strict=True))


def ledgers_of(
    shapes: Shapes,
    days: NDArray[np.datetime64],
    data: LayerData,
    groups: Groups,
    basic: LayerData | None = None,
    redline: LayerData | None = None,
) -> list[LandLedger]:
    """Ledgers of valid polygons in metres of the layers' CRS."""
    land = _Crossed(shapes, days, data)
    over = [None if one is None else _Crossed(shapes, days, one) for one in (basic, redline)]
    found = []
    for i, area in enumerate(shapely.area(shapes).tolist()):
        ledger = ledger_of(land.by_class(i), area, groups)
        whole = round(area * PER_M2)
        inside = [0 if one is None else min(whole, round(one.covered_m2(i) * PER_M2)) for one in over]
        tilled = ledger.groups.get(CULTIVATED, 0)
        if over[0] is not None and inside[0] and tilled and max(inside[0], tilled) < whole:
            inside[0] = round(over[0].shared_m2(i, land, groups) * PER_M2)
        made = LandLedger(
            ledger.units, ledger.groups, ledger.mu_hundredths, min(inside[0], tilled), inside[1]
        )
        found.append(made)
    return found


class _Crossed:
    """A layer's features inside changes, those in force on a day each, in the order in which they count."""

    def __init__(self, shapes: Shapes, days: NDArray[np.datetime64], data: LayerData) -> None:
        self.shapes = shapes
        self.features: Features = features_of(data)
        self.pieces: Pieces = cross(shapes, self.features, least_m2=0.0)
        day, feature = days[self.pieces.change], self.pieces.feature
        begins, ends = self.features.begins[feature], self.features.ends[feature]
        valid = ((begins <= day) & (ends >= day)) | (not self.features.has_dates)
        self.rows = np.flatnonzero(valid & (self.pieces.area_m2 > 0))
        self.borders = np.searchsorted(self.pieces.change[self.rows], np.arange(len(shapes) + 1))
        classes = self.features.texts("land_class", feature)
        self.classes = [one or UNCLASSIFIED for one in classes]
        self.numbers = self.features.texts("number", feature)

    def _own(self, change: int) -> list[int]:
        found: list[int] = self.rows[self.borders[change] : self.borders[change + 1]].tolist()
        return found

    def _in_order(self, change: int) -> list[int]:
        def order(row: int) -> tuple[bool, str, str, float]:
            number = self.numbers[row]
            return not number, number or "", self.classes[row], -float(self.pieces.area_m2[row])

        return sorted(self._own(change), key=order)

    def by_class(self, change: int) -> dict[str, float]:
        """m² by class, counted once."""
        rows, found = self._own(change), dict[str, float]()
        areas = self.pieces.area_m2[rows]
        if self.pieces.overlapping[change] or areas.sum() > self.shapes[change].area + CLOSES_M2:
            cut = self._cut(change)
            rows, areas = self._in_order(change), shapely.area(np.array(cut, dtype=object))
        for row, area in zip(rows, areas.tolist(), strict=True):
            found[self.classes[row]] = found.get(self.classes[row], 0.0) + area
        return found

    def _cut(self, change: int) -> list[shapely.Geometry]:
        """Each feature's piece of what those before it left, moved to the origin, where GEOS is most exact."""
        rest, found = self.shapes[[change]], []
        origin = np.floor(shapely.bounds(rest)[0, :2])
        rest = shapely.transform(rest, lambda xy: xy - origin)
        for row in self._in_order(change):
            feature = self.features.shapes[[self.pieces.feature[row]]]
            feature = shapely.transform(feature, lambda xy: xy - origin)
            found.append(intersection(rest, feature)[0])
            rest = difference(rest, feature)
        return found

    def covered_m2(self, change: int) -> float:
        """What all features cover."""
        return sum(self.by_class(change).values())

    def shared_m2(self, change: int, land: "_Crossed", groups: Groups) -> float:
        """What these features share with the cultivated pieces of `land`."""
        order = land._in_order(change)
        tilled = [
            piece for row, piece in zip(order, land._cut(change), strict=True)
            if group_of(land.classes[row], groups) == CULTIVATED
        ]  # fmt: skip
        one, other = (union(np.array(pieces, dtype=object)) for pieces in (tilled, self._cut(change)))
        return float(shapely.area(intersection(np.array([one]), np.array([other])))[0])


def merge(ledgers: Sequence[LandLedger]) -> LandLedger:
    """The ledger of changes that were joined and do not overlap: the sum of theirs, to the last unit."""
    units, groups, hundredths = dict[str, int](), dict[str, int](), dict[str, int]()
    for one in ledgers:
        for total, part in ((units, one.units), (groups, one.groups), (hundredths, one.mu_hundredths)):
            for name, amount in part.items():
                total[name] = total.get(name, 0) + amount
    return LandLedger(
        units, groups, hundredths, sum(one.basic for one in ledgers), sum(one.redline for one in ledgers)
    )


def split(parent: LandLedger, parts: Sequence[LandLedger], groups: Groups) -> list[LandLedger]:
    """The ledgers of the parts of a change, each measured by itself, as ledgers that add up to the parent's.

    They do class by class, in units and in 亩, and each closes; a part differs from its own by what was missing.

    Raises:
        BadInput: the parts are not the change: their areas differ by more than 0.01 亩.
    """
    gap = sum(part.area_m2 for part in parts) - parent.area_m2
    if not parts or abs(gap) > MU_M2 / 100:
        raise BadInput(
            f"the parts of the change differ from it by {gap:+.2f} m²; draw them so that they fill it"
        )
    whole = [part.area_m2 for part in parts]

    def shared(total: int, amounts: list[int]) -> list[int]:
        return apportion(total, amounts if any(amounts) else whole)

    classes = {
        name: shared(total, [part.units.get(name, 0) for part in parts])
        for name, total in parent.units.items()
    }
    sums = [dict.fromkeys(parent.groups, 0) for _ in parts]
    for name, amounts in classes.items():
        for i, amount in enumerate(amounts):
            sums[i][group_of(name, groups)] += amount
    mu = {
        name: shared(total, [one.get(name, 0) for one in sums])
        for name, total in parent.mu_hundredths.items()
    }
    basic = shared(parent.basic, [part.basic for part in parts])
    redline = shared(parent.redline, [part.redline for part in parts])
    return [
        LandLedger(
            {name: amounts[i] for name, amounts in classes.items() if amounts[i]},
            sums[i],
            {name: amounts[i] for name, amounts in mu.items()},
            min(basic[i], sums[i].get(CULTIVATED, 0)),
            redline[i],
        )
        for i in range(len(parts))
    ]
