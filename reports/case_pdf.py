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
from ground.files import written_beside
from reports.case_data import CaseData, case_data
from reports.case_sheet import moment, sheet_of
from reports.chips import Chip, chip, frame_of
from reports.pages import rendered
from reports.words import Language, Words

SOFTWARE = ("tiankan", "rasterio", "shapely", "pyproj", "typst")
UNKNOWN_GSD_M = 1.0
"""Where no scene is recorded nothing is cut, and any will do."""


@dataclass(frozen=True)
class Report:
    """A report as it was made: `pdf`, the plain data it says, their sha256, and what it lacks."""

    pdf: bytes
    said: dict[str, Any]
    sha256: str
    lacking: list[str]


def case_report(
    store: CaseStore, case_id: str, workflow: Workflow, language: Language, at: datetime | None = None
) -> Report:
    """The report of a case as it stands.

    `at`: the moment printed as that of making; the same data give the same bytes then.

    Raises:
        NotFound: there is none of this id.
        BadInput: no font holds some character.
    """
    data, when = case_data(store, case_id, workflow), at or datetime.now(UTC)
    chips = chips_of(data.outline, data.scenes)
    sheet = sheet_of(data, chips, Words(language), _made(data, when, Words(language)))
    (pdf,) = rendered("case.typ", sheet, _files(data, chips), when)
    return Report(pdf, data.said, data.sha256, sheet["lacking"])


def case_pages(
    store: CaseStore, case_id: str, workflow: Workflow, language: Language, at: datetime
) -> list[bytes]:
    """The pages of the report as PNG, to look at."""
    data = case_data(store, case_id, workflow)
    chips = chips_of(data.outline, data.scenes)
    sheet = sheet_of(data, chips, Words(language), _made(data, at, Words(language)))
    return rendered("case.typ", sheet, _files(data, chips), at, "png")


def write_case_report(
    store: CaseStore,
    case_id: str,
    workflow: Workflow,
    to: Path,
    language: Language,
    at: datetime | None = None,
) -> Report:
    """The report in a file that is whole or absent."""
    report = case_report(store, case_id, workflow, language, at)
    with written_beside(to) as beside:
        beside.write_bytes(report.pdf)
    return report


def chips_of(outline: shapely.Geometry, scenes: dict[str, SceneRecord | None]) -> dict[str, Chip]:
    """Both chips on the same ground."""
    coarsest = max((scene.gsd_m for scene in scenes.values() if scene), default=UNKNOWN_GSD_M)
    frame = frame_of(outline, coarsest)
    return {which: chip(scene, frame) for which, scene in scenes.items()}


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
