"""What if: stored changes judged anew by another rulebook, from the facts as they stand; nothing is written."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cadastre.facts import Facts
from cases.measuring import NOT_ASKED
from cases.reasons import facts_of
from cases.rules import NEED_A_PERSON, Rulebook, judge_between
from cases.show import mu
from cases.store import CaseStore, begins
from cases.workflow import REPLACED
from database.tables import CaseRow, ChangeRow, JudgementRow
from ground.errors import BadInput

BLOCK = 5000


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A change of which another book says something else."""

    change_id: str
    was: str
    was_rule: str
    becomes: str
    becomes_rule: str
    area_m2: float
    area_mu: float
    missing: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """All turns, and what they come to.

    `flows`: count and area by verdict → verdict, the unturned too; `never_measured`: facts that the book asks for
    and that were not measured for so many changes; `persons`: changes that a person must look at, before and after.
    """

    changes: int
    turns: list[Turn]
    turned_m2: float
    turned_mu: float
    flows: list[dict[str, Any]]
    never_measured: dict[str, int]
    persons: tuple[int, int]


def what_if(store: CaseStore, books: Sequence[Rulebook]) -> WhatIf:
    """The latest facts of every judged change under other books.

    Raises:
        BadInput: nothing has been judged.
    """
    asked = {name for book in books for rule in book.rules for name in rule.when}
    turns: list[Turn] = []
    flows: dict[tuple[str, str], list[float]] = {}
    never: Counter[str] = Counter()
    changes = before = after = 0
    with store.transaction() as session:
        for key, area_m2, days, verdict, rule, facts in _judged(session, store.region):
            changes += 1
            never.update(name for name in asked if _is_unmeasured(name, facts))
            said = judge_between(facts, books, *days)
            before += verdict in NEED_A_PERSON
            after += said.needs_a_person
            flows.setdefault((verdict, str(said.verdict)), []).append(area_m2)
            if verdict != said.verdict:
                turns.append(
                    Turn(
                        change_id=key, was=verdict, was_rule=rule, becomes=str(said.verdict),
                        becomes_rule=said.rule_id, area_m2=round(area_m2, 2), area_mu=mu(area_m2),
                        missing=said.missing,
                    )
                )  # fmt: skip
    turned_m2 = sum(sum(areas) for (was, becomes), areas in flows.items() if was != becomes)
    if not changes:
        raise BadInput("the database holds no judged change; run `tiankan judge` first")
    return WhatIf(
        changes=changes,
        turned_m2=round(turned_m2, 2),
        turned_mu=mu(turned_m2),
        turns=sorted(turns, key=lambda turn: (-turn.area_m2, turn.change_id)),
        flows=[_flow(*pair, areas) for pair, areas in sorted(flows.items(), key=lambda flow: -len(flow[1]))],
        never_measured=dict(sorted(never.items())),
        persons=(before, after),
    )


def _is_unmeasured(name: str, facts: Facts) -> bool:
    """Whether nobody tried: no layer has it, or it takes long and no rule of then came to ask."""
    return name not in facts.values or facts.why.get(name) == NOT_ASKED


def _flow(was: str, becomes: str, areas: list[float]) -> dict[str, Any]:
    area_m2 = sum(areas)
    return {
        "was": was, "becomes": becomes, "changes": len(areas), "area_m2": round(area_m2, 2), "area_mu": mu(area_m2),
    }  # fmt: skip


def _judged(
    session: Session, region: str
) -> Iterator[tuple[str, float, tuple[date | None, date | None], str, str, Facts]]:
    """Change, area, days of its scenes, verdict, rule and facts of every change, in the order they came."""
    query = (
        select(
            ChangeRow.id, ChangeRow.area_m2, ChangeRow.before, ChangeRow.after,
            JudgementRow.verdict, JudgementRow.rule_id, JudgementRow.facts, JudgementRow.why,
            JudgementRow.missing,
        )
        .join(JudgementRow, ChangeRow.judgement_id == JudgementRow.id)
        .outerjoin(CaseRow, CaseRow.change_id == ChangeRow.id)
        # Others stand for the land of what was split or merged.
        .where(*begins(region), func.coalesce(CaseRow.status, "").not_in(REPLACED))
        .order_by(ChangeRow.serial)
    )  # fmt: skip
    rows = session.execute(query.execution_options(yield_per=BLOCK))
    for key, area_m2, first, last, verdict, rule, values, why, missing in rows:
        yield key, area_m2, (_day(first), _day(last)), verdict, rule, facts_of(values, why, missing)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
