"""Conditions: questions that a rule puts to one fact, answered true, false, or unknown."""

import math
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from cadastre.facts import Fact
from ground.tables import Strict


class Verdict(StrEnum):
    """What a machine may say of a change. A violation is not among them: only a named person says that."""

    LAWFUL = "lawful"
    RURAL_ROAD = "rural_road"
    FACILITY = "facility"
    TEMPORARY = "temporary"
    OTHER = "other"
    PSEUDO_CHANGE = "pseudo_change"
    SUSPECTED_VIOLATION = "suspected_violation"
    DOUBT = "doubt"


NEED_A_PERSON = {Verdict.SUSPECTED_VIOLATION, Verdict.DOUBT}
"""Verdicts on which a case is opened."""


Bound = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A number as one writes it: neither "2.0" nor true."""


class Condition(Strict):
    """A question put to one fact: of a number its bounds, of a text what it is or begins with; all must hold.

    `min` and `max` are within, `above` and `below` are not. `source`: where the threshold stands.
    """

    min: Bound | None = None
    max: Bound | None = None
    above: Bound | None = None
    below: Bound | None = None
    any_of: list[str] | None = Field(default=None, min_length=1)
    none_of: list[str] | None = Field(default=None, min_length=1)
    starts_with: list[str] | None = Field(default=None, min_length=1)
    source: str = ""

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "Condition":
        bounds = {self.min, self.max, self.above, self.below} != {None}
        if bounds == self.of_text:
            raise ValueError("a condition has either min, max, above, below, or any_of, none_of, starts_with")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"no fact lies between min {self.min} and max {self.max}")
        if bounds and not any(self.holds(value) for value in self.turns()):
            raise ValueError("no number lies within these bounds; mend min, max, above or below")
        return self

    @property
    def of_text(self) -> bool:
        """Whether it asks of a text."""
        return any(texts is not None for texts in (self.any_of, self.none_of, self.starts_with))

    def holds(self, fact: Fact) -> bool | None:
        """True, False, or None where the fact is unknown or of another kind."""
        if fact is None or isinstance(fact, str) != self.of_text:
            return None
        if isinstance(fact, str):
            return (
                (self.any_of is None or fact in self.any_of)
                and (self.none_of is None or fact not in self.none_of)
                and (self.starts_with is None or fact.startswith(tuple(self.starts_with)))
            )
        if math.isnan(fact):
            return None
        return (
            (self.min is None or fact >= self.min)
            and (self.max is None or fact <= self.max)
            and (self.above is None or fact > self.above)
            and (self.below is None or fact < self.below)
        )

    def turns(self) -> list[float]:
        """Every bound, with the nearest number on either side: its answer changes nowhere else."""
        bounds = [b for b in (self.min, self.max, self.above, self.below) if b is not None]
        return [v for b in bounds for v in (math.nextafter(b, -math.inf), b, math.nextafter(b, math.inf))]

    def texts(self) -> list[str]:
        """Every text it names."""
        return [*(self.any_of or ()), *(self.none_of or ()), *(self.starts_with or ())]
