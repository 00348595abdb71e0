"""DOMAIN 9: numbers, areas and shares per region and period, as they were known on any past day.

What stands on a day comes from judgements and events up to then: the latest judgement of each change, and the status
that the last event gave each case. The region of a change and its outline are as they are stored.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime

from cases.overdue import ANY, Late, overdue, titles
from cases.store import CaseStore
from ground.errors import BadInput
from reports.definitions import Definitions, load_definitions
from reports.numbering import COUNTY_DIGITS
from reports.shares import UNKNOWN, Share, shares_of
from reports.tally import Tally, tallies

ALL, UNDATED = "all", "undated"
OF_USES = ("suspected", "violation")
"""Parts that are shown by actual use."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line: so many changes, so much area. Of `unknown_number` changes `unknown_mu` has no known land class.

    `cultivated_mu`: known to be cultivated; all of it where `unknown_mu` is 0.
    """

    region: str
    part: str
    number: int
    monitored_m2: float
    monitored_mu: float
    cultivated_mu: float
    unknown_number: int
    unknown_mu: float
    reported: int
    """Cases from reports of people besides: nobody has drawn their outline, so they have no area."""


@dataclass(frozen=True, kw_only=True)
class OfUse(Figure):
    """Of the suspected violations or the violations those of one actual use, UNKNOWN where the rulebook gives none."""

    use: str


@dataclass(frozen=True, kw_only=True)
class Unrectified:
    """Violating area, and the part of it that is not made good; `share` is None where nothing violates."""

    region: str
    number: int
    violating_mu: float
    unrectified_mu: float
    share: float | None
    reported: int
    """Violations besides whose outline nobody has drawn."""


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """Cases that are overdue by a clock on the day of the statistics; `clock` ANY: by one at least."""

    region: str
    clock: str
    title: dict[str, str]
    """By language; nothing for ANY."""
    number: int


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """All figures of a region and its counties; whatever the period, `shares` are of whole years, `overdue` of all."""

    region: str
    first: date | None
    last: date | None
    as_of: datetime
    figures: list[Figure]
    by_class: list[Figure]
    by_use: list[OfUse]
    review: list[Figure]
    shares: list[Share]
    rectification: list[Unrectified]
    overdue: list[Overdue]
    undated: int
    """Changes of the region whose later scene has no date: of no period, and counted only where none was asked for."""


def statistics(
    store: CaseStore,
    as_of: datetime,
    region: str = "",
    first: date | None = None,
    last: date | None = None,
    definitions: Definitions | None = None,
) -> Statistics:
    """The figures of changes whose later scene lies between two days (both included), as known at a moment.

    Raises:
        BadInput: the region lies outside the store's, the period ends before it begins, or a status means nothing to
            statistics.toml.
    """
    if first and last and first > last:
        raise BadInput(f"period: {first} to {last} ends before it begins; give the earlier day first")
    means = definitions or load_definitions()
    wanted = region or store.region
    # A township's share is its county's: the county is asked for as far as this store sees it.
    county = wanted[:COUNTY_DIGITS] if wanted[:COUNTY_DIGITS].startswith(store.region) else wanted
    with ThreadPoolExecutor(1) as beside:  # Two queries of about the same length.
        late = beside.submit(overdue, store, as_of, wanted, COUNTY_DIGITS)
        counted = tallies(store.scoped(county), as_of, (first, last), wanted, means)
    rows = [without_area(row) if row.change_class in means.without_area else row for row in counted]
    within = [row for row in rows if row.in_region]
    dated = [row for row in within if row.in_period]
    is_whole = len(store.region) <= COUNTY_DIGITS
    return Statistics(
        region=wanted,
        first=first,
        last=last,
        as_of=as_of,
        figures=_by_region(dated, wanted, [ALL, *means.parts], lambda row: [ALL, _part(row, means)]),
        by_class=_by_region(
            dated, wanted, sorted({row.change_class for row in dated}), lambda r: [r.change_class]
        ),
        by_use=_by_use(dated, wanted, means),
        review=_by_region(
            [row for row in dated if row.status],
            wanted,
            ["passed", *means.review],
            lambda row: [means.review_of(row.status or "")],
        ),
        shares=shares_of(rows, means, as_of, (first, last), is_whole),
        rectification=_rectification(dated, wanted, means),
        overdue=_overdue(late.result(), as_of, wanted),
        undated=sum(row.number for row in within if row.year is None),
    )


def without_area(row: Tally) -> Tally:
    """Cases from reports; a report that an outline has taken the place of has no case any more, and counts with it."""
    return replace(
        row, number=0, monitored_m2=0.0, monitored_mu=0.0, cultivated_mu=0.0, unknown_number=0, unknown_mu=0.0,
        reported=row.number if row.status else 0,
    )  # fmt: skip


def _part(row: Tally, means: Definitions) -> str:
    return means.part_of(means.kind_of(row.stands, row.verdict))


def _regions(rows: Iterable[Tally], wanted: str) -> list[str]:
    """The region itself, then its counties."""
    return [wanted, *sorted({row.county for row in rows} - {wanted, wanted[:COUNTY_DIGITS]})]


def _own(rows: Sequence[Tally], region: str, wanted: str) -> list[Tally]:
    return [row for row in rows if region == wanted or row.county == region]


def _by_region(
    rows: Sequence[Tally], wanted: str, parts: Sequence[str], belongs: Callable[[Tally], list[str]]
) -> list[Figure]:
    """A figure for every part in every region, nothing in it too."""
    sorted_in: dict[tuple[str, str], list[Tally]] = {}
    for row in rows:
        for part in belongs(row):
            for region in {wanted, row.county}:
                sorted_in.setdefault((region, part), []).append(row)
    return [
        _figure(region, part, sorted_in.get((region, part), []))
        for region in _regions(rows, wanted)
        for part in parts
    ]


def _by_use(rows: Sequence[Tally], wanted: str, means: Definitions) -> list[OfUse]:
    """Of each part that has uses those that are there, in every region; in the whole the same for both parts."""
    sorted_in: dict[tuple[str, str, str], list[Tally]] = {}
    for row in rows:
        part = _part(row, means)
        if part in OF_USES:
            for region in {wanted, row.county}:
                sorted_in.setdefault((region, part, row.group or UNKNOWN), []).append(row)
    uses = sorted({use for _, _, use in sorted_in}, key=lambda use: (use == UNKNOWN, use))
    return [
        OfUse(**vars(_figure(region, part, own)), use=use)
        for region in _regions(rows, wanted)
        for part in OF_USES
        for use in uses
        if (own := sorted_in.get((region, part, use), [])) or region == wanted
    ]


def _figure(region: str, part: str, rows: Sequence[Tally]) -> Figure:
    return Figure(
        region=region,
        part=part,
        number=sum(row.number for row in rows),
        monitored_m2=round(sum((row.monitored_m2 for row in rows), 0.0), 2),
        monitored_mu=round(sum((row.monitored_mu for row in rows), 0.0), 2),
        cultivated_mu=round(sum((row.cultivated_mu for row in rows), 0.0), 2),
        unknown_number=sum(row.unknown_number for row in rows),
        unknown_mu=round(sum((row.unknown_mu for row in rows), 0.0), 2),
        reported=sum(row.reported for row in rows),
    )


def _overdue(late: Sequence[Late], as_of: datetime, wanted: str) -> list[Overdue]:
    """Of every clock, none too; cases of whatever period, for a deadline does not ask when the picture was taken."""
    named = {ANY: dict[str, str]()} | titles(as_of)
    counts = Counter({(one.region, one.clock): one.number for one in late})
    for one in late:
        if one.region != wanted:
            counts[wanted, one.clock] += one.number
    regions = [wanted, *sorted({one.region for one in late} - {wanted, wanted[:COUNTY_DIGITS]})]
    return [
        Overdue(region=region, clock=clock, title=title, number=counts[region, clock])
        for region in regions
        for clock, title in named.items()
    ]


def _rectification(rows: Sequence[Tally], wanted: str, means: Definitions) -> list[Unrectified]:
    found = []
    for region in _regions(rows, wanted):
        violating = [row for row in _own(rows, region, wanted) if _part(row, means) == "violation"]
        left = [row for row in violating if row.stands not in means.rectified.statuses]
        whole, rest = (sum((row.monitored_mu for row in several), 0.0) for several in (violating, left))
        found.append(
            Unrectified(
                region=region,
                number=sum(row.number for row in violating),
                violating_mu=round(whole, 2),
                unrectified_mu=round(rest, 2),
                share=rest / whole if whole else None,
                reported=sum(row.reported for row in violating),
            )
        )
    return found
