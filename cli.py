"""The verbs of Tiankan, one step each; each may be run again and adds nothing twice."""

import io
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

import case_verbs
import model_verbs
import terminal
from ground.errors import TiankanError
from settings import load_settings

# QGIS and Debian shells set these for another PROJ; rasterio's own data is the only one that fits it.
for _name in ("PROJ_DATA", "PROJ_LIB"):
    os.environ.pop(_name, None)

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="From two satellite scenes to enforcement cases.",
)  # fmt: skip
scenes_app = typer.Typer(no_args_is_help=True, help="Scenes: what was photographed, when, by which sensor.")
app.add_typer(scenes_app, name="scenes")
app.add_typer(case_verbs.cases_app, name="cases")
app.add_typer(model_verbs.models_app, name="models")
app.command()(model_verbs.train)
app.command()(model_verbs.evaluate)

Before = Annotated[Path, typer.Option("--before", help="Earlier scene: GeoTIFF or STAC Item.")]
After = Annotated[Path, typer.Option("--after", help="Later scene: GeoTIFF or STAC Item.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for change.tif, changes.gpkg and run.json.")]
DetectorName = Annotated[str, typer.Option("--detector", help="auto, model, irmad or cva.")]
WeightsName = Annotated[str | None, typer.Option("--weights", help="Shipped name or file of weights.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda; for the network.")]
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
Layers = Annotated[Path, typer.Option("--layers", help="layers.toml: which cadastral layers, and where.")]
Rules = Annotated[Path | None, typer.Option("--rules", help="Rulebook file or folder (default: national).")]
Region = Annotated[str, typer.Option("--region", help="Code of the administrative region of the changes.")]
Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def _options(
    looking: tuple[str, str | None, str],
    deciding: tuple[float | None, float | None],
    smallest: float | None,
    sensors: tuple[str | None, str | None, str | None],
    dates: tuple[str | None, str | None],
) -> Any:
    from pipeline import DetectOptions

    both, before, after = sensors
    return DetectOptions(
        detector=looking[0], weights=looking[1], device=looking[2], threshold=deciding[0],
        max_false_clues=deciding[1], smallest_m2=smallest,
        before_sensor=before or both, after_sensor=after or both, before_date=dates[0], after_date=dates[1],
    )  # fmt: skip


@scenes_app.command("list")
def scenes_list(folder: Path, json: Json = False) -> None:
    """The scenes whose STAC Items lie below FOLDER."""
    from imagery.catalog import list_scenes

    terminal.show(list_scenes(folder), f"Scenes below {folder}", json)


@scenes_app.command("add")
def scenes_add(
    file: Path,
    to: Annotated[Path, typer.Option("--to", help="Folder of the catalog.")],
    sensor: SensorName = None,
    date: Annotated[str | None, typer.Option("--date", help="When it was acquired.")] = None,
    cog: Annotated[bool, typer.Option("--cog", help="Store Cloud-Optimized copies in the folder.")] = False,
    clouds: Annotated[
        bool, typer.Option("--clouds", help="Find clouds: Sentinel-2 level 1C without SCL.")
    ] = False,
    json: Json = False,
) -> None:
    """Describe FILE by a STAC Item in a catalog folder."""
    from imagery.catalog import add_scene

    with terminal.progress() as advance:
        row = add_scene(file, to, sensor, date, cog, advance, clouds)
    terminal.show([row], f"Added to {to}", json)


@scenes_app.command("search")
def scenes_search(
    api: Annotated[str, typer.Option("--api", help="STAC API, or a static catalog.json.")],
    collection: Annotated[str, typer.Option("--collection", help="Its collection, as sentinel-2-l2a.")],
    before: Annotated[str, typer.Option("--before", help="Period of the earlier scene: FROM/TO.")],
    after: Annotated[str, typer.Option("--after", help="Period of the later scene: FROM/TO.")],
    bbox: Annotated[str | None, typer.Option("--bbox", help="Area: west,south,east,north, degrees.")] = None,
    aoi: Annotated[Path | None, typer.Option("--aoi", help="Area: GeoJSON polygons in degrees.")] = None,
    max_cloud: Annotated[float, typer.Option("--max-cloud", min=0, max=100, help="Most cloud, %.")] = 30,
    sensor: SensorName = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder to fetch the best pair into.")] = None,
    json: Json = False,
) -> None:
    """The best pair of scenes of an area in a STAC catalog, with what each pair costs; fetched with --to."""
    from imagery import harvest

    wanted = harvest.read_wanted(api, collection, (bbox, aoi), (before, after), max_cloud, sensor)
    found = harvest.search(wanted)
    rows: list[dict[str, Any]] = []
    if to:
        with terminal.progress() as advance:
            rows = harvest.fetch_best(found, to, advance)
    pairs = harvest.pair_rows(found)
    if json:
        terminal.print_json({"pairs": pairs, "left_out": found.broken, "fetched": rows})
        return
    terminal.show(pairs, f"Pairs of {collection}, the best first", False, harvest.legend(found))
    if to:
        terminal.show(rows, f"Fetched to {to}", False)


@app.command()
def detect(
    before: Before,
    after: After,
    out: Out,
    detector: DetectorName = "auto",
    weights: WeightsName = None,
    device: Device = "auto",
    threshold: Threshold = None,
    max_false_clues: MaxFalse = None,
    min_area: MinArea = None,
    sensor: SensorName = None,
    before_sensor: BeforeSensor = None,
    after_sensor: AfterSensor = None,
    before_date: BeforeDate = None,
    after_date: AfterDate = None,
    json: Json = False,
) -> None:
    """Two scenes → change map, polygons of change and run.json."""
    from pipeline import detect as run_detect

    sensors, dates = (sensor, before_sensor, after_sensor), (before_date, after_date)
    options = _options((detector, weights, device), (threshold, max_false_clues), min_area, sensors, dates)
    with terminal.progress() as advance:
        made = run_detect(before, after, out, options, advance)
    terminal.show_run(made, out, json)


@app.command()
def judge(
    changes: Annotated[Path, typer.Option("--changes", help="changes.gpkg, as `detect` writes it.")],
    layers: Layers,
    db: Db = None,
    rules: Rules = None,
    region: Region = "",
    json: Json = False,
) -> None:
    """Changes × cadastral layers × rulebook → judgements and cases."""
    import pipeline

    folder = rules or pipeline.RULEBOOKS
    with terminal.progress() as advance:
        judged = pipeline.judge_changes(changes, layers, db or load_settings().db, folder, region, advance)
    terminal.show_judged(judged.rows(), pipeline.judged_summary(judged, layers, folder), json)


@app.command()
def run(
    before: Before,
    after: After,
    layers: Layers,
    out: Out,
    db: Db = None,
    rules: Rules = None,
    region: Region = "",
    detector: DetectorName = "auto",
    weights: WeightsName = None,
    device: Device = "auto",
    threshold: Threshold = None,
    max_false_clues: MaxFalse = None,
    min_area: MinArea = None,
    sensor: SensorName = None,
    before_sensor: BeforeSensor = None,
    after_sensor: AfterSensor = None,
    before_date: BeforeDate = None,
    after_date: AfterDate = None,
    json: Json = False,
) -> None:
    """The whole chain: two scenes and a cadastre → cases."""
    import pipeline

    sensors, dates = (sensor, before_sensor, after_sensor), (before_date, after_date)
    options = _options((detector, weights, device), (threshold, max_false_clues), min_area, sensors, dates)
    folder = rules or pipeline.RULEBOOKS
    with terminal.progress() as advance:
        made, judged = pipeline.run(
            before, after, layers, db or load_settings().db, out, options, folder, region, advance
        )
    if json:
        terminal.print_json(made | {"judgements": judged.rows()})
        return
    terminal.show_run(made, out, False)
    terminal.show_judged(judged.rows(), made["judged"], False)


@app.command()
def serve(
    db: Db = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
) -> None:
    """Start the API and the map over a database of cases."""
    from api.server import serve as start

    settings = load_settings()
    start(db or settings.db, host or settings.host, port or settings.port)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything that is made.")] = Path(
        "data/demo"
    ),
    json: Json = False,
) -> None:
    """Real Sentinel-2 scenes of a forest in Romania, a drawn cadastre, and the whole chain over both."""
    from demo.story import tell

    with terminal.progress() as advance:
        made, judged, picture = tell(out, load_settings().cache, advance)
    if json:
        terminal.print_json(made | {"judgements": judged.rows(), "picture": str(picture)})
        return
    terminal.show_run(made, out, False)
    terminal.show_judged(judged.rows(), made["judged"], False)
    terminal.say("The imagery is real; the parcels and permits are drawn for this demonstration.")
    terminal.say(f"Picture: {picture}\nChanges: {out / 'changes.gpkg'}")
    terminal.say(f"Server:  ./tiankan serve --db {out / 'cases.db'}")


def main() -> int:
    """A verb run; 2 for what the user can mend, said in one sentence."""
    if not sys.warnoptions:
        # Libraries warn programmers; a user is told in one sentence or not at all.
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a question mark, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="tiankan", standalone_mode=True)
    except TiankanError as error:
        terminal.complain(error)
        return 2
    except BrokenPipeError:
        # Whoever read us has seen enough; nothing may be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
