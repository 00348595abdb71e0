"""Known displacements are found and mended, what is not displaced stays, and what cannot be known is said so."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window

from ground.errors import BadInput
from imagery.align import Alignment, measure
from tests.ground_world import Ground, moved_back, reader

WIDTH, HEIGHT = 800, 700
EDGE = 10
BUDGET = 2.0


@pytest.fixture(scope="module")
def land() -> Ground:
    return Ground(WIDTH, HEIGHT, 11)


def uniform(dx: float, dy: float) -> Any:
    return lambda x, y: (np.full_like(x, dx), np.full_like(y, dy))


def turned(scale: float, degrees: float, dx: float = 0.0, dy: float = 0.0) -> Any:
    """Displacement by a scale and a rotation about the middle, and a shift."""
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))

    def at(x: Any, y: Any) -> Any:
        u, v = x - WIDTH / 2, y - HEIGHT / 2
        return cos * u - sin * v - u + dx, sin * u + cos * v - v + dy

    return at


def disturbed(before: Any, after: Any, seed: int = 3) -> tuple[Any, Any, Any]:
    """A pair with noise, other light on the later date, and real change on 10 % of the ground; where it is."""
    random = np.random.default_rng(seed)
    changed = np.zeros(before.shape[1:], bool)
    while changed.mean() < 0.1:
        row, column = random.integers(0, HEIGHT - 60), random.integers(0, WIDTH - 60)
        changed[row : row + random.integers(15, 60), column : column + random.integers(15, 60)] = True
    before = before + random.normal(0, 0.1, before.shape)
    after = np.where(changed, random.normal(2, 1, after.shape), after)
    after = after * np.array([1.4, 0.8])[:, None, None] + 3 + random.normal(0, 0.1, after.shape)
    return before.astype(np.float32), after.astype(np.float32), changed


def error_px(alignment: Alignment, truth: Any) -> float:
    """Root mean square over the whole grid of how far the field is from the truth."""
    assert alignment.field is not None
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    off = [found - true for found, true in zip(alignment.field.at(x, y), truth(x, y), strict=True)]
    return float(np.sqrt(np.mean(off[0] ** 2 + off[1] ** 2)))


def differing(before: Any, after: Any) -> float:
    """Share of pixels, away from the border, that differ by over a quarter of the scene's spread."""
    inner = slice(EDGE, HEIGHT - EDGE), slice(EDGE, WIDTH - EDGE)
    difference = np.abs(before - after).max(axis=0) / before.std()
    return float((difference[inner] > 0.25).mean())


FIELDS = {
    "half a pixel": uniform(0.5, -0.5),
    "across": uniform(1.7, 0.0),
    "down": uniform(0.0, -2.25),
    "both": uniform(-3.6, 4.4),
    "six": uniform(6.0, -6.0),
    "scaled and turned": turned(1.0005, 0.1, 2.2, -1.4),
    "turned": turned(0.9995, -0.3, 0.4, 0.8),
    "bent": lambda x, y: (2 + 0.8 * np.sin(x / 250), -1 + 0.8 * np.cos(y / 250)),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_known_displacement_is_found(land: Ground, name: str) -> None:
    before, after, _ = disturbed(land.scene(), land.displaced(FIELDS[name]))
    alignment = measure(reader(before, after), WIDTH, HEIGHT, BUDGET)
    assert alignment.report["applied"]
    assert error_px(alignment, FIELDS[name]) <= 0.2
    assert alignment.report["residual_px"] < 0.2
    assert not alignment.misaligned.any()
    assert (alignment.nodes.trusted > 0).all()


@pytest.mark.parametrize("name", FIELDS)
def test_false_change_of_a_displaced_scene_goes(land: Ground, name: str) -> None:
    before, after = land.scene(), land.displaced(FIELDS[name])
    alignment = measure(reader(before, after), WIDTH, HEIGHT, BUDGET)
    assert alignment.field is not None
    mended, codes = moved_back(alignment.field, after)
    assert (codes[EDGE:-EDGE, EDGE:-EDGE] == 0).all()
    raw = differing(before, after)
    assert raw > 0.02
    assert differing(before, mended) <= raw / 10


@settings(max_examples=6)
@given(dx=st.floats(-6, 6), dy=st.floats(-6, 6), seed=st.integers(0, 99))
def test_any_shift_is_found(land: Ground, dx: float, dy: float, seed: int) -> None:
    before, after, _ = disturbed(land.scene(), land.displaced(uniform(dx, dy)), seed)
    alignment = measure(reader(before, after), WIDTH, HEIGHT, BUDGET)
    if np.hypot(dx, dy) > 0.4:
        assert error_px(alignment, uniform(dx, dy)) <= 0.2
    shift = alignment.report["shift_px"]
    assert np.hypot(shift["dx"] - dx, shift["dy"] - dy) <= 0.2


def test_a_scene_lies_on_itself(land: Ground) -> None:
    before = land.scene()
    alignment = measure(reader(before, before), WIDTH, HEIGHT, BUDGET)
    assert alignment.field is None
    report = alignment.report
    assert (report["applied"], report["known"], report["rms_before_px"]) == (False, True, 0)
    assert report["shift_px"] == {"dx": 0, "dy": 0}
    assert "too little" in report["why"]
    assert json.loads(json.dumps(report)) == report


def test_real_change_alone_moves_nothing(land: Ground) -> None:
    before, after, _ = disturbed(land.scene(), land.scene())
    alignment = measure(reader(before, after), WIDTH, HEIGHT, BUDGET)
    assert alignment.field is None
    assert alignment.report["rms_before_px"] < 0.1


def test_fields_that_turn_from_bright_to_dark_are_seen_through(land: Ground) -> None:
    # One band keeps its contrast, the other turns it: as red and near infrared do when crops ripen.
    before, after = land.scene(), land.displaced(uniform(1.3, -2.1))
    after[1] = 4 - after[1]
    alignment = measure(reader(before, after), WIDTH, HEIGHT, BUDGET)
    assert error_px(alignment, uniform(1.3, -2.1)) <= 0.1


@pytest.mark.parametrize("kind", ["strip", "clouds"])
def test_what_was_not_seen_says_nothing(land: Ground, kind: str) -> None:
    before, after, _ = disturbed(land.scene(), land.displaced(uniform(2.4, 1.2)))
    codes = np.zeros((HEIGHT, WIDTH), np.uint8)
    if kind == "strip":
        codes[:, 500:] = 1
    else:
        random = np.random.default_rng(8)
        for row, column in random.integers(0, 650, (25, 2)):
            codes[row : row + 40, column : column + 40] = 3
    # At the same place on both dates: its edges, if they counted, would say that nothing moved.
    before[:, codes > 0], after[:, codes > 0] = 0, 0
    alignment = measure(reader(before, after, codes), WIDTH, HEIGHT, BUDGET)
    assert error_px(alignment, uniform(2.4, 1.2)) <= 0.2


FLAT = np.full((2, HEIGHT, WIDTH), 7, np.float32)
NOISE = np.random.default_rng(1).normal(7, 1, (2, 2, HEIGHT, WIDTH)).astype(np.float32)


@pytest.mark.parametrize("kind", ["flat", "noise", "unrelated", "unseen"])
def test_what_cannot_be_known_is_unknown_and_not_aligned(land: Ground, kind: str) -> None:
    pairs = {
        "flat": (FLAT, FLAT),
        "noise": NOISE,
        "unrelated": (land.scene(), NOISE[0]),
        "unseen": (FLAT, FLAT),
    }
    if kind == "unrelated":
        pairs[kind] = (land.scene(), Ground(WIDTH, HEIGHT, 12).scene())
    codes = np.full((HEIGHT, WIDTH), kind == "unseen", np.uint8)
    alignment = measure(reader(*pairs[kind], codes), WIDTH, HEIGHT, BUDGET)
    report = alignment.report
    assert alignment.field is None
    assert (report["known"], report["applied"], report["shift_px"]) == (False, False, None)
    assert report["tie_points"]["tried"] > 20
    assert "unknown" in report["why"]
    assert not alignment.misaligned.any()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (40, 900), (63, 63)])
def test_a_scene_smaller_than_a_patch_is_unknown(width: int, height: int) -> None:
    values = np.random.default_rng(2).random((1, height, width), dtype=np.float32)
    report = measure(reader(values, values), width, height, BUDGET).report
    assert (report["known"], report["tie_points"]["tried"]) == (False, 0)


def rough(x: Any, y: Any) -> Any:
    """A displacement as relief makes it without an orthophoto: other on every hill."""
    return 5 * np.sin(x / 60) * np.cos(y / 70), 5 * np.cos(x / 65) * np.sin(y / 60)


def test_a_pair_that_no_smooth_field_mends_is_refused(land: Ground) -> None:
    with pytest.raises(
        BadInput, match=r"lie \d\.\d\d px apart .* than the 1 px allowed; orthorectify"
    ) as refusal:
        measure(reader(land.scene(), land.displaced(rough)), WIDTH, HEIGHT, 1.0)
    assert str(refusal.value).count(".") <= 2


def test_a_corner_out_of_place_is_named(land: Ground) -> None:
    def corner(x: Any, y: Any) -> Any:
        inside = np.clip((x - 540) / 20, 0, 1) * np.clip((y - 540) / 20, 0, 1)
        return 6 * inside, -6 * inside

    alignment = measure(reader(land.scene(), land.displaced(corner)), WIDTH, HEIGHT, 1.0)
    # The corner is in the last of two by two cells of 512 pixels.
    assert alignment.nodes.cell_px == 512
    assert alignment.misaligned.tolist() == [[False, False], [False, True]]
    beyond = alignment.misaligned_in(Window(500, 510, 20, 5))
    assert beyond.tolist() == [[False] * 20] * 2 + [[False] * 12 + [True] * 8] * 3
    assert alignment.nodes.residual[1, 1] > 1
    assert alignment.nodes.residual[0, 0] < 0.5


@pytest.mark.parametrize(
    ("width", "height"), [(40_000, 40_000), (100_000, 3_000), (6_300, 6_300), (512, 512)]
)
def test_few_places_are_read(width: int, height: int) -> None:
    asked: list[tuple[int, int, int, int]] = []
    flat = np.zeros((1, 512, 512), np.float32)

    def read(window: Window) -> Any:
        asked.append((window.col_off, window.row_off, window.width, window.height))
        cut = flat[:, : window.height, : window.width]
        return cut, cut, cut[0].astype(np.uint8)

    alignment = measure(read, width, height, BUDGET)
    places = sorted(set(asked))
    # Nothing is found here: each place is looked at in full, at half and at a quarter of its resolution.
    assert len(asked) <= 3 * len(places)
    assert min(33, -(-width // 512) * -(-height // 512)) <= len(places) <= 144
    assert all(column % 512 == row % 512 == 0 for column, row, _, _ in places)
    assert all(column + w <= width and row + h <= height for column, row, w, h in places)
    if width * height > 1e9:
        assert sum(w * h for _, _, w, h in places) < 0.03 * width * height
    # Evenly: in every cell one.
    assert alignment.nodes.trusted.size == len(places)
    assert np.diff(sorted({0, width, *(place[0] for place in places)})).max() <= 2 * alignment.nodes.cell_px
