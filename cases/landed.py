"""Area ledgers as judgements keep them, taken apart and put together: what parts have adds up to the whole."""

from collections.abc import Mapping, Sequence
from typing import Any

from cadastre import land
from cadastre.land import MU_M2, PER_M2, LandLedger
from cadastre.landcover import UNCLASSIFIED, Groups, grouping
from cases.measuring import land_row

Row = Mapping[str, Any] | None
"""JudgementRow.land; None where nobody knows."""


def ledger_of_row(row: Row) -> LandLedger | None:
    """A ledger from the database, to the last unit; None where it holds no land classes. Without groups all is one."""
    if not row or "class_m2" not in row:
        return None
    units = _units(row["class_m2"])
    groups, mu = row.get("group_m2"), row.get("group_mu")
    whole = sum(units.values())
    basic, redline = (
        None if row.get(key) is None else round(row[key] * PER_M2) for key in ("basic_m2", "redline_m2")
    )
    return LandLedger(
        units,
        _units(groups) if groups else {UNCLASSIFIED: whole},
        {name: round(amount * 100) for name, amount in mu.items()}
        if groups and mu
        else {UNCLASSIFIED: round(whole / PER_M2 / MU_M2 * 100)},
        basic,
        redline,
        {name: why for name, why in (row.get("unknown") or {}).items() if name != "groups"},
    )


def split_rows(whole: Row, parts: Sequence[Row], groups: Groups) -> list[dict[str, Any] | None]:
    """The ledgers of parts, which add up to the whole's class by class; their own where the whole has none.

    Where `groups` are not those of the whole's ledger, the parts have classes only.
    """
    parent, measured = ledger_of_row(whole), [ledger_of_row(part) for part in parts]
    known = [one for one in measured if one is not None]
    if parent is None or whole is None or len(known) < len(parts):
        return [None if part is None or parent is not None else dict(part) for part in parts]
    group, sums = grouping(groups), dict.fromkeys(parent.groups, 0)
    for name, amount in parent.units.items():
        sums[group(name)] = sums.get(group(name), 0) + amount
    is_grouped = bool(whole.get("group_m2")) and sums == parent.groups
    if not is_grouped:
        parent, groups = _ungrouped(parent), {}
    return [land_row(one, is_grouped) for one in land.split(parent, known, groups)]


def merged_row(parts: Sequence[Row]) -> dict[str, Any] | None:
    """The ledger of parts that share no land; None where one of them has none."""
    known = [one for part in parts if (one := ledger_of_row(part)) is not None]
    if len(known) < len(parts):
        return None
    kinds = {tuple(sorted((part or {}).get("group_m2") or {})) for part in parts}
    is_grouped = len(kinds) == 1 and kinds != {()}
    return land_row(land.merge(known if is_grouped else [_ungrouped(one) for one in known]), is_grouped)


def _units(amounts: Mapping[str, float]) -> dict[str, int]:
    return {name: round(amount * PER_M2) for name, amount in amounts.items()}


def _ungrouped(one: LandLedger) -> LandLedger:
    whole = sum(one.units.values())
    mu = {UNCLASSIFIED: sum(one.mu_hundredths.values())}
    return LandLedger(one.units, {UNCLASSIFIED: whole}, mu, one.basic, one.redline, one.why)
