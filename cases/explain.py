"""Explaining a judgement: every rule of its book with what it asked, what it got, and which of them decided."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cadastre.facts import Fact, Facts
from cases.conditions import Condition
from cases.known import books_of
from cases.measuring import FIRST, LAST
from cases.reasons import facts_of
from cases.rulebook import Rulebook, in_force
from cases.rules import LAW, Judgement, formers, judge
from cases.store import CaseStore, begins
from database.tables import ChangeRow, JudgementRow, JudgingRow, RulebookRow
from ground.errors import NotFound

HOLDS, FAILS, UNKNOWN, NOT_TRIED = "holds", "fails", "unknown", "not tried"
WORDS = {True: HOLDS, False: FAILS, None: UNKNOWN}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One condition: what was asked of which fact, what it is, and the answer; `why` it is unknown."""

    fact: str
    asked: str
    value: Fact
    answer: str
    why: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One rule as it was tried."""

    rule: str
    verdict: str
    basis: str
    state: str
    is_deciding: bool
    asked: list[Asked]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A judgement as it is stored, and every rule of its book; `says_now` where the book says otherwise today.

    `from_store`: the book is the one it was judged by; else it is that of --rules, which may be another.
    `former`: where the law changed between the scenes and said something else before, the same of that book.
    """

    change_id: str
    judged: datetime
    verdict: str
    rule: str
    basis: str
    missing: dict[str, str]
    proof: str
    settles: list[dict[str, Any]]
    rulebook: str
    title: str
    from_store: bool
    says_now: str
    steps: list[Step]
    former: "Walk | None" = None


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What a book that went out of force on `until` says of the same facts."""

    title: str
    until: date
    verdict: str
    rule: str
    steps: list[Step]


def explain(store: CaseStore, change_id: str, books: list[Rulebook]) -> Explanation:
    """The latest judgement of a change.

    `books` serve where its own rulebook is not stored.

    Raises:
        NotFound: no such change, not judged, or no rulebook was in force on the day of its later scene.
    """
    with store.transaction() as session:
        query = (
            select(ChangeRow, JudgementRow)
            .outerjoin(JudgementRow, ChangeRow.judgement_id == JudgementRow.id)
            .where(ChangeRow.id == change_id, *begins(store.region))
        )
        found = session.execute(query).one_or_none()
        if found is None:
            raise NotFound(
                f"change {change_id!r} is not in the database; look for it in `cases list` or the map"
            )
        change, row = found
        if row is None:
            raise NotFound(f"change {change_id!r} has not been judged; run `tiankan judge`")
        kept = session.get(RulebookRow, row.rulebook) if row.rulebook else None
        book = Rulebook.model_validate(kept.content) if kept else in_force(books, _day(change.after))
        if book is None:
            raise NotFound(
                f"change {change_id!r}: no rulebook was in force on {_day(change.after)}; pass --rules"
            )
        facts = facts_of(row.facts, row.why, row.missing)
        said = judge(facts, book)
        former = _former(session, row, facts) if LAW in row.missing else None
        same = former or (str(said.verdict), said.rule_id) == (row.verdict, row.rule_id)
        return Explanation(
            change_id=change_id,
            judged=row.judged,
            verdict=row.verdict,
            rule=row.rule_id,
            basis=row.basis,
            missing=row.missing,
            proof=row.proof,
            settles=said.settles,
            rulebook=book.version,
            title=f"{book.title}, from {book.effective_from}",
            from_store=kept is not None,
            says_now="" if same else f"{said.verdict} by {said.rule_id}",
            steps=walk(facts, book, said),
            former=former,
        )


def _former(session: Session, row: JudgementRow, facts: Facts) -> Walk | None:
    """The first book in force between the scenes that said something else than the last; None where none is kept."""
    judging = session.get(JudgingRow, row.judging_id) if row.judging_id else None
    if judging is None:
        return None
    books = books_of(session, judging)
    first, last = (_day_of(row.facts.get(name)) for name in (FIRST, LAST))
    now = judge(facts, in_force(books, last))
    for book, turn in formers(books, first, last):
        said = judge(facts, book)
        if said.verdict != now.verdict:
            title = f"{book.title}, from {book.effective_from}"
            steps = walk(facts, book, said)
            return Walk(title=title, until=turn, verdict=str(said.verdict), rule=said.rule_id, steps=steps)
    return None


def _day_of(text: Fact) -> date | None:
    return datetime.fromisoformat(str(text)).date() if text else None


def walk(facts: Facts, book: Rulebook, said: Judgement) -> list[Step]:
    """Every rule in order; those after the first that holds were not tried, but their answers are shown."""
    steps, is_over = [], False
    for rule in book.rules:
        asked = [_asked(name, condition, facts) for name, condition in rule.when.items()]
        answers = {one.answer for one in asked}
        state = FAILS if FAILS in answers else UNKNOWN if UNKNOWN in answers else HOLDS
        steps.append(
            Step(
                rule=rule.id,
                verdict=str(rule.verdict),
                basis=rule.basis,
                state=NOT_TRIED if is_over else state,
                is_deciding=rule.id == said.rule_id,
                asked=asked,
            )
        )
        is_over = is_over or state == HOLDS
    return steps


def in_words(condition: Condition) -> str:
    """A condition as a person would write it: ≥ 2 and ≤ 8; one of a, b; begins with 01."""
    bounds = {"≥": condition.min, ">": condition.above, "≤": condition.max, "<": condition.below}
    texts = {
        "one of": condition.any_of,
        "none of": condition.none_of,
        "begins with": condition.starts_with,
    }
    numbers = [f"{sign} {bound:.12g}" for sign, bound in bounds.items() if bound is not None]
    lists = [f"{word} {', '.join(values)}" for word, values in texts.items() if values is not None]
    return " and ".join([*numbers, *lists])


def _asked(name: str, condition: Condition, facts: Facts) -> Asked:
    answer = condition.holds(facts.values.get(name))
    unsaid = "nobody could measure it" if name in facts.values else "it was never measured"
    return Asked(
        fact=name,
        asked=in_words(condition),
        value=facts.values.get(name),
        answer=WORDS[answer],
        why=facts.why.get(name, unsaid) if answer is None else "",
        source=condition.source,
    )


def _day(moment: datetime | None) -> Any:
    return moment.date() if moment else None
