"""Judging: what the law says of a set of facts. Rules are tried in order; the first that holds decides.

Three-valued: a fact nobody could measure makes a condition neither true nor false. Where that can turn the verdict,
it is doubt, which says what is missing and what would settle it, cheapest first; where it cannot, the verdict stands.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from cadastre.facts import Fact, Facts
from cases.conditions import NEED_A_PERSON, Condition, Verdict
from cases.rulebook import Rule, Rulebook, in_force, load_rulebooks

__all__ = [
    "LAW", "NEED_A_PERSON", "NO_RULEBOOK", "Condition", "Judgement", "Rule", "Rulebook", "Verdict", "formers",
    "in_force", "judge", "judge_between", "load_rulebooks",
]  # fmt: skip

NO_RULEBOOK = "NO-RULEBOOK-IN-FORCE"
LAW = "law"
"""What is missing where the law changed between the scenes."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the rulebook said: the deciding rule, the proof a person must bring, and the facts.

    `seen`: every known fact that this rule and those before it looked at; `missing`: what a doubt lacked, and why.
    `settles`: proofs of which some answer decides a doubt, cheapest first: {proof, text, minutes}; `proof` is then
    the text of the first.
    """

    verdict: Verdict
    rule_id: str
    basis: str
    seen: dict[str, Fact]
    missing: dict[str, str]
    proof: str
    rulebook: str
    group: str = ""
    settles: list[dict[str, Any]] = field(default_factory=list)

    @property
    def needs_a_person(self) -> bool:
        """Whether a case is opened on it."""
        return self.verdict in NEED_A_PERSON


def judge(facts: Facts, book: Rulebook | None) -> Judgement:
    """The first rule that holds; or doubt, where what is unknown can still turn the verdict."""
    if book is None:
        missing = {"rulebook": "no rulebook was in force on the day of the later scene"}
        return Judgement(
            verdict=Verdict.DOUBT, rule_id=NO_RULEBOOK, basis="", seen={}, missing=missing,
            proof="the rules that were in force then", rulebook="",
        )  # fmt: skip
    values = facts.values
    found = book.decisions.outcome(book.decisions.answers(values))
    rule = book.rules[found.rule]
    settles = [
        {"proof": name, "text": book.proofs[name].text, "minutes": book.proofs[name].minutes}
        for name in found.settling
    ]
    return Judgement(
        verdict=rule.verdict if found.decided else Verdict.DOUBT,
        rule_id=rule.id,
        basis=rule.basis,
        seen=_seen(book, found.rule, values),
        missing={name: _why(name, facts) for name in found.missing},
        proof=str(settles[0]["text"]) if settles else rule.proof,
        rulebook=book.version,
        group=rule.group if found.decided else "",
        settles=settles,
    )


def judge_between(
    facts: Facts, books: Sequence[Rulebook], first: date | None, last: date | None
) -> Judgement:
    """What all rulebooks in force between two days say; doubt where they differ, for the day of change decides.

    A day that nobody knows: the newest book in force on the other; the newest of all where both are unknown.
    """
    newest = judge(facts, in_force(books, last or first))
    for former, turn in formers(books, first, last):
        said = judge(facts, former).verdict
        if said != newest.verdict:
            why = f"by the law until {turn - timedelta(days=1)} it is {said}, by that since {turn} {newest.verdict}"
            return replace(
                newest,
                verdict=Verdict.DOUBT,
                missing=newest.missing | {LAW: f"{why}; a scene from about {turn} would settle it"},
                proof=f"a scene from about {turn}, or another proof of when the ground changed",
                group="",
            )
    return newest


def formers(
    books: Sequence[Rulebook], first: date | None, last: date | None
) -> Iterator[tuple[Rulebook, date]]:
    """The books that went out of force between two days, oldest first, each with the day of the next one."""
    if first is None or last is None:
        return
    for turn in (book.effective_from for book in books if first < book.effective_from <= last):
        former = in_force(books, turn - timedelta(days=1))
        if former is not None:
            yield former, turn


def _why(name: str, facts: Facts) -> str:
    if name not in facts.values:
        return "no layer in layers.toml measures it"
    unsaid = "it is unknown" if facts.values[name] is None else "it is not of the kind the rule asks for"
    return facts.why.get(name, unsaid)


def _seen(book: Rulebook, last: int, values: dict[str, Fact]) -> dict[str, Fact]:
    """What rules up to the last asked and got, with the document numbers a person will look up first."""
    seen: dict[str, Fact] = {}
    for name, of_text in book.asked[last]:
        value = values.get(name)
        if of_text is None:
            if value:
                seen[name] = value
        elif value is not None and isinstance(value, str) == of_text and value == value:  # not NaN
            seen[name] = value
    return seen
