"""Harvest: the best pair of scenes of an area out of a STAC API or a static catalog, found, explained and fetched."""

import warnings
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pystac

from ground.errors import BadInput
from imagery import sensors
from imagery.candidates import Area, Candidate, area_of_bbox, area_of_file, candidate
from imagery.catalog import open_scene, scene_row
from imagery.choosing import Choice, choice_row, ranked
from imagery.fetching import as_shares, fetched
from imagery.ingest import Advance
from imagery.stac_api import Ask, documents, opened_catalog

SHOWN = 10
"""Pairs in the table."""
MOST_KEPT = 200
"""Scenes of a period that are compared, every one with every other."""


@dataclass(frozen=True)
class Period:
    """Two moments in UTC, both within. `name` is the option that said it."""

    name: str
    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d}/{self.end:%Y-%m-%d}"


@dataclass(frozen=True)
class Wanted:
    """What is looked for, and where."""

    api: str
    collection: str
    area: Area
    before: Period
    after: Period
    max_cloud: float = 30
    sensor: str | None = None


def read_wanted(
    api: str,
    collection: str,
    area: tuple[str | None, Path | None],
    periods: tuple[str, str],
    max_cloud: float = 30,
    sensor: str | None = None,
) -> Wanted:
    """What the user wrote; `area`: a box as text or a GeoJSON file.

    Raises:
        BadInput: an option cannot be read, or both areas or none are given.
    """
    bbox, file = area
    if (bbox is None) == (file is None):
        raise BadInput("--bbox and --aoi: give one of them, for one area is looked at")
    where = area_of_bbox(bbox) if bbox is not None else area_of_file(file or Path())
    spans = period("--before", periods[0]), period("--after", periods[1])
    return Wanted(api, collection, where, *spans, max_cloud, sensor)


@dataclass
class Found:
    """Pairs, the best first; and a sentence for each Item that was left out because it is broken."""

    choices: list[Choice] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def period(name: str, text: str) -> Period:
    """From FROM/TO, two days, both within.

    Raises:
        BadInput: not two days, or the second before the first.
    """
    try:
        first, last = (date.fromisoformat(part.strip()) for part in text.split("/"))
    except ValueError as error:
        raise BadInput(f"{name} {text}: is not two days; write FROM/TO as 2020-06-01/2020-08-31") from error
    if last < first:
        raise BadInput(f"{name} {text}: ends before it begins; swap the two days")
    end = datetime.combine(last, time.min, UTC) + timedelta(days=1, microseconds=-1)
    return Period(name, datetime.combine(first, time.min, UTC), end)


def search(wanted: Wanted) -> Found:
    """Every usable pair, ranked.

    Raises:
        BadInput: the address is no STAC catalog, the collection is not in it, or nothing fits.
        Unreachable: the server does not answer, or answers with a fault.
    """
    if wanted.after.start <= wanted.before.end:
        raise BadInput(
            f"--after {wanted.after}: begins before --before {wanted.before} is over; give two periods apart"
        )
    if wanted.sensor:
        sensors.sensor(wanted.sensor, "--sensor")
    found = Found()
    with warnings.catch_warnings():
        # pystac-client warns programmers of servers that are not quite as the specification has it.
        warnings.simplefilter("ignore")
        catalog = opened_catalog(wanted.api, wanted.collection)
        befores, afters = (
            _candidates(catalog, wanted, span, found.broken) for span in (wanted.before, wanted.after)
        )
    # An undated Item comes in both answers.
    found.broken = list(dict.fromkeys(found.broken))
    found.choices = ranked(befores, afters, wanted.area)
    if not found.choices:
        raise BadInput(
            f"{wanted.api}: no two scenes of {wanted.collection} show the same part of the area; "
            "make the area smaller or the periods longer"
        )
    return found


def pair_rows(found: Found) -> list[dict[str, Any]]:
    """The best pairs, as a table shows them."""
    return [choice_row(choice, rank) for rank, choice in enumerate(found.choices[:SHOWN], 1)]


def legend(found: Found) -> str:
    """What the numbers of the table mean, and what is not in it."""
    words = ["A point is as bad as 1 % of the area unseen."]
    if len(found.choices) > SHOWN:
        words.append(f"{len(found.choices) - SHOWN} more pairs cost more.")
    if found.broken:
        words.append(f"Left out as broken: {len(found.broken)}, the first: {found.broken[0]}.")
    return " ".join(words)


def fetch_best(found: Found, folder: Path, advance: Advance | None = None) -> list[dict[str, Any]]:
    """Both scenes of the best pair in a folder of their own below `folder`, ready for `detect`; their rows."""
    best = found.choices[0]
    scenes = (best.before, best.after)
    paths = [
        fetched(scene, folder, as_shares(advance, first, len(scenes))) for first, scene in enumerate(scenes)
    ]
    return [scene_row(open_scene(path)) for path in paths]


def _candidates(catalog: pystac.Catalog, wanted: Wanted, span: Period, broken: list[str]) -> list[Candidate]:
    kept: dict[str, Candidate] = {}
    cloudy = 0
    ask = Ask(wanted.collection, wanted.area.bbox, span.start, span.end)
    for document, base in documents(catalog, wanted.api, ask):
        try:
            one = candidate(document, base, wanted.area, wanted.sensor)
        except BadInput as error:
            broken.append(str(error))
            continue
        # A server may have overlooked a filter that it does not know.
        if not span.start <= one.acquired_utc <= span.end or one.seen.area == 0:
            continue
        if one.cloud_percent is not None and one.cloud_percent > wanted.max_cloud:
            cloudy += 1
            continue
        kept[one.id] = one
        if len(kept) > MOST_KEPT:
            raise BadInput(
                f"{span.name} {span}: more than {MOST_KEPT} scenes fit; make the period shorter or --max-cloud less"
            )
    if not kept:
        raise _nothing(wanted, span, cloudy, broken)
    return list(kept.values())


def _nothing(wanted: Wanted, span: Period, cloudy: int, broken: list[str]) -> BadInput:
    if cloudy:
        why = f"{cloudy} have over {wanted.max_cloud:g} % cloud; allow more with --max-cloud, or a longer period"
    elif broken:
        why = f"{len(broken)} are broken, the first: {broken[0]}"
    else:
        why = "make the period longer, or check the area and the collection"
    return BadInput(
        f"{wanted.api}: has no scene of {wanted.collection} in {span.name} {span} over the area: {why}"
    )
