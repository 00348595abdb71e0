"""The rulebook as it is written: rules in the order they are tried, groups, proofs, and the day it takes effect."""

from collections.abc import Iterable
from datetime import date
from functools import cached_property
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from cadastre.facts import CHANGE_FACTS
from cadastre.layers import DOMINANT, MEASURE_NAMES, OF_CLASS
from cases.conditions import Condition, Verdict
from cases.decide import Decisions
from ground.errors import BadInput
from ground.files import short_hash
from ground.tables import Strict, load_toml, parse

FACTS_OF_CHANGE = tuple(dict.fromkeys((*CHANGE_FACTS, "change_centre_width_m", "change_centre_width_max_m")))
"""Facts that need no layer."""


def layer_of(fact: str) -> str | None:
    """The layer that a fact is measured against; None for a fact of the change, or where the name is no fact's."""
    if fact in FACTS_OF_CHANGE:
        return None
    for measure in (DOMINANT, *OF_CLASS):
        layer, found, of_what = fact.partition(f"_{measure}")
        if layer and found and of_what:
            return layer
    ends = [end for end in (f"_{measure}" for measure in MEASURE_NAMES) if fact.endswith(end)]
    return fact.removesuffix(max(ends, key=len)) or None if ends else None


class Rule(Strict):
    """One verdict, the law it rests on, what must hold for it, and the proof a person must still bring."""

    id: str
    verdict: Verdict
    basis: str
    when: dict[str, Condition]
    proof: str = ""
    group: str = ""
    """The group of a suspected violation, of the book's `groups`."""

    @field_validator("verdict")
    @classmethod
    def _says_something(cls, verdict: Verdict) -> Verdict:
        if verdict is Verdict.DOUBT:
            raise ValueError("doubt is what missing facts give; a rule must give another verdict")
        return verdict

    @field_validator("when")
    @classmethod
    def _knows_its_facts(cls, when: dict[str, Condition]) -> dict[str, Condition]:
        for name in when:
            if name not in FACTS_OF_CHANGE and layer_of(name) is None:
                raise ValueError(
                    f"fact {name!r} is unknown; write {', '.join(FACTS_OF_CHANGE)} or <layer>_<measure> with "
                    f"measure {', '.join(MEASURE_NAMES)}, {DOMINANT}<attribute>, {' or '.join(OF_CLASS)}<group>"
                )
        return when


class Proof(Strict):
    """What a person can bring, how long that takes, and the layers or facts of which it tells."""

    text: str
    minutes: float = Field(gt=0, allow_inf_nan=False)
    settles: list[str] = Field(min_length=1)

    def facts(self, asked: Iterable[str]) -> list[str]:
        """Those of the facts asked of which it tells."""
        return [name for name in asked if name in self.settles or layer_of(name) in self.settles]


class Rulebook(Strict):
    """Rules in the order they are tried, in force from a date."""

    title: str
    jurisdiction: str
    effective_from: date
    groups: list[str] = []
    proofs: dict[str, Proof] = Field(alias="proof", default={})
    rules: list[Rule] = Field(alias="rule", min_length=1)

    @model_validator(mode="after")
    def _always_decides(self) -> "Rulebook":
        ids = [rule.id for rule in self.rules]
        for rule_id in ids:
            if ids.count(rule_id) > 1:
                raise ValueError(f"rule id {rule_id!r} stands twice; every rule needs its own")
        for rule in self.rules[:-1]:
            if not rule.when:
                raise ValueError(
                    f"rule {rule.id!r} always holds and hides those after it; move it to the end"
                )
        if self.rules[-1].when:
            raise ValueError(f"the last rule, {self.rules[-1].id!r}, must hold always: set when = {{}}")
        return self

    @model_validator(mode="after")
    def _is_of_one_piece(self) -> "Rulebook":
        kinds: dict[str, tuple[bool, str]] = {}
        for rule in self.rules:
            if rule.group and rule.group not in self.groups:
                allowed = ", ".join(map(repr, self.groups)) or "none"
                raise ValueError(f"rule {rule.id!r}: group {rule.group!r} is not among groups ({allowed})")
            for name, condition in rule.when.items():
                of_text, first = kinds.setdefault(name, (condition.of_text, rule.id))
                if of_text != condition.of_text:
                    raise ValueError(
                        f"fact {name!r} is a text to one of rules {first!r} and {rule.id!r} and a number to the other"
                    )
        return self

    @cached_property
    def version(self) -> str:
        """Hash of all that the book says; what it leaves out does not count."""
        return short_hash("rulebook", self.model_dump_json(by_alias=True, exclude_defaults=True))

    @cached_property
    def asked(self) -> list[list[tuple[str, bool | None]]]:
        """By rule: the facts that it and those before it ask for, and whether as texts; None: document numbers."""
        known: dict[str, bool | None] = {}
        until = []
        for rule in self.rules:
            known |= {name: condition.of_text for name, condition in rule.when.items()}
            layers = sorted({layer for name in rule.when if (layer := layer_of(name))})
            known |= {name: None for name in (f"{layer}_numbers" for layer in layers) if name not in known}
            until.append(list(known.items()))
        return until

    @cached_property
    def decisions(self) -> Decisions:
        """The book as answers."""
        asked = [*dict.fromkeys(name for rule in self.rules for name in rule.when)]
        proofs = {name: (proof.minutes, proof.facts(asked)) for name, proof in self.proofs.items()}
        return Decisions([(rule.verdict, rule.when) for rule in self.rules], proofs)


def load_rulebook(file: Path) -> Rulebook:
    """One rulebook file.

    Raises:
        BadInput: a typo, with file and key.
    """
    book: Rulebook = parse(Rulebook, load_toml(file), file)
    return book


def load_rulebooks(path: Path) -> list[Rulebook]:
    """One rulebook file, or all of a folder, oldest first.

    Raises:
        BadInput: a typo with file and key; no file; two books in force from the same day.
    """
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path}: holds no rulebook (*.toml); pass --rules FILE or FOLDER")
    books = sorted(map(load_rulebook, files), key=lambda book: book.effective_from)
    days = [book.effective_from for book in books]
    if len(set(days)) < len(days):
        raise BadInput(f"{path}: two rulebooks take effect on one day; give each its own effective_from")
    return books


def in_force(books: Iterable[Rulebook], on: date | None) -> Rulebook | None:
    """The newest book in force on a day; the newest of all where the day is unknown; None before the first."""
    return next((b for b in reversed(list(books)) if on is None or b.effective_from <= on), None)
