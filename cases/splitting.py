"""A case cut into parts, each a change and a case of its own; their land adds up to that of the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import shapely
from sqlalchemy.orm import Session

from cases import history, ledger, lineage, numbering
from cases.anew import Anew, Outline, judged_anew
from cases.landed import split_rows
from cases.lineage import Successor, Told
from cases.outlines import refuse_unless_cut, simple
from cases.records import Case
from cases.shown import Look, as_given, checks_of, taken_over
from cases.store import CaseStore
from cases.workflow import SPLIT, Workflow, as_read, check_replacing
from database.tables import CaseRow, JudgingRow
from ground.errors import BadInput, IllegalMove
from ground.files import short_hash


@dataclass(frozen=True, kw_only=True)
class Split:
    """The case that ended, and its parts in their order."""

    whole: Case
    parts: list[Case]


def split(
    store: CaseStore,
    case_id: str,
    parts: Sequence[shapely.Geometry],
    workflow: Workflow,
    *,
    actor: str,
    role: str,
    reason: str,
    version: int | None = None,
    groups: dict[str, list[str]] | None = None,
    look: Look = as_given,
) -> Split:
    """Cuts a case along outlines in degrees, all or nothing; `version`: of the case as the person read it.

    The parts begin where the case stood, with what it had in hand but photos that, as `look` finds, do not show them,
    and are judged with what its own judging knew. `groups` of land classes: of its ledger; the law pack's unless told.

    Raises:
        NotFound, IllegalMove: no such case; not from here or not by this role; it is split already; it moved meanwhile.
        BadInput: the outlines do not make up the case, or one lies in a region that this store does not see.
    """
    shapes = [simple(part) for part in parts]
    # Measured before anybody must wait: a register may have to be read whole.
    with store.transaction() as session:
        row = store.row(session, case_id)
        _may(session, row, workflow, actor, role, reason, version)
        refuse_unless_cut(row.id, row.change.geometry, shapes)
        found = _judged(session, row, shapes, groups)
        # Photos, too: who looks again reads each once.
        taken_over(session, row, checks_of(look, shapes[0], None))
        read = (row.version, row.judgement_id)
    refuse_beyond(store, found)
    with store.transaction(writes=True) as session:
        row = store.row(session, case_id)
        _may(session, row, workflow, actor, role, reason, version)
        if (row.version, row.judgement_id) != read:
            raise IllegalMove(history.overtaken(session, row, "while its parts were judged"))
        told = Told(kind=SPLIT, actor=actor, role=role, reason=reason, at=datetime.now(UTC))
        entry = found.landed(split_rows(row.judgement.land, found.land(), found.groups))
        ids = ledger.add_judged(session, entry, told.at)
        new = _successors(session, row, entry, ids, look)
        keys = [one.case_id for one in new]
        numbers = numbering.parts_rows(numbering.row_of(session, row.id), keys, told.at)
        lineage.replace(session, [row], new, numbers, told)
        session.expire_all()
        return Split(
            whole=store.record(session, store.row(session, row.id)),
            parts=[store.record(session, store.row(session, key)) for key in keys],
        )


def _successors(
    session: Session, row: CaseRow, entry: ledger.Entry, ids: Mapping[str, str], look: Look
) -> list[Successor]:
    new = []
    for key, shape in zip(entry.changes["change_id"], entry.changes.geometry, strict=True):
        checks = checks_of(look, shape, row.change.before)
        held, lost = taken_over(session, row, checks)
        new.append(
            Successor(
                change_id=key, judgement_id=ids[key], status=row.status, held=held, origins=[row], checks=checks,
                lost=lost,
            )
        )  # fmt: skip
    return new


def refuse_beyond(store: CaseStore, found: Anew) -> None:
    """Nothing, if the store sees every region in which the new outlines lie.

    Raises:
        BadInput: it does not.
    """
    beyond = sorted(code for code in found.entry.regions.values() if not code.startswith(store.region))
    if beyond:
        raise BadInput(
            f"one of the outlines lies in region {beyond[0]!r}, outside of {store.region!r}; let somebody who sees "
            "both do this"
        )


def refuse_unexplained(case_id: str, reason: str) -> None:
    """Nothing, if there is a reason to read.

    Raises:
        IllegalMove: there is none.
    """
    if not as_read(reason):
        raise IllegalMove(f"case {case_id}: say why, in a sentence (--reason)")


def _may(
    session: Session,
    row: CaseRow,
    workflow: Workflow,
    actor: str,
    role: str,
    reason: str,
    version: int | None,
) -> None:
    lineage.refuse_replaced(session, row)
    lineage.refuse_undrawn(row, SPLIT)
    check_replacing(workflow.split, SPLIT, row.id, row.status, actor, role)
    history.refuse_stale(session, row, version)
    refuse_unexplained(row.id, reason)


def _judged(
    session: Session, row: CaseRow, shapes: Sequence[shapely.Geometry], groups: dict[str, list[str]] | None
) -> Anew:
    """The parts as changes; the mean probability of a part of a change is not known."""
    change, judgement = row.change, row.judgement
    outlines = [
        Outline(
            change_id=short_hash("part", row.id, str(place), shapely.to_wkb(shape)),
            geometry=shape,
            pair_id=change.pair_id,
            before=change.before,
            after=change.after,
            change_class=change.change_class,
            region=change.region,
        )
        for place, shape in enumerate(shapes, start=1)
    ]
    judging = session.get(JudgingRow, judgement.judging_id) if judgement.judging_id else None
    why = f"it was cut from case {row.id}"
    return judged_anew(session, outlines, judging, judgement.facts, why, groups)
