"""Routes: take, do, give."""

import logging
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from api.deps import Bbox, Cursor, Limit, ReadBack, Road, Store, Wanted
from api.models import (
    CaseFile,
    CaseOut,
    CasePage,
    MoveIn,
    PairOut,
    SceneOut,
    case_file,
    case_out,
    case_page,
    feature,
    scene_out,
)
from cases.records import SceneRecord
from ground.errors import BadInput, NotFound, Unreachable
from imagery.catalog import open_scene
from imagery.quicklook import Quicklook, quicklook

log = logging.getLogger(__name__)
router = APIRouter()


@router.get("/healthz")
def healthz(store: Store) -> dict[str, str]:
    """Whether the database answers."""
    return {"status": "ok" if store.is_alive() else "database does not answer"}


@router.get("/cases")
def list_cases(store: Store, wanted: Wanted, cursor: Cursor = 0, limit: Limit = 100) -> CasePage:
    """Cases in the order they were opened; no page repeats or loses one, whatever happens meanwhile."""
    return case_page(store.cases(wanted, after=cursor, limit=limit))


@router.get("/cases/{case_id}")
def read_case(store: Store, road: Road, case_id: str) -> CaseFile:
    """One case with its history, its outline and the moves open to it."""
    return case_file(store.case(case_id), store.events(case_id), road)


@router.post("/cases/{case_id}/moves")
def move_case(store: Store, road: Road, read_back: ReadBack, case_id: str, move: MoveIn) -> CaseOut:
    """Move a case; 409 says what is lacking or what is possible instead."""
    moved = store.move(
        case_id,
        move.to,
        road,
        actor=move.actor,
        role=move.role,
        evidence=move.evidence,
        version=move.version,
        intact=read_back,
    )
    return case_out(moved)


@router.get("/changes", response_class=JSONResponse)
def list_changes(store: Store, bbox: Bbox, cursor: Cursor = 0, limit: Limit = 1000) -> JSONResponse:
    """Changes as GeoJSON with their verdicts; `next` is the cursor of the next page, null at the end."""
    page = store.changes(after=cursor, limit=limit, bbox=bbox)
    body: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [feature(change) for change in page.items],
        "numberMatched": page.total,
        "numberReturned": len(page.items),
        "next": page.next_after,
    }
    return JSONResponse(body, media_type="application/geo+json")


@router.get("/pairs")
def list_pairs(store: Store) -> list[PairOut]:
    """The pairs of scenes that were compared."""
    return [PairOut(**pair) for pair in store.pairs()]


@router.get("/scenes")
def list_scenes(store: Store) -> list[SceneOut]:
    """The scenes that the changes come from."""
    return [scene_out(scene) for scene in store.scenes()]


@router.get("/scenes/{scene_id}/quicklook", response_class=Response)
def scene_quicklook(store: Store, scene_id: str, size: Limit = 1000) -> Response:
    """A PNG in Web Mercator; its bounds in EPSG:3857 stand in the header X-Bounds."""
    picture = _picture(store.scene(scene_id), size)
    bounds = ",".join(f"{value:.3f}" for value in picture.bounds)
    headers = {"X-Bounds": bounds, "Cache-Control": "no-cache"}
    return Response(picture.png, media_type="image/png", headers=headers)


def _picture(scene: SceneRecord, size: int) -> Quicklook:
    """The picture of a scene; where its file lies is told to the log, never to the web.

    Raises:
        NotFound: its file is gone or can no longer be read as this scene.
    """
    try:
        return quicklook(open_scene(scene.href, scene.sensor), size)
    except (BadInput, Unreachable) as error:
        log.warning("no picture of scene %s: %s", scene.id, error)
        raise NotFound(
            f"the file of scene {scene.name} is no longer on this machine as it was; put it back"
        ) from error
