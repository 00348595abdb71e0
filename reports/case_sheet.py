"""A case report in words: the plain data of a case turned into the strings that the page shows."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from cadastre.landcover import UNCLASSIFIED
from cases.proof import REFERENCE
from cases.records import Event
from cases.show import mu
from cases.workflow import MACHINE
from evidence.adding import EVENT
from reports.case_data import CaseData
from reports.chips import GONE, NOT_RECORDED, SEEN, UNSEEN, Chip
from reports.definitions import load_definitions
from reports.exhibit_sheet import files_table, photos, spoiled, told_again
from reports.exhibits import Exhibit
from reports.in_hand import lacking_kinds
from reports.map_sheet import map_of
from reports.reopened import reopenings
from reports.retold import retold
from reports.words import Words, bare_moment, moment, zone_name

LONG_WORD = re.compile("[^\\s\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]{25,}")
"""Chinese breaks anywhere, by rules of its own; a hash, an address or a long name in other letters breaks nowhere."""
SOFT, PIECE = "\u200b", re.compile(r"\S{8}(?=\w|[!-~])")
"""Where a line may break; before no sign that belongs to the letter before it."""
MOVED = "moved"
"""The kind of the events by which people move a case."""
LEAST_SHOWN = 0.0005
REFERENCE_SHOWN = len("sha256:") + 16
ANSWERS = {True: "holds", False: "fails", None: "unknown"}


def sheet_of(
    data: CaseData,
    chips: dict[str, Chip],
    exhibits: Sequence[Exhibit],
    words: Words,
    made: dict[str, str],
    draft: bool = False,
) -> dict[str, Any]:
    """Everything that case.typ prints."""
    said, label = data.said, words.label
    named = partial(_named, numbers={one.given.sha256: f"{one.number} {one.given.name}" for one in exhibits})
    whole = {
        "L": words.all("label") | {"at": label("at", zone=zone_name(data.said["case"]["opened"], words))},
        "draft": draft,
        "number": said["case"]["number"] or said["case"]["id"],
        "finding": words.of("finding", said["case"]["finding"]),
        "finding_note": _found_by(data, words),
        "reopened": [_reopened(*each, words) for each in reopenings(data.events)],
        "lacking": lacking(data, chips, exhibits, words),
        "overview": _overview(data, words),
        "map": map_of(said["change"], exhibits, words),
        "chips": [_chip(which, data, chips[which], words) for which in ("before", "after")],
        "ledger": _ledger(data, words),
        "rule": _rule(data, words),
        "evidence": [
            [words.of("evidence", kind), named(text)] for kind, text in sorted(said["held"].items())
        ],
        "files": files_table(exhibits, words),
        "photos": photos(exhibits, data.outline, words),
        "events": [_event(event, words, exhibits, named) for event in data.events],
        "sha256": data.sha256,
        "made": [[label(key), value] for key, value in made.items()],
        "lang": words.language.value,
    }
    shown: dict[str, Any] = printable(whole)
    return shown


def printable(value: Any) -> Any:
    """Text without control characters, its long words breakable; lists and tables likewise."""
    if isinstance(value, str):
        clean = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} else c for c in value)
        return LONG_WORD.sub(_breakable, clean)
    if isinstance(value, dict):
        return {key: printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [printable(item) for item in value]
    return value


def _breakable(found: re.Match[str]) -> str:
    return PIECE.sub(lambda piece: piece[0] + SOFT, found[0])


def lacking(data: CaseData, chips: dict[str, Chip], exhibits: Sequence[Exhibit], words: Words) -> list[str]:
    """What the report cannot say yet, for its first page."""
    said, label = data.said, words.label
    found = [
        label("lacks_evidence", what=words.of("evidence", kind)) for kind in lacking_kinds(said, exhibits)
    ]
    found += spoiled(exhibits, words)
    found += [label("lacks_fact", fact=fact, why=why) for fact, why in said["judgement"]["missing"].items()]
    if data.land is None:
        found.append(label("lacks_ledger"))
    elif data.land.mu.get(UNCLASSIFIED):
        found.append(label("lacks_land", mu=f"{data.land.mu[UNCLASSIFIED]:,.2f}"))
    if not _is_drawn(data):
        found.append(label("lacks_outline"))
    if not said["case"]["region"]:
        found.append(label("lacks_region"))
    for which in ("before", "after"):
        if said["change"][which] is None:
            found.append(label("lacks_date", which=label(which)))
        if chips[which].state != SEEN:
            found.append(label("lacks_chip", which=label(which), why=chip_said(chips[which], words)))
    return found


def chip_said(chip: Chip, words: Words) -> str:
    """What must be said of a chip; empty where the whole change was seen."""
    if chip.state in (GONE, NOT_RECORDED):
        return words.label(chip.state)
    reasons = ", ".join(
        f"{words.of('unseen', name)} {share:.1%}"
        for name, share in (chip.unseen or {}).items()
        if share > LEAST_SHOWN
    )
    if chip.state == UNSEEN:
        return words.label("unseen") + (f" ({reasons})" if reasons else "")
    return words.label("partly_unseen") + reasons if reasons else ""


def _found_by(data: CaseData, words: Words) -> str:
    """Who made the finding; where nobody did, that it is a machine's clue."""
    case, several = data.said["case"], load_definitions().found.get(data.said["case"]["finding"], [])
    if case["status"] not in several:
        return words.label("clue")
    people = [event for event in data.events if event.actor != MACHINE]
    found = [e for e in people if e.to_status == case["finding"]] or [
        e for e in people if e.kind == MOVED and e.to_status in several
    ]
    if not found:
        return words.label("clue")
    last = found[-1]
    return words.label(
        "said_by", actor=last.actor, role=words.of("role", last.role), at=moment(last.at, words)
    )


def _reopened(event: Event, led: Event | None, words: Words) -> str:
    """What the case had been, and when and by what it was reopened."""
    return words.label(
        "reopened", status=words.of("status", event.from_status), since=moment(led.at if led else None, words),
        at=moment(event.at, words), kind=words.of("kind", event.kind),
        who=f"{event.actor} ({words.of('role', event.role)})",
    )  # fmt: skip


def _is_drawn(data: CaseData) -> bool:
    """Whether its outline is one, and not a circle that stands for a place that somebody reported."""
    return data.said["change"]["class"] not in load_definitions().without_area


def area(m2: float) -> str:
    """m² and 亩; whatever is too small for two decimals keeps what it has."""
    return f"{m2:,.2f} m² ({mu(m2):,.2f} 亩)"


def _overview(data: CaseData, words: Words) -> list[list[str]]:
    case, change = data.said["case"], data.said["change"]
    west, south, east, north = change["box"]
    centre = f"{(west + east) / 2:.6f}° E, {(south + north) / 2:.6f}° N"
    rows = {
        "number": case["number"] or words.label("unnumbered"),
        "case": case["id"],
        "status": words.of("status", case["status"]),
        "region": case["region"] or words.label("unknown"),
        "class": words.of("class", change["class"]),
        "before": _seen_by(data, "before", words),
        "after": _seen_by(data, "after", words),
        "area": area(change["area_m2"]) if _is_drawn(data) else words.label("not_drawn"),
        "place": centre.replace("-", "−"),
        "opened": moment(case["opened"], words),
    }
    return [[words.label(key), value] for key, value in rows.items()]


def _seen_by(data: CaseData, which: str, words: Words) -> str:
    scene = data.said["scenes"][which]
    when = moment(data.said["change"][which], words)
    return f"{when} · {scene['sensor']} · {scene['gsd_m']:g} m" if scene else when


def _chip(which: str, data: CaseData, chip: Chip, words: Words) -> dict[str, Any]:
    scene = data.said["scenes"][which]
    title = f"{words.label(which)} · {moment(data.said['change'][which], words)}"
    under = f"{scene['name']} · {scene['sensor']} · {scene['gsd_m']:g} m" if scene else ""
    return {
        "title": title,
        "file": f"{which}.png" if chip.png else "",
        "under": under,
        "said": chip_said(chip, words),
    }


def _ledger(data: CaseData, words: Words) -> dict[str, Any] | None:
    table, label = data.land, words.label
    if table is None:
        return None

    def overlay(m2: float | None) -> list[str]:
        return [label("unknown")] * 2 if m2 is None else [f"{m2:,.2f}", f"{mu(m2):,.2f}"]

    notes = [label("closes") if table.closes else label("does_not_close", gap=f"{table.gap_m2:+,.2f}")]
    return {
        "rows": [[words.of("land", n), f"{table.m2[n]:,.2f}", f"{table.mu[n]:,.2f}"] for n in table.m2],
        "total": [label("total"), f"{sum(table.m2.values()):,.2f}", f"{sum(table.mu.values()):,.2f}"],
        "over": [
            [label("of_which_basic"), *overlay(table.basic_m2)],
            [label("redline"), *overlay(table.redline_m2)],
        ],
        "notes": notes + ([label("ledger_from_mu")] if table.from_mu else []),
    }


def _rule(data: CaseData, words: Words) -> dict[str, Any]:
    said, label = data.said["judgement"], words.label
    head = {
        "verdict": words.of("finding", said["verdict"]),
        "decided": said["rule"],
        "basis": said["basis"] or label("unknown"),
        "group": said["group"],
        "rulebook": " · ".join(text for text in (said["title"], said["rulebook"]) if text) or label("none"),
        "judged": moment(said["judged"], words),
        "proof": said["proof"],
    }
    conditions = said["conditions"]
    return {
        "head": [[label(key), text] for key, text in head.items() if text],
        "conditions": None
        if conditions is None
        else [
            [
                _fact(one["fact"], said),
                one["asked"],
                _value(one["value"], words, one["fact"]),
                label(one["answer"]),
            ]
            for one in conditions
        ],
        "seen": [[_fact(name, said), _value(value, words, name)] for name, value in said["seen"].items()],
        "missing": [[_fact(name, said), why] for name, why in said["missing"].items()],
        "settles": [[one["text"], label("minutes", n=f"{one['minutes']:g}")] for one in said["settles"]],
    }


def _fact(name: str, said: dict[str, Any]) -> str:
    title = said["layer_titles"].get(name)
    return f"{name} ({title})" if title else name


def _value(value: Any, words: Words, fact: str) -> str:
    if fact == "change_class":
        return f"{value} ({words.of('class', value)})"
    if value is None:
        return words.label("unknown")
    return f"{value:,.12g}" if isinstance(value, int | float) else str(value) or words.label("none")


def _named(text: str, numbers: dict[str, str]) -> str:
    """A reference to a file of the list by its number there and its name."""

    def number(found: re.Match[str]) -> str:
        known = numbers.get(found[1].lower())
        return f"№ {known}" if known else f"{found[0][:REFERENCE_SHOWN]}…"

    return REFERENCE.sub(number, text)


def _event(event: Event, words: Words, exhibits: Sequence[Exhibit], named: Callable[[str], str]) -> list[str]:
    moved = event.from_status != event.to_status
    arrow = [words.of("status", one) for one in (event.from_status, event.to_status) if one]
    step = words.of("kind", event.kind) + (f"{words.label('colon')}{' → '.join(arrow)}" if moved else "")
    brought = "; ".join(
        f"{words.of('evidence', kind)}: {named(text)}"
        for kind, text in event.evidence.items()
        if kind != "reason"
    )
    told = told_again(event, exhibits, words) if event.kind == EVENT else [retold(event, words)]
    who = f"{event.actor} ({words.of('role', event.role)})"
    when = [bare_moment(event.at, words)]
    if event.written_later:
        when.append(f"({words.label('recorded')} {bare_moment(event.written_later, words)})")
    return [
        "\n".join(when),
        who,
        step,
        " · ".join(text for text in (*told, brought) if text),
    ]
