"""Rules one by one: true, false or unknown; the first that holds decides, the first that cannot makes doubt."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadastre.facts import Fact, Facts
from cases.rules import NEED_A_PERSON, Condition, Judgement, Rulebook, Verdict, judge
from tests.cases_world import book

NAN = float("nan")


@pytest.mark.parametrize(
    ("asked", "fact", "answer"),
    [
        ({"min": 0.95}, 0.95, True),
        ({"min": 0.95}, 0.949999, False),
        ({"max": 8.0}, 8.0, True),
        ({"max": 8.0}, 8.000001, False),
        ({"min": 2.0, "max": 8.0}, 2.0, True),
        ({"min": 2.0, "max": 8.0}, 1.999, False),
        ({"min": 0, "max": 0}, 0.0, True),
        ({"min": -0.2}, -0.1, True),
        ({"any_of": ["linear", "vegetation_loss"]}, "linear", True),
        ({"any_of": ["linear"]}, "Linear", False),
        ({"any_of": ["linear"]}, "", False),
        ({"min": 0.95}, None, None),
        ({"max": 8.0}, NAN, None),
        ({"min": 2.0}, NAN, None),
        ({"any_of": ["linear"]}, None, None),
        # A text has no size, and a number is not in a list of texts: neither is known to be so or not.
        ({"min": 101}, "0101", None),
        ({"any_of": ["101"]}, 101.0, None),
    ],
)
def test_a_condition_is_true_false_or_unknown(asked: dict[str, Any], fact: Fact, answer: bool | None) -> None:
    assert Condition(**asked).holds(fact) is answer


def said(facts: dict[str, Fact], *rules: dict[str, Any], why: dict[str, str] | None = None) -> Judgement:
    return judge(Facts(facts, why or {}), book(*rules))


A = {"id": "A", "verdict": "lawful", "when": {"permits_share": {"min": 0.9}}, "proof": "permit"}
B = {"id": "B", "verdict": "facility", "when": {"farms_share": {"min": 0.9}, "change_width_m": {"max": 8}}}


@pytest.mark.parametrize(
    ("permits", "farms", "width", "verdict", "rule", "missing"),
    [
        (1.0, 1.0, 5.0, "lawful", "A", []),
        (1.0, None, None, "lawful", "A", []),  # decided before anyone asks what is unknown
        (0.0, 1.0, 5.0, "facility", "B", []),
        (0.0, 0.0, 5.0, "suspected_violation", "LAST", []),
        (0.0, 0.0, None, "suspected_violation", "LAST", []),  # one false condition is enough
        (0.0, None, 9.0, "suspected_violation", "LAST", []),
        (0.0, None, 5.0, "doubt", "B", ["farms_share"]),
        (0.0, None, None, "doubt", "B", ["change_width_m", "farms_share"]),
        (0.0, 1.0, NAN, "doubt", "B", ["change_width_m"]),
        (None, 1.0, 5.0, "doubt", "A", ["permits_share"]),  # B holds, but A might have held before it
        (None, 0.0, 5.0, "doubt", "A", ["permits_share"]),
        (None, None, None, "doubt", "A", ["permits_share"]),
    ],
)
def test_the_first_rule_that_holds_decides_and_the_first_undecidable_makes_doubt(
    permits: float | None,
    farms: float | None,
    width: float | None,
    verdict: str,
    rule: str,
    missing: list[str],
) -> None:
    judgement = said({"permits_share": permits, "farms_share": farms, "change_width_m": width}, A, B)
    assert (judgement.verdict, judgement.rule_id, sorted(judgement.missing)) == (verdict, rule, missing)


def test_order_decides_where_two_rules_hold() -> None:
    facts: dict[str, Fact] = {"permits_share": 1.0, "farms_share": 1.0, "change_width_m": 5.0}
    assert said(facts, A, B).rule_id == "A"
    assert said(facts, B, A).rule_id == "B"


def test_doubt_says_why_and_carries_the_proof_that_would_settle_it() -> None:
    doubt = said({"permits_share": None}, A, why={"permits_share": "layer permits is not in hand"})
    assert doubt.missing == {"permits_share": "layer permits is not in hand"}
    assert (doubt.proof, doubt.basis, doubt.needs_a_person) == ("permit", "basis of A", True)
    nowhere = said({}, A)
    assert nowhere.missing == {"permits_share": "no layer in layers.toml measures it"}
    kind = said({"permits_share": "0.97"}, A)
    assert kind.missing == {"permits_share": "it is not of the kind the rule asks for"}


def test_a_judgement_shows_what_it_looked_at_with_numbers_and_nothing_else() -> None:
    facts: dict[str, Fact] = {
        "permits_share": 0.2, "permits_numbers": "P-1, P-2", "farms_share": 1.0, "farms_numbers": "",
        "change_width_m": 5.0, "unasked_m2": 7.0,
    }  # fmt: skip
    judgement = said(facts, A, B)
    assert judgement.seen == {
        "permits_share": 0.2, "permits_numbers": "P-1, P-2", "farms_share": 1.0, "change_width_m": 5.0,
    }  # fmt: skip
    assert said(facts | {"permits_share": 0.95}, A, B).seen == {
        "permits_share": 0.95,
        "permits_numbers": "P-1, P-2",
    }


def test_only_suspicion_and_doubt_need_a_person() -> None:
    assert {verdict.value for verdict in NEED_A_PERSON} == {"suspected_violation", "doubt"}
    assert not said({"permits_share": 1.0}, A).needs_a_person
    assert said({"permits_share": 0.0}, A).needs_a_person


def test_no_machine_can_say_violation() -> None:
    assert "violation" not in {verdict.value for verdict in Verdict}
    with pytest.raises(ValueError, match="violation"):
        book({"id": "X", "verdict": "violation", "when": {"permits_share": {"min": 1}}})


def test_without_a_rulebook_everything_is_doubt() -> None:
    judgement = judge(Facts({"permits_share": 1.0}), None)
    assert (judgement.verdict, judgement.rule_id, judgement.rulebook) == ("doubt", "NO-RULEBOOK-IN-FORCE", "")
    assert judgement.missing == {"rulebook": "no rulebook was in force on the day of the later scene"}


def test_the_version_changes_with_every_word_and_with_nothing_else() -> None:
    versions = {
        book(A).version,
        book(B).version,
        book(A, B).version,
        book(B, A).version,
        book(A | {"proof": "lease"}).version,
        book(A, effective_from="2021-01-01").version,
    }
    assert len(versions) == 6
    assert book(A).version == book(dict(reversed(A.items()))).version
    assert said({"permits_share": 1.0}, A).rulebook == book(A).version


NAMES = ("a_share", "b_share", "c_share")
SHARES = st.sampled_from([None, 0.0, 0.5, 1.0])
RULES = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from([{"min": 0.5}, {"max": 0.5}]), min_size=1),
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(
    whens=RULES,
    facts=st.fixed_dictionaries(dict.fromkeys(NAMES, SHARES)),
    verdicts=st.lists(st.sampled_from(["lawful", "other", "suspected_violation"]), min_size=4, max_size=4),
)
def test_it_is_doubt_if_and_only_if_the_unknown_can_turn_the_verdict(
    whens: list[dict[str, Any]], facts: dict[str, float | None], verdicts: list[str]
) -> None:
    rules = [{"id": f"R{i}", "verdict": verdicts[i], "when": when} for i, when in enumerate(whens)]
    rulebook: Rulebook = book(*rules)
    judgement = judge(Facts(dict(facts)), rulebook)
    completions = [{}]
    for name, value in facts.items():
        guesses = [0.0, 0.5, 1.0] if value is None else [value]
        completions = [known | {name: guess} for known in completions for guess in guesses]
    ends = [judge(Facts(known), rulebook) for known in completions]
    said = {end.verdict for end in ends}
    assert (judgement.verdict is Verdict.DOUBT) == (len(said) > 1)
    assert judgement.rule_id in {end.rule_id for end in ends}
    if judgement.verdict is Verdict.DOUBT:
        assert judgement.missing
        assert all(facts[name] is None for name in judgement.missing)
    else:
        assert {judgement.verdict} == said
        assert judgement.missing == {}


@pytest.mark.parametrize(
    ("asked", "fact", "answer"),
    [
        ({"above": 0.5}, 0.5, False),
        ({"above": 0.5}, 0.500001, True),
        ({"below": 0.5}, 0.5, False),
        ({"min": 2, "below": 8}, 2.0, True),
        ({"min": 2, "below": 8}, 8.0, False),
        ({"none_of": ["203"]}, "203", False),
        ({"none_of": ["203"]}, "", True),
        ({"none_of": ["203"]}, None, None),
        ({"starts_with": ["01", "1202"]}, "0103", True),
        ({"starts_with": ["01", "1202"]}, "1203", False),
        ({"starts_with": ["01"]}, "", False),
        ({"starts_with": ["01"]}, 101.0, None),
        ({"starts_with": ["12"], "none_of": ["1202"]}, "1202", False),
        ({"starts_with": ["12"], "none_of": ["1202"]}, "1203", True),
    ],
)
def test_strict_bounds_and_texts(asked: dict[str, Any], fact: Fact, answer: bool | None) -> None:
    assert Condition(**asked).holds(fact) is answer


PROOFS = {
    "permit": {"text": "the permit", "minutes": 5, "settles": ["permits"]},
    "survey": {"text": "a survey", "minutes": 600, "settles": ["permits", "farms", "change_width_m"]},
    "lease": {"text": "the lease", "minutes": 30, "settles": ["farms_share"]},
}


@pytest.mark.parametrize(
    ("permits", "farms", "width", "settles"),
    [
        (None, 0.0, 5.0, ["permit", "survey"]),
        (0.0, None, 5.0, ["lease", "survey"]),
        # A permit makes it lawful; of a lease alone nothing follows, nor of its absence.
        (None, None, 5.0, ["permit", "survey"]),
        (0.0, None, None, ["lease", "survey"]),  # no lease: suspected, whatever the width
        (0.0, 1.0, 5.0, []),
    ],
)
def test_a_doubt_names_the_proofs_that_can_settle_it_cheapest_first(
    permits: float | None, farms: float | None, width: float | None, settles: list[str]
) -> None:
    facts: dict[str, Fact] = {"permits_share": permits, "farms_share": farms, "change_width_m": width}
    judgement = judge(Facts(facts), book(A, B, proof=PROOFS))
    assert [one["proof"] for one in judgement.settles] == settles
    assert judgement.proof == (PROOFS[settles[0]]["text"] if settles else "")


def test_a_book_may_group_its_suspicions_and_no_group_is_misspelled() -> None:
    rule = {
        "id": "R",
        "verdict": "suspected_violation",
        "when": {"permits_share": {"max": 0}},
        "group": "roads",
    }
    assert judge(Facts({"permits_share": 0.0}), book(rule, groups=["roads"])).group == "roads"
    with pytest.raises(ValueError, match=r"rule 'R': group 'roads' is not among groups \('road'\)"):
        book(rule, groups=["road"])


def test_a_fact_is_a_text_or_a_number_to_all_rules() -> None:
    other = {"id": "O", "verdict": "other", "when": {"permits_share": {"any_of": ["1"]}}}
    with pytest.raises(ValueError, match="a text to one of rules 'A' and 'O' and a number to the other"):
        book(A, other)


def test_bounds_between_which_nothing_lies_are_refused() -> None:
    with pytest.raises(ValueError, match="no number lies within these bounds"):
        Condition(min=2, below=2)
