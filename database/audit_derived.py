"""What follows from other rows and so has no seal, held against them: pointers, serials, indexes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import shapely
from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session, aliased

from database.audit_rows import UNREADABLE, Fault
from database.cadastre_tables import FeatureRow, VintageRow
from database.geometry import EDGES, RTREES
from database.seal_tables import SealRow
from database.tables import ChangeRow, JudgementRow

CHUNK = 5000
SINGLE = 1e-9
"""The index rounds outward, so that this is beyond what any rounding explains."""


def derived_faults(session: Session, seals: Sequence[SealRow]) -> Iterator[Fault]:
    """Everything of this kind that does not follow."""
    yield from _latest(session)
    yield from _vintages(session, seals)
    if session.get_bind().dialect.name == "sqlite":
        for name in RTREES:
            try:
                yield from _index(session, name)
            except UNREADABLE:
                # Which row cannot be read is told where rows are held against their seals.
                continue


def _latest(session: Session) -> Iterator[Fault]:
    """Changes that do not point to the last judgement on them: the one column that no seal holds."""
    last, newer = aliased(JudgementRow), aliased(JudgementRow)
    query = (
        select(ChangeRow.serial)
        .outerjoin(last, (last.id == ChangeRow.judgement_id) & (last.change_id == ChangeRow.id))
        .where(
            (last.id.is_(None) & ChangeRow.judgement_id.is_not(None))
            | (last.id.is_(None) & exists().where(newer.change_id == ChangeRow.id))
            | exists().where((newer.change_id == ChangeRow.id) & (newer.judged > last.judged))
        )
    )
    for serial in session.scalars(query):
        yield Fault(0, f"change: row {serial} does not point to the last judgement on it")


def _vintages(session: Session, seals: Sequence[SealRow]) -> Iterator[Fault]:
    """Vintages that bear the serial of another: the features of one would be taken for the other's."""
    links = {seal.key: seal for seal in seals if seal.what == VintageRow.__tablename__ and not seal.was}
    features = {
        seal.key: seal for seal in seals if seal.what == FeatureRow.__tablename__ and not seal.was
    }  # fmt: skip
    before = {seal.place: seal for seal in features.values()}
    for serial, key, count in session.execute(select(VintageRow.serial, VintageRow.id, VintageRow.features)):
        link, own = links.get(key), features.get(str(serial))
        # An import seals the features, then their vintage; what an upgrade sealed stands in another order.
        imported = before.get(link.place - 1) if link else None
        if link and imported and imported.key != str(serial):
            told = f"link {link.place} sealed it as vintage {imported.key}"
            yield Fault(link.place, f"vintage: {key} bears the serial {serial}, {told}")
        elif link and own and own.rows != count:
            yield Fault(
                link.place, f"vintage: {key} says {count} features, link {own.place} sealed {own.rows}"
            )


def _index(session: Session, name: str) -> Iterator[Fault]:
    """Rows that SQLite's spatial index does not find where they are: a search by place would pass them over."""
    tree = ", ".join(f"r.{edge}" for edge in EDGES)
    found = session.connection().execute(
        text(
            f'SELECT t.serial, t.geometry, {tree} FROM "{name}" t LEFT JOIN {RTREES[name]} r ON r.serial = t.serial'
        )
    )
    while rows := found.fetchmany(CHUNK):
        boxes = shapely.bounds(shapely.from_wkb([row[1] for row in rows]))
        for row, box in zip(rows, boxes.tolist(), strict=True):
            if not np.isnan(box).any() and not _holds(row[2:], box):
                yield Fault(0, f"{name}: row {row[0]} is not where {RTREES[name]}, the spatial index, has it")


def _holds(edges: Sequence[Any], box: list[float]) -> bool:
    if None in edges:
        return False
    said = dict(zip(EDGES, edges, strict=True))
    own = {edge: box[place] for edge, (_, place) in EDGES.items()}
    low = all(said[edge] <= own[edge] + SINGLE for edge in ("west", "south"))
    return low and all(said[edge] >= own[edge] - SINGLE for edge in ("east", "north"))
