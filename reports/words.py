"""Words of reports in Chinese and English, from words.toml."""

import re
from datetime import MAXYEAR, UTC, datetime, tzinfo
from enum import StrEnum
from functools import cache
from pathlib import Path

from cases.days import zone_at
from cases.workflow import Workflow
from ground.tables import load_toml, parse

WORDS_TOML = Path(__file__).with_name("words.toml")
Table = dict[str, dict[str, tuple[str, str]]]


class Language(StrEnum):
    """What a report is written in."""

    ZH = "zh"
    EN = "en"


class Words:
    """All words of one language; what has none is shown as it is stored, with spaces for underscores."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._place = list(Language).index(language)

    def of(self, table: str, key: str | None) -> str:
        """One word."""
        found = load_words()[table].get(key or "")
        return found[self._place] if found else (key or "").replace("_", " ")

    def label(self, key: str, **given: object) -> str:
        """A label of the case report, its places filled."""
        return self.of("label", key).format(**given)

    def why(self, sentence: str) -> str:
        """What a check said, kept in English; a sentence that has no words is left as it is."""
        if self.language is Language.EN:
            return sentence
        for pattern, said in _sentences():
            found = pattern.fullmatch(sentence)
            if found:
                return said.format(*found.groups())
        return sentence

    def all(self, table: str) -> dict[str, str]:
        """A whole table."""
        return {key: pair[self._place] for key, pair in load_words()[table].items()}


def moment(value: datetime | None, words: Words, seconds: bool = False) -> str:
    """A time to the minute or second, with the zone named."""
    if value is None:
        return words.label("unknown")
    return f"{bare_moment(value, words, seconds)} {zone_name(value, words)}"


def bare_moment(value: datetime, words: Words, seconds: bool = False) -> str:
    """A time without its zone, which stands beside."""
    local = value.astimezone(_zone(value, words))
    return f"{local:%Y-%m-%d %H:%M:%S}" if seconds else f"{local:%Y-%m-%d %H:%M}"


def zone_name(value: datetime, words: Words) -> str:
    """What the zone is called in which a time is told."""
    name = str(_zone(value, words))
    found = load_words()["zone"].get(name)
    return found[list(Language).index(words.language)] if found else name


def _zone(value: datetime, words: Words) -> tzinfo:
    """A Chinese reader's is the county's; east of Greenwich the last year may have no room for it."""
    return UTC if words.language is Language.EN or value.year == MAXYEAR else zone_at(value)


@cache
def _sentences() -> list[tuple[re.Pattern[str], str]]:
    """What a sentence may read, and how it does in Chinese."""
    between = "(.+?)"
    return [
        (re.compile(between.join(map(re.escape, english.split("{}")))), pair[0])
        for english, pair in load_words()["check_why"].items()
    ]


@cache
def load_words(path: Path = WORDS_TOML) -> Table:
    """Every table of a words.toml.

    Raises:
        BadInput: a typo, with file and key.
    """
    words: Table = parse(Table, load_toml(path), path)
    return words


def without_words(workflow: Workflow, words: Table | None = None) -> list[str]:
    """What a workflow knows and words.toml does not, a sentence each: statuses and kinds of evidence."""
    known = words or load_words()
    asked = {"status": workflow.statuses, "evidence": workflow.evidence}
    return [
        f"{WORDS_TOML.name}: [{table}] has no words for {name!r}; add them in Chinese and English"
        for table, names in asked.items()
        for name in names
        if name not in known[table]
    ]
