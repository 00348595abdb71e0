"""What was said of which change on a day: the judging that counts for it then, and the judgement that it made or kept.

A judging that says of a change what was said already adds no judgement; that it judged the change is kept in its row,
as ranges of serials.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.store import begins
from database import bulk
from database.tables import ChangeRow, JudgementRow, JudgingRow
from ground.errors import BadInput

Ranges = list[list[int]]
"""Serials of changes: [first, last], both included, one after the other."""


def ranges_of(session: Session, change_ids: Iterable[str]) -> Ranges:
    """The serials of stored changes. Those of a run follow each other: a county is a few ranges."""
    query = select(ChangeRow.serial).where(bulk.among(session, ChangeRow.id, change_ids))
    serials = np.array(session.scalars(query.order_by(ChangeRow.serial)).all(), dtype=np.int64)
    if not len(serials):
        return []
    breaks = np.flatnonzero(np.diff(serials) > 1)
    firsts, lasts = serials[[0, *(breaks + 1)]], serials[[*breaks, -1]]
    return [[int(first), int(last)] for first, last in zip(firsts, lasts, strict=True)]


def refuse_later(session: Session, change_ids: Iterable[str], as_of: datetime) -> None:
    """Nothing, if no judging as of a later moment holds one of these changes.

    Raises:
        BadInput: one does, whether or not it said anything new.
    """
    later = select(JudgingRow.id, JudgingRow.as_of, JudgingRow.changes).where(JudgingRow.as_of > as_of)
    found = session.execute(later.order_by(JudgingRow.as_of)).all()
    if not found:
        return
    own = select(ChangeRow.id, ChangeRow.serial, JudgementRow.judging_id)
    own = own.outerjoin(JudgementRow, ChangeRow.judgement_id == JudgementRow.id)
    rows = session.execute(own.where(bulk.among(session, ChangeRow.id, change_ids))).all()
    rank = {row.id: at for at, row in enumerate(found)}
    last = _last([row.changes for row in found], max((row.serial for row in rows), default=0))
    for change, serial, judging in rows:
        at = max(int(last[serial]), rank.get(judging, -1))
        if at >= 0:
            raise BadInput(
                f"--as-of: change {change} was judged as of {found[at].as_of:%Y-%m-%d %H:%M} UTC, which is later; an "
                "earlier day's verdicts are shown by `tiankan rules replay`"
            )


def _last(held: Sequence[Ranges | None], serials: int) -> NDArray[np.intp]:
    """Of each serial up to the highest, which of some judgings was the last to hold it; -1 where none did."""
    last = np.full(serials + 1, -1, dtype=np.intp)
    for at, ranges in enumerate(held):
        for first, end in ranges or []:
            last[first : end + 1] = at
    return last


def said_on(
    session: Session, as_of: datetime, region: str = ""
) -> list[tuple[JudgingRow, list[JudgementRow]]]:
    """What stood on a day, by judging: each change's last one that was made by then, or later but for that very day.

    Raises:
        BadInput: there is none.
    """
    query = select(JudgingRow.id, JudgingRow.as_of, JudgingRow.made, JudgingRow.changes)
    query = query.where(JudgingRow.as_of <= as_of).order_by(JudgingRow.as_of, JudgingRow.made)
    judgings = session.execute(query).all()
    rank = {row.id: at for at, row in enumerate(judgings)}
    counts = [row.made <= as_of or row.as_of.date() == as_of.date() for row in judgings]
    written = (
        select(JudgementRow.id, JudgementRow.judging_id, ChangeRow.serial)
        .join(ChangeRow, JudgementRow.change_id == ChangeRow.id)
        .where(bulk.among(session, JudgementRow.judging_id, rank), *begins(region))
        .order_by(JudgementRow.judged)
    )
    rows = session.execute(written).all()
    held = [row.changes if counts[at] else None for at, row in enumerate(judgings)]
    last = _last(held, max((row.serial for row in rows), default=0))
    for row in rows:
        at = rank[row.judging_id]
        if counts[at]:
            last[row.serial] = max(last[row.serial], at)
    chosen: dict[int, tuple[int, str]] = {}
    for row in rows:
        at = rank[row.judging_id]
        if at <= last[row.serial] and at >= chosen.get(row.serial, (0, ""))[0]:
            chosen[row.serial] = (at, row.id)
    if not chosen:
        raise BadInput(_nothing(session, as_of, [row.as_of for row in judgings]))
    by_judging: dict[str, list[str]] = {}
    for serial, (_, key) in chosen.items():
        by_judging.setdefault(judgings[last[serial]].id, []).append(key)
    return [(session.get_one(JudgingRow, key), _rows(session, ids)) for key, ids in by_judging.items()]


def _rows(session: Session, ids: list[str]) -> list[JudgementRow]:
    wanted = select(JudgementRow).where(bulk.among(session, JudgementRow.id, ids))
    return list(session.scalars(wanted.order_by(JudgementRow.change_id)))


def _nothing(session: Session, as_of: datetime, before: list[datetime]) -> str:
    said = f"--as-of: nothing was judged by {as_of:%Y-%m-%d %H:%M} UTC"
    if before:
        newest = max(before)
        return (
            f"{said}, nor since for that very day; what was judged later for a day before it is shown under its own "
            f"day, the newest {newest:%Y-%m-%d %H:%M} UTC"
        )
    earliest = session.scalar(select(func.min(JudgingRow.as_of)))
    since = f"the first judging is as of {earliest:%Y-%m-%d %H:%M} UTC" if earliest else "nothing has been"
    return f"{said}; {since}"
