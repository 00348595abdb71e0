"""The area ledger on land that breaks overlays: does it close, always? Slivers, spikes, bowties, borders 1e-9 m apart.

    python benchmarks/land.py --to benchmarks/results

Every ledger must add up to its change, by class, by group and in 亩; no more may be classified than the union of the
features covers, nor less, within 0.01 m²; no class may have more than its own features cover; basic farmland lies in
cultivated land; the parts of every split add up to their change. 0.01 亩, the ledger's promise, is 6.67 m².
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import numpy as np
import shapely
from shapely.affinity import translate

from cadastre.land import MU_M2, PER_M2, LandLedger, ledgers_of, load_groups, merge, split
from cadastre.landcover import UNCLASSIFIED
from cadastre.overlay import intersection, union
from law import pack_of
from tests.land_world import World, strips, world

GROUPS = load_groups(pack_of("cn") / "land_classes.toml")
SPLIT_EVERY = 4


def closes(ledger: LandLedger, area_m2: float) -> bool:
    """Whether it adds up to the whole in every unit it has."""
    units = round(area_m2 * PER_M2)
    return (
        sum(ledger.units.values()) == units == sum(ledger.groups.values())
        and sum(ledger.mu_hundredths.values()) == round(area_m2 / MU_M2 * 100)
        and min([0, *ledger.units.values(), *ledger.mu_hundredths.values()]) == 0
        and 0 <= ledger.basic <= ledger.groups["cultivated"]
    )


def off_by(ledger: LandLedger, change: shapely.Polygon, land: list[Any], classes: list[Any]) -> float:
    """How many m² it differs from what unions of features say, moved to the origin, where GEOS is most exact."""
    west, south = np.floor(change.bounds[:2])
    change = translate(change, -west, -south)

    def covered(shapes: list[Any]) -> float:
        near = [shapely.make_valid(translate(one, -west, -south)) for one in shapes]
        return float(shapely.area(intersection(np.array([union(np.array(near))]), np.array([change])))[0])

    known = [one for one, name in zip(land, classes, strict=True) if name]
    most = {
        name: covered([o for o, n in zip(land, classes, strict=True) if n == name])
        for name in {*classes} - {None}
    }
    over = max((ledger.class_m2.get(str(name), 0.0) - most[name] for name in most), default=0.0)
    classified = sum(amount for name, amount in ledger.class_m2.items() if name != UNCLASSIFIED)
    # A feature without a class may come first by number and hide others: of what is classified, a bound either way.
    nameless = covered([one for one, name in zip(land, classes, strict=True) if not name])
    under = covered(known) - nameless - classified if known else 0.0
    return max(over, under, classified - covered(known) if known else classified)


def check_world(seed: int, count: int) -> dict[str, Any]:
    """Counts, the worst difference in m², and the cases that failed."""
    made = world(seed, count)
    days = np.full(count, np.datetime64("2021-05-01"))
    found = ledgers_of(made.shapes, days, made.land, GROUPS, made.basic, made.basic)
    land = made.land.frame.geometry.to_numpy()
    classes = made.land.frame["land_class"].to_numpy(dtype=object)
    borders = np.searchsorted(made.case_of, np.arange(count + 1))
    faults, worst = [], 0.0
    for i, ledger in enumerate(found):
        own = slice(int(borders[i]), int(borders[i + 1]))
        off = off_by(ledger, made.shapes[i], land[own].tolist(), [c or None for c in classes[own]])
        worst = max(worst, off)
        if not closes(ledger, float(made.shapes[i].area)) or off > tolerance_m2(made.shapes[i]):
            faults.append(f"world {seed}, case {i}: off by {off:.4f} m²")
    parts, wrong = check_splits(made, found, seed)
    return {"changes": count, "parts": parts, "geometries": count + len(land) + parts, "worst_m2": worst,
            "faults": faults + wrong}  # fmt: skip


def tolerance_m2(change: shapely.Polygon) -> float:
    """0.01 m²; far off, what a last digit of a coordinate is worth along the border."""
    return max(0.01, 4 * float(np.spacing(np.abs(change.bounds).max())) * float(change.length))


def check_splits(made: World, found: list[LandLedger], seed: int) -> tuple[int, list[str]]:
    """Cuts some changes into strips, and sums them again."""
    rng = np.random.default_rng(seed)
    cut = {i: strips(made.shapes[i], rng) for i in range(0, len(found), SPLIT_EVERY)}
    flat = np.array([part for parts in cut.values() for part in parts], dtype=object)
    days = np.full(len(flat), np.datetime64("2021-05-01"))
    measured = iter(ledgers_of(flat, days, made.land, GROUPS, made.basic, made.basic))
    wrong = []
    for i, parts in cut.items():
        children = split(found[i], [next(measured) for _ in parts], GROUPS)
        again = merge(children)
        whole = (found[i].units, found[i].groups, found[i].mu_hundredths)
        nested = all((child.basic or 0) <= child.groups["cultivated"] for child in children)
        each = all(sum(child.units.values()) == sum(child.groups.values()) for child in children)
        if (again.units, again.groups, again.mu_hundredths) != whole or not nested or not each:
            wrong.append(f"world {seed}, case {i}: its parts do not add up to it")
    return len(flat), wrong


def main() -> None:
    """Checks, prints, stores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, help="folder for land.json")
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=1000)
    given = parser.parse_args()
    start = time.perf_counter()
    found = [check_world(seed, given.batch) for seed in range(given.changes // given.batch)]
    faults = [fault for one in found for fault in one["faults"]]
    said = {
        **{name: sum(one[name] for one in found) for name in ("changes", "parts", "geometries")},
        "worst_m2": max(one["worst_m2"] for one in found),
        "promise_m2": round(MU_M2 / 100, 4),
        "faults": len(faults),
        "first_faults": faults[:20],
        "seconds": round(time.perf_counter() - start, 1),
        "geos": shapely.geos_version_string,
    }
    text = json.dumps(said, indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(text)
    if given.to:
        given.to.mkdir(parents=True, exist_ok=True)
        (given.to / "land.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
