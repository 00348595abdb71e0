"""The rulebook: what the law says of a set of facts. Rules are tried in order; the first that holds decides.

Three-valued: a fact nobody could measure makes a condition neither true nor false. The first rule that is
not false but cannot be decided makes the verdict doubt, and says which fact is missing and what would settle it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from cadastre.facts import CHANGE_FACTS, Fact, Facts
from cadastre.layers import MEASURE_NAMES
from ground.errors import BadInput
from ground.files import short_hash
from ground.tables import Strict, load_toml, parse

NO_RULEBOOK = "NO-RULEBOOK-IN-FORCE"


class Verdict(StrEnum):
    """What a machine may say of a change. A violation is not among them: only a named person says that."""

    LAWFUL = "lawful"
    RURAL_ROAD = "rural_road"
    FACILITY = "facility"
    TEMPORARY = "temporary"
    OTHER = "other"
    PSEUDO_CHANGE = "pseudo_change"
    SUSPECTED_VIOLATION = "suspected_violation"
    DOUBT = "doubt"


NEED_A_PERSON = {Verdict.SUSPECTED_VIOLATION, Verdict.DOUBT}
"""Verdicts on which a case is opened."""


class Condition(Strict):
    """A question put to one fact: within [min, max], or one of a list of texts."""

    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)
    any_of: list[str] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "Condition":
        if (self.any_of is None) == (self.min is None and self.max is None):
            raise ValueError("a condition has either min and max, or any_of")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"no fact lies between min {self.min} and max {self.max}")
        return self

    def holds(self, fact: Fact) -> bool | None:
        """True, False, or None where the fact is unknown or of another kind."""
        if fact is None or isinstance(fact, str) != (self.any_of is not None):
            return None
        if isinstance(fact, str):
            return self.any_of is not None and fact in self.any_of
        if math.isnan(fact):
            return None
        return (self.min is None or fact >= self.min) and (self.max is None or fact <= self.max)


class Rule(Strict):
    """One verdict, the law it rests on, what must hold for it, and the proof a person must still bring."""

    id: str
    verdict: Verdict
    basis: str
    when: dict[str, Condition]
    proof: str = ""

    @field_validator("verdict")
    @classmethod
    def _says_something(cls, verdict: Verdict) -> Verdict:
        if verdict is Verdict.DOUBT:
            raise ValueError("doubt is what missing facts give; a rule must give another verdict")
        return verdict

    @field_validator("when")
    @classmethod
    def _knows_its_facts(cls, when: dict[str, Condition]) -> dict[str, Condition]:
        for name in when:
            if name not in CHANGE_FACTS and not name.endswith(tuple(f"_{m}" for m in MEASURE_NAMES)):
                raise ValueError(
                    f"fact {name!r} is unknown; write {', '.join(CHANGE_FACTS)} or <layer>_<measure> with "
                    f"measure {', '.join(MEASURE_NAMES)}"
                )
        return when


class Rulebook(Strict):
    """Rules in the order they are tried, in force from a date."""

    title: str
    jurisdiction: str
    effective_from: date
    rules: list[Rule] = Field(alias="rule", min_length=1)

    @model_validator(mode="after")
    def _always_decides(self) -> "Rulebook":
        ids = [rule.id for rule in self.rules]
        for rule_id in ids:
            if ids.count(rule_id) > 1:
                raise ValueError(f"rule id {rule_id!r} stands twice; every rule needs its own")
        for rule in self.rules[:-1]:
            if not rule.when:
                raise ValueError(
                    f"rule {rule.id!r} always holds and hides those after it; move it to the end"
                )
        if self.rules[-1].when:
            raise ValueError(f"the last rule, {self.rules[-1].id!r}, must hold always: set when = {{}}")
        return self

    @property
    def version(self) -> str:
        """Hash of all that the book says."""
        return short_hash("rulebook", self.model_dump_json(by_alias=True))


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the rulebook said: the deciding rule, the proof a person must bring, and the facts.

    `seen`: every fact that this rule and those before it looked at; `missing`: what the rule lacked, and why.
    """

    verdict: Verdict
    rule_id: str
    basis: str
    seen: dict[str, Fact]
    missing: dict[str, str]
    proof: str
    rulebook: str

    @property
    def needs_a_person(self) -> bool:
        """Whether a case is opened on it."""
        return self.verdict in NEED_A_PERSON


def load_rulebooks(path: Path) -> list[Rulebook]:
    """One rulebook file, or all of a folder, oldest first.

    Raises:
        BadInput: a typo with file and key; no file; two books in force from the same day.
    """
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path}: holds no rulebook (*.toml); pass --rules FILE or FOLDER")
    books: list[Rulebook] = sorted(
        (parse(Rulebook, load_toml(file), file) for file in files), key=lambda book: book.effective_from
    )
    days = [book.effective_from for book in books]
    if len(set(days)) < len(days):
        raise BadInput(f"{path}: two rulebooks take effect on one day; give each its own effective_from")
    return books


def in_force(books: Iterable[Rulebook], on: date | None) -> Rulebook | None:
    """The newest book in force on a day; the newest of all where the day is unknown; None before the first."""
    return next((b for b in reversed(list(books)) if on is None or b.effective_from <= on), None)


def judge(facts: Facts, book: Rulebook | None) -> Judgement:
    """The first rule that holds; or doubt, at the first that cannot be decided."""
    if book is None:
        missing = {"rulebook": "no rulebook was in force on the day of the later scene"}
        return Judgement(
            verdict=Verdict.DOUBT, rule_id=NO_RULEBOOK, basis="", seen={}, missing=missing,
            proof="the rules that were in force then", rulebook="",
        )  # fmt: skip
    seen: dict[str, Fact] = {}
    for rule in book.rules:
        answers = {name: condition.holds(facts.values.get(name)) for name, condition in rule.when.items()}
        known = (name for name, answer in answers.items() if answer is not None)
        seen |= {name: facts.values[name] for name in known} | _numbers(rule, facts)
        if False in answers.values():
            continue
        missing = {name: _why(name, facts) for name, answer in answers.items() if answer is None}
        return Judgement(
            verdict=Verdict.DOUBT if missing else rule.verdict,
            rule_id=rule.id,
            basis=rule.basis,
            seen=seen,
            missing=missing,
            proof=rule.proof,
            rulebook=book.version,
        )
    raise AssertionError("a rulebook's last rule always holds")


def judge_between(
    facts: Facts, books: Sequence[Rulebook], first: date | None, last: date | None
) -> Judgement:
    """What all rulebooks in force between two days say; doubt where they differ, for the day of change decides.

    A day that nobody knows: the newest book in force on the other; the newest of all where both are unknown.
    """
    newest = judge(facts, in_force(books, last or first))
    if first is None or last is None:
        return newest
    for turn in (book.effective_from for book in books if first < book.effective_from <= last):
        eve = turn - timedelta(days=1)
        former = in_force(books, eve)
        said = judge(facts, former).verdict if former else newest.verdict
        if said != newest.verdict:
            why = f"by the law until {eve} it is {said}, by that since {turn} {newest.verdict}"
            return replace(
                newest,
                verdict=Verdict.DOUBT,
                missing=newest.missing | {"law": f"{why}; a scene from about {turn} would settle it"},
                proof=f"a scene from about {turn}, or another proof of when the ground changed",
            )
    return newest


def _why(name: str, facts: Facts) -> str:
    if name not in facts.values:
        return "no layer in layers.toml measures it"
    return facts.why.get(name, "it is not of the kind the rule asks for")


def _numbers(rule: Rule, facts: Facts) -> dict[str, Fact]:
    """The document numbers of the layers that a rule looked at: what a person will look up first."""
    layers = {
        name.removesuffix(f"_{m}") for name in rule.when for m in MEASURE_NAMES if name.endswith(f"_{m}")
    }
    found = {f"{layer}_numbers": facts.values.get(f"{layer}_numbers") for layer in sorted(layers)}
    return {name: value for name, value in found.items() if value}
