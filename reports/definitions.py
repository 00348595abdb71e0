"""What the figures mean: which status is a finding, what a share is made of; read from statistics.toml."""

from datetime import date
from functools import cache
from pathlib import Path

from pydantic import Field, model_validator

from cases.workflow import REPLACED
from ground.errors import BadInput
from ground.tables import Strict, load_toml, parse

STATISTICS_TOML = Path(__file__).with_name("statistics.toml")


class Text(Strict):
    """The same in two languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Formula(Strict):
    """The share as it is defined from a day on; see statistics.toml."""

    effective_from: date
    title: Text
    source: Text
    line: float = Field(gt=0, lt=1)
    over: list[str] = Field(min_length=1)
    under: list[str] = Field(min_length=1)
    confirmed: list[str]
    without_classes: list[str]
    deducted: list[str]
    deducted_under: bool

    @property
    def said(self) -> dict[str, str]:
        """What it is, since when, and where it is from, by language."""
        return {
            "zh": f"{self.title.zh}，自 {self.effective_from} 起：{self.source.zh}",
            "en": f"{self.title.en}, from {self.effective_from}: {self.source.en}",
        }

    @model_validator(mode="after")
    def _is_a_share(self) -> "Formula":
        outside = {*self.over, *self.confirmed} - set(self.under)
        if outside:
            raise ValueError(
                f"under must hold what over and confirmed hold, also {', '.join(sorted(outside))}"
            )
        return self


class Rectified(Strict):
    """Statuses in which a violation is made good."""

    statuses: list[str]


class Ended(Strict):
    """Statuses from which a violation stands on while its case is looked at anew."""

    statuses: list[str] = []


class Definitions(Strict):
    """All that statistics.toml says."""

    without_area: list[str]
    found: dict[str, list[str]]
    parts: dict[str, list[str]]
    review: dict[str, list[str]]
    rectified: Rectified
    reopened: Ended = Ended()
    formulas: list[Formula] = Field(alias="formula", min_length=1)

    @model_validator(mode="after")
    def _says_each_thing_once(self) -> "Definitions":
        for name, table in (("found", self.found), ("parts", self.parts), ("review", self.review)):
            named = [one for several in table.values() for one in several]
            twice = sorted({one for one in named if named.count(one) > 1})
            if twice:
                raise ValueError(f"{name} names {twice[0]!r} twice; it can be one thing only")
        beyond = sorted({*self.reopened.statuses} - {*self.found.get("violation", [])})
        if beyond:
            raise ValueError(f"reopened names {beyond[0]!r}, which found does not count as a violation")
        found = {status for several in self.found.values() for status in several}
        both = found & {status for several in self.review.values() for status in several}
        if both:
            raise ValueError(f"{sorted(both)[0]!r} is in found, so it has passed, and in review")
        return self

    def kind_of(self, status: str | None, verdict: str) -> str:
        """What stands: a person's finding, else the machine's verdict.

        Raises:
            BadInput: statistics.toml does not know the status.
        """
        kind = next((kind for kind, several in self.found.items() if status in several), None)
        says = status if status not in REPLACED else None
        if kind is None and says is not None and self._in_review(says) is None:
            raise _unknown("status", says)
        return kind or verdict

    def part_of(self, kind: str) -> str:
        """The part of the table that a kind belongs to.

        Raises:
            BadInput: statistics.toml does not know the kind.
        """
        part = next((part for part, several in self.parts.items() if kind in several), None)
        if part is None:
            raise _unknown("verdict", kind)
        return part

    def review_of(self, status: str) -> str:
        """passed, or a key of review."""
        return self._in_review(status) or "passed"

    def _in_review(self, status: str) -> str | None:
        return next((name for name, several in self.review.items() if status in several), None)

    def formula_on(self, day: date) -> Formula | None:
        """The formula in force on a day; None before the first."""
        begun = [one for one in self.formulas if one.effective_from <= day]
        return max(begun, key=lambda one: one.effective_from, default=None)


def _unknown(what: str, name: str) -> BadInput:
    return BadInput(f"{STATISTICS_TOML.name}: does not say what {what} {name!r} counts as; add it there")


@cache
def load_definitions(path: Path = STATISTICS_TOML) -> Definitions:
    """The definitions of a file.

    Raises:
        BadInput: a typo, with file and key.
    """
    definitions: Definitions = parse(Definitions, load_toml(path), path)
    return definitions
