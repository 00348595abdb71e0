"""What clocks see of a case that took the place of another: its history goes on from there, so a cut wins no time."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.workflow import REPLACED, Workflow, load_workflow
from clocks.running import Moved
from database import bulk
from database.numbering_tables import LineageRow
from database.tables import EventRow


class _Line(NamedTuple):
    kind: str
    to: str
    moved: Moved


def is_birth(kind: str, to: str) -> bool:
    """Whether an event opened a case in the place of others: it begins where they stood."""
    return kind in REPLACED and to not in REPLACED


def moves_before(session: Session, now: datetime, silent: Collection[str]) -> dict[str, list[Moved]]:
    """By case, the moves of those in whose place it was opened, theirs before them included, up to a moment.

    Of several that were merged, those of the one that began first, as far as the whole begins: what one of them had
    done beyond that is to be done again, and a newer one beside it wins no time. `silent`: kinds of events that move no
    clock.
    """
    rows = session.execute(
        select(LineageRow.from_case, LineageRow.to_case)
        .where(LineageRow.at <= now)
        .order_by(LineageRow.serial)
    ).all()
    if not rows:
        return {}
    lines = _lines(session, {key for row in rows for key in row}, now, silent)
    origins = defaultdict[str, list[str]](list)
    for row in rows:
        origins[row.to_case].append(row.from_case)
    found, road = dict[str, list[Moved]](), load_workflow()
    for heir, several in origins.items():  # In the order of the splits: an origin's own come before it.
        each = [found.get(key, []) + [line.moved for line in _own(lines[key])] for key in several]
        begun = next((line.to for line in reversed(lines[heir]) if is_birth(line.kind, line.to)), "")
        found[heir] = each[0] if len(each) == 1 else _together([one for one in each if one], begun, road)
    return found


def _together(several: Sequence[list[Moved]], begun: str, road: Workflow) -> list[Moved]:
    """The moves of the one that began first, without those beyond where the whole begins."""
    if not several:
        return []
    starts, order = {*road.start.values()}, road.merge.origins
    first_steps = {move.to for move in road.moves if starts & {*move.origins}}

    def far(status: str) -> int:
        if status in starts:
            return -1
        return order.index(status) if status in order else len(order)

    # Who was led back had been in the field: nobody assigns the place a second time.
    most = far(begun) if begun in starts else max(far(begun), min(map(far, first_steps)))
    rounds = [(moves, moves[_round(moves, starts, order)]) for moves in several]
    # Where a verdict was objected to no clock runs.
    rounds.sort(key=lambda each: (each[1].to not in starts, each[1].at, each[0][-1].to != begun))
    (one, first), others = rounds[0], [begins.at for _, begins in rounds[1:]]
    begins = one.index(first)
    kept = [i for i in range(begins, len(one)) if not one[i].stayed and far(one[i].to) <= most]
    last = max(kept, default=begins)
    back = [i for i in range(begins + 1, last + 1) if far(one[i].to) < far(one[i - 1].to)]
    if any(one[i].at > other for i in back for other in others):
        # It was led back, which started clocks anew, while another's ran on: those run from where it began itself.
        last = next((i for i in range(begins, len(one)) if far(one[i].to) > most), last + 1) - 1
    return one[: last + 1] + [moved for moved in one[last + 1 :] if moved.stayed]


def _round(moves: Sequence[Moved], starts: Collection[str], order: Sequence[str]) -> int:
    """Where the road of a case began last: as it was opened, reopened, or as its verdict was objected to."""
    gone = [i for i, moved in enumerate(moves) if not moved.stayed]
    begun = [i for i in gone if moves[i].to in starts]
    after = [
        i for i, before in zip(gone[1:], gone, strict=False) if moves[before].to not in {*starts, *order}
    ]
    return max([*begun, *after], default=0)


def _own(lines: Sequence[_Line]) -> list[_Line]:
    """Without how a case was opened in the place of others, and how it ended."""
    return [line for line in lines if line.kind not in REPLACED]


def _lines(
    session: Session, case_ids: Collection[str], now: datetime, silent: Collection[str]
) -> dict[str, list[_Line]]:
    query = select(EventRow).where(bulk.among(session, EventRow.case_id, case_ids), EventRow.at <= now)
    found = defaultdict[str, list[_Line]](list)
    for row in session.scalars(query.where(EventRow.kind.not_in(silent)).order_by(EventRow.serial)):
        stayed = row.from_status == row.to_status
        if not stayed or row.evidence:
            moved = Moved(to=row.to_status, at=row.at, evidence=row.evidence, stayed=stayed)
            found[row.case_id].append(_Line(row.kind, row.to_status, moved))
    return found
