"""The area ledger: how much of a change lies on which land; what it adds up to is the change, to the last unit.

Amounts are whole numbers: 0.0001 m² and 0.01 亩, so sums are exact. What no feature with a class covers is
`unclassified`. Where features overlap, the first by number counts. What a layer does not say is None, not nought.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
LAND, BASIC, REDLINE = "land_use", "basic_farmland", "redline"
"""Names of the layers that the area ledger is made of."""


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

    `basic` (basic farmland) is a part of the cultivated units where these are known, `redline` lies over all of them;
    None where their layer does not say. `why` has the reasons by layer, of the land itself too.
    """

    units: dict[str, int]
    groups: dict[str, int]
    mu_hundredths: dict[str, int]
    basic: int | None = None
    redline: int | None = None
    why: dict[str, str] = field(default_factory=dict)

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
    def basic_m2(self) -> float | None:
        """Basic farmland; never more than is cultivated, where that is known."""
        return None if self.basic is None else self.basic / PER_M2

    @property
    def redline_m2(self) -> float | None:
        """Inside the ecological redline."""
        return None if self.redline is None else self.redline / PER_M2


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
    land = Crossed(shapes, days, data, LAND)
    farms = None if basic is None else Crossed(shapes, days, basic, BASIC)
    red = None if redline is None else Crossed(shapes, days, redline, REDLINE)
    areas, group = shapely.area(shapes).tolist(), grouping(groups)
    ledgers = [ledger_of(land.by_class(i), area, groups, group) for i, area in enumerate(areas)]
    wholes = [round(area * PER_M2) for area in areas]
    farmed, inside = _inside(farms, wholes), _inside(red, wholes)
    if farms is not None and CULTIVATED in groups:
        _till(farmed, farms, land, ledgers, group)
    found = []
    for i, ledger in enumerate(ledgers):
        reasons = {LAND: land.why[i]}
        for name, over in ((BASIC, farms), (REDLINE, red)):
            reasons[name] = f"layer {name} is not in hand" if over is None else over.why[i]
        why = {name: reason for name, reason in reasons.items() if reason}
        found.append(replace(ledger, basic=farmed[i], redline=inside[i], why=why))
    return found


def _inside(over: Crossed | None, wholes: list[int]) -> list[int | None]:
    """What a layer covers of each change, in units; None where nobody knows."""
    if over is None:
        return [None] * len(wholes)
    return [
        None if over.why[i] else min(whole, round(over.covered_m2(i) * PER_M2))
        for i, whole in enumerate(wholes)
    ]


def _till(
    farmed: list[int | None],
    farms: Crossed,
    land: Crossed,
    ledgers: list[LandLedger],
    group: Callable[[str], str],
) -> None:
    """Leaves of basic farmland what is cultivated, where it is known what is."""
    sure = [(i, n) for i, n in enumerate(farmed) if n is not None and not land.why[i]]
    tilled = [ledger.groups[CULTIVATED] for ledger in ledgers]
    # Where either is all of the change or none of it, what they share is known.
    mixed = [i for i, n in sure if n and tilled[i] and max(n, tilled[i]) < sum(ledgers[i].units.values())]
    shared = dict(zip(mixed, farms.shared_m2(mixed, land, group), strict=True))
    for i, n in sure:
        farmed[i] = min(round(shared[i] * PER_M2) if i in shared else n, tilled[i])


def merge(ledgers: Sequence[LandLedger]) -> LandLedger:
    """The ledger of changes that were joined and do not overlap: the sum of theirs, to the last unit."""
    units, groups, hundredths, why = dict[str, int](), dict[str, int](), dict[str, int](), dict[str, str]()
    for one in ledgers:
        why |= one.why
        for total, part in ((units, one.units), (groups, one.groups), (hundredths, one.mu_hundredths)):
            for name, amount in part.items():
                total[name] = total.get(name, 0) + amount
    basic, redline = _sum([one.basic for one in ledgers]), _sum([one.redline for one in ledgers])
    return LandLedger(units, groups, hundredths, basic, redline, why)


def _sum(amounts: list[int | None]) -> int | None:
    """None where one is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


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

    def known(total: int | None, amounts: list[int | None]) -> list[int | None]:
        return [None] * len(parts) if total is None else [*shared(total, [one or 0 for one in amounts])]

    basic = known(parent.basic, [part.basic for part in parts])
    redline = known(parent.redline, [part.redline for part in parts])
    most = [one.get(CULTIVATED, 0) for one in sums]
    if (parent.basic or 0) <= parent.groups.get(CULTIVATED, 0):
        basic = [None if one is None else min(one, limit) for one, limit in zip(basic, most, strict=True)]
    return [
        LandLedger(
            {name: amounts[i] for name, amounts in classes.items() if amounts[i]},
            sums[i],
            {name: amounts[i] for name, amounts in mu.items()},
            basic[i],
            redline[i],
            parent.why,
        )
        for i in range(len(parts))
    ]
