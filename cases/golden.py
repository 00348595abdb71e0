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
    """A table: the facts of an ordinary change, and situations that differ from it.

    Every situation without a day of its own is judged on the day `on` and on each of `also_on`.
    """

    on: date
    also_on: list[date] = []
    clean: dict[str, float | str]
    situation: list[Situation]


def load_golden(path: Path) -> Golden:
    """The table of a file.

    Raises:
        BadInput: a typo, with file and key.
    """
    golden: Golden = parse(Golden, load_toml(path), path)
    return golden


def days(golden: Golden, one: Situation) -> list[date]:
    """The days on which a situation is judged."""
    return [one.on] if one.on else [golden.on, *golden.also_on]


def judged(golden: Golden, one: Situation, books: list[Rulebook], on: date) -> Judgement:
    """What the book of a day says of a situation."""
    known: dict[str, Fact] = {**golden.clean, **one.facts, **dict.fromkeys(one.unknown)}
    return judge(Facts(known), in_force(books, on))


def differences(golden: Golden, books: list[Rulebook]) -> list[str]:
    """A sentence for every situation of which the book says something else."""
    told = []
    situations = [(one, on) for one in golden.situation for on in days(golden, one)]
    for one, on in situations:
        said = judged(golden, one, books, on)
        found = (str(said.verdict), said.rule_id, sorted(said.missing))
        wanted = (str(one.verdict), one.rule, sorted(one.missing))
        proofs = [str(proof["proof"]) for proof in said.settles]
        if found != wanted:
            told.append(f"{one.story} ({on}): {_said(*found)}, not {_said(*wanted)}")
        elif one.settles is not None and proofs != one.settles:
            told.append(
                f"{one.story} ({on}): settled by {', '.join(proofs)}, not by {', '.join(one.settles)}"
            )
    return told


def _said(verdict: str, rule: str, missing: list[str]) -> str:
    return f"{verdict} by {rule}" + (f", missing {', '.join(missing)}" if missing else "")
