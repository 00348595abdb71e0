"""The whole story, one function a step: two scenes → change map → polygons → facts → judgements → cases."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
from pyproj import CRS

from cadastre.facts import Facts, FactTable, measure_crs
from cadastre.layers import load_catalogue
from cases import judging, ledger
from cases.known import Known, from_files, from_registry
from cases.measuring import REGION, groups_of, land_of, measured
from cases.provenance import RUN_JSON, pair_rows
from cases.rules import Judgement, load_rulebooks
from cases.store import open_store
from cases.workflow import load_workflow
from detection import changes as change_frame
from detection.batch import pairs_of, run_batch
from detection.cluster import Cluster
from detection.detect import Advance, DetectOptions, detect, silent
from detection.observed import seen_by
from detection.plan import Handles, bytes_of
from detection.record import versions
from ground.clock import Clock
from ground.files import written_beside
from law import DEFAULT, rulebooks_of

__all__ = [
    "Cluster", "DetectOptions", "Handles", "Judged", "bytes_of", "detect", "judge_changes", "judged_summary",
    "pairs_of", "run", "run_batch",
]  # fmt: skip

RULEBOOKS = rulebooks_of(DEFAULT)
CHANGE_MAP = "change.tif"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What `judge_changes` found and wrote."""

    changes: gpd.GeoDataFrame
    facts: Mapping[str, Facts]
    judgements: dict[str, Judgement]
    added: ledger.Added
    seconds: dict[str, float]

    def rows(self) -> list[dict[str, Any]]:
        """A line a change: verdict, rule, and what is missing or must be brought."""
        measured = zip(
            self.changes["change_id"], self.changes["change_class"], self.changes["area_m2"], strict=True
        )
        rows = []
        for change, change_class, area_m2 in measured:
            said = self.judgements[change]
            rows.append(
                {
                    "change_id": change, "change_class": change_class, "area_m2": round(float(area_m2), 2),
                    "verdict": str(said.verdict), "rule": said.rule_id, "missing": said.missing, "proof": said.proof,
                    "seen": said.seen, "needs_a_person": said.needs_a_person,
                }
            )  # fmt: skip
        return rows


def judge_changes(
    changes: Path,
    layers: Path | None,
    db: str,
    rules: Path = RULEBOOKS,
    region: str = "",
    advance: Advance = silent,
    as_of: datetime | None = None,
) -> Judged:
    """changes.gpkg × cadastre × rulebook → judgements and cases in the database; again adds nothing twice.

    `layers`: a layers.toml whose files are read; None: the registry of the database, as it was known.
    `region`: code of the administrative region, where no layer `regions` with measure `dominant` says it.
    `as_of`: the moment of judging, now unless told.

    Raises:
        BadInput: a file that cannot be used; the sentence names it.
    """
    clock = Clock()
    moment = as_of or datetime.now(UTC)
    with clock.step("read"):
        frame = change_frame.read(changes)
        placed = judging.in_degrees(frame)
        crs = measure_crs(placed)
        books, workflow = load_rulebooks(rules), load_workflow()
        known = from_files(layers, crs, moment) if layers else _registered(db, moment, crs, placed)
    with clock.step("facts"):
        facts, land = (
            measured(placed, known, books, crs, advance),
            land_of(placed, known, crs, groups_of(rules, books)),
        )
    with clock.step("judge"):
        said = judging.judged(placed, facts, known, books, crs=crs, as_of=moment, versions=versions())
    with clock.step("cases"):
        scenes, pair = pair_rows(changes, set(frame["pair_id"]))
        entry = ledger.Entry(
            changes=placed,
            facts=facts,
            judgements=said.judgements,
            regions=_regions(facts, region),
            layers=known.sources,
            scenes=scenes,
            pair=pair,
            judging=said.row,
            rulebooks=said.rulebooks,
            land=land,
            observed=seen_by(changes.with_name(CHANGE_MAP)) if pair else None,
        )
        added = ledger.record(open_store(db), entry, workflow)
    return Judged(changes=frame, facts=facts, judgements=said.judgements, added=added, seconds=clock.seconds)


def _registered(db: str, moment: datetime, crs: CRS, frame: gpd.GeoDataFrame) -> Known:
    west, south, east, north = map(float, frame.total_bounds)
    with open_store(db, create=False).transaction() as session:
        return from_registry(session, moment, crs, (west, south, east, north) if len(frame) else None)


def _regions(facts: FactTable, given: str) -> dict[str, str]:
    found = facts.columns.get(REGION)
    named = found.values if found else [None] * len(facts)
    return {change: str(name or given) for change, name in zip(facts, named, strict=True)}


def run(
    before: str | Path,
    after: str | Path,
    layers: Path | None,
    db: str,
    out: Path,
    options: DetectOptions,
    rules: Path = RULEBOOKS,
    region: str = "",
    advance: Advance = silent,
    cluster: Cluster | None = None,
) -> tuple[dict[str, Any], Judged]:
    """Everything: detect, then judge; run.json in `out` gains what was judged."""
    # Read the tables first: a typo should not cost a county's detection.
    load_rulebooks(rules), load_workflow()
    if layers:
        load_catalogue(layers)
    else:
        open_store(db, create=False)
    made = detect(before, after, out, options, advance, cluster)
    judged = judge_changes(out / "changes.gpkg", layers, db, rules, region, advance)
    made |= {"judged": judged_summary(judged, layers, rules)}
    with written_beside(out / RUN_JSON) as beside:
        beside.write_text(json.dumps(made, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return made, judged


def judged_summary(judged: Judged, layers: Path | None, rules: Path) -> dict[str, Any]:
    """Counts by verdict, what was added, and the seconds each step took."""
    verdicts = [str(j.verdict) for j in judged.judgements.values()]
    return {
        "layers": str(layers.resolve()) if layers else "registry",
        "rules": str(rules.resolve()),
        "verdicts": {name: verdicts.count(name) for name in sorted(set(verdicts))},
        "added": {
            "changes": judged.added.changes,
            "judgements": judged.added.judgements,
            "cases": judged.added.cases,
        }
        # Said where there is something to say: most runs are the first over their ground.
        | {
            name: count
            for name in ("joined", "carried", "reopened")
            if (count := getattr(judged.added, name))
        },
        "seconds": judged.seconds,
    }
