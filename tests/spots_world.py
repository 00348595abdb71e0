"""A small true world of places: squares in meters east and north of a corner, days, cases brought to a verdict."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import shapely

from cases.ledger import Added
from cases.store import CaseStore
from spots import plane
from tests.cases_world import AUDITOR, ROAD, lonlat_changes, put

LON, LAT = 112.0, 37.0
PER_LON, PER_LAT = (float(each) for each in plane._meters_a_degree(LAT))
PHOTO = {"photo": "IMG.jpg", "field_evidence": "record 1"}
WAY = {
    "lawful": [("field_check", "county", {}), ("proven", "county", PHOTO), ("city_review", "city", {}),
               ("province_review", "city", {}), ("lawful", "province", {"document": "晋政地〔2025〕7号"})],
}  # fmt: skip
WAY["pseudo_change"] = [*WAY["lawful"][:-1], ("pseudo_change", "province", {"reason": "a shadow"})]
WAY["rural_road"] = [*WAY["lawful"][:-1], ("rural_road", "province", {})]
WAY["returned"] = [*WAY["lawful"][:-2], ("returned", "city", {"reason": "no photo of the north side"})]
WAY["violation"] = [*WAY["lawful"][:-1], ("violation", "province", {"reason": "no permit"})]
WAY["signed_off"] = [
    *WAY["violation"],
    ("rectification", "county", {}),
    ("verification", "county", {"photo": "IMG2.jpg", "acceptance": "accepted"}),
    ("signed_off", "city", {"acceptance": "accepted", "later_scene": "GF-2 of June"}),
]
HELD = {"two_officers": "李伟; 张敏"}
WAY["closed"] = [
    *WAY["violation"], ("filed", "county", {}), ("investigation", "county", HELD),
    ("audited", "legal", {"legal_audit": "agreed"}), ("notice", "county", {}),
    ("decision", "county", {"waiver": "waived on 1 May"}),
    ("served", "county", {"document": "served"}), ("executed", "county", {}), ("closed", "county", {"document": "end"}),
]  # fmt: skip


def day(text: str) -> datetime:
    """A day of 2025, as 06-01, at 03:00 UTC."""
    return datetime.fromisoformat(f"2025-{text}T03:00:00+00:00").astimezone(UTC)


def box(x: float, y: float, wide: float, high: float | None = None) -> tuple[float, float, float, float]:
    """A rectangle in meters from the corner of this world, in degrees."""
    high = wide if high is None else high
    return (LON + x / PER_LON, LAT + y / PER_LAT, LON + (x + wide) / PER_LON, LAT + (y + high) / PER_LAT)


def at(x: float, y: float) -> tuple[float, float]:
    """A point in meters from the corner, in degrees."""
    return LON + x / PER_LON, LAT + y / PER_LAT


def seen(
    store: CaseStore,
    *boxes: tuple[float, float, float, float],
    pair_id: str = "pair",
    between: tuple[str, str] | None = ("03-01", "04-01"),
    kind: str = "vegetation_loss",
    **more: Any,
) -> Added:
    """One batch recorded: rectangles that changed between two days of 2025."""
    days = (None, None) if between is None else tuple(pd.Timestamp(day(each)) for each in between)
    frame = lonlat_changes(*boxes, pair_id=pair_id, before=days[0], after=days[1], change_class=kind)
    return put(store, frame, **more)


def bring(store: CaseStore, case: str, to: str, on: str = "05-01", **more: str) -> None:
    """A case brought to a verdict by people, step by step, all of it on one day."""
    for status, role, evidence in WAY[to]:
        extra = more if status == to else {}
        actor = AUDITOR if role == "legal" else "王芳"
        store.move(case, status, ROAD, actor=actor, role=role, evidence=evidence | extra, at=day(on))


def jittered(shape: Any, dx: float, dy: float) -> Any:
    """A shape moved by meters."""
    return shapely.transform(shape, lambda xy: np.add(xy, (dx / PER_LON, dy / PER_LAT)))
