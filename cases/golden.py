"""Golden tables: situations with the verdict a lawyer wrote down, held against what the rulebook says."""

from datetime import date
from pathlib import Path

from cadastre.facts import Fact, Facts
from cases.conditions import Verdict
from cases.rulebook import Rulebook, in_force
from cases.rules import Judgement, judge
from ground.tables import Strict, load_toml, parse


class Situation(Strict):
    """Facts that differ from the clean ones, those that nobody knows, and what is to be said of them."""

    story: str
    facts: dict[str, float | str] = {}
    unknown: list[str] = []
    on: date | None = None
    verdict: Verdict
    rule: str
    missing: list[str] = []
    settles: list[str] | None = None
    """Names of the proofs, cheapest first; not checked where they are left out."""


class Golden(Strict):
    """A table: the facts of an ordinary change, and situations that differ from it."""

    on: date
    clean: dict[str, float | str]
    situation: list[Situation]


def load_golden(path: Path) -> Golden:
    """The table of a file.

    Raises:
        BadInput: a typo, with file and key.
    """
    golden: Golden = parse(Golden, load_toml(path), path)
    return golden


def judged(golden: Golden, one: Situation, books: list[Rulebook]) -> Judgement:
    """What the book of the day says of a situation."""
    known: dict[str, Fact] = {**golden.clean, **one.facts, **dict.fromkeys(one.unknown)}
    return judge(Facts(known), in_force(books, one.on or golden.on))


def differences(golden: Golden, books: list[Rulebook]) -> list[str]:
    """A sentence for every situation of which the book says something else."""
    told = []
    for one in golden.situation:
        said = judged(golden, one, books)
        found = (str(said.verdict), said.rule_id, sorted(said.missing))
        wanted = (str(one.verdict), one.rule, sorted(one.missing))
        proofs = [str(proof["proof"]) for proof in said.settles]
        if found != wanted:
            told.append(f"{one.story}: {_said(*found)}, not {_said(*wanted)}")
        elif one.settles is not None and proofs != one.settles:
            told.append(f"{one.story}: settled by {', '.join(proofs)}, not by {', '.join(one.settles)}")
    return told


def _said(verdict: str, rule: str, missing: list[str]) -> str:
    return f"{verdict} by {rule}" + (f", missing {', '.join(missing)}" if missing else "")
