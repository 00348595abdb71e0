"""Dependencies of the routes: the store, the page asked for, the filter of cases."""

import math
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from api.models import NO_CONTROL
from cases.proof import Intact
from cases.store import MOST_A_PAGE, Box, CaseFilter, CaseStore
from cases.workflow import Workflow
from ground.errors import BadInput

LONGEST = 64
"""Letters in a filter; the codes, statuses and classes that it may name are shorter."""


def text_query(description: str, name: str | None = None) -> Any:
    """A filter by text."""
    return Query(alias=name, description=description, max_length=LONGEST, pattern=NO_CONTROL)


def store(request: Request) -> CaseStore:
    """The store of the app."""
    found: CaseStore = request.app.state.store
    return found


def intact(request: Request) -> Intact | None:
    """What reads files of evidence back; None where the app was given nothing that does."""
    found: Intact | None = request.app.state.intact
    return found


def workflow(request: Request) -> Workflow:
    """The workflow in force today: a server that runs for months meets new editions."""
    found: Workflow = request.app.state.workflow(date.today())
    return found


def box(
    bbox: Annotated[
        str | None,
        Query(description="west,south,east,north in degrees; west > east crosses 180°", max_length=200),
    ] = None,
) -> Box | None:
    """A bounding box of degrees.

    Raises:
        BadInput: not four numbers, or off the earth.
    """
    if bbox is None:
        return None
    try:
        west, south, east, north = (float(part) for part in bbox.split(","))
    except ValueError as error:
        raise BadInput(
            f"bbox: {bbox!r} is not four numbers; write west,south,east,north in degrees"
        ) from error
    numbers = (west, south, east, north)
    on_earth = all(map(math.isfinite, numbers)) and -180 <= west <= 180 and -180 <= east <= 180
    if not on_earth or not -90 <= south <= north <= 90:
        raise BadInput(
            f"bbox: {bbox!r} is not on the earth; longitudes lie within ±180, latitudes within ±90, south first"
        )
    return numbers


def wanted(
    bbox: Annotated[Box | None, Depends(box)],
    status: Annotated[str | None, text_query("status of the workflow")] = None,
    verdict: Annotated[str | None, text_query("suspected_violation or doubt")] = None,
    region: Annotated[str | None, text_query("beginning of a region's code")] = None,
    change_class: Annotated[str | None, text_query("change class", "class")] = None,
    since: Annotated[date | None, Query(alias="from", description="first day of the later scene")] = None,
    until: Annotated[date | None, Query(description="last day of the later scene, included")] = None,
) -> CaseFilter:
    """What was asked for."""
    return CaseFilter(
        status=status,
        verdict=verdict,
        region=region,
        change_class=change_class,
        seen_from=None if since is None else datetime.combine(since, time.min, UTC),
        seen_until=None if until is None else datetime.combine(until, time.max, UTC),
        bbox=bbox,
    )


Store = Annotated[CaseStore, Depends(store)]
Road = Annotated[Workflow, Depends(workflow)]
ReadBack = Annotated[Intact | None, Depends(intact)]
Bbox = Annotated[Box | None, Depends(box)]
Wanted = Annotated[CaseFilter, Depends(wanted)]
Cursor = Annotated[int, Query(ge=0, le=2**53, description="`next` of the page before; 0 begins")]
Limit = Annotated[int, Query(ge=1, le=MOST_A_PAGE, description="rows a page")]
