"""Cases of one place joined to one: its outline is theirs together, in hand is only what all of them have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import shapely
from sqlalchemy.orm import Session

from cases import history, ledger, lineage, numbering
from cases.anew import Anew, Outline, judged_anew
from cases.landed import merged_row
from cases.lineage import Successor, Told
from cases.outlines import CLOSES_M2, apart, joined
from cases.records import Case
from cases.splitting import refuse_beyond, refuse_unexplained
from cases.store import CaseStore
from cases.workflow import LOCK, MERGED, Workflow, as_read, check_replacing
from database.tables import CaseRow, ChangeRow, JudgingRow
from ground.errors import BadInput, IllegalMove
from ground.files import short_hash

OWN_WORDS = LOCK - {"field_evidence"}
"""What is said of one case as a whole: of two, it is in hand only where both say the same."""


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The new case and those that ended in it."""

    whole: Case
    parts: list[Case]


def merge(
    store: CaseStore, case_ids: Sequence[str], workflow: Workflow, *, actor: str, role: str, reason: str
) -> Merged:
    """Joins cases that touch or lie near each other to a new one, all or nothing.

    It begins where the least advanced of them stands, and is judged with what the newest of their judgings knew.
    Its number is a new serial beside the first one's.

    Raises:
        NotFound, IllegalMove: no such case; not from here or not by this role; merged already; one moved meanwhile.
        BadInput: fewer than two; not of one county; too far apart.
    """
    # Measured before anybody must wait: a register may have to be read whole.
    with store.transaction() as session:
        rows = _rows(store, session, case_ids, workflow, actor, role, reason)
        found, twice_m2 = _judged(session, rows, workflow)
        read = [(row.id, row.version, row.judgement_id) for row in rows]
    refuse_beyond(store, found)
    with store.transaction(writes=True) as session:
        rows = _rows(store, session, case_ids, workflow, actor, role, reason)
        for row, was in zip(rows, read, strict=True):
            if (row.id, row.version, row.judgement_id) != was:
                raise IllegalMove(history.overtaken(session, row, "while the whole was judged"))
        told = Told(kind=MERGED, actor=actor, role=role, reason=reason, at=datetime.now(UTC))
        land = merged_row([row.judgement.land for row in rows]) if twice_m2 <= CLOSES_M2 else None
        entry = found.landed([land or found.land()[0]])
        ids = ledger.add_judged(session, entry, told.at)
        (change_id,) = ids
        status = next(one for one in workflow.merge.origins if one in {row.status for row in rows})
        new = Successor(
            change_id=change_id, judgement_id=ids[change_id], status=status, held=held_by_all(rows), origins=rows
        )  # fmt: skip
        lineage.replace(session, rows, [new], _number(session, rows, new.case_id, told.at), told)
        session.expire_all()
        return Merged(
            whole=store.record(session, store.row(session, new.case_id)),
            parts=[store.record(session, store.row(session, key)) for key, _, _ in read],
        )


def held_by_all(rows: Sequence[CaseRow]) -> dict[str, str]:
    """What every case has in hand: where they differ, all of it; what is said of a case as a whole only where alike."""
    found = {}
    for kind, first in rows[0].held.items():
        texts = {as_read(text): text for row in rows if as_read(text := row.held.get(kind) or "")}
        if all(as_read(row.held.get(kind) or "") for row in rows):
            if len(texts) == 1:
                found[kind] = first
            elif kind not in OWN_WORDS:
                found[kind] = "; ".join(texts.values())
    return found


def _rows(
    store: CaseStore, session: Session, case_ids: Sequence[str], workflow: Workflow, actor: str, role: str, reason: str
) -> list[CaseRow]:  # fmt: skip
    rows = {row.id: row for row in (store.row(session, key) for key in case_ids)}
    if len(rows) < 2 or len(rows) < len(case_ids):
        said = "one case is" if len(case_ids) == 1 else f"{len(case_ids)} names of {_cases(len(rows))} are"
        raise BadInput(f"{said} no merge; name two or more, each once")
    for row in rows.values():
        lineage.refuse_replaced(session, row)
        lineage.refuse_undrawn(row, MERGED)
        check_replacing(workflow.merge, MERGED, row.id, row.status, actor, role)
        refuse_unexplained(row.id, reason)
    regions = {row.change.region[:6] for row in rows.values()}
    if len(regions) > 1:
        said = ", ".join(f"{row.id} in {row.change.region or 'an unknown region'}" for row in rows.values())
        raise BadInput(f"cases of several counties are not merged: {said}")
    return list(rows.values())


def _cases(count: int) -> str:
    return "one case" if count == 1 else f"{count} cases"


def _judged(session: Session, rows: Sequence[CaseRow], workflow: Workflow) -> tuple[Anew, float]:
    """The whole as a change, and how much land lies in more than one part."""
    shapes = [row.change.geometry for row in rows]
    lost = apart(shapes, workflow.merge.within_m)
    if lost is not None:
        raise BadInput(
            f"case {rows[lost[0]].id} lies {lost[1]:.1f} m from the others; cases are merged that lie within "
            f"{workflow.merge.within_m:g} m (workflow.toml)"
        )
    whole, twice_m2 = joined(shapes)
    changes, ids = [row.change for row in rows], [row.id for row in rows]
    judgings = [
        found
        for row in rows
        if row.judgement.judging_id and (found := session.get(JudgingRow, row.judgement.judging_id))
    ]
    newest = max(judgings, key=lambda one: (one.as_of, one.made)) if len(judgings) == len(rows) else None
    outline = Outline(
        change_id=short_hash("merged", *sorted(ids), shapely.to_wkb(whole)),
        geometry=whole,
        pair_id=_same([change.pair_id for change in changes], ""),
        before=_outer([change.before for change in changes], min),
        after=_outer([change.after for change in changes], max),
        change_class=_same([change.change_class for change in changes], "unclassified"),
        region=_same([change.region for change in changes], changes[0].region[:6]),
        probability=_mean(changes, "probability"),
        ndvi_change=_mean(changes, "ndvi_change"),
    )
    names = {name: None for row in rows for name in row.judgement.facts}
    why = f"it was joined from cases {', '.join(ids)}"
    return judged_anew(session, [outline], newest, names, why), twice_m2


def _same(values: Sequence[str], otherwise: str) -> str:
    return values[0] if len(set(values)) == 1 else otherwise


def _outer(
    moments: Sequence[datetime | None], which: Callable[[list[datetime]], datetime]
) -> datetime | None:
    """The whole changed between the first scene and the last; None where one is not known."""
    known = [moment for moment in moments if moment is not None]
    return which(known) if len(known) == len(moments) else None


def _mean(changes: Sequence[ChangeRow], name: str) -> float | None:
    """By area; None where one is not known, or they come from several pairs, whose unchanged ground differs."""
    values = [getattr(change, name) for change in changes]
    if None in values or len({change.pair_id for change in changes}) > 1:
        return None
    return float(
        sum(v * c.area_m2 for v, c in zip(values, changes, strict=True)) / sum(c.area_m2 for c in changes)
    )


def _number(session: Session, rows: Sequence[CaseRow], case_id: str, at: datetime) -> list[dict[str, Any]]:
    """A new serial in the batch and year of the first part that has a number; none where none has."""
    first = next((found for row in rows if (found := numbering.row_of(session, row.id))), None)
    if first is None:
        return []
    place = numbering.last_place(session, first.county, first.batch, first.year) + 1
    return [numbering.number_row(case_id, first.county, first.batch, first.year, place, at)]
