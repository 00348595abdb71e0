"""The verbs of spots: list them with what joining saved, show one, report a place."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import terminal
from ground.clock import day_alone, end_of
from ground.errors import BadInput
from settings import load_settings

if TYPE_CHECKING:
    from cases.reported import Answer, Report
    from cases.store import CaseStore

spots_app = typer.Typer(
    no_args_is_help=True, help="Spots, places that changes and reports join: list, show, report."
)

Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@spots_app.command("list")
def spots_list(
    db: Db = None,
    status: Annotated[str | None, typer.Option(help="Only where the case has this status.")] = None,
    bbox: Annotated[str | None, typer.Option(help="Only here: west,south,east,north, degrees.")] = None,
    after: Annotated[int, typer.Option(min=0, max=terminal.LAST, help="Go on after this serial.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """Spots in the order they were opened, and the field visits that joining has saved."""
    from cases import places
    from cases.asked import refuse_unknown

    store = _store(db)
    page = places.spots(store, status=status, bbox=_box(bbox), after=after, limit=limit)
    refuse_unknown(page.total, status)
    rows, totals = [_row(one) for one in page.items], places.totals(store)
    if json:
        terminal.print_json(
            {"spots": rows, "total": page.total, "next_after": page.next_after, "totals": totals}
        )
        return
    more = f" Next page: --after {page.next_after}" if page.next_after else ""
    terminal.show(
        rows, "Spots", False, f"{len(rows)} of {page.total}. Visits saved: {totals['visits_saved']}.{more}"
    )


@spots_app.command("show")
def spots_show(case_id: str, db: Db = None, json: Json = False) -> None:
    """The spot of a case: what was seen and reported there, and what later change maps said of it."""
    from cases import places

    one, sightings, looks = places.spot(_store(db), case_id)
    sheet = _row(one) | {"bbox": list(one.geometry.bounds)}
    if json:
        terminal.print_json(sheet | {"seen": sightings, "looks": looks})
        return
    terminal.show(
        [{"what": key, "value": value} for key, value in sheet.items()], f"Spot of {case_id}", False
    )
    terminal.show(sightings, "Seen and reported", False)
    terminal.show(looks, "Later change maps", False)


@spots_app.command("report")
def spots_report(
    source: Annotated[
        str, typer.Option("--source", help="hotline, patrol, tower, citizen, transfer or media.")
    ],
    lon: Annotated[float, typer.Option("--lon", help="Degrees east.")],
    lat: Annotated[float, typer.Option("--lat", help="Degrees north.")],
    actor: Annotated[str, typer.Option("--actor", help="Name of the person who reports or records it.")],
    note: Annotated[str, typer.Option("--note", help="What was seen, in a sentence.")],
    accuracy_m: Annotated[float, typer.Option("--accuracy-m", help="How far the point may be off.")] = 30.0,
    at: Annotated[str | None, typer.Option("--at", help="When it was seen; now unless told.")] = None,
    photo: Annotated[
        str, typer.Option("--photo", help="A photo, kept as evidence of the case; or sha256:… of one given.")
    ] = "",
    role: Annotated[str, typer.Option("--role", help="With a photo: county, city, province or legal.")] = "",
    region: Annotated[
        str, typer.Option("--region", help="Code of the region (GB/T 2260), for a new spot.")
    ] = "",
    db: Db = None,
    json: Json = False,
) -> None:
    """Report a place: it joins the spot there, or opens one whose case begins in doubt."""
    from cases.proof import is_reference
    from cases.reported import Report, report
    from cases.workflow import load_workflow

    when = end_of(at, "--at") if at else datetime.now(UTC)
    said = Report(
        source=source, lon=lon, lat=lat, accuracy_m=accuracy_m, at=when, who=actor, note=note, region=region,
        day=day_alone(at) if at else None,
    )  # fmt: skip
    store, kept = _store(db), dict[str, Any]()
    if photo.strip() and not is_reference(photo):
        answer, kept = _with_photo(store, said, Path(photo), role)
    else:
        from evidence.reporting import check_reference

        check_reference(store, photo)
        answer = report(store, replace(said, photo=photo), load_workflow())
    row = {
        "case": answer.case_id, "outcome": answer.outcome, "why": answer.why, "is_new": answer.is_new,
    } | kept  # fmt: skip
    terminal.show([row], "Reported", json)


def _with_photo(
    store: "CaseStore", said: "Report", photo: Path, role: str
) -> tuple["Answer", dict[str, Any]]:
    """The report with its photo, and what is to be said of that."""
    from cases.workflow import load_workflow
    from evidence.files import open_files
    from evidence.limits import load_limits
    from evidence.places import place_of
    from evidence.reporting import report_with
    from evidence.show import evidence_row

    if not role.strip():
        raise BadInput(
            "--role: is missing; a photo is given by a named person in a role: county, city, province or legal"
        )
    files = open_files(place_of(load_settings().evidence, store.engine.url))
    found = report_with(store, files, said, photo, role, load_workflow(), load_limits())
    row = evidence_row(found.photo.evidence)
    return found.answer, {"photo": row["reference"], "usable": row["usable"], "why_not": row["why_not"]}


def _row(one: Any) -> dict[str, Any]:
    names = (
        "serial", "id", "status", "region", "change_id", "change_class", "area_m2", "opened", "sightings",
        "saved",
    )  # fmt: skip
    return {name: getattr(one, name) for name in names} | {"area_m2": round(one.area_m2, 2)}


def _box(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
        if not all(map(math.isfinite, (west, south, east, north))):
            raise ValueError("no number")
    except ValueError as error:
        raise BadInput(f"--bbox: {text!r} is not west,south,east,north; write 112,37,113,38") from error
    return west, south, east, north


def _store(db: str | None) -> "CaseStore":
    """The spots of this installation's region (TIANKAN_REGION)."""
    from cases.store import open_store

    settings = load_settings()
    return open_store(db or settings.db, create=False, region=settings.region)
