"""The verbs that look for change and judge it: detect, batch, judge, run."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import terminal
from ground.clock import end_of
from law import DEFAULT, rulebooks_of
from settings import load_settings

Before = Annotated[str, typer.Option("--before", help="Earlier scene: GeoTIFF or STAC Item; path or URL.")]
After = Annotated[str, typer.Option("--after", help="Later scene: GeoTIFF or STAC Item; path or URL.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for change.tif, changes.gpkg and run.json.")]
DetectorName = Annotated[str, typer.Option("--detector", help="auto, model, irmad or cva.")]
WeightsName = Annotated[str | None, typer.Option("--weights", help="Shipped name or file of weights.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda; for the network.")]
WindowSize = Annotated[int | None, typer.Option("--window", help="Pixels along a window, a multiple of 512.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Windows at once (default: the cores).")]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster", help="Ray cluster whose workers look: its address, auto, or local (extra ray)."
    ),
]
MaxMemory = Annotated[
    str | None, typer.Option("--max-memory", help="Most memory to take, for example 2GiB or 1500MiB.")
]
Grow = Annotated[
    float | None,
    typer.Option(
        "--grow", help="Probability down to which a change spreads around what reaches the threshold."
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", help="Probability from which on it is change (default: the detector's)."),
]
MaxFalse = Annotated[
    float | None,
    typer.Option(
        "--max-false-clues", help="Share of clues that may be false, for example 0.1; sets the threshold."
    ),
]
MinArea = Annotated[
    float | None, typer.Option("--min-area", min=0.0, help="Smallest change, m² (default: the sensor's).")
]
SensorName = Annotated[str | None, typer.Option("--sensor", help="Sensor of both scenes, see sensors.toml.")]
BeforeSensor = Annotated[str | None, typer.Option("--before-sensor", help="Sensor of the earlier scene.")]
AfterSensor = Annotated[str | None, typer.Option("--after-sensor", help="Sensor of the later scene.")]
BeforeDate = Annotated[str | None, typer.Option("--before-date", help="When it was acquired: 2015-08-31.")]
AfterDate = Annotated[str | None, typer.Option("--after-date", help="When it was acquired: 2020-08-04.")]
Layers = Annotated[
    Path | None,
    typer.Option(
        "--layers", help="layers.toml: which cadastral layers, and where (default: the database's registry)."
    ),
]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Judge by what was known on this day (default: now).")
]
Rules = Annotated[
    str, typer.Option("--rules", help="Rulebooks: a pack (cn, br), or a file or folder of your own.")
]
Region = Annotated[str, typer.Option("--region", help="Code of the administrative region of the changes.")]
Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def _options(
    looking: tuple[str, str | None],
    deciding: tuple[float | None, float | None, float | None],
    smallest: float | None,
    sensors: tuple[str | None, str | None, str | None],
    dates: tuple[str | None, str | None],
    engine: tuple[int | None, int | None, str | None, str],
) -> Any:
    from pipeline import DetectOptions, Handles, bytes_of

    both, before, after = sensors
    window, workers, memory, device = engine
    handles = Handles(window=window, workers=workers, max_memory=bytes_of(memory), device=device)
    return DetectOptions(
        detector=looking[0], weights=looking[1], threshold=deciding[0],
        max_false_clues=deciding[1], grow=deciding[2], smallest_m2=smallest,
        before_sensor=before or both, after_sensor=after or both, before_date=dates[0], after_date=dates[1],
        handles=handles,
    )  # fmt: skip


def _cluster(address: str | None, workers: int | None) -> AbstractContextManager[Any]:
    """The cluster asked for, or none."""
    if address is None:
        return nullcontext()
    from pipeline import Cluster

    return Cluster(address, workers)


def _leave_if_blind(made: dict[str, Any]) -> None:
    """Exit code 3 where a part of a scene could not be decoded: the rest is done, and that part is unseen."""
    if lost := made["unreadable"]:
        terminal.say_lost(lost)
        raise typer.Exit(3)


def detect(
    before: Before,
    after: After,
    out: Out,
    detector: DetectorName = "auto",
    weights: WeightsName = None,
    device: Device = "auto",
    threshold: Threshold = None,
    max_false_clues: MaxFalse = None,
    grow: Grow = None,
    min_area: MinArea = None,
    sensor: SensorName = None,
    before_sensor: BeforeSensor = None,
    after_sensor: AfterSensor = None,
    before_date: BeforeDate = None,
    after_date: AfterDate = None,
    window: WindowSize = None,
    workers: Workers = None,
    max_memory: MaxMemory = None,
    cluster: ClusterAddress = None,
    json: Json = False,
) -> None:
    """Two scenes → change map, polygons of change and run.json."""
    from pipeline import detect as run_detect

    sensors, dates = (sensor, before_sensor, after_sensor), (before_date, after_date)
    engine = (window, workers, max_memory, device)
    deciding = (threshold, max_false_clues, grow)
    options = _options((detector, weights), deciding, min_area, sensors, dates, engine)
    with terminal.progress() as advance, _cluster(cluster, workers) as there:
        made = run_detect(before, after, out, options, advance, there)
    terminal.show_run(made, out, json)
    _leave_if_blind(made)


def batch(
    pairs: Annotated[Path, typer.Argument(help="pairs.csv (before, after, …), or a folder of STAC Items.")],
    out: Annotated[Path, typer.Option("--out", help="Folder; the results of each pair go below it.")],
    detector: DetectorName = "auto",
    weights: WeightsName = None,
    device: Device = "auto",
    threshold: Threshold = None,
    max_false_clues: MaxFalse = None,
    grow: Grow = None,
    min_area: MinArea = None,
    sensor: SensorName = None,
    before_sensor: BeforeSensor = None,
    after_sensor: AfterSensor = None,
    window: WindowSize = None,
    workers: Workers = None,
    max_memory: MaxMemory = None,
    cluster: ClusterAddress = None,
    json: Json = False,
) -> None:
    """Many pairs: `detect` for each; what is done already is not done again. Exit code 3 where not all are done."""
    from pipeline import pairs_of, run_batch

    sensors, engine = (sensor, before_sensor, after_sensor), (window, workers, max_memory, device)
    deciding = (threshold, max_false_clues, grow)
    options = _options((detector, weights), deciding, min_area, sensors, (None, None), engine)
    found = pairs_of(pairs)
    with terminal.progress() as advance, _cluster(cluster, workers) as there:
        results = run_batch(found, out, options, advance, there)
    terminal.show([asdict(result) for result in results], f"Written below {out}", json)
    if any(result.status != "done" for result in results):
        raise typer.Exit(3)


def judge(
    changes: Annotated[Path, typer.Option("--changes", help="changes.gpkg, as `detect` writes it.")],
    layers: Layers = None,
    db: Db = None,
    rules: Rules = DEFAULT,
    region: Region = "",
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Changes × cadastral layers × rulebook → judgements and cases."""
    import pipeline

    folder = rulebooks_of(rules)
    with terminal.progress() as advance:
        moment = end_of(as_of, "--as-of") if as_of else None
        judged = pipeline.judge_changes(
            changes, layers, db or load_settings().db, folder, region, advance, moment
        )
    terminal.show_judged(judged.rows(), pipeline.judged_summary(judged, layers, folder), json)


def run(
    before: Before,
    after: After,
    out: Out,
    layers: Layers = None,
    db: Db = None,
    rules: Rules = DEFAULT,
    region: Region = "",
    detector: DetectorName = "auto",
    weights: WeightsName = None,
    device: Device = "auto",
    threshold: Threshold = None,
    max_false_clues: MaxFalse = None,
    grow: Grow = None,
    min_area: MinArea = None,
    sensor: SensorName = None,
    before_sensor: BeforeSensor = None,
    after_sensor: AfterSensor = None,
    before_date: BeforeDate = None,
    after_date: AfterDate = None,
    window: WindowSize = None,
    workers: Workers = None,
    max_memory: MaxMemory = None,
    cluster: ClusterAddress = None,
    json: Json = False,
) -> None:
    """The whole chain: two scenes and a cadastre → cases."""
    import pipeline

    sensors, dates = (sensor, before_sensor, after_sensor), (before_date, after_date)
    engine = (window, workers, max_memory, device)
    deciding = (threshold, max_false_clues, grow)
    options = _options((detector, weights), deciding, min_area, sensors, dates, engine)
    folder = rulebooks_of(rules)
    with terminal.progress() as advance, _cluster(cluster, workers) as there:
        made, judged = pipeline.run(
            before, after, layers, db or load_settings().db, out, options, folder, region, advance, there
        )
    if json:
        terminal.print_json(made | {"judgements": judged.rows()})
    else:
        terminal.show_run(made, out, False)
        terminal.show_judged(judged.rows(), made["judged"], False)
    _leave_if_blind(made)
