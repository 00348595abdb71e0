"""What a workflow is made of: moves with what they need, waits, and when a case is cut, joined or handed over."""

from pydantic import Field

from ground.tables import Strict


class Wait(Strict):
    """Somebody else's time that must have run out: a clock of clocks.toml, unless one of these kinds is in hand."""

    clock: str
    unless: list[str] = []


class Transfer(Strict):
    """From which areas on a case is to be handed to the police; see `cases.transfer`."""

    source: str = Field(min_length=1)
    basic_farmland_m2: float = Field(gt=0)
    other_cultivated_m2: float = Field(gt=0)
    cultivated: list[str] = Field(min_length=1)


class Move(Strict):
    """One arrow: from these statuses to that one, by one of these roles, with these kinds of evidence in hand."""

    origins: list[str] = Field(alias="from", min_length=1)
    to: str
    roles: list[str] = Field(alias="role", min_length=1)
    needs: list[str] = []
    clears: list[str] = []
    """Evidence that is no longer in hand after this move: what was found wanting must be brought anew."""
    wait: Wait | None = None


class Replacing(Strict):
    """Who may let other cases take a case's place, and at which statuses of it."""

    origins: list[str] = Field(alias="from", min_length=1)
    roles: list[str] = Field(alias="role", min_length=1)


class Joining(Replacing):
    """The same for a merge: `origins` from the least to the most advanced; parts lie at most `within_m` apart."""

    within_m: float = Field(ge=0)
