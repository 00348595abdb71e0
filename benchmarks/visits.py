"""Field visits in a drawn quarter of overlapping batches, with and without joining: `python benchmarks/visits.py`.

Ground, scenes, false changes and reports are drawn from a seed. Officers visit every case that waits for them, three
days after its batch; they see what stands there on that day. Without joining every change and every report is a case.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from shapely.affinity import rotate, scale, translate

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from cases import ledger, places  # noqa: E402
from cases.reported import Report, report  # noqa: E402
from cases.store import CaseFilter, CaseStore, open_store  # noqa: E402
from cases.workflow import load_workflow  # noqa: E402
from detection import changes as change_frame  # noqa: E402
from ground.crs import LONLAT  # noqa: E402
from tests.cases_world import book, entry_of  # noqa: E402
from tests.spots_world import WAY, at  # noqa: E402

BEGIN = datetime(2025, 7, 1, 3, tzinfo=UTC)
DAYS = 92
VISIT_AFTER = 3
SENSORS = {
    # every so many days, baseline (None: the quarter's begin), meters off, noise of size, share seen, sees buildings
    "sentinel-2": (10, None, 5.0, 0.25, 0.75, False),
    "gf-2": (14, None, 2.0, 0.08, 0.9, True),
    "gf-7": (30, None, 2.0, 0.08, 0.9, True),
    "jl-1": (7, 28, 3.0, 0.12, 0.85, True),
}
SUMMED = (
    "true_violations",
    "visits_without",
    "visits_with",
    "found_without",
    "found_with",
    "found_only_without",
)
SUSPECTED = book()
ROAD = load_workflow()


@dataclass
class Site:
    """One place of the drawn ground; `kind`: violation, lawful or false (nothing is there)."""

    kind: str
    shape: Any
    starts: float
    look: str
    grows: float | None = None
    ends: float = 1e9
    """Taken down on this day."""
    found: dict[str, float] = field(default_factory=dict)

    def stands(self, day: float) -> Any | None:
        """What is to be seen on a day."""
        if not self.starts <= day < self.ends:
            return None
        grown = self.grows is not None and day >= self.grows
        return scale(self.shape, 1.5, 1.5) if grown else self.shape


def drawn(random: np.random.Generator, violations: int, lawful: int, false: int) -> list[Site]:
    """A county of sites at least 250 m apart, in meters; one violation in ten is taken down and comes back."""
    count = violations + lawful + false
    columns = int(np.ceil(np.sqrt(count)))
    kinds = ["violation"] * violations + ["lawful"] * lawful + ["false"] * false
    random.shuffle(kinds)
    sites = []
    for i, kind in enumerate(kinds):
        x, y = 250 * (i % columns), 250 * (i // columns)
        wide, high = random.uniform(18, 70, 2)
        shape = rotate(translate(shapely.box(0, 0, wide, high), x, y), random.uniform(0, 90))
        starts = random.uniform(-5, DAYS - 12) if kind != "false" else 0.0
        look = random.choice(
            ["building_appeared", "vegetation_loss"], p=[0.6, 0.4] if kind != "false" else [0.1, 0.9]
        )
        grows = starts + random.uniform(20, 40) if kind != "false" and random.random() < 0.2 else None
        site = Site(kind=kind, shape=shape, starts=max(starts, 1.0), look=str(look), grows=grows)
        sites.append(site)
        if kind == "violation" and site.starts < 20 and random.random() < 0.5:
            site.ends, site.grows = site.starts + 35, None
            sites.append(Site(kind="violation", shape=site.shape, starts=site.ends + 14, look=site.look))
        if kind == "false" and random.random() < 0.05:
            # Somebody does change the ground where only shadows were, half of them with nothing that looks new.
            kind = str(random.choice(["building_appeared", "vegetation_loss"]))
            sites.append(Site(kind="violation", shape=site.shape, starts=random.uniform(30, 75), look=kind))
    return sites


def outlined(random: np.random.Generator, shape: Any, off_m: float, noise: float) -> Any:
    """A shape as a sensor draws it: moved, larger or smaller, its edges wavy."""
    size = 1 + random.normal(0, noise, 2).clip(-0.5, 0.8)
    moved = translate(scale(shape, *size), *random.normal(0, off_m, 2))
    wavy = shapely.segmentize(moved, 12)
    corners = shapely.get_coordinates(wavy)[:-1]
    shaken = shapely.Polygon(corners + random.normal(0, off_m / 4, corners.shape)).buffer(0)
    return max(shapely.get_parts(shaken), key=lambda part: part.area)


@dataclass(frozen=True)
class Batch:
    """A change map of one day: outlines in meters, their classes; or reports: points and accuracies."""

    day: float
    sensor: str
    before: float
    outlines: list[tuple[Any, str]]
    reports: list[tuple[float, float, float]]


def batches(random: np.random.Generator, sites: list[Site]) -> list[Batch]:
    """All that comes in during the quarter, day by day. A false change shows in every third map."""
    found = []
    for sensor, (every, window, off, noise, share, fine) in SENSORS.items():
        for day in np.arange(every, DAYS + 1, every):
            before = 0.0 if window is None else max(0.0, float(day - window))
            outlines = []
            for site in sites:
                if site.kind == "false":
                    shows = random.random() < 0.33
                    shape = site.shape if shows else None
                else:
                    shape = site.stands(day)
                    was = site.stands(before)
                    changed = shape is not None and (was is None or was.area < 0.8 * shape.area)
                    shape = shape if changed and random.random() < share else None
                if shape is not None:
                    vague = str(random.choice(["unclassified", "vegetation_loss"]))
                    sharp = fine and random.random() < 0.85
                    outlines.append((outlined(random, shape, off, noise), site.look if sharp else vague))
            found.append(Batch(float(day), sensor, before, outlines, []))
    return sorted([*found, *hotline(random, sites)], key=lambda batch: (batch.day, batch.sensor))


def hotline(random: np.random.Generator, sites: list[Site]) -> list[Batch]:
    """Up to five calls about four violations in ten, and calls about nothing."""
    calls = []
    for site in sites:
        if site.kind == "violation" and random.random() < 0.4:
            for _ in range(random.integers(1, 6)):
                day, accuracy = random.uniform(site.starts, DAYS), random.uniform(8, 40)
                point = site.shape.centroid
                dx, dy = random.normal(0, accuracy / 2, 2)
                calls.append(Batch(day, "hotline", 0.0, [], [(point.x + dx, point.y + dy, accuracy)]))
    west, south, east, north = shapely.total_bounds([site.shape for site in sites])
    for _ in range(len(sites) // 12):
        place = (random.uniform(west, east), random.uniform(south, north), 20.0)
        calls.append(Batch(random.uniform(5, DAYS), "hotline", 0.0, [], [place]))
    return calls


def moment(day: float) -> datetime:
    """A day of the quarter."""
    return (BEGIN + timedelta(days=day)).replace(microsecond=0)


def visit(sites: list[Site], ground: Any, day: float, way: str) -> str:
    """What an officer finds on the ground of an outline."""
    there = [
        s
        for s in sites
        if s.kind != "false" and (shape := s.stands(day)) is not None and shape.intersects(ground)
    ]
    for site in there:
        if site.kind == "violation":
            site.found.setdefault(way, day)
    if any(site.kind == "violation" for site in there):
        return "violation"
    return "lawful" if there else "pseudo_change"


def without(sites: list[Site], coming: list[Batch]) -> int:
    """Every change and every report visited."""
    visits = 0
    for batch in coming:
        grounds = [shape for shape, _ in batch.outlines]
        grounds += [shapely.Point(x, y).buffer(max(m, 15)) for x, y, m in batch.reports]
        for ground in grounds:
            visit(sites, ground, batch.day + VISIT_AFTER, "without")
        visits += len(grounds)
    return visits


def in_degrees(shape: Any) -> Any:
    """A shape of meters at its place."""
    return shapely.transform(shape, lambda xy: np.column_stack([*at(xy[:, 0], xy[:, 1])]))


class Office:
    """A county's officers: they visit what waits for them, and move its case to where it belongs."""

    def __init__(self, store: CaseStore, sites: list[Site]) -> None:
        self.store, self.sites = store, sites
        self.visits = 0
        self.handled: list[tuple[float, str]] = []
        self.found: Counter[str] = Counter()
        self.due: dict[str, float] = {}

    def take(self, batch: Batch) -> None:
        """Records a batch as the program does."""
        for x, y, accuracy in batch.reports:
            lon, lat = at(x, y)
            said = Report(
                source="hotline", lon=lon, lat=lat, accuracy_m=accuracy, at=moment(batch.day), who="12345",
                note=f"call of day {batch.day:.3f}",
            )  # fmt: skip
            report(self.store, said, ROAD)
        if batch.outlines:
            shapes = np.array([in_degrees(shape) for shape, _ in batch.outlines] + [None], dtype=object)[:-1]
            frame = change_frame.make(
                shapes, LONLAT, pair_id=f"{batch.sensor}-{batch.day:.0f}", before=pd.Timestamp(moment(batch.before)),
                after=pd.Timestamp(moment(batch.day)), change_class=[kind for _, kind in batch.outlines],
            )  # fmt: skip
            ledger.record(self.store, entry_of(frame, SUSPECTED), ROAD)
        for status in ROAD.start.values():
            for case in self.store.cases(CaseFilter(status=status), limit=1000).items:
                self.due.setdefault(case.id, batch.day + VISIT_AFTER)

    def work(self, day: float) -> None:
        """Every case whose day has come is visited; its verdict is what stands there; the restored is signed off."""
        for case_id in [case for case, due in self.due.items() if due <= day]:
            del self.due[case_id]
            self._visit(self.store.case(case_id), day)
        for due, case_id in [one for one in self.handled if one[0] <= day]:
            self.handled.remove((due, case_id))
            if self.store.case(case_id).status == "violation":
                self._go(case_id, "signed_off", day, skip=len(WAY["violation"]))

    def _visit(self, case: Any, day: float) -> None:
        self.visits += 1
        _, seen, _ = places.spot(self.store, case.id)
        known = {change.id: change.geometry for change in self._changes(case)}
        ground = shapely.union_all([known[one["change_id"]] for one in seen if one["change_id"] in known])
        on_grid = shapely.transform(ground, lambda xy: _meters(xy))
        verdict = visit(self.sites, on_grid, day, "with")
        self.found[verdict] += 1
        self._go(case.id, verdict, day)
        if verdict == "violation":
            there = [s for s in self.sites if s.kind == "violation" and s.shape.intersects(on_grid)]
            ends = min((site.ends for site in there if site.ends > day), default=1e9)
            if ends < DAYS:
                self.handled.append((ends + 1, case.id))

    def _changes(self, case: Any) -> list[Any]:
        west, south, east, north = case.bbox
        return self.store.changes(bbox=(west - 1e-3, south - 1e-3, east + 1e-3, north + 1e-3)).items

    def _go(self, case_id: str, to: str, day: float, skip: int = 0) -> None:
        for status, role, evidence in WAY[to][skip:]:
            self.store.move(case_id, status, ROAD, actor="王芳", role=role, evidence=evidence, at=moment(day))


def _meters(xy: Any) -> Any:
    lon, lat = at(0, 0)
    per_lon, per_lat = at(1, 1)[0] - lon, at(1, 1)[1] - lat
    return np.column_stack([(xy[:, 0] - lon) / per_lon, (xy[:, 1] - lat) / per_lat])


def simulated(seed: int, violations: int, lawful: int, false: int) -> dict[str, Any]:
    """One quarter both ways."""
    random = np.random.default_rng(seed)
    sites = drawn(random, violations, lawful, false)
    coming = batches(random, sites)
    visits_without = without(sites, coming)
    with tempfile.TemporaryDirectory() as folder:
        office = Office(open_store(f"sqlite:///{folder}/cases.db"), sites)
        due: list[float] = []
        for batch in coming:
            while due and due[0] <= batch.day:
                office.work(due.pop(0))
            office.take(batch)
            due.append(batch.day + VISIT_AFTER)
        for day in due:
            office.work(day)
        totals = places.totals(office.store)
    true = [site for site in sites if site.kind == "violation"]
    found = {way: [site for site in true if way in site.found] for way in ("without", "with")}
    return {
        "seed": seed, "true_violations": len(true), "lawful": lawful, "false_places": false,
        "batches": sum(bool(batch.outlines) for batch in coming),
        "changes": sum(len(batch.outlines) for batch in coming), "reports": sum(len(b.reports) for b in coming),
        "visits_without": visits_without, "visits_with": office.visits,
        "fewer": round(1 - office.visits / visits_without, 4),
        "found_without": len(found["without"]), "found_with": len(found["with"]),
        "found_only_without": sum("with" not in site.found for site in found["without"]),
        "days_to_find_without": _delay(found["without"], "without"), "days_to_find_with": _delay(found["with"], "with"),
        "verdicts_of_visits": dict(office.found), "totals": totals,
    }  # fmt: skip


def _delay(sites: list[Site], way: str) -> float | None:
    return round(float(np.mean([site.found[way] - site.starts for site in sites])), 2) if sites else None


def main() -> None:
    """Prints, and with --out writes, the figures."""
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--violations", type=int, default=60)
    parser.add_argument("--lawful", type=int, default=40)
    parser.add_argument("--false", type=int, default=100)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    begin = time.perf_counter()
    quarters = [simulated(seed, asked.violations, asked.lawful, asked.false) for seed in asked.seeds]
    sums = {name: sum(quarter[name] for quarter in quarters) for name in SUMMED}
    true = sums["true_violations"]
    result = {
        "fewer_visits": round(1 - sums["visits_with"] / sums["visits_without"], 4),
        "recall_without": round(sums["found_without"] / true, 4),
        "recall_with": round(sums["found_with"] / true, 4),
        "seconds": round(time.perf_counter() - begin, 1), **sums, "quarters": quarters,
    }  # fmt: skip
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
