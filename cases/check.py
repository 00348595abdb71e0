"""Checking rulebooks before they judge: rules that can never fire, that others hide, or that nothing measures."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cadastre.layers import DOMINANT, Catalogue, load_catalogue
from cases.conditions import Condition
from cases.decide import Answers, Decisions, span_of, values_of
from cases.golden import differences, load_golden
from cases.rulebook import FACTS_OF_CHANGE, Rule, Rulebook, layer_of, load_rulebook
from detection.changes import CHANGE_CLASSES
from ground.errors import BadInput
from ground.tables import load_toml

MOST_BRANCHES = 20_000
"""Ways looked at in which a rule might be reached; past them it counts as one that can."""


@dataclass(frozen=True)
class Finding:
    """A sentence on a file. An error makes the book say what nobody meant; a warning leaves something unsaid."""

    is_error: bool
    file: str
    text: str


@dataclass(frozen=True)
class Checked:
    """What was read and what was found."""

    books: list[Rulebook]
    findings: list[Finding]

    def texts(self, *, errors: bool) -> list[str]:
        """The sentences of one kind."""
        return [f"{one.file}: {one.text}" for one in self.findings if one.is_error == errors]


def check(rulebooks: Path, layers: Path | None, pack: Path | None = None) -> Checked:
    """Everything there is to say of a file or folder of rulebooks.

    `layers`: the layers.toml that must measure what is asked; `pack`: the folder of golden.toml and land_classes.toml.

    Raises:
        BadInput: there is no rulebook, or layers.toml has a typo. Typos in rulebooks are findings.
    """
    files = sorted(rulebooks.glob("*.toml")) if rulebooks.is_dir() else [rulebooks]
    if not files:
        raise BadInput(f"{rulebooks}: holds no rulebook (*.toml); give a pack, a file or a folder")
    catalogue = load_catalogue(layers) if layers else None
    classes = _classes(pack / "land_classes.toml") if pack else []
    findings: list[Finding] = []
    read: list[tuple[Path, Rulebook]] = []
    for file in files:
        try:
            read.append((file, load_rulebook(file)))
        except BadInput as error:
            findings.append(Finding(True, str(file), str(error).removeprefix(f"{file}: ")))
    if catalogue is None:
        findings.append(
            Finding(False, str(rulebooks), "no layers.toml given: whether facts are measured is unchecked")
        )
    for file, book in read:
        findings += [Finding(True, str(file), text) for text in _errors(book, catalogue, classes)]
        findings += [Finding(False, str(file), text) for text in _warnings(book)]
    findings += _days(read)
    books = sorted((book for _, book in read), key=lambda book: book.effective_from)
    table = pack / "golden.toml" if pack else None
    if table and table.is_file() and not any(one.is_error for one in findings):
        findings += [Finding(True, str(table), text) for text in differences(load_golden(table), books)]
    return Checked(books, findings)


def _days(read: list[tuple[Path, Rulebook]]) -> Iterator[Finding]:
    """Two books of one jurisdiction may not begin on one day."""
    ordered = sorted(read, key=lambda one: one[1].effective_from)
    for (former, one), (file, other) in pairwise(ordered):
        if one.effective_from == other.effective_from:
            text = f"takes effect on {other.effective_from}, as {former.name} does; give each its own day"
            yield Finding(True, str(file), text)
        if one.jurisdiction != other.jurisdiction:
            text = f"is of {other.jurisdiction!r}, {former.name} of {one.jurisdiction!r}; keep them in folders apart"
            yield Finding(True, str(file), text)


def _errors(book: Rulebook, catalogue: Catalogue | None, classes: list[str]) -> Iterator[str]:
    for place, rule in enumerate(book.rules):
        faults = [
            f"rule {rule.id!r}: {name}: {fault}"
            for name, condition in rule.when.items()
            for fault in _faults(name, condition, catalogue, classes)
        ]
        yield from faults
        if not faults and (hidden := _hidden(book, place)):
            yield f"rule {rule.id!r} can never decide: {hidden}"


def _faults(
    name: str, condition: Condition, catalogue: Catalogue | None, classes: list[str]
) -> Iterator[str]:
    """Why a condition can never be met, or never be answered."""
    if condition.of_text != _is_text(name):
        asked, kind = ("a number", "a text") if _is_text(name) else ("a text", "a number")
        yield f"it is {kind}, and {asked} is asked of it; use {_USE[_is_text(name)]}"
        return
    yield from _holds_now_and_then(name, condition)
    if name == "change_class":
        for text in condition.texts():
            begins = text in (condition.starts_with or ())
            if not any(known.startswith(text) if begins else known == text for known in CHANGE_CLASSES):
                yield f"class {text!r} is unknown; use {', '.join(CHANGE_CLASSES)}"
    if catalogue is None or name in FACTS_OF_CHANGE:
        return
    layer = layer_of(name) or ""
    if layer not in catalogue:
        yield f"there is no layer {layer!r} in layers.toml; add it, or use {', '.join(catalogue)}"
    elif name.removeprefix(f"{layer}_") not in catalogue[layer].measures:
        has = ", ".join(catalogue[layer].measures) or "none"
        yield f"layer {layer!r} does not measure it; add it to its measures ({has})"
    elif name.endswith("_dominant") and "land_class" in catalogue[layer].columns and classes:
        for text in condition.texts():
            if not any(text.startswith(known) or known.startswith(text) for known in classes):
                yield f"land class {text!r} is not in land_classes.toml; mend it"


def _holds_now_and_then(name: str, condition: Condition) -> Iterator[str]:
    """Whether a condition holds of no value that its fact can have, or of all."""
    held = {condition.holds(value) for value in values_of(name, [condition])}
    if held == {True} or held == {False}:
        always = "always holds, so it asks nothing" if held == {True} else "never holds"
        low, high = span_of(name)
        where = f"it lies between {low:g} and {high:g}, where the condition"
        yield f"{'whatever its text, the condition' if condition.of_text else where} {always}; mend its bounds or texts"


_USE = {True: "any_of, none_of or starts_with", False: "min, max, above or below"}


def _is_text(name: str) -> bool:
    layer = layer_of(name)
    if layer is None:
        return name == "change_class"
    measure = name.removeprefix(f"{layer}_")
    return measure in {"dominant", "numbers", "nearest"} or measure.startswith(DOMINANT)


def _hidden(book: Rulebook, place: int) -> str:
    """The rules before it that hold wherever it does; "" where it can be the first to hold."""
    if _reachable(book.decisions, place):
        return ""
    rule = book.rules[place]
    for former in book.rules[:place]:
        if _implies(rule, former):
            return f"{former.id!r}, tried before it, holds wherever it does; move it up, or mend either"
    return "the rules tried before it, taken together, hold wherever it does; move it up, or mend them"


def _implies(rule: Rule, former: Rule) -> bool:
    return all(
        name in rule.when
        and all(
            condition.holds(value)
            for value in values_of(name, [condition, rule.when[name]])
            if rule.when[name].holds(value)
        )
        for name, condition in former.when.items()
    )


def _reachable(decisions: Decisions, place: int) -> bool:
    """Whether some facts make this rule the first that holds. Looks for them; gives up in its favor."""
    start: Answers = (None,) * len(decisions.asked)
    branches, looked = [start], 0
    while branches:
        looked += 1
        if looked > MOST_BRANCHES:
            return True
        here = branches.pop()
        rules = decisions.candidates(here)
        if place not in rules:
            continue
        lacking = decisions.unknown(here, place)
        if not lacking and rules[0] == place:
            return True
        name = (lacking or decisions.unknown(here, rules[0]))[0]
        branches += [decisions.given(here, name, cell) for cell in decisions.cells(name)]
    return False


def _warnings(book: Rulebook) -> Iterator[str]:
    asked = [*dict.fromkeys(name for rule in book.rules for name in rule.when)]
    for rule in book.rules:
        if unsaid := [name for name, condition in rule.when.items() if not condition.source]:
            yield f'rule {rule.id!r}: no source for {", ".join(unsaid)}; write where it stands: source = "…"'
    for name, proof in book.proofs.items():
        layers = {layer_of(fact) for fact in asked}
        for settled in proof.settles:
            if settled not in asked and settled not in layers:
                yield f"proof {name!r} settles {settled!r}, which no rule asks for; remove it"
    settled_facts = {fact for proof in book.proofs.values() for fact in proof.facts(asked)}
    if book.proofs:
        for fact in asked:
            if fact not in settled_facts:
                yield f"no proof settles {fact!r}: a doubt about it cannot name one; add it to a proof's settles"
    for group in book.groups:
        if all(rule.group != group for rule in book.rules):
            yield f"group {group!r} has no rule; remove it"


def _classes(path: Path) -> list[str]:
    if not path.is_file():
        return []
    groups = load_toml(path).values()
    return [code for group in groups if isinstance(group, list) for code in group]
