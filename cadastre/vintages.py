"""May a vintage be added, and is it there already? What the registry holds decides, as it counts now."""

from datetime import UTC, date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cadastre.layers import Layer
from cadastre.registry import counting_at
from database.cadastre_tables import VintageRow
from database.tables import JudgingRow
from ground.errors import BadInput

ALL_KNOWN = datetime.max.replace(tzinfo=UTC)


def already(
    session: Session, name: str, layer: Layer, kind: str, state: date | None, hashes: dict[str, str]
) -> VintageRow | None:
    """The vintage that says the same, if it still counts: one that was replaced since may be brought back.

    A whole list whose additions count too is there as well: bringing it again does not take them away.
    """
    for row in (counting.row for counting in counting_at(session, name, ALL_KNOWN)):
        same = (row.kind, row.valid_from, row.description, row.sha256)
        if same == (kind, state, layer.model_dump(mode="json"), hashes):
            return row
    return None


def check_kind(session: Session, name: str, kind: str, known: datetime | None, where: str) -> None:
    """A layer stays a map or a register, and entries are added to a list that is known by then.

    Raises:
        BadInput: it was the other kind, or there is no such list.
    """
    query = select(VintageRow.kind, VintageRow.known_from).where(
        VintageRow.layer == name, VintageRow.features >= 0
    )
    rows = session.execute(query.order_by(VintageRow.known_from)).all()
    was = next(("map" if row.kind == "map" else "register" for row in rows), None)
    now = "map" if kind == "map" else "register"
    if was and was != now:
        raise BadInput(
            f'{where}: layer {name} is a {was} in the registry and cannot become a {now}; set `kind = "{was}"` for '
            "it in layers.toml, or give the layer another name"
        )
    moment = known or datetime.now(UTC)
    if kind == "more" and not any(row.kind == "register" and row.known_from <= moment for row in rows):
        raise BadInput(
            f"{where}: layer {name} has no whole list known by {moment:%Y-%m-%d} to which --more could add; import "
            "the whole list first, or leave --more away if this is it"
        )


def not_before_a_judging(session: Session, name: str, known: datetime) -> None:
    """What was judged without a vintage cannot have known it.

    Raises:
        BadInput: there is a later judging.
    """
    latest = session.scalar(select(func.max(JudgingRow.as_of)))
    if latest and known <= latest:
        raise BadInput(
            f"--known: {known:%Y-%m-%d} is not after the judging of {latest:%Y-%m-%d %H:%M} UTC, made without "
            f"this vintage of layer {name}; give the day on which it became known here"
        )
