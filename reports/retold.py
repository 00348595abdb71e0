"""What the machine wrote into a history, in the language of the report; what people wrote is theirs and stays."""

import re
from functools import cache
from pathlib import Path

from cases.records import Event
from cases.ticking import titles_of
from ground.tables import load_toml, parse
from reports.words import Language, Words

TOLD_TOML = Path(__file__).with_name("told.toml")
BY_PEOPLE = {"moved", "supervised", "released", "evidence"}
"""Kinds of events whose reason a person gave; `by` names who ordered what goes on from another case."""
CHIPS = {"chip_before", "chip_after"}
SLOT = re.compile(r"\{([a-z]*)\}")
CLAUSES = re.compile("(; | · )")
TABLES = {
    "verdict": "finding",
    "status": "status",
    "class": "class",
    "kind": "kind",
    "role": "role",
    "check": "check",
}


def retold(event: Event, words: Words) -> str:
    """The reason of an event for a reader of this language."""
    if event.kind in BY_PEOPLE and "by" not in event.evidence:
        return event.reason
    for title in titles_of(event.evidence.get("clock", "")):
        before = f"{title['zh']} {title['en']}: "
        if event.reason.startswith(before):
            said = _clauses(event.reason.removeprefix(before), words)
            return f"{title[words.language]}{words.label('colon')}{said}"
    return _clauses(event.reason, words)


def noted(kind: str, note: str, words: Words) -> str:
    """The note of a file; that of a chip is the machine's."""
    return _clauses(note, words) if kind in CHIPS else note


def _clauses(text: str, words: Words) -> str:
    if words.language is Language.EN:
        return text
    return "".join({"; ": "；"}.get(part) or _clause(part, words) for part in CLAUSES.split(text))


def _clause(text: str, words: Words) -> str:
    for pattern, slots, said in _sentences():
        found = pattern.fullmatch(text)
        if found:
            each = (_word(slot, group, words) for slot, group in zip(slots, found.groups(), strict=True))
            return said.format(*each)
    return text


def _word(slot: str, text: str, words: Words) -> str:
    tables = load_told()
    if text in tables["plain"]:
        return tables["plain"][text]
    if slot == "level":
        return tables["level"].get(text, text)
    if slot in ("clause", "why"):
        return _clause(text, words) if slot == "clause" else words.why(text)
    if slot == "classes":
        return "、".join(words.of("class", one) for one in text.split(", "))
    return words.of(TABLES[slot], text) if slot else text


@cache
def _sentences() -> list[tuple[re.Pattern[str], list[str], str]]:
    """What a clause may read, what stands in its places, and how it does in Chinese; those that say most first."""
    ordered = sorted(load_told()["told"].items(), key=lambda one: -len(SLOT.sub("", one[0])))
    return [(_pattern(english), SLOT.findall(english), said) for english, said in ordered]


def _pattern(english: str) -> re.Pattern[str]:
    parts = SLOT.split(english)  # text, slot, text, slot, …, text
    free = {"", "clause", "classes", "why"}
    each = [
        ("(.+?)" if part in free else "([a-z_]+)") if i % 2 else re.escape(part)
        for i, part in enumerate(parts)
    ]
    return re.compile("".join(each))


@cache
def load_told(path: Path = TOLD_TOML) -> dict[str, dict[str, str]]:
    """Every table of a told.toml.

    Raises:
        BadInput: a typo, with file and key.
    """
    told: dict[str, dict[str, str]] = parse(dict[str, dict[str, str]], load_toml(path), path)
    return told
