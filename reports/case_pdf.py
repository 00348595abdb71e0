"""The PDF of a case: read, cut, put in words, set; with a QR of the sha256 of its data."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import segno
import shapely

from cases.records import SceneRecord
from cases.store import CaseStore
from cases.workflow import Workflow
from evidence.files import Files
from evidence.limits import load_limits
from evidence.overlay import PAGE_BYTES, NoOverlay, overlay_of
from ground.errors import BadInput
from ground.files import written_beside
from reports.case_data import CaseData, case_data
from reports.case_sheet import printable, sheet_of
from reports.chips import Chip, chip, ground_of
from reports.exhibit_sheet import thumbnail_name
from reports.exhibits import exhibits_of
from reports.in_hand import check_complete
from reports.overlay_sheet import overlay_sheet
from reports.pages import rendered
from reports.words import Language, Words, moment

SOFTWARE = ("tiankan", "rasterio", "shapely", "pyproj", "typst")


@dataclass(frozen=True)
class Report:
    """A report as it was made: `pdf`, the plain data it says, their sha256, and what it lacks."""

    pdf: bytes
    said: dict[str, Any]
    sha256: str
    lacking: list[str]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`at`: the moment printed as that of making; the same data give the same bytes then.

    `files`: where evidence lies; without it no file is read, which is said. `draft`: also what is not complete, marked.
    """

    language: Language
    at: datetime | None = None
    files: Files | None = None
    draft: bool = False


def case_report(store: CaseStore, case_id: str, workflow: Workflow, wanted: Wanted) -> Report:
    """The report of a case as it stands.

    Raises:
        NotFound: there is none of this id.
        IllegalMove: its evidence is not complete, and no draft was asked for.
        BadInput: no font holds some character.
    """
    data, page = _page(store, case_id, workflow, wanted)
    (pdf,) = rendered("case.typ", page.sheet, page.files, page.at)
    return Report(pdf, data.said, data.sha256, page.sheet["lacking"])


def case_pages(store: CaseStore, case_id: str, workflow: Workflow, wanted: Wanted) -> list[bytes]:
    """The pages of the report as PNG, to look at."""
    _, page = _page(store, case_id, workflow, wanted)
    return rendered("case.typ", page.sheet, page.files, page.at, "png")


def write_case_report(store: CaseStore, case_id: str, workflow: Workflow, to: Path, wanted: Wanted) -> Report:
    """The report in a file that is whole or absent."""
    report = case_report(store, case_id, workflow, wanted)
    with written_beside(to) as beside:
        beside.write_bytes(report.pdf)
    return report


def chips_of(outline: shapely.Geometry, scenes: dict[str, SceneRecord | None]) -> dict[str, Chip]:
    """Both chips on the same ground."""
    frame = ground_of(outline, scenes)
    return {which: chip(scene, frame) for which, scene in scenes.items()}


@dataclass(frozen=True)
class _Page:
    """What typst is given."""

    sheet: dict[str, Any]
    files: dict[str, bytes]
    at: datetime


def _page(store: CaseStore, case_id: str, workflow: Workflow, wanted: Wanted) -> tuple[CaseData, _Page]:
    data, at, words = (
        case_data(store, case_id, workflow),
        wanted.at or datetime.now(UTC),
        Words(wanted.language),
    )
    exhibits = exhibits_of(wanted.files, data.given, load_limits())
    if not wanted.draft:
        check_complete(data.said["case"]["id"], data.said, exhibits, workflow)
    chips = chips_of(data.outline, data.scenes)
    sheet = sheet_of(data, chips, exhibits, words, _made(data, at, words), wanted.draft)
    sheet["overlay"] = printable(_overlay(store, data.said["case"]["id"], words))
    photos = {thumbnail_name(one): one.thumbnail for one in exhibits if one.thumbnail}
    return data, _Page(sheet, _files(data, chips) | photos, at)


def _overlay(store: CaseStore, case_id: str, words: Words) -> dict[str, Any]:
    """The change crossed with the layers as they were known, or why they cannot be drawn now."""
    try:
        with store.transaction() as session:
            return overlay_sheet(overlay_of(session, case_id, PAGE_BYTES), "", words)
    except NoOverlay as error:
        why = words.label(f"overlay_{error.key}")
    except BadInput:
        why = words.label("overlay_broken")
    return overlay_sheet(None, words.label("overlay_none", why=why), words)


def _files(data: CaseData, chips: dict[str, Chip]) -> dict[str, bytes]:
    said = data.said["case"]
    code, stream = segno.make(f"tiankan {said['id']} sha256 {data.sha256}", error="m"), io.BytesIO()
    code.save(stream, kind="svg", scale=4, border=2, xmldecl=False)
    pictures = {f"{which}.png": one.png for which, one in chips.items() if one.png}
    return {"qr.svg": stream.getvalue()} | pictures


def _made(data: CaseData, at: datetime, words: Words) -> dict[str, str]:
    scenes = data.said["scenes"]
    ids = [f"{words.label(which)} {scene['id']}" for which, scene in scenes.items() if scene]
    return {
        "made_at": moment(at, words),
        "software": ", ".join(f"{name} {version(name)}" for name in SOFTWARE),
        "rulebook": data.said["judgement"]["rulebook"] or words.label("none"),
        "scenes": "; ".join(ids) or words.label("unknown"),
        "pair": data.said["change"]["pair_id"],
        "data_hash": data.sha256,
    }
