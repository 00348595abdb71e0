"""sensors.toml says of each sensor what its files hold; what fits no table is refused, nothing is guessed."""

import tomllib
from datetime import date
from pathlib import Path

import pytest

from ground.errors import BadInput
from imagery.scene import Observation
from imagery.sensors import (
    SENSORS_TOML,
    bands_in_file,
    common_name,
    guess,
    known_names,
    load_sensors,
    same_band,
    sensor,
)

S2 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")


def unnamed(count: int) -> tuple[None, ...]:
    return (None,) * count


@pytest.mark.parametrize("name", tomllib.loads(SENSORS_TOML.read_text(encoding="utf-8")))
def test_every_table_loads_and_names_each_band_once(name: str) -> None:
    entry = load_sensors()[name]
    for key in ("name", "common"):
        words = [getattr(band, key) for band in entry.bands]
        assert len(set(words)) == len(words)
    # No name means two bands: each of a band's names leads back to it.
    names = known_names(entry)
    for band in entry.bands:
        assert {names[same_band(word)] for word in (band.name, band.common, *band.also)} == {band.name}
    reasons = [] if entry.mask is None else [*entry.mask.codes.values(), *entry.mask.bits.values()]
    assert {Observation[reason.upper()] for reason in reasons} <= set(Observation) - {Observation.OBSERVED}


def test_what_the_sentinel_2_table_says() -> None:
    entry = sensor("sentinel-2", "f")
    assert tuple(band.name for band in entry.bands) == S2
    assert (entry.dtype, entry.scale, entry.nodata) == ("uint16", 0.0001, 0)
    assert entry.mask is not None
    # Sen2Cor's scene classes: 4 vegetation, 5 bare, 6 water, 7 unclassified, 2 dark are seen.
    assert set(range(12)) - set(entry.mask.codes) == {2, 4, 5, 6, 7}


@pytest.mark.parametrize(
    ("day", "offset"),
    [(None, 0.0), (date(2021, 9, 1), 0.0), (date(2022, 1, 24), 0.0), (date(2022, 1, 25), -0.1)],
)  # fmt: skip
def test_sentinel_2_has_an_offset_from_baseline_4_on(day: date | None, offset: float) -> None:
    assert sensor("sentinel-2", "f").offset_on(day) == offset


def test_the_last_of_several_offsets_holds_whatever_their_order(tmp_path: Path) -> None:
    path = tmp_path / "sensors.toml"
    path.write_text(
        '[s]\ntitle = "s"\nbands = []\nmin_mapping_unit_m2 = 1\noffset = 7\n'
        "offsets = [{ from = 2022-01-01, offset = 2 }, { from = 2020-01-01, offset = 1 }]\n"
    )
    entry = load_sensors(path)["s"]
    days = (date(2019, 12, 31), date(2020, 1, 1), date(2021, 12, 31), date(2022, 1, 1))
    assert [entry.offset_on(day) for day in days] == [7, 1, 1, 2]


@pytest.mark.parametrize(
    ("name", "gsd_m", "smallest_m2"),
    [
        ("sentinel-2", 10, 400),  # four pixels of 100 m² are just the unit
        ("sentinel-2", 20, 1600),  # four pixels of 400 m²
        ("gf-2", 0.8, 100),  # four pixels would be 2.56 m²
        ("landsat-tm", 30, 3600),
        ("generic", 5.5, 121),  # 4 × 30.25 m²
    ],
)
def test_the_smallest_change_is_the_unit_or_four_pixels(name: str, gsd_m: float, smallest_m2: float) -> None:
    assert sensor(name, "f").smallest_change_m2(gsd_m) == smallest_m2


@pytest.mark.parametrize(
    ("name", "budget_px"),
    [("sentinel-2", 1.0), ("landsat-oli", 1.0), ("gf-1", 2.0), ("gf-2", 4.0), ("rgb", 4.0)],
)
def test_the_finer_the_pixels_the_more_of_them_relief_may_take(name: str, budget_px: float) -> None:
    assert sensor(name, "f").misregistration_budget_px == budget_px


@pytest.mark.parametrize("name", ["B2", "B02", "b02", "blue", "BLUE", " B2 ", "Blue"])
def test_one_band_has_many_spellings(name: str) -> None:
    assert bands_in_file("sentinel-2", (name,), "f") == [("B02", 1)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("SCL", "B8A", "B08", "b11"), [("B8A", 2), ("B08", 3), ("B11", 4)]),  # in the file's order
        (("nir", "red", None), [("B08", 1), ("B04", 2)]),
        (("rededge1", "rededge2", "rededge3"), [("B05", 1), ("B06", 2), ("B07", 3)]),
        # Twice the same name says nothing: three bands are then the stack of three.
        (("red", "red", "blue"), [("B04", 1), ("B03", 2), ("B02", 3)]),
        (unnamed(4), [("B02", 1), ("B03", 2), ("B04", 3), ("B08", 4)]),
        (unnamed(12), [(name, i) for i, name in enumerate(S2, 1)]),
    ],
)
def test_bands_are_those_that_the_file_names_else_the_stack_of_their_number(
    words: tuple[str | None, ...], found: list[tuple[str, int]]
) -> None:
    assert bands_in_file("sentinel-2", words, "f") == found


def test_a_generic_file_has_as_many_bands_as_it_has() -> None:
    assert bands_in_file("generic", ("red", None), "f") == [("b1", 1), ("b2", 2)]


def test_a_number_of_bands_that_fits_no_stack_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        bands_in_file("sentinel-2", unnamed(5), "scene.tif")
    assert str(caught.value) == (
        "scene.tif: has 5 bands, but a sentinel-2 stack has 3, 4, 6, 10, 12; "
        "name the bands in the file's band descriptions, or pass another --sensor"
    )


def test_an_unknown_sensor_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(
        BadInput, match=r"^f: sensor 'gf-9' is unknown; use one of generic, gf-1, gf-2, .*zy-3$"
    ):
        sensor("gf-9", "f")


@pytest.mark.parametrize(
    ("count", "name"), [(1, "generic"), (3, "rgb"), (4, "rgbn"), (5, "generic"), (6, "generic")]
)
def test_a_file_that_says_nothing_is_taken_for_colors_at_most(count: int, name: str) -> None:
    assert guess(count) == name


@pytest.mark.parametrize(
    ("name", "band", "common"),
    [
        ("landsat-tm", "B4", "nir"),
        ("landsat-oli", "B5", "nir"),
        ("sentinel-2", "B08", "nir"),
        ("rgbn", "N", "nir"),
        ("generic", "b3", "b3"),
    ],
)
def test_near_infrared_is_one_whoever_measured_it(name: str, band: str, common: str) -> None:
    assert common_name(name, band) == common


GOOD = '[s]\ntitle = "s"\nmin_mapping_unit_m2 = 1\nbands = [{ name = "A", common = "red" }]\n'


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[s.stacks]\n2 = ['A']", "s: stack 2 must name 2 of A"),
        ("[s.stacks]\n1 = ['C']", "s: stack 1 must name 1 of A"),
        (
            "gsd = 10",
            "s.gsd: is not a known key; allowed are bands, dtype, gsd_m, mask, min_mapping_unit_m2,",
        ),
        ("gsd_m = 0", "s.gsd_m: 0 is wrong: input should be greater than 0"),
        (
            "misregistration_budget_px = 0",
            "s.misregistration_budget_px: 0 is wrong: input should be greater than",
        ),
        (
            "offsets = [{ since = 2022-01-01, offset = 1 }]",
            "s.offsets.0.since: is not a known key; allowed are from",
        ),
        ("[s.mask]\nband = 'Q'\ncodes = { 1 = 'fog' }", "s.mask.codes.1: 'fog' is wrong"),
    ],
)
def test_a_mistake_in_the_table_is_named(tmp_path: Path, more: str, said: str) -> None:
    path = tmp_path / "sensors.toml"
    path.write_text(GOOD + more)
    with pytest.raises(BadInput) as caught:
        load_sensors(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)
