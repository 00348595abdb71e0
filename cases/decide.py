"""Deciding: which rule may be the first that holds, and whether what is unknown can still turn the verdict.

Works on answers only: a tuple with True, False or None for every condition of a book, in order. A county has a
hundred thousand changes and a few hundred different tuples, so each is thought through once.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from cadastre.facts import Fact
from cases.conditions import Condition, Verdict

Answers = tuple[bool | None, ...]
MOST_BRANCHES = 500
"""Completions looked at before it is called doubt, which is never wrong."""
SOMETHING_ELSE = "\ufffd"
"""A text that no condition names."""
NATURAL = {
    "_share": (0.0, 1.0), "_probability": (0.0, 1.0), "_ndvi": (-2.0, 2.0), "_m2": (0.0, 1e15),
    "_m": (0.0, 1e9), "_count": (0.0, 1e9),
}  # fmt: skip
"""What a fact can be, by the end of its name."""
_OF_CLASS = re.compile(r"(_m2|_share)_of_[a-z0-9_]+$")


@dataclass(frozen=True)
class Outcome:
    """The rule named, whether the verdict is decided, and what is missing if it is not.

    `missing`: unknown facts of that rule; `settling`: names of the proofs of which some answer decides.
    """

    rule: int
    decided: bool
    missing: tuple[str, ...] = ()
    settling: tuple[str, ...] = ()


def span_of(name: str) -> tuple[float, float]:
    """The least and the most that a fact can be."""
    name = _OF_CLASS.sub(r"\1", name)
    return next((span for end, span in NATURAL.items() if name.endswith(end)), (-1e15, 1e15))


def values_of(name: str, conditions: Sequence[Condition]) -> list[Fact]:
    """Values of a fact, one at least for every combination of answers that it can give."""
    if any(condition.of_text for condition in conditions):
        texts = {text for condition in conditions for text in condition.texts()}
        return ["", SOMETHING_ELSE, *sorted(texts), *sorted(text + SOMETHING_ELSE for text in texts)]
    low, high = span_of(name)
    turns = {low, high, *(value for condition in conditions for value in condition.turns())}
    return [value for value in sorted(turns) if low <= value <= high]


class Decisions:
    """The rules of a book as answers, with every outcome found so far."""

    def __init__(
        self,
        rules: Sequence[tuple[Verdict, Mapping[str, Condition]]],
        proofs: Mapping[str, tuple[float, Sequence[str]]] = {},
    ) -> None:
        """`rules`: verdict and conditions; the last has none. `proofs`: minutes and the facts they settle."""
        self.verdicts = [verdict for verdict, _ in rules]
        self.asked = [(name, condition) for _, when in rules for name, condition in when.items()]
        ends = [sum(len(when) for _, when in rules[: i + 1]) for i in range(len(rules))]
        self.spans = list(zip([0, *ends[:-1]], ends, strict=True))
        self.places: dict[str, list[int]] = {}
        for place, (name, _) in enumerate(self.asked):
            self.places.setdefault(name, []).append(place)
        self.proofs = sorted(proofs.items(), key=lambda item: (item[1][0], item[0]))
        self._cells: dict[str, list[Answers]] = {}
        self._outcomes: dict[Answers, Outcome] = {}

    def answers(self, values: Mapping[str, Fact]) -> Answers:
        """What the conditions say of these facts, as far as it matters: all False in a rule that is, and after the end.

        The end is the first rule that holds.
        """
        said: list[bool | None] = [False] * len(self.asked)
        for start, end in self.spans:
            holds = True
            for place in range(start, end):
                name, condition = self.asked[place]
                answer = said[place] = condition.holds(values.get(name))
                if answer is False:
                    said[start:end] = [False] * (end - start)
                    holds = False
                    break
                holds = holds and answer is True
            if holds:
                break
        return tuple(said)

    def outcome(self, answers: Answers) -> Outcome:
        """Which rule decides, or what keeps it from being decided."""
        found = self._outcomes.get(answers)
        if found is None:
            found = self._outcomes[answers] = self._think(answers)
        return found

    def cells(self, name: str) -> list[Answers]:
        """All that the conditions on one fact can say together."""
        if name not in self._cells:
            conditions = [self.asked[place][1] for place in self.places[name]]
            said = [tuple(c.holds(value) for c in conditions) for value in values_of(name, conditions)]
            self._cells[name] = [*dict.fromkeys(one for one in said if None not in one)]
        return self._cells[name]

    def candidates(self, answers: Answers) -> list[int]:
        """Rules that may be the first to hold; of the last one it is known that it holds."""
        found = []
        for rule, (start, end) in enumerate(self.spans):
            here = answers[start:end]
            if False in here:
                continue
            found.append(rule)
            if None not in here:
                break
        return found

    def unknown(self, answers: Answers, rule: int) -> list[str]:
        """The facts that a rule lacks."""
        start, end = self.spans[rule]
        return [self.asked[place][0] for place in range(start, end) if answers[place] is None]

    def given(self, answers: Answers, name: str, cell: Answers) -> Answers:
        """Answers with one fact learned."""
        learned = list(answers)
        for place, answer in zip(self.places[name], cell, strict=True):
            learned[place] = answer
        return tuple(learned)

    def _think(self, answers: Answers) -> Outcome:
        rules = self.candidates(answers)
        if len(rules) == 1:
            return Outcome(rules[0], True)
        ends = self._ends(answers)
        if ends and len({self.verdicts[rule] for rule in ends}) == 1:
            return Outcome(max(ends), True)
        missing = self.unknown(answers, rules[0])
        open_facts = [*dict.fromkeys(name for rule in rules for name in self.unknown(answers, rule))]
        able = [name for name, (_, facts) in self.proofs if self._settles(answers, facts, open_facts)]
        near = [name for name, (_, facts) in self.proofs if set(facts) & set(missing)]
        return Outcome(rules[0], False, tuple(missing), tuple(able or near))

    def _ends(self, answers: Answers) -> set[int]:
        """The rules that decide over all completions; empty where there are too many to look at.

        Two verdicts found are enough.
        """
        ends: set[int] = set()
        open_branches, looked = [answers], 0
        while open_branches:
            looked += 1
            if looked > MOST_BRANCHES:
                return set()
            here = open_branches.pop()
            rules = self.candidates(here)
            lacking = self.unknown(here, rules[0])
            if not lacking:
                ends.add(rules[0])
                if len({self.verdicts[rule] for rule in ends}) > 1:
                    return ends
            elif len({self.verdicts[rule] for rule in rules}) == 1:
                ends.add(rules[-1])
            else:
                name = lacking[0]
                open_branches += [self.given(here, name, cell) for cell in self.cells(name)]
        return ends

    def _settles(self, answers: Answers, facts: Sequence[str], open_facts: Sequence[str]) -> bool:
        """Whether some answer to these facts decides the verdict."""
        asked = [name for name in open_facts if name in facts]
        return bool(asked) and any(self._agrees(one) for one in self._completions(answers, asked))

    def _completions(self, answers: Answers, names: Sequence[str]) -> Iterator[Answers]:
        for count, cells in enumerate(product(*(self.cells(name) for name in names))):
            if count >= MOST_BRANCHES:
                return
            learned = answers
            for name, cell in zip(names, cells, strict=True):
                learned = self.given(learned, name, cell)
            yield learned

    def _agrees(self, answers: Answers) -> bool:
        """Whether every completion leads to the same verdict."""
        return len({self.verdicts[rule] for rule in self._ends(answers)}) == 1
