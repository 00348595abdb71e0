"""Seconds of statistics over many cases and of a case PDF, on SQLite and PostGIS: `python benchmarks/reports.py`."""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import shapely
from PIL import Image
from rasterio.transform import from_origin

ROOT = Path(__file__).parent.parent
sys.path[0] = str(ROOT)

from benchmarks.machine import machine  # noqa: E402
from cadastre.facts import Facts  # noqa: E402
from cases import history, ledger  # noqa: E402
from cases.overdue import overdue  # noqa: E402
from cases.rules import in_force, judge, load_rulebooks  # noqa: E402
from cases.store import CaseFilter, CaseStore, open_store  # noqa: E402
from cases.workflow import load_workflow  # noqa: E402
from detection import changes as change_frame  # noqa: E402
from evidence.adding import Given, add  # noqa: E402
from evidence.files import Files, open_files  # noqa: E402
from evidence.limits import load_limits  # noqa: E402
from ground.clock import peak_rss_mib  # noqa: E402
from ground.crs import LONLAT  # noqa: E402
from imagery.catalog import open_scene  # noqa: E402
from reports.case_pdf import Wanted, case_report  # noqa: E402
from reports.statistics import statistics  # noqa: E402
from reports.words import Language  # noqa: E402
from tests import postgis  # noqa: E402
from tests.drawn import drawn  # noqa: E402
from tests.evidence_world import beside, exif_of  # noqa: E402

LAYERS = ("approvals", "land_supply", "registrations", "facilities", "redline")
"""Each gives four facts; with those of the change itself a judgement keeps 25."""
STATUSES = ["field_check", "proven", "city_review", "returned", "lawful", "violation", "filed", "signed_off"]
COUNTIES = ["140105", "140106", "140121", "140122"]
REPORTS, PHOTOS = 10, 6


def entry_of(
    count: int, scenes: list[dict[str, Any]], pair: dict[str, Any], shift: float = 0.0
) -> ledger.Entry:
    """Squares of some 40 m over four counties and two years, every one a suspected violation with its ledger.

    `shift`: by how many degrees they lie to the east, so that they are other outlines of the same places.
    """
    random = np.random.default_rng(7)
    # Each on a place of its own: squares that lie over each other would be one case.
    across = math.ceil(math.sqrt(count))
    places = random.permutation(across * across)[:count]
    west, south = 114 + shift + places % across * 0.0006, 37.865 + places // across * 0.0005
    shapes = shapely.box(west, south, west + 0.0005, south + 0.0004)
    frame = change_frame.make(shapes, LONLAT, pair_id=pair["id"], before=pd.Timestamp("2024-05-01T03:00:00Z"))
    late = np.arange(count) % 2 == 0
    frame["after"] = pd.to_datetime(np.where(late, "2025-09-01", "2026-03-01"), utc=True).as_unit("ms")
    frame["change_class"] = np.where(late, "building_appeared", "linear")
    book = in_force(load_rulebooks(ROOT / "law" / "cn" / "rulebook"), datetime(2026, 3, 1).date())
    empty = {f"{name}_{what}": 0.0 for name in LAYERS for what in ("m2", "share", "count", "distance_m")}
    facts = {
        row.change_id: Facts(
            empty | {"change_class": row.change_class, "change_area_m2": row.area_m2, "change_width_m": 40.0,
                     "change_probability": 0.9, "change_ndvi": -0.2}
        )
        for row in frame.itertuples()
    }  # fmt: skip
    said = judge(next(iter(facts.values())), None)
    sure = judge(next(iter(facts.values())), book)
    land = {
        row.change_id: {
            "area_m2": row.area_m2, "group_mu": {"cultivated": 2.0, "unclassified": 0.0, "construction": 0.31},
            "basic_m2": 0.0, "redline_m2": 0.0,
        }
        for row in frame.itertuples()
    }  # fmt: skip
    return ledger.Entry(
        changes=frame, facts=facts, judgements={change: sure if i % 3 else said for i, change in enumerate(facts)},
        regions={change: COUNTIES[i % 4] for i, change in enumerate(facts)}, layers={"layers.toml": "0" * 64},
        scenes=scenes, pair=pair, land=land,
    )  # fmt: skip


def drawn_scenes(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Two scenes of 2000 × 2000 pixels of 10 m, four bands."""
    random, rows = np.random.default_rng(5), []
    for name, day in (("before", "2024-05-01T03:00:00Z"), ("after", "2025-09-01T03:00:00Z")):
        path = folder / f"{name}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", width=2000, height=2000, count=4, dtype="uint16", crs="EPSG:32650",
            transform=from_origin(235_000, 4_212_000, 10, 10), tiled=True, compress="deflate",
        ) as sink:  # fmt: skip
            sink.write(random.integers(400, 2400, (4, 2000, 2000)).astype("uint16"))
        scene = open_scene(path, None, day)
        west, south, east, north = scene.grid.lonlat_bounds(str(path))
        rows.append(
            {
                "id": name, "name": name, "sensor": scene.sensor, "acquired": scene.acquired_utc,
                "gsd_m": scene.grid.gsd_m, "href": str(path),
                "west": west, "south": south, "east": east, "north": north,
            }
        )  # fmt: skip
    return rows, {"id": "pair", "before_scene": "before", "after_scene": "after", "made": {}}


def anew(entry: ledger.Entry, count: int, fact: float) -> ledger.Entry:
    """The first so many changes with another fact each."""
    some = entry.changes.head(count)
    facts = {change: Facts(entry.facts[change].values | {"redline_m2": fact}) for change in some["change_id"]}
    judgements = {change: entry.judgements[change] for change in facts}
    return replace(entry, changes=some, facts=facts, judgements=judgements)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """How long it took, and what it gave."""
    start = time.perf_counter()
    made = work()
    return round(time.perf_counter() - start, 3), made


def filled(store: CaseStore, entry: ledger.Entry) -> None:
    """The run recorded, then a move of every case on some day of ten months, so that what stands comes from events."""
    ledger.record(store, entry, load_workflow())
    now, dice = datetime.now(UTC), np.random.default_rng(9)
    with store.transaction(writes=True) as session, drawn(session):
        changes = entry.changes["change_id"].tolist()
        moves = [
            history.event(
                f"case-{change}", now - timedelta(days=days), "moved", "", actor="a", role="county",
                origin="suspected", to=STATUSES[i % 8],
            )
            for i, (change, days) in enumerate(zip(changes, dice.uniform(0, 300, len(changes)).tolist(), strict=True))
        ]  # fmt: skip
        history.append(session, moves)


def photos_of(store: CaseStore, case_id: str, folder: Path) -> Files:
    """Six photos of 12 megapixels given for a case, from about it; where they lie."""
    files, limits = open_files(str(folder / "evidence")), load_limits()
    middle = store.case(case_id).geometry.centroid
    random, (rows, columns) = np.random.default_rng(3), (3000, 4000)
    for i in range(PHOTOS):
        ground = np.linspace(60, 200, rows)[:, None] + random.normal(0, 14, (rows, columns))
        path = folder / f"IMG_{i}.jpg"
        exif = exif_of(
            beside(60 * i, 90, middle.x, middle.y), (60 * i + 180) % 360, taken="2026:05:01 10:00:00"
        )
        Image.fromarray(np.clip(ground, 0, 255).astype("uint8")).convert("RGB").save(
            path, quality=92, exif=exif
        )
        given = Given(kind="photo", path=path, actor="a", role="county")
        add(store, files, case_id, given, load_workflow(), limits)
    return files


def with_photos(store: CaseStore, case_id: str, folder: Path) -> dict[str, Any]:
    """PDFs of a case with photos."""
    wanted = Wanted(
        language=Language.ZH,
        at=datetime(2026, 6, 1, tzinfo=UTC),
        files=photos_of(store, case_id, folder),
        draft=True,
    )
    made = [seconds(partial(case_report, store, case_id, load_workflow(), wanted)) for _ in range(4)]
    assert not [line for line in made[0][1].lacking if "№" in line]
    return {"pdf_of_six_photos_s": [one for one, _ in made], "pdf_of_six_photos_bytes": len(made[0][1].pdf)}


def past_days(store: CaseStore, entry: ledger.Entry, now: datetime, figures: Any) -> dict[str, Any]:
    """Statistics of a past day after which a few changes were judged anew, then after which all were."""
    told = {}
    for name, count in (("few", 10), ("all", len(entry.changes))):
        ledger.record(store, anew(entry, count, 1.0 + count), load_workflow())
        spent, again = zip(*[seconds(lambda: statistics(store, now)) for _ in range(3)], strict=True)
        assert again[0].figures == figures
        told[f"statistics_of_a_past_day_{name}_judged_since_s"] = list(spent)
    told["statistics_after_it_s"] = [
        seconds(lambda: statistics(store, datetime.now(UTC)))[0] for _ in range(3)
    ]
    return told


def seen_again(store: CaseStore, entry: ledger.Entry, now: datetime, figures: Any) -> dict[str, Any]:
    """Statistics where each place was seen again from 5 m beside; of a day before that they are what they were."""
    pair = {"id": "again", "before_scene": "before", "after_scene": "after", "made": {}}
    again = entry_of(len(entry.changes), [], pair, 0.00005)
    taken, added = seconds(lambda: ledger.record(store, again, load_workflow()))
    assert added.cases == 0
    spent, found = zip(
        *[seconds(lambda: statistics(store, datetime.now(UTC))) for _ in range(3)], strict=True
    )
    assert found[0].figures[0].number == len(entry.changes)
    past, then = zip(*[seconds(lambda: statistics(store, now)) for _ in range(3)], strict=True)
    assert then[0].figures == figures
    return {
        "places_seen_again_recorded_s": taken, "statistics_of_places_seen_again_s": list(spent),
        "statistics_of_a_past_day_before_they_were_seen_again_s": list(past),
    }  # fmt: skip


def measured(store: CaseStore, entry: ledger.Entry, folder: Path) -> dict[str, Any]:
    """Statistics three times, of everything and of a county; PDFs of some cases, the first one cold."""
    now = datetime.now(UTC)
    time.sleep(0.01)
    spent, figures = zip(*[seconds(lambda: statistics(store, now)) for _ in range(3)], strict=True)
    past = past_days(store, entry, now, figures[0].figures)
    of_county, _ = seconds(lambda: statistics(store, now, "140105"))
    late, _ = zip(*[seconds(lambda: overdue(store, now)) for _ in range(3)], strict=True)
    cases = store.cases(CaseFilter(), limit=REPORTS).items
    road, moment = load_workflow(), datetime(2026, 6, 1, tzinfo=UTC)
    pdf = [
        seconds(
            partial(
                case_report,
                store,
                case.id,
                road,
                Wanted(language=list(Language)[i % 2], at=moment, draft=True),
            )
        )
        for i, case in enumerate(cases)
    ]
    return {
        "cases": figures[0].figures[0].number, "statistics_s": list(spent),
        "statistics_of_a_county_s": of_county, "of_these_overdue_alone_s": list(late), **past,
        "pdf_first_s": pdf[0][0], "pdf_then_s": [one for one, _ in pdf[1:]], "pdf_bytes": len(pdf[0][1].pdf),
        **with_photos(store, cases[0].id, folder),
        **seen_again(store, entry, now, figures[0].figures),
    }  # fmt: skip


def main() -> None:
    """Prints, and with --out writes, the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--on", choices=["sqlite", "postgis"], default="sqlite")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    known = json.loads(asked.out.read_text()) if asked.out and asked.out.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        scenes, pair = drawn_scenes(Path(folder))
        entry = entry_of(asked.count, scenes, pair)
        if asked.on == "sqlite":
            store = open_store(f"sqlite:///{folder}/cases.db")
            filled(store, entry)
            found = measured(store, entry, Path(folder))
        else:
            with postgis.cluster() as server:
                store = open_store(postgis.new_database(server))
                filled(store, entry)
                found = measured(store, entry, Path(folder))
                store.engine.dispose()
    known[asked.on] = machine() | found | {"peak_rss_mib": peak_rss_mib()}
    text = json.dumps(known, indent=2) + "\n"
    sys.stdout.write(text)
    if asked.out:
        asked.out.write_text(text)


if __name__ == "__main__":
    main()
