"""What a doubt names as settling it, and what it settles without, against every completion tried one by one."""

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cadastre.facts import Fact, Facts
from cases.rules import Rulebook, Verdict, judge

VALUES: dict[str, list[Fact]] = {
    "a_share": [0.0, 0.3, 0.5, 0.7, 1.0],
    "b_m2": [0.0, 0.3, 0.5, 0.7, 9.0],
    "c_dominant": ["x", "01", "0101", ""],
}
"""A value on every side of every threshold below."""
BOUNDS = st.builds(
    lambda key, at: {key: at},
    st.sampled_from(["min", "max", "above", "below"]),
    st.sampled_from([0.3, 0.5, 0.7]),
)
TEXTS = st.builds(
    lambda key, text: {key: [text]},
    st.sampled_from(["any_of", "none_of", "starts_with"]),
    st.sampled_from(["x", "01"]),
)
WHENS = st.fixed_dictionaries({}, optional={"a_share": BOUNDS, "b_m2": BOUNDS, "c_dominant": TEXTS}).filter(
    bool
)
VERDICTS = st.sampled_from(["lawful", "other", "facility", "suspected_violation"])
FACTS = st.fixed_dictionaries({name: st.sampled_from([None, *values]) for name, values in VALUES.items()})


def book(whens: list[tuple[str, dict[str, Any]]], last: str) -> Rulebook:
    rules = [{"id": f"R{i}", "verdict": v, "basis": "b", "when": when} for i, (v, when) in enumerate(whens)]
    proofs = {name: {"text": name, "minutes": i + 1, "settles": [name]} for i, name in enumerate(VALUES)}
    head = {"title": "t", "jurisdiction": "j", "effective_from": "2020-01-01", "proof": proofs}
    return Rulebook.model_validate(
        head | {"rule": [*rules, {"id": "L", "verdict": last, "basis": "b", "when": {}}]}
    )


@settings(max_examples=150, deadline=None)
@given(whens=st.lists(st.tuples(VERDICTS, WHENS), min_size=1, max_size=4), last=VERDICTS, facts=FACTS)
def test_doubt_and_its_proofs_are_those_of_all_completions(
    whens: list[tuple[str, dict[str, Any]]], last: str, facts: dict[str, Fact]
) -> None:
    rulebook = book(whens, last)
    said = judge(Facts(facts), rulebook)

    def verdicts(known: dict[str, Fact]) -> set[Verdict]:
        unknown = [name for name, value in known.items() if value is None]
        guesses = product(*(VALUES[name] for name in unknown))
        return {
            judge(Facts(known | dict(zip(unknown, guess, strict=True))), rulebook).verdict
            for guess in guesses
        }

    truth = verdicts(facts)
    assert said.verdict is (truth.pop() if len(truth) == 1 else Verdict.DOUBT)
    if said.verdict is not Verdict.DOUBT:
        return
    asked = {name for _, when in whens for name in when}
    able = [
        name
        for name in VALUES
        if name in asked
        and facts[name] is None
        and any(len(verdicts(facts | {name: value})) == 1 for value in VALUES[name])
    ]
    # All that end it by themselves, the cheapest first; where none does, those of what the rule lacks.
    assert [one["proof"] for one in said.settles] == (
        able or [name for name in VALUES if name in said.missing]
    )
