"""The verbs of Tiankan, one step each; each may be run again and adds nothing twice."""

import io
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import audit_verbs
import cadastre_verbs
import case_verbs
import clock_verbs
import db_verbs
import detect_verbs
import evidence_verbs
import model_verbs
import replay_verb
import report_verbs
import rule_verbs
import split_verbs
import spot_verbs
import terminal
from ground.errors import BadInput, TiankanError
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
app.add_typer(audit_verbs.audit_app, name="audit")
app.add_typer(cadastre_verbs.cadastre_app, name="cadastre")
case_verbs.cases_app.command()(evidence_verbs.evidence)
case_verbs.cases_app.command("replay-bundle")(evidence_verbs.replay_bundle)
case_verbs.cases_app.command("number")(split_verbs.number)
case_verbs.cases_app.command("split")(split_verbs.split)
case_verbs.cases_app.command("merge")(split_verbs.merge)
case_verbs.cases_app.command("changes")(split_verbs.changes)
case_verbs.cases_app.command("report")(report_verbs.cases_report)
case_verbs.cases_app.command("export")(report_verbs.cases_export)
app.add_typer(case_verbs.cases_app, name="cases")
app.add_typer(db_verbs.db_app, name="db")
rule_verbs.rules_app.command()(replay_verb.replay)
app.add_typer(rule_verbs.rules_app, name="rules")
app.add_typer(clock_verbs.clocks_app, name="clocks")
app.add_typer(spot_verbs.spots_app, name="spots")
app.add_typer(model_verbs.models_app, name="models")
for _verb in (detect_verbs.detect, detect_verbs.batch, detect_verbs.judge, detect_verbs.run):
    app.command()(_verb)
app.command()(report_verbs.stats)
app.command()(model_verbs.train)
app.command()(model_verbs.evaluate)

SensorName = Annotated[str | None, typer.Option("--sensor", help="Sensor of both scenes, see sensors.toml.")]
Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@scenes_app.command("list")
def scenes_list(folder: Path, json: Json = False) -> None:
    """The scenes whose STAC Items lie below FOLDER."""
    from imagery.catalog import list_scenes

    terminal.show(list_scenes(folder), f"Scenes below {folder}", json)


@scenes_app.command("add")
def scenes_add(
    file: str,
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
def serve(
    db: Db = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
) -> None:
    """Start the API and the map over a database of cases."""
    from api.server import serve as start
    from case_verbs import reads_back

    settings = load_settings()
    start(db or settings.db, host or settings.host, port or settings.port, settings.region, reader=reads_back)


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


def _refuse_no_text(words: Sequence[str]) -> None:
    """Nothing, if every argument is text, as databases, files and terminals take it.

    Raises:
        BadInput: a byte of one is no UTF-8.
    """
    for before, word in zip(("", *words), words, strict=False):
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            name, equals, _ = word.partition("=")
            if not (word.startswith("--") and equals):
                name = before if before.startswith("-") and "=" not in before else "argument"
            raise BadInput(f"{name}: {word!r} holds a byte that is no UTF-8; write it in UTF-8")


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
        _refuse_no_text(sys.argv[1:])
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
