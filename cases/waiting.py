"""When a move is made: not before the one before it, not in the future, not while somebody else's time runs."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import pausing
from cases.workflow import Move, as_read
from clocks.policy import load_clocks
from clocks.running import Moved, runs
from database.tables import EventRow
from ground.clock import AHEAD
from ground.errors import BadInput, IllegalMove


def moment_of(
    session: Session, case_id: str, step: Move, held: dict[str, str], at: datetime | None
) -> datetime:
    """When a move was made, now unless told, if it could be made then.

    Raises:
        IllegalMove: it lies in the future or before the last move of the case, or somebody else's time still runs.
        BadInput: workflow.toml names a clock that clocks.toml does not have.
    """
    when = _in_order(session, case_id, at)
    _check(session, case_id, step, held, when)
    return when


def _in_order(session: Session, case_id: str, at: datetime | None) -> datetime:
    now = datetime.now(UTC)
    if at is not None and (at.tzinfo is None or at > now + AHEAD):
        raise IllegalMove(
            f"case {case_id}: a move of {at.isoformat()} lies in the future or names no zone; give the time it was made"
        )
    moves = select(EventRow).where(EventRow.case_id == case_id, EventRow.kind == "moved")
    last = session.scalar(moves.order_by(EventRow.serial.desc()).limit(1))
    when = at or now
    if last is None or when >= last.at:
        return when
    if at is None and last.at - now <= AHEAD:
        return last.at  # The other machine's clock is ahead of ours.
    said = f"{when.isoformat(timespec='seconds')}"
    raise IllegalMove(
        f"case {case_id} was moved to {last.to_status} by {last.actor} at {last.at.isoformat(timespec='seconds')}; "
        + (f"no move of {said} can follow that" if at else f"this machine's clock says {said}, set it right")
    )


def _check(session: Session, case_id: str, step: Move, held: dict[str, str], at: datetime) -> None:
    """Nothing, if a move need not wait, or the time for which it waits has run out."""
    wait = step.wait
    if wait is None or any(as_read(held.get(kind) or "") for kind in wait.unless):
        return
    clocks = load_clocks()
    if wait.clock not in {rule.id for edition in clocks.edition for rule in edition.clock}:
        raise BadInput(
            f"workflow.toml: the move to {step.to!r} waits for {wait.clock!r}, no clock of clocks.toml"
        )
    events = session.scalars(select(EventRow).where(EventRow.case_id == case_id).order_by(EventRow.serial))
    # What was dated back starts nobody's time before it was written down.
    moves = [Moved(e.to_status, e.recorded or e.at, e.evidence, e.from_status == e.to_status) for e in events]
    stands = pausing.pauses(session, [case_id], clocks.on(at.date()), at).of(case_id)
    own = [run for run in runs(moves, clocks, stands) if run.rule.id == wait.clock]
    if not own or own[-1].stopped is not None or (own[-1].ends is not None and at >= own[-1].ends):
        return
    last = f"until the end of {own[-1].due.day}" if own[-1].due.day else "and stands still"
    title = own[-1].rule.title
    raise IllegalMove(
        f"case {case_id} cannot go to {step.to} yet: {title.zh} ({title.en}) runs {last}; wait, or bring "
        f"{' or '.join(wait.unless)}"
    )
