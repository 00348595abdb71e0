"""Files of evidence in words: the list of all, the captions of photos, and what is wrong with them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import shapely

from cases.records import Event
from evidence.checks import Said
from evidence.sight import sight, whole_deg
from reports.exhibits import MOST_SHOWN, READABLE, WHOLE, Exhibit
from reports.retold import noted
from reports.words import Words, moment

HASH_SHOWN = 12
"""Digits of a sha256 that are printed of a file beside the list, which has all of them."""

NARROW = "\u00a0"
"""Between a number and its unit no line breaks."""


def files_table(exhibits: Sequence[Exhibit], words: Words) -> list[dict[str, Any]]:
    """A line for each file given, oldest first; what was found in it, each with whether it speaks against it."""
    return [
        {
            "cells": [str(one.number), *_cells(one, words)],
            "said": [[*line] for line in _said(one, words)],
        }
        for one in exhibits
    ]


def photos(exhibits: Sequence[Exhibit], outline: shapely.Geometry, words: Words) -> dict[str, Any]:
    """Photos with their captions; one that cannot be shown is said in its place."""
    every = [one for one in exhibits if one.is_photo]
    shown = [one for one in every if one.thumbnail or one.state not in READABLE or one.why]
    more = len(every) - len(shown)
    return {
        "shown": [_photo(one, outline, words) for one in shown],
        "more": words.label("more_photos", shown=MOST_SHOWN, all=len(every)) if more else "",
    }


def spoiled(exhibits: Sequence[Exhibit], words: Words) -> list[str]:
    """A sentence for each file that is not known to be as it was given."""
    return [
        words.label("lacks_file", n=one.number, name=one.given.name, why=state_of(one, words))
        for one in exhibits
        if one.state != WHOLE
    ]


def state_of(one: Exhibit, words: Words) -> str:
    """What became of a file."""
    why = words.of("unread", one.why) if one.why else ""
    return words.label(f"state_{one.state}", found=one.found[:HASH_SHOWN], why=why)


def told_again(event: Event, exhibits: Sequence[Exhibit], words: Words) -> list[str]:
    """What the giver said of a file, for the line of the history that tells of it: the list tells all the rest."""
    for one in exhibits:
        if event.evidence.get(one.given.kind) == one.given.reference and event.at == one.given.at:
            return [
                text for text in (noted(one.given.kind, one.given.note, words), one.given.despite) if text
            ]
    return [event.reason]


def thumbnail_name(one: Exhibit) -> str:
    """Its file beside the page."""
    return f"photo{one.number}.jpg"


def _cells(one: Exhibit, words: Words) -> list[str]:
    given = one.given
    return [
        words.of("evidence", given.kind),
        f"{given.name} ({_bytes(given.size)})",
        given.sha256,
        f"{moment(given.at, words)} {given.given_by} ({words.of('role', given.role)})",
    ]


def _bytes(size: int) -> str:
    for unit, share in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= share:
            return f"{size / share:.1f}{NARROW}{unit}"
    return f"{size}{NARROW}B"


def _said(one: Exhibit, words: Words) -> list[tuple[str, bool]]:
    """State of the file, how its checks went, which did not pass and why, and why it counts all the same."""
    given = one.given
    counts = Counter(each["said"] for each in given.checks)
    told = ", ".join(f"{words.of('said', said)} {counts[said]}" for said in Said if counts[said])
    lines = [(state_of(one, words), one.state not in READABLE)]
    if told:
        lines.append((words.label("checks_then") + words.label("colon") + told, False))
    lines += _not_passed(one, words)
    lines += [(words.label("despite", why=given.despite), False)] if given.despite else []
    return [*lines, (noted(given.kind, given.note, words), False)] if given.note else lines


def _not_passed(one: Exhibit, words: Words) -> list[tuple[str, bool]]:
    """Checks that failed or could not tell, and whether it was the first."""
    lines = []
    for each in one.given.checks:
        if each["said"] != Said.PASS:
            head = f"{words.of('check', each['check'])} {words.of('said', each['said'])}"
            said = f"{head}{words.label('colon')}{words.why(each['why'])}"
            lines.append((said, each["said"] == Said.FAIL or bool(each.get("must"))))
    return lines


def _photo(one: Exhibit, outline: shapely.Geometry, words: Words) -> dict[str, Any]:
    given = one.given
    said = (
        "" if one.thumbnail else state_of(one, words) if one.state != WHOLE else words.of("unread", one.why)
    )
    return {
        "file": thumbnail_name(one) if one.thumbnail else "",
        "said": said,
        "bad": not one.is_usable,
        "failed": [text for text, is_against in _not_passed(one, words) if is_against],
        "title": words.label("photo_n", n=one.number, name=given.name),
        "lines": [
            f"{words.label('taken')} {moment(given.taken, words)} · {given.given_by}",
            _position(one, words),
            _sight(one, outline, words),
            f"sha256 {given.sha256[:HASH_SHOWN]}…",
        ],
    }


def _position(one: Exhibit, words: Words) -> str:
    place = one.place
    if place is None:
        return words.label("position", where=words.label("unknown"))
    return words.label("position", where=f"{place[0]:.6f}° E, {place[1]:.6f}° N".replace("-", "−"))


def _sight(one: Exhibit, outline: shapely.Geometry, words: Words) -> str:
    """Which way it looks and how far from the change it was taken, as the change is drawn now."""
    given = one.given
    looks, away = words.label("looks_unknown"), words.label("away_unknown")
    if given.azimuth is not None:
        looks = words.label("looks", azimuth=f"{whole_deg(given.azimuth)}°")
    if one.place is not None:
        away = words.label("away", metres=f"{sight(outline, *one.place).distance_m:,.0f} m")
    return f"{looks} · {away}"
