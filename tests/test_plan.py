"""What is planned of windows, workers and memory, and what is refused."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.transform import from_origin

from detection.plan import MIB, Handles, Needs, bytes_of, memory_bytes, plan
from detection.workers import OutOfMemory, each
from ground.errors import BadInput
from imagery.scene import Grid

NEEDS = Needs(window=2048, margin=512, step=64, bytes_per_pixel=300, alone=True)


def grid(width: int, height: int) -> Grid:
    return Grid(CRS.from_epsg(32649), from_origin(600_000, 4_200_000, 10, 10), width, height)


@given(
    width=st.integers(1, 5000), height=st.integers(1, 5000), window=st.sampled_from([512, 1024]),
    margin=st.integers(0, 300), file_bytes=st.sampled_from([8, 400, 4000]),
)  # fmt: skip
def test_windows_cover_every_pixel_once(
    width: int, height: int, window: int, margin: int, file_bytes: int
) -> None:
    needs = Needs(window=window, margin=margin, step=1, bytes_per_pixel=200, alone=False)
    laid = plan(grid(width, height), needs, Handles(), file_bytes)
    seen = np.zeros((-(-height // 512), -(-width // 512)), dtype=int)
    for padded in laid.windows():
        inner = padded.inner
        assert inner.row_off % 512 == inner.col_off % 512 == 0
        seen[
            inner.row_off // 512 : -(-(inner.row_off + inner.height) // 512),
            inner.col_off // 512 : -(-(inner.col_off + inner.width) // 512),
        ] += 1
    assert (seen == 1).all()
    assert laid.count == len(list(laid.windows()))


def test_windows_keep_step_with_the_network() -> None:
    # Averaged by three, 64 · 3 = 192: windows of 1,536, the least that both 512 and 192 divide.
    needs = Needs(window=2048, margin=1536, step=192, bytes_per_pixel=300, alone=True)
    assert plan(grid(9000, 9000), needs, Handles(), 8).window == 1536
    # By seven, 448: no such multiple below 2,048; whole steps then.
    needs = Needs(window=2048, margin=3584, step=448, bytes_per_pixel=300, alone=True)
    assert plan(grid(9000, 9000), needs, Handles(), 8).window == 1792


def test_less_memory_makes_smaller_windows_and_too_little_is_said() -> None:
    scene, most = grid(9000, 9000), memory_bytes(NEEDS, 1024, 1)
    assert plan(scene, NEEDS, Handles(), 8).window == 2048
    assert plan(scene, NEEDS, Handles(max_memory=most), 8).window == 1024
    with pytest.raises(BadInput, match="--max-memory: 100 MiB do not reach for one window of 512 pixels"):
        plan(scene, NEEDS, Handles(max_memory=100 * MIB), 8)
    with pytest.raises(BadInput, match="do not reach for one window of 2048 pixels"):
        plan(scene, NEEDS, Handles(max_memory=most, window=2048), 8)


@pytest.mark.parametrize(
    ("handles", "said"),
    [
        (Handles(window=700), "--window: 700 is not a multiple of 512 pixels"),
        (Handles(window=0), "--window: 0 is not a multiple"),
        (Handles(workers=0), "--workers: 0 is not a number of workers"),
    ],
)
def test_handles_that_cannot_be_are_named(handles: Handles, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        plan(grid(100, 100), NEEDS, handles, 8)


def test_amounts_of_memory() -> None:
    said = {"2GiB": 2048 * MIB, "1.5 G": 1536 * MIB, "800MiB": 800 * MIB, "800": 800 * MIB}
    assert {text: bytes_of(text) for text in said} == said
    assert bytes_of(None) is None
    for text in ("much", "-2G", "2TB", ""):
        with pytest.raises(BadInput, match=r"--max-memory: .* is not an amount of memory"):
            bytes_of(text)


@pytest.mark.parametrize(
    "error", [MemoryError("12 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_memory_that_runs_out_is_named(error: Exception) -> None:
    def look(_item: int, _read: int) -> int:
        raise error

    with pytest.raises(OutOfMemory, match="what is done is kept, run again with --max-memory"):
        list(each([1, 2, 3], lambda item: item, look, lambda _item, seen: seen, 2))


def test_no_more_than_asked_look_at_once() -> None:
    looking, most = 0, 0

    def look(_item: int, _read: int) -> int:
        nonlocal looking, most
        looking += 1
        most = max(most, looking)
        time.sleep(0.01)
        looking -= 1
        return 0

    assert len(list(each(range(20), lambda item: item, look, lambda item, _seen: item, 3))) == 20
    assert 1 < most <= 3
