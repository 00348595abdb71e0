"""What lies outside of a layer, what a group of land classes covers, and what happened between two scenes; by hand."""

from typing import Any

import pytest

from cadastre.facts import Facts
from cadastre.layers import Layer
from cases.decide import span_of
from cases.rulebook import layer_of as layer_named
from tests.cases_world import facts_against, rect

HECTARE = rect(0, 0, 100, 100)
# The scenes are of 2021-05-01 and 2021-09-01.
CLASSES = {"classes": {"built": ["05", "0601"], "tilled": ["01"]}}
EVENTS = {"counts": "happened"}


def test_what_lies_outside_is_what_no_feature_covers() -> None:
    found = facts_against(HECTARE, [rect(0, 0, 60, 100), rect(50, 0, 90, 100)], measures=["outside_m2"])
    assert found.values["l_outside_m2"] == pytest.approx(1000, abs=0.05)
    assert (
        facts_against(HECTARE, [rect(-9, -9, 200, 200)], measures=["outside_m2"]).values["l_outside_m2"] == 0
    )
    nothing = facts_against(HECTARE, [], measures=["outside_m2"]).values["l_outside_m2"]
    assert nothing == pytest.approx(10_000, abs=0.05)


def of_classes(shapes: list[Any], **more: Any) -> Facts:
    measures = ["share_of_built", "m2_of_tilled", "dominant"]
    return facts_against(HECTARE, shapes, measures=measures, said=CLASSES, **more)


def test_a_group_of_classes_is_measured_without_the_others() -> None:
    strips = [rect(0, 0, 51, 100), rect(51, 0, 80, 100), rect(80, 0, 100, 100)]
    found = of_classes(strips, land_class=["0601", "0301", "0102"]).values
    assert found["l_dominant"] == "0601"
    assert found["l_share_of_built"] == pytest.approx(0.51, abs=1e-5)
    assert found["l_m2_of_tilled"] == pytest.approx(2000, abs=0.05)
    # Features of one group that overlap count once, and the others hide nothing.
    twice = [rect(0, 0, 60, 100), rect(40, 0, 100, 100), rect(0, 0, 100, 100)]
    found = of_classes(twice, land_class=["0507", "0601", "03"]).values
    assert found["l_share_of_built"] == pytest.approx(1.0, abs=1e-5)
    assert found["l_m2_of_tilled"] == 0
    assert of_classes([], land_class=[]).values["l_share_of_built"] == 0


def test_a_feature_without_a_class_may_be_of_the_group() -> None:
    found = of_classes([rect(0, 0, 90, 100), rect(90, 0, 100, 100)], land_class=["0601", None])
    assert (found.values["l_share_of_built"], found.values["l_m2_of_tilled"]) == (None, None)
    assert found.why["l_share_of_built"] == "layer l: a feature in the change has no land class"
    elsewhere = of_classes([HECTARE, rect(500, 0, 600, 100)], land_class=["0601", None])
    assert elsewhere.values["l_share_of_built"] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("begins", "ends", "share"),
    [
        ("2010-07-01", None, 0.0),
        ("2021-04-30", None, 0.0),
        ("2021-05-01", None, 1.0),
        ("2021-07-01", None, 1.0),
        ("2021-09-01", None, 1.0),
        ("2021-09-02", None, 0.0),
        ("2021-04-01", "2021-05-02", 1.0),
        ("2021-04-01", "2021-04-30", 0.0),
        (None, None, None),
    ],
)
def test_an_event_counts_if_it_happened_between_the_scenes(
    begins: str | None, ends: str | None, share: float | None
) -> None:
    found = facts_against(
        HECTARE, [HECTARE], measures=["share"], said=EVENTS, valid_from=[begins], valid_to=[ends]
    )
    assert found.values["l_share"] == share


def test_facts_of_groups_are_named_after_layer_and_measure() -> None:
    assert layer_named("land_use_share_of_construction") == "land_use"
    assert layer_named("approvals_outside_m2") == "approvals"
    assert layer_named("works_of_art_m2") == "works_of_art"
    assert span_of("land_use_share_of_construction") == (0.0, 1.0)
    given = {"title": "t", "path": "p", "coverage": "bounds"}
    with pytest.raises(ValueError, match=r"measure 'share_of_built' is unknown; use .*m2_of_tilled"):
        Layer.model_validate(given | {"classes": {"tilled": ["01"]}, "measures": ["share_of_built"]})
    with pytest.raises(ValueError, match=r"measure 'distance_m' is unknown"):
        Layer.model_validate(given | EVENTS | {"measures": ["distance_m"]})
