"""Shares: between their bounds whatever unknown land turns out to be; what they are made of is sound."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.workflow import load_workflow
from ground.errors import BadInput
from reports.definitions import Definitions, load_definitions
from reports.shares import BELOW, REACHED, UNKNOWN, shares_of
from reports.tally import Tally
from reports.words import load_words

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def tally(kind: str, cultivated: float, unknown: float, **more: Any) -> Tally:
    known: dict[str, Any] = {
        "county": "140105", "in_region": True, "year": 2024, "in_period": True, "change_class": "linear",
        "verdict": "suspected_violation", "status": "violation" if kind == "over" else "suspected", "number": 1,
        "monitored_m2": 0.0, "monitored_mu": 0.0, "cultivated_mu": cultivated, "unknown_number": int(unknown > 0),
        "unknown_mu": unknown,
    }  # fmt: skip
    return Tally(**(known | more))


amounts = st.lists(
    st.tuples(st.sampled_from(["over", "rest"]), st.integers(0, 50), st.integers(0, 50), st.floats(0, 1)),
    min_size=1,
)


@given(amounts)
def test_whatever_unknown_land_turns_out_to_be_the_share_lies_between(
    rows: Sequence[tuple[str, int, int, float]],
) -> None:
    means, moment = load_definitions(), datetime(2025, 1, 1, tzinfo=UTC)
    period = (None, None)
    told = shares_of([tally(kind, a, b) for kind, a, b, _ in rows], means, moment, period, True)[0]
    truth = shares_of(
        [tally(kind, a + b * part, 0) for kind, a, b, part in rows], means, moment, period, True
    )[0]
    if truth.share is not None and told.least is not None and told.most is not None:
        assert told.least - 1e-9 <= truth.share <= told.most + 1e-9
        if told.against != UNKNOWN and abs(truth.share - 0.15) > 1e-9:
            assert told.against == (REACHED if truth.share >= 0.15 else BELOW)


def test_the_line_itself_counts() -> None:
    rows = [tally("over", 15, 0), tally("rest", 85, 0)]
    assert shares_of(rows, load_definitions(), NOW, (None, None), True)[0].against == REACHED
    rows = [tally("over", 14.99, 0), tally("rest", 85.01, 0)]
    assert shares_of(rows, load_definitions(), NOW, (None, None), True)[0].against == BELOW
    early = [tally("over", 1, 0, year=2007)]
    assert shares_of(early, load_definitions(), NOW, (None, None), True)[0].why == "no_formula"


def test_definitions_know_every_status_and_word() -> None:
    means, road, words = load_definitions(), load_workflow(), load_words()
    for status in road.statuses:
        assert means.kind_of(status, "doubt") in words["finding"]
        assert means.review_of(status) in words["review"]
    assert set(means.parts) <= set(words["finding"])
    with pytest.raises(BadInput, match="does not say what status 'sold' counts as"):
        means.kind_of("sold", "doubt")
    raw = means.model_dump(by_alias=True)
    with pytest.raises(ValueError, match="under must hold what over and confirmed hold, also other"):
        Definitions.model_validate(raw | {"formula": [raw["formula"][0] | {"over": ["other"]}]})
    with pytest.raises(
        ValueError, match="reopened names 'lawful', which found does not count as a violation"
    ):
        Definitions.model_validate(raw | {"reopened": {"statuses": ["closed", "lawful"]}})
    with pytest.raises(ValueError, match="it has passed, and in review"):
        Definitions.model_validate(raw | {"review": {"pending": ["violation"]}})
