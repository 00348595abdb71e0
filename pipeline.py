"""The whole story, one function a step: two scenes → change map → polygons → facts → judgements → cases."""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cases import ledger
from cases.facts import Fact, Facts, measure, measure_crs
from cases.layers import load_catalogue, read_layers
from cases.provenance import RUN_JSON, layer_hashes, pair_rows
from cases.rules import Judgement, in_force, judge, load_rulebooks
from cases.store import open_store
from cases.workflow import load_workflow
from detection import changes as change_frame
from detection import record
from detection.detectors import Choice, choose
from detection.greenness import classes, ndvi_change
from detection.polygons import Outlines, outlines
from detection.predict import predict
from ground.errors import BadInput
from ground.files import sha256, staging_folder, written_beside
from imagery.catalog import open_scene
from imagery.pairing import make_pair
from imagery.scene import ScenePair
from imagery.sensors import sensor

RULEBOOKS = Path(__file__).parent / "cases" / "rulebook"
MADE = ("change.tif", "changes.gpkg", RUN_JSON)
"""What `detect` writes; run.json last, so that where it lies the others are whole."""

Advance = Callable[[str, int, int], None]
"""Told (step, done, total) as work goes on."""


def silent(step: str, done: int, total: int) -> None:
    """No progress shown."""
    del step, done, total


@dataclass
class Clock:
    """Seconds by step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a block under a name."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


@dataclass(frozen=True, kw_only=True)
class DetectOptions:
    """How to look for change. A sensor or date given here outranks what the file says."""

    detector: str = "auto"
    weights: str | None = None
    device: str = "auto"
    threshold: float | None = None
    max_false_clues: float | None = None
    smallest_m2: float | None = None
    before_sensor: str | None = None
    after_sensor: str | None = None
    before_date: str | None = None
    after_date: str | None = None


def detect(
    before: Path, after: Path, out: Path, options: DetectOptions, advance: Advance = silent
) -> dict[str, Any]:
    """Two scenes → change.tif, changes.gpkg and run.json in `out`, whole or not at all; returns run.json.

    Raises:
        BadInput: the scenes cannot be compared; the sentence says why.
    """
    clock = Clock()
    if options.smallest_m2 is not None and not math.isfinite(options.smallest_m2):
        raise BadInput(
            f"--min-area: {options.smallest_m2} is not a number of square meters; write for example 400"
        )
    _check_threshold(options)
    with clock.step("open"):
        pair = make_pair(
            open_scene(before, options.before_sensor, options.before_date),
            open_scene(after, options.after_sensor, options.after_date),
        )
        choice = choose(
            options.detector,
            pair.names,
            pair.grid.gsd_m,
            str(after),
            options.weights,
            options.max_false_clues,
        )
    if options.threshold is not None:
        choice = replace(choice, threshold=options.threshold)
    _spare_inputs(pair, out)
    with clock.step("hash"):
        hashes = {href: sha256(Path(href)) for href in sorted({*pair.before.files, *pair.after.files})}
    run = _head(pair, hashes, choice, options)
    made_by = record.made_by(run)
    with staging_folder(out) as staging:
        with clock.step("detect"):
            prediction = predict(pair, choice, staging / MADE[0], made_by, advance, options.device)
        with clock.step("polygons"):
            frame = _change_frame(pair, staging / MADE[0], run, advance)
            change_frame.write(frame, staging / MADE[1], made_by)
        run |= record.tail(pair, frame, prediction, clock.seconds)
        (staging / MADE[2]).write_text(json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        # An older run.json must not stand beside newer files, even if we are stopped between two renames.
        (out / MADE[2]).unlink(missing_ok=True)
        for name in MADE:
            os.replace(staging / name, out / name)
    return run


def _head(pair: ScenePair, hashes: dict[str, str], choice: Choice, options: DetectOptions) -> dict[str, Any]:
    return record.head(
        pair,
        hashes,
        choice=choice,
        asked=options.detector,
        max_false_clues=options.max_false_clues,
        smallest_m2=_smallest_m2(pair) if options.smallest_m2 is None else options.smallest_m2,
    )


def _check_threshold(options: DetectOptions) -> None:
    if options.threshold is None:
        return
    if not 0 < options.threshold <= 1:
        raise BadInput(
            f"--threshold: {options.threshold} is not within 0 and 1; leave it out for the detector's own"
        )
    if options.max_false_clues is not None:
        raise BadInput("--max-false-clues: sets the threshold; leave out --threshold")


def _spare_inputs(pair: ScenePair, out: Path) -> None:
    """Refuses to write a result over one of the scenes it is made of."""
    results = {(out / name).resolve() for name in MADE}
    for scene in (pair.before, pair.after):
        for file in (scene.source, *scene.files):
            if Path(file).resolve() in results:
                raise BadInput(f"--out: {file} is a scene and would be overwritten; choose another folder")


def _smallest_m2(pair: ScenePair) -> float:
    """The larger of the two sensors' minimum mapping units on the pair's grid."""
    kinds = (sensor(scene.sensor, scene.source) for scene in (pair.before, pair.after))
    return max(kind.smallest_change_m2(pair.grid.gsd_m) for kind in kinds)


def _change_frame(
    pair: ScenePair, change_map: Path, run: dict[str, Any], advance: Advance
) -> gpd.GeoDataFrame:
    parameters = run["parameters"]
    found = outlines(
        change_map, threshold=parameters["threshold"], smallest_m2=parameters["min_mapping_unit_m2"]
    )
    greenness = ndvi_change(pair, found.polygons, advance)
    return change_frame.make(
        found.polygons,
        found.grid.crs,
        pair_id=run["pair_id"],
        before=pair.before.acquired_utc,
        after=pair.after.acquired_utc,
        probability=found.probability,
        ndvi_change=greenness,
        change_class=_classes(found, greenness),
    )


def _classes(found: Outlines, greenness: NDArray[np.float64]) -> NDArray[Any]:
    """What a network of buildings says outranks what greenness says; a line outranks both."""
    named = classes(greenness)
    if found.direction is not None:
        named = np.where(found.direction > 0, "building_appeared", "building_disappeared")
    return np.where(found.is_linear, "linear", named)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What `judge_changes` found and wrote."""

    changes: gpd.GeoDataFrame
    facts: dict[str, Facts]
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
    before: Path,
    after: Path,
    layers: Path,
    db: str,
    out: Path,
    options: DetectOptions,
    rules: Path = RULEBOOKS,
    region: str = "",
    advance: Advance = silent,
) -> tuple[dict[str, Any], Judged]:
    """Everything: detect, then judge; run.json in `out` gains what was judged."""
    # Read the tables first: a typo should not cost a county's detection.
    load_catalogue(layers), load_rulebooks(rules), load_workflow()
    made = detect(before, after, out, options, advance)
    judged = judge_changes(out / MADE[1], layers, db, rules, region, advance)
    made |= {"judged": judged_summary(judged, layers, rules)}
    with written_beside(out / MADE[2]) as beside:
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
