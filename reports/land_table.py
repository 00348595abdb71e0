"""The area ledger of a change as rows that close: m² and 亩 by group of land."""

from dataclasses import dataclass
from typing import Any

from cadastre.land import apportion

M2_PER_MU = 2000 / 3
CLOSES_MU = 0.01
INSIDE = ("m2", "share", "outside_m2", "count", "numbers")
"""Measures that are unknown where a layer does not reach."""
PER_M2 = 100
"""Hundredths: what a report prints."""


@dataclass(frozen=True)
class LandTable:
    """Groups with m² and 亩 of two decimals each; `area_m2` is the change's. `from_mu`: m² were worked out from 亩.

    `basic_m2`, `redline_m2`: None where nobody crossed the change with that layer, or it does not reach so far.
    """

    m2: dict[str, float]
    mu: dict[str, float]
    area_m2: float
    area_mu: float
    basic_m2: float | None
    redline_m2: float | None
    from_mu: bool

    @property
    def gap_m2(self) -> float:
        """What the groups say more than the change is."""
        return round(sum(self.m2.values()) - self.area_m2, 2)

    @property
    def closes(self) -> bool:
        """Whether the groups are the change, within 0.01 亩."""
        return (
            abs(self.gap_m2) <= CLOSES_MU * M2_PER_MU
            and abs(sum(self.mu.values()) - self.area_mu) <= CLOSES_MU + 1e-9
        )


def land_table(land: dict[str, Any] | None, area_m2: float, facts: dict[str, Any]) -> LandTable | None:
    """The rows of a judgement's ledger; None where it has none by group.

    Printed m² add up to the ledger's printed whole: hundredths by largest remainder.
    """
    if not land or not land.get("group_mu"):
        return None
    mu = {name: float(value) for name, value in land["group_mu"].items()}
    by_m2 = land.get("group_m2")
    whole = float(land.get("area_m2", area_m2))
    weights = [float(by_m2[name]) if by_m2 else mu[name] for name in mu]
    parts = apportion(round(whole * PER_M2), weights)
    m2 = {name: part / PER_M2 for name, part in zip(mu, parts, strict=True)}
    return LandTable(
        m2=m2,
        mu=mu,
        area_m2=round(area_m2, 2),
        area_mu=round(area_m2 / M2_PER_MU, 2),
        basic_m2=_overlay(land, "basic_m2", "basic_farmland", facts),
        redline_m2=_overlay(land, "redline_m2", "redline", facts),
        from_mu=not by_m2,
    )


def _overlay(land: dict[str, Any], key: str, layer: str, facts: dict[str, Any]) -> float | None:
    """The ledger has 0 where there is no such layer; the facts tell whether there was one and what it knew."""
    known = [facts[f"{layer}_{one}"] for one in INSIDE if f"{layer}_{one}" in facts]
    if not known or any(value is None for value in known):
        return None
    return round(float(land.get(key, 0.0)), 2)
