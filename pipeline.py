"""The whole story, one function a step: two scenes → change map → polygons → facts → judgements → cases."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from cadastre.facts import Fact, Facts, measure, measure_crs
from cadastre.layers import load_catalogue, read_layers
from cases import ledger
from cases.provenance import RUN_JSON, layer_hashes, pair_rows
from cases.rules import Judgement, in_force, judge, load_rulebooks
from cases.store import open_store
from cases.workflow import load_workflow
from detection import changes as change_frame
from detection.batch import pairs_of, run_batch
from detection.cluster import Cluster
from detection.detect import Advance, DetectOptions, detect, silent
from detection.plan import Handles, bytes_of
from ground.clock import Clock
from ground.files import written_beside

__all__ = [
    "Cluster", "DetectOptions", "Handles", "Judged", "bytes_of", "detect", "judge_changes", "judged_summary",
    "pairs_of", "run", "run_batch",
]  # fmt: skip

RULEBOOKS = Path(__file__).parent / "cases" / "rulebook"


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
    changes: Path, layers: Path, db: str, rules: Path = RULEBOOKS, region: str = "", advance: Advance = silent
) -> Judged:
    """changes.gpkg × layers.toml × rulebook → judgements and cases in the database; again adds nothing twice.

    `region`: code of the administrative region, where no layer `regions` with measure `dominant` says it.

    Raises:
        BadInput: a file that cannot be used; the sentence names it.
    """
    clock = Clock()
    with clock.step("read"):
        frame = change_frame.read(changes)
        catalogue, books, workflow = (load_catalogue(layers), load_rulebooks(rules), load_workflow())
        data = read_layers(catalogue, layers.parent, measure_crs(frame))
    with clock.step("facts"):
        facts = measure(frame, data, catalogue, advance)
    with clock.step("judge"):
        days = dict(zip(frame["change_id"], frame["after"], strict=True))
        judgements = {
            change: judge(facts[change], in_force(books, None if pd.isna(day) else day.date()))
            for change, day in days.items()
        }
    with clock.step("cases"):
        scenes, pair = pair_rows(changes, set(frame["pair_id"]))
        entry = ledger.Entry(
            changes=frame,
            facts=facts,
            judgements=judgements,
            regions={change: _region(facts[change].values, region) for change in facts},
            layers=layer_hashes(layers, catalogue),
            scenes=scenes,
            pair=pair,
        )
        added = ledger.record(open_store(db), entry, workflow)
    return Judged(changes=frame, facts=facts, judgements=judgements, added=added, seconds=clock.seconds)


def _region(values: dict[str, Fact], given: str) -> str:
    return str(values.get("regions_dominant") or given)


def run(
    before: str | Path,
    after: str | Path,
    layers: Path,
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
    load_catalogue(layers), load_rulebooks(rules), load_workflow()
    made = detect(before, after, out, options, advance, cluster)
    judged = judge_changes(out / "changes.gpkg", layers, db, rules, region, advance)
    made |= {"judged": judged_summary(judged, layers, rules)}
    with written_beside(out / RUN_JSON) as beside:
        beside.write_text(json.dumps(made, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return made, judged


def judged_summary(judged: Judged, layers: Path, rules: Path) -> dict[str, Any]:
    """Counts by verdict, what was added, and the seconds each step took."""
    verdicts = [str(j.verdict) for j in judged.judgements.values()]
    return {
        "layers": str(layers.resolve()),
        "rules": str(rules.resolve()),
        "verdicts": {name: verdicts.count(name) for name in sorted(set(verdicts))},
        "added": {
            "changes": judged.added.changes,
            "judgements": judged.added.judgements,
            "cases": judged.added.cases,
        },
        "seconds": judged.seconds,
    }
