"""The share of illegally occupied cultivated land of a county's year, and on which side of the line it lies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from reports.definitions import Definitions, Formula
from reports.numbering import COUNTY_DIGITS
from reports.tally import Days, Tally

DOUBT = "doubt"
PLAIN, DEDUCTED, CONFIRMED = "plain", "deducted", "confirmed"
BELOW, REACHED, UNKNOWN = "below", "reached", "unknown"


@dataclass(frozen=True, kw_only=True)
class Share:
    """One share; None where it is not known, for `why` (a key of words.toml). It lies from `least` to `most`.

    `open_mu`: area of unknown land class in it, `over_open_mu` in its numerator; `doubt_mu`: cultivated area that is
    left out, for it is in doubt.

    `against`: below or reached (the line itself counts), where even what is unknown cannot turn it; else unknown.
    """

    region: str
    year: int
    figure: str
    over_mu: float
    under_mu: float
    share: float | None
    least: float | None
    most: float | None
    line: float | None
    against: str
    why: str
    open_mu: float
    over_open_mu: float
    doubt_mu: float
    reported: int
    """Cases from reports that would count, had anybody drawn their outline."""
    source: dict[str, str]
    """The formula and where it is from, by language; nothing where none was in force."""


@dataclass(frozen=True)
class _Amount:
    """Cultivated area that is known, and area that may be cultivated or not."""

    known: float
    open: float


def shares_of(
    rows: Sequence[Tally], means: Definitions, as_of: datetime, period: Days, is_whole: bool
) -> list[Share]:
    """Three shares for each county and each year that the period touches.

    `is_whole`: whether the rows hold all of each county; a township's eye sees only a part of the denominator.
    """
    found = []
    for county, year in sorted({(row.county, row.year) for row in rows if row.year is not None}):
        if not _touches(year, period):
            continue
        own = [row for row in rows if (row.county, row.year) == (county, year)]
        formula = means.formula_on(min(date(year, 12, 31), as_of.date()))
        why = _not_known(county, formula, is_whole)
        found += [
            _share(county, year, name, own, means, formula, why) for name in (PLAIN, DEDUCTED, CONFIRMED)
        ]
    return found


def _touches(year: int, period: Days) -> bool:
    first, last = period
    return (first is None or year >= first.year) and (last is None or year <= last.year)


def _not_known(county: str, formula: Formula | None, is_whole: bool) -> str:
    if formula is None:
        return "no_formula"
    if len(county) < COUNTY_DIGITS:
        return "no_county"
    return "" if is_whole else "part_seen"


def _share(
    county: str,
    year: int,
    figure: str,
    rows: Sequence[Tally],
    means: Definitions,
    formula: Formula | None,
    why: str,
) -> Share:
    if formula is None:
        return Share(
            region=county, year=year, figure=figure, over_mu=0, under_mu=0, share=None, least=None, most=None,
            line=None, against=UNKNOWN, why=why, open_mu=0, over_open_mu=0, doubt_mu=0, reported=0,
            source={},
        )  # fmt: skip
    over, rest = _fraction(figure, rows, means, formula)
    share, least, most = (None, None, None) if why else _bounds(over, rest)
    if not why and share is None:
        why = "land_unknown" if over.open + rest.open else "nothing_cultivated"
    return Share(
        region=county,
        year=year,
        figure=figure,
        over_mu=round(over.known, 2),
        under_mu=round(over.known + rest.known, 2),
        share=share,
        least=least,
        most=most,
        line=formula.line,
        against=_against(least, most, formula.line),
        why=why,
        open_mu=round(over.open + rest.open, 2),
        over_open_mu=round(over.open, 2),
        doubt_mu=round(sum((row.cultivated_mu for row in rows if _kind(row, means) == DOUBT), 0.0), 2),
        reported=sum(row.reported for row in rows if _kind(row, means) in formula.under),
        source=formula.said,
    )


def _kind(row: Tally, means: Definitions) -> str:
    return means.kind_of(row.stands, row.verdict)


def _fraction(
    figure: str, rows: Iterable[Tally], means: Definitions, formula: Formula
) -> tuple[_Amount, _Amount]:
    """What the numerator holds, and what the denominator holds besides."""
    counted = {*formula.over, *(formula.confirmed if figure == CONFIRMED else ())}
    over: list[Tally] = []
    rest: list[Tally] = []
    for row in rows:
        kind = _kind(row, means)
        if kind not in formula.under or row.change_class in formula.without_classes:
            continue
        is_deducted = figure == DEDUCTED and row.stands in formula.deducted
        if is_deducted and formula.deducted_under:
            continue
        (over if kind in counted and not is_deducted else rest).append(row)
    amounts = [
        _Amount(sum((row.cultivated_mu for row in some), 0.0), sum((row.unknown_mu for row in some), 0.0))
        for some in (over, rest)
    ]
    return amounts[0], amounts[1]


def _bounds(over: _Amount, rest: _Amount) -> tuple[float | None, float | None, float | None]:
    """The share if it is known, and the least and the most that it can be.

    The more of the open numerator is cultivated the larger it is, the more of the other the smaller.
    """
    below = over.known + rest.known
    least = over.known / (below + rest.open) if below + rest.open else None
    most = (over.known + over.open) / (below + over.open) if below + over.open else None
    if over.open or rest.open:
        least, most = 0.0 if least is None else least, 1.0 if most is None else most
        return least if least == most else None, least, most
    return least, least, most


def _against(least: float | None, most: float | None, line: float) -> str:
    if least is None or most is None:
        return UNKNOWN
    return REACHED if least >= line else BELOW if most < line else UNKNOWN
