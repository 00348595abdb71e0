"""The area ledger: how much of a change lies on which land; what it adds up to is the change, to the last unit.

Amounts are whole numbers: 0.0001 m² and 0.01 亩, so sums are exact. What no feature with a class covers is
`unclassified`. Where features overlap, the first by number counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from cadastre.dated import days_of
from cadastre.facts import measure_crs
from cadastre.landcover import CULTIVATED, UNCLASSIFIED, Crossed, Groups, grouping
from cadastre.layers import LayerData
from cadastre.overlay import Shapes
from ground.crs import crs_of, to_crs
from ground.errors import BadInput
from ground.tables import load_toml, parse

PER_M2 = 10_000
"""Units in a square metre."""
MU_M2 = 2000 / 3
"""1 亩."""


def load_groups(path: Path) -> dict[str, list[str]]:
    """Groups of land classes, their code prefixes, from a land_classes.toml; its `source` is for readers.

    Raises:
        BadInput: a typo, with file and key.
    """
    table = {name: codes for name, codes in load_toml(path).items() if name != "source"}
    groups: dict[str, list[str]] = parse(dict[str, list[str]], table, path)
    return groups


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


def ledger_of(
    amounts: Mapping[str, float], area_m2: float, groups: Groups, group: Callable[[str], str] | None = None
) -> LandLedger:
    """The ledger of m² by class in a change of `area_m2`; what they lack is unclassified, too much is scaled down."""
    known = {name: max(0.0, amount) for name, amount in amounts.items()}
    known[UNCLASSIFIED] = known.get(UNCLASSIFIED, 0.0) + max(0.0, area_m2 - sum(known.values()))
    names = sorted(known)
    units = dict(zip(names, apportion(round(area_m2 * PER_M2), [known[n] for n in names]), strict=True))
    sums, group = dict.fromkeys([*groups, UNCLASSIFIED], 0), group or grouping(groups)
    for name, amount in units.items():
        sums[group(name)] += amount
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
    land = Crossed(shapes, days, data)
    over = [None if one is None else Crossed(shapes, days, one) for one in (basic, redline)]
    areas, group = shapely.area(shapes).tolist(), grouping(groups)
    ledgers = [ledger_of(land.by_class(i), area, groups, group) for i, area in enumerate(areas)]
    wholes = [round(area * PER_M2) for area in areas]
    inside = [
        [
            0 if one is None else min(whole, round(one.covered_m2(i) * PER_M2))
            for i, whole in enumerate(wholes)
        ]
        for one in over
    ]
    tilled = [ledger.groups.get(CULTIVATED, 0) for ledger in ledgers]
    if over[0] is not None:
        # Where either is all of the change or none of it, what they share is known.
        mixed = [i for i, n in enumerate(inside[0]) if n and tilled[i] and max(n, tilled[i]) < wholes[i]]
        for i, shared in zip(mixed, over[0].shared_m2(mixed, land, group), strict=True):
            inside[0][i] = round(shared * PER_M2)
    return [
        LandLedger(ledger.units, ledger.groups, ledger.mu_hundredths, min(some, most), red)
        for ledger, some, most, red in zip(ledgers, inside[0], tilled, inside[1], strict=True)
    ]


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
            sums[i][grouping(groups)(name)] += amount
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
