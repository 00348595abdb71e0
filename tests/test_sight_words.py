"""Directions as they are said: from 0° to 359°, and no span of nothing."""

import pytest

from evidence.checks import Said, check_place
from evidence.exif import Picture
from evidence.sight import whole_deg
from reports.words import Language, Words
from tests.evidence_world import LIMITS, beside
from tests.test_evidence_checks import HERE


@pytest.mark.parametrize(("direction", "said"), [(359.7, 0), (0.2, 0), (359.4, 359), (360.0, 0), (90.5, 90)])
def test_a_circle_ends_before_360(direction: float, said: int) -> None:
    assert whole_deg(direction) == said


def test_a_change_that_is_far_in_the_north_lies_at_0() -> None:
    # 100 m wide from 30 km away: a fifth of a degree.
    lon, lat = beside(180, 30_000, 100.0005, 35.0)
    picture = Picture(has_exif=True, whole=True, lon=lon, lat=lat, azimuth=359.8)
    found = check_place(picture, HERE, LIMITS)[1]
    assert (found.said, found.why) == (
        Said.PASS, "it looks toward 0°, 65° wide, and the change lies at 0°",
    )  # fmt: skip
    assert Words(Language.ZH).why(found.why) == "镜头朝向 0°，视场 65°，图斑位于 0° 方向"
