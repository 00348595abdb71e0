"""Two scenes → change map, polygons of change and run.json, whole or not at all; a killed run can be gone on with."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from detection import changes as change_frame
from detection import record
from detection.canvas import JOURNAL
from detection.cluster import Cluster
from detection.detectors import Choice, choose
from detection.greenness import classes, ndvi_change
from detection.inputs import given
from detection.plan import Handles
from detection.polygons import Outlines, outlines
from detection.predict import predict
from detection.registration import registration, write_raster
from detection.workers import one_thread_each
from ground.clock import Clock
from ground.errors import BadInput
from ground.files import short_hash, unfinished_folder
from imagery.address import whole
from imagery.align import Alignment
from imagery.catalog import open_scene
from imagery.harmonize import Light
from imagery.pairing import make_pair
from imagery.scene import ScenePair
from imagery.sensors import sensor

MADE = ("change.tif", "changes.gpkg", "changes.parquet", "alignment.tif", "run.json")
"""What `detect` writes; run.json last, so that where it lies the others are whole."""

Advance = Callable[[str, int, int], None]
"""Told (step, done, total) as work goes on."""


def silent(step: str, done: int, total: int) -> None:
    """No progress shown."""
    del step, done, total


@dataclass(frozen=True, kw_only=True)
class DetectOptions:
    """How to look for change. A sensor or date given here outranks what the file says."""

    detector: str = "auto"
    weights: str | None = None
    threshold: float | None = None
    grow: float | None = None
    """Probability down to which a change spreads around what reaches the threshold; None: the threshold."""
    max_false_clues: float | None = None
    smallest_m2: float | None = None
    before_sensor: str | None = None
    after_sensor: str | None = None
    before_date: str | None = None
    after_date: str | None = None
    handles: Handles = field(default_factory=Handles)


def detect(
    before: str | Path,
    after: str | Path,
    out: Path,
    options: DetectOptions,
    advance: Advance = silent,
    cluster: Cluster | None = None,
    again: bool = True,
) -> dict[str, Any]:
    """Two scenes → change.tif, changes.gpkg, changes.parquet and run.json in `out`; returns run.json.

    Blocks that cannot be decoded are unseen, and run.json counts them by file under `unreadable`. With a `cluster`,
    its workers look at the windows; what is written is the same. Not `again`: where a whole result of the same files
    and parameters lies in `out`, that one is returned.

    Raises:
        BadInput: the scenes cannot be compared, or changed while they were read; the sentence says why.
        Unreachable: the server that a scene lies on does not answer; what was done is kept for the next run.
        CannotWrite, OutOfMemory: what was done is kept for the next run.
    """
    clock = Clock()
    _check(options)
    with clock.step("open"):
        pair = make_pair(
            open_scene(before, options.before_sensor, options.before_date),
            open_scene(after, options.after_sensor, options.after_date),
        )
        choice = _choice(pair, options)
    _spare_inputs(pair, out)
    with clock.step("hash"):
        inputs = given({*pair.before.files, *pair.after.files})
    run = _head(pair, inputs.sha256, choice, options)
    if not again and (old := _result(out, run)) is not None:
        return old
    with unfinished_folder(out, _key(pair, choice, options), _worth_keeping) as work, one_thread_each():
        inputs.same_as_in(work)
        run |= _worked(pair, choice, options, run, work, (advance, clock, cluster))
        inputs.still_the_same()
        (work / MADE[-1]).write_text(json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        # An older run.json must not stand beside newer files, even if we are stopped between two renames.
        (out / MADE[-1]).unlink(missing_ok=True)
        for name in MADE:
            os.replace(work / name, out / name)
    return run


def _worked(
    pair: ScenePair,
    choice: Choice,
    options: DetectOptions,
    run: dict[str, Any],
    work: Path,
    means: tuple[Advance, Clock, Cluster | None],
) -> dict[str, Any]:
    """Every file but run.json made in `work`; what run.json gains."""
    advance, clock, cluster = means
    made_by = record.made_by(run)
    change_map, geopackage, parquet, aligned, _ = (work / name for name in MADE)
    with clock.step("align"):
        alignment = registration(pair)
        write_raster(alignment, pair.grid, aligned, made_by)
    prediction = predict(
        pair, choice, change_map, made_by, advance, options.handles, clock, cluster, alignment
    )
    with clock.step("polygons"):
        smallest = run["parameters"]["min_mapping_unit_m2"]
        found = outlines(prediction.flat, threshold=choice.threshold, smallest_m2=smallest, grow=options.grow)
    with clock.step("classify"):
        light = prediction.lights.classes
        frame = _change_frame(pair, found, run["pair_id"], advance, alignment, light)
    with clock.step("save"):
        change_frame.write(frame, geopackage, made_by)
        change_frame.write_parquet(frame, parquet, made_by)
    measured = {"alignment": alignment.report, "harmonization": prediction.lights.report}
    return measured | record.tail(pair, frame, prediction, clock.seconds)


def _result(out: Path, run: dict[str, Any]) -> dict[str, Any] | None:
    """The run.json that lies in a folder, if all but its time and figures is as in `run`."""
    if not all((out / name).is_file() for name in MADE):
        return None
    old: dict[str, Any] = json.loads((out / MADE[-1]).read_text(encoding="utf-8"))
    same = all(old.get(key) == value for key, value in run.items() if key != "made_utc")
    return old if same else None


def _choice(pair: ScenePair, options: DetectOptions) -> Choice:
    choice = choose(
        options.detector,
        pair.names,
        pair.grid.gsd_m,
        pair.after.source,
        options.weights,
        options.max_false_clues,
    )
    return choice if options.threshold is None else replace(choice, threshold=options.threshold)


def _key(pair: ScenePair, choice: Choice, options: DetectOptions) -> str:
    """The same for runs whose change maps would be the same, as long as the files are."""
    scenes = [
        repr((scene.files, scene.bands, scene.sensor, scene.acquired_utc))
        for scene in (pair.before, pair.after)
    ]
    looking = repr(
        (
            choice.detector,
            choice.card_sha256,
            choice.threshold,
            options.handles.window,
            options.handles.device,
        )
    )
    return short_hash(*scenes, looking, json.dumps(record.versions(), sort_keys=True))


def _worth_keeping(work: Path) -> bool:
    """Whether a run came so far that the next one should go on with it."""
    journal = work / JOURNAL
    return journal.is_file() and journal.stat().st_size > 0


def _head(pair: ScenePair, hashes: dict[str, str], choice: Choice, options: DetectOptions) -> dict[str, Any]:
    return record.head(
        pair,
        hashes,
        choice=choice,
        asked=options.detector,
        max_false_clues=options.max_false_clues,
        smallest_m2=_smallest_m2(pair) if options.smallest_m2 is None else options.smallest_m2,
        window=options.handles.window,
        grow=options.grow,
    )


def _check(options: DetectOptions) -> None:
    if options.smallest_m2 is not None and not math.isfinite(options.smallest_m2):
        raise BadInput(
            f"--min-area: {options.smallest_m2} is not a number of square meters; write for example 400"
        )
    for name, value in (("--threshold", options.threshold), ("--grow", options.grow)):
        if value is not None and not 0 < value <= 1:
            raise BadInput(f"{name}: {value} is not within 0 and 1; leave it out for the detector's own")
    if options.threshold is not None and options.max_false_clues is not None:
        raise BadInput("--max-false-clues: sets the threshold; leave out --threshold")


def _spare_inputs(pair: ScenePair, out: Path) -> None:
    """Refuses to write a result over one of the scenes it is made of, or where a folder has its name."""
    for name in MADE:
        if (out / name).is_dir():
            raise BadInput(f"--out: {out / name} is a folder; remove it or choose another folder")
    results = {whole(str(out / name)) for name in MADE}
    for scene in (pair.before, pair.after):
        for file in (scene.source, *scene.files):
            if whole(file) in results:
                raise BadInput(f"--out: {file} is a scene and would be overwritten; choose another folder")


def _smallest_m2(pair: ScenePair) -> float:
    """The larger of the two sensors' minimum mapping units on the pair's grid."""
    kinds = (sensor(scene.sensor, scene.source) for scene in (pair.before, pair.after))
    return max(kind.smallest_change_m2(pair.grid.gsd_m) for kind in kinds)


def _change_frame(
    pair: ScenePair,
    found: Outlines,
    pair_id: str,
    advance: Advance,
    alignment: Alignment,
    light: Light | None,
) -> gpd.GeoDataFrame:
    greenness = ndvi_change(pair, found.polygons, advance, alignment, light)
    return change_frame.make(
        found.polygons,
        found.grid.crs,
        pair_id=pair_id,
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
