"""What a file of evidence must be, read from evidence.toml."""

from datetime import date
from pathlib import Path

from pydantic import Field, model_validator

from ground.tables import Strict, load_toml, parse

EVIDENCE_TOML = Path(__file__).with_name("evidence.toml")

CHECKS = ("type", "size", "whole", "exif", "time", "distance", "direction")
"""Of a photo."""


class Threshold(Strict):
    """A number, and where it stands."""

    value: float = Field(allow_inf_nan=False)
    source: str = Field(min_length=1)


class Must(Strict):
    """Checks of a photo of which unknown is no pass, and who says so."""

    checks: list[str]
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _is_known(self) -> "Must":
        for name in self.checks:
            if name not in CHECKS:
                raise ValueError(f"checks holds {name!r}; use {', '.join(CHECKS)}")
        return self


class Limits(Strict):
    """All of evidence.toml; its comments say what each number means."""

    effective_from: date
    photo_kinds: list[str]
    datums: list[str]
    must_pass: Must
    largest_bytes: Threshold
    largest_photo_bytes: Threshold
    largest_pixels: Threshold
    largest_bundle_bytes: Threshold
    largest_ratio: Threshold
    camera_zone_hours: Threshold
    clock_slack_minutes: Threshold
    farthest_m: Threshold
    position_error_m: Threshold
    worst_position_m: Threshold
    compass_error_deg: Threshold
    magnetic_error_deg: Threshold
    field_of_view_deg: Threshold
    types: dict[str, list[str]] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be(self) -> "Limits":
        for name, field in self:
            if isinstance(field, Threshold) and name != "camera_zone_hours" and field.value <= 0:
                raise ValueError(f"{name} is {field.value:g}; give a number above 0")
        if abs(self.camera_zone_hours.value) > 14:
            raise ValueError(
                f"camera_zone_hours is {self.camera_zone_hours.value:g}; zones lie within -14 and 14"
            )
        if self.field_of_view_deg.value >= 360:
            raise ValueError("field_of_view_deg must be under 360")
        return self


def load_limits(path: Path = EVIDENCE_TOML) -> Limits:
    """The limits of a file.

    Raises:
        BadInput: a typo, with file and key.
    """
    limits: Limits = parse(Limits, load_toml(path), path)
    return limits
