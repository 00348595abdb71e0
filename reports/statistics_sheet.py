"""Statistics in words: titled tables of strings and numbers, the same for XLSX, CSV, PDF and the terminal."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from reports.shares import UNKNOWN, Share
from reports.statistics import Figure, Statistics
from reports.words import Words, moment

LEAST_KNOWN_MU = 0.01
AREAS = (
    "number",
    "monitored_m2",
    "monitored_mu",
    "cultivated_mu",
    "unknown_number",
    "unknown_mu",
    "reported",
)


class AtLeast(float):
    """An area of which so much is known; more may be. A number in a file; a person reads that it is the least."""

    def __format__(self, spec: str) -> str:
        return f"≥ {float(self):{spec}}"


@dataclass(frozen=True)
class Table:
    """One table; `key` is what a program calls it."""

    key: str
    title: str
    columns: list[str]
    rows: list[list[Any]]


def tables_of(found: Statistics, words: Words) -> list[Table]:
    """Everything, in the order in which it is read."""
    return [
        _figures("figures", found.figures, "finding", words),
        _figures("classes", found.by_class, "class", words),
        _uses(found, words),
        _figures("review", found.review, "review", words),
        _shares(found.shares, words),
        _rectification(found, words),
        _overdue(found, words),
    ]


def notes_of(found: Statistics, words: Words) -> list[str]:
    """What must be read with the figures."""
    notes = sorted({share.source[words.language] for share in found.shares if share.source})
    if found.undated and (found.first or found.last):
        notes.append(_word(words, "undated").format(n=found.undated))
    return [*notes, _word(words, "overdue_note")]


def heading_of(found: Statistics, words: Words) -> list[tuple[str, str]]:
    """Region, period and moment."""
    return [
        (_word(words, "region"), found.region or _word(words, "everywhere")),
        (_word(words, "period"), _period(found.first, found.last, words)),
        (_word(words, "as_of"), moment(found.as_of, words, seconds=True)),
    ]


def _period(first: date | None, last: date | None, words: Words) -> str:
    if first and last:
        return f"{first} – {last}"
    if first:
        return _word(words, "period_from").format(first=first)
    return _word(words, "period_until").format(last=last) if last else _word(words, "period_all")


def _word(words: Words, key: str) -> str:
    return words.of("stat", key)


def _region(code: str, words: Words) -> str:
    return code or _word(words, "everywhere")


def _figures(key: str, figures: list[Figure], table: str, words: Words) -> Table:
    columns = [_word(words, name) for name in ("region", "part", *AREAS)]
    rows = [[_region(one.region, words), words.of(table, one.part), *_areas(one, words)] for one in figures]
    return Table(key, _word(words, key), columns, rows)


def _uses(found: Statistics, words: Words) -> Table:
    columns = [_word(words, name) for name in ("region", "part", "use", *AREAS)]
    rows = [
        [
            _region(one.region, words),
            words.of("finding", one.part),
            words.of("use", one.use),
            *_areas(one, words),
        ]
        for one in found.by_use
    ]
    return Table("uses", _word(words, "uses"), columns, rows)


def _areas(one: Figure, words: Words) -> list[Any]:
    """What is not known is never "no": where nothing is known of cultivated land it says so."""
    # Ledgers are kept to a hundredth of a mu each.
    known = one.monitored_mu - one.unknown_mu > LEAST_KNOWN_MU * max(one.number, 1)
    shown = {
        "cultivated_mu": _known(one.cultivated_mu, one.unknown_mu, known or one.cultivated_mu > 0, words)
    }
    return [shown.get(name, getattr(one, name)) for name in AREAS]


def _known(mu: float, unknown_mu: float, is_known: bool, words: Words) -> Any:
    if not unknown_mu:
        return mu
    return AtLeast(mu) if is_known else _word(words, UNKNOWN)


def _shares(shares: list[Share], words: Words) -> Table:
    names = ("region", "year", "figure", "over_mu", "under_mu", "share", "line", "against", "note")
    rows = [
        [
            # Here nothing is not all: it is a share of no known county.
            one.region or _word(words, UNKNOWN), one.year, _word(words, one.figure), *_parts(one, words),
            _percent(one, words), "" if one.line is None else f"{one.line:.0%}",
            _word(words, one.against), _note(one, words),
        ]
        for one in shares
    ]  # fmt: skip
    return Table("shares", _word(words, "shares"), [_word(words, name) for name in names], rows)


def _parts(one: Share, words: Words) -> list[Any]:
    """Numerator and denominator."""
    if one.line is None:
        return [_word(words, UNKNOWN)] * 2
    return [
        _known(one.over_mu, one.over_open_mu, one.over_mu > 0, words),
        _known(one.under_mu, one.open_mu, one.under_mu > 0, words),
    ]


def _note(one: Share, words: Words) -> str:
    said = [words.of("why", one.why).format(mu=f"{one.open_mu:,.2f}")] if one.why else []
    if one.doubt_mu:
        said.append(words.of("why", "doubt").format(mu=f"{one.doubt_mu:,.2f}"))
    if one.reported:
        said.append(words.of("why", "reported").format(n=one.reported))
    return "; ".join(said)


def _percent(one: Share, words: Words) -> str:
    if one.share is not None:
        return f"{one.share:.2%}"
    if one.least is None or one.most is None:
        return _word(words, UNKNOWN)
    return _word(words, "between").format(least=f"{one.least:.2%}", most=f"{one.most:.2%}")


def _rectification(found: Statistics, words: Words) -> Table:
    names = ("region", "number", "violating_mu", "unrectified_mu", "unrectified", "reported")
    rows = [
        [
            _region(one.region, words), one.number, one.violating_mu, one.unrectified_mu,
            "–" if one.share is None else f"{one.share:.2%}", one.reported,
        ]
        for one in found.rectification
    ]  # fmt: skip
    return Table("rectification", _word(words, "rectification"), [_word(words, name) for name in names], rows)


def _overdue(found: Statistics, words: Words) -> Table:
    rows = [
        [
            _region(one.region, words),
            one.title.get(words.language.value) or _word(words, one.clock),
            one.number,
        ]
        for one in found.overdue
    ]
    return Table(
        "overdue",
        _word(words, "overdue"),
        [_word(words, name) for name in ("region", "clock", "number")],
        rows,
    )
