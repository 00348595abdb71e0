"""A layer's features looked over as they stream in: what is wrong with which, and what was mended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cadastre.spikes import has_spike, without_spikes
from cadastre.whole import no_geometry
from ground.errors import BadInput

EXAMPLES = 10
"""Rows named for each fault; the count says how many there are."""
SLIVER = 0.005
"""4πA/P² below which a polygon is a sliver: a strip two thousand times as long as wide has 0.0016."""
OVERLAP_M2 = 1.0
METRES_A_DEGREE = 111_320.0
REPLACED = "\ufffd"
FAULTS = {
    "empty": "without geometry, left out", "invalid": "invalid, repaired", "spike": "with a spike",
    "sliver": "slivers", "duplicate": "twice the same shape and number", "overlap": "overlapping another",
    "number_twice": "with a number that stands twice", "dates_reversed": "valid_to before valid_from",
    "collapsed": "without any area after repair, left out",
}  # fmt: skip


@dataclass
class Report:
    """Counts and example rows by fault; `read` and `kept` features."""

    read: int = 0
    kept: int = 0
    faults: dict[str, dict[str, Any]] = field(default_factory=dict)
    _shapes: list[NDArray[np.uint64]] = field(default_factory=list)
    _numbers: list[NDArray[np.uint64]] = field(default_factory=list)
    _rows: list[NDArray[np.int_]] = field(default_factory=list)

    def add(self, fault: str, rows: Sequence[int] | NDArray[Any]) -> None:
        """Rows of the file, from 1, that have a fault."""
        if len(rows):
            known = self.faults.setdefault(fault, {"count": 0, "rows": []})
            known["count"] += len(rows)
            known["rows"] += [int(row) for row in rows[: EXAMPLES - len(known["rows"])]]

    def said(self) -> dict[str, Any]:
        """As plain data."""
        return {"read": self.read, "kept": self.kept, "faults": self.faults}

    def remember(self, shapes: NDArray[np.object_], numbers: pd.Series, rows: NDArray[np.int_]) -> None:
        """Fingerprints by which `finish` finds what stands twice, eight bytes each."""
        self._rows.append(rows)
        wkb = pd.Series(shapely.to_wkb(shapely.normalize(shapes)))
        named = numbers.reset_index(drop=True)
        both = pd.util.hash_pandas_object(wkb, index=False) ^ pd.util.hash_pandas_object(named, index=False)
        self._shapes.append(both.to_numpy())
        hashes = pd.util.hash_pandas_object(named, index=False).to_numpy()
        # What has no number cannot have it twice.
        self._numbers.append(np.where(named.isna(), np.uint64(0), hashes))

    def finish(self) -> None:
        """Counts what stands twice in the whole file."""
        for fault, parts in (("duplicate", self._shapes), ("number_twice", self._numbers)):
            if not parts:
                return
            hashes, rows = np.concatenate(parts), np.concatenate(self._rows)
            _, first, inverse, count = np.unique(
                hashes, return_index=True, return_inverse=True, return_counts=True
            )
            again = (count[inverse] > 1) & (first[inverse] != np.arange(len(hashes))) & (hashes != 0)
            self.add(fault, rows[again])


@dataclass(frozen=True)
class Mend:
    """What a person allows: to mend what is invalid, to go without features that have no geometry."""

    repair: bool = False
    leave_out: bool = False


@dataclass(frozen=True)
class Checked:
    """A chunk's shapes as they are kept; `original`: WKB of those that were altered; `keep`: which lie anywhere."""

    shapes: NDArray[np.object_]
    original: NDArray[np.object_]
    keep: NDArray[np.bool_]


def check(
    shapes: NDArray[np.object_], first_row: int, report: Report, path: Path, mend: Mend, delivered: Any = None
) -> Checked:
    """Shapes of a chunk, in the CRS of the file, mended where allowed; `delivered`: WKB of those closed on reading.

    Raises:
        BadInput: one is invalid or has no geometry and may not be mended or left out.
    """
    rows = np.arange(first_row, first_row + len(shapes))
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    closed = np.zeros(len(shapes), dtype=bool) if delivered is None else pd.notna(delivered)
    invalid = ~empty & (closed | ~shapely.is_valid(shapes))
    if (empty | invalid).any() and not mend.repair:
        raise _refusal(shapes, empty, invalid, first_row, path)
    if empty.any() and not mend.leave_out:
        raise no_geometry(path, first_row + int(np.argmax(empty)), int(empty.sum()))
    original = np.full(len(shapes), None, dtype=object)
    original[invalid] = shapely.to_wkb(shapes[invalid])
    if delivered is not None:
        original[closed] = delivered[closed]
    shapes = np.where(shapely.is_missing(shapes), shapely.Point(), shapes)
    shapes[invalid] = shapely.make_valid(shapes[invalid], method="structure", keep_collapsed=False)
    spiked = ~empty & ~invalid & has_spike(shapes)
    if spiked.any() and mend.repair:
        original[spiked] = shapely.to_wkb(shapes[spiked])
        shapes[spiked] = [without_spikes(shape) for shape in shapes[spiked]]
    gone = invalid & shapely.is_empty(shapes)
    for fault, which in (("empty", empty), ("invalid", invalid), ("spike", spiked), ("collapsed", gone)):
        report.add(fault, rows[which])
    return Checked(shapes, original, ~empty & ~gone)


def _refusal(shapes: Any, empty: Any, invalid: Any, first_row: int, path: Path) -> BadInput:
    at = int(np.argmax(empty | invalid))
    why = "empty" if empty[at] else f"invalid ({_reason(shapes[at])})"
    return BadInput(
        f"{path}: the geometry of feature {first_row + at} is {why}, {int((empty | invalid).sum())} among the "
        "features near it; mend the layer, pass --repair, or set `repair = true` for it in layers.toml"
    )


def _reason(shape: Any) -> str:
    return "a ring is not closed" if shapely.is_valid(shape) else str(shapely.is_valid_reason(shape))


def look_over(lonlat: NDArray[np.object_], rows: NDArray[np.int_], report: Report) -> None:
    """Slivers and overlaps among the polygons of a chunk; rows are those of the file."""
    areal = shapely.get_dimensions(lonlat) == 2
    if not areal.any():
        return
    shapes, rows = _in_metres(lonlat[areal]), rows[areal]
    area, length = shapely.area(shapes), shapely.length(shapes)
    report.add("sliver", rows[4 * np.pi * area < SLIVER * length**2])
    report.add("overlap", rows[_overlapping(shapes)])


def _in_metres(lonlat: NDArray[np.object_]) -> NDArray[np.object_]:
    """Degrees stretched to metres about their middle: true to a part in a thousand in a county."""
    box = shapely.total_bounds(lonlat)
    stretch = np.cos(np.radians((box[1] + box[3]) / 2)) * METRES_A_DEGREE
    moved: NDArray[np.object_] = shapely.transform(
        lonlat, lambda xy: (xy - box[:2]) * (stretch, METRES_A_DEGREE)
    )
    return moved


def _overlapping(shapes: NDArray[np.object_]) -> NDArray[np.intp]:
    """Which share more than OVERLAP_M2 with another; a look at edges first finds those that may."""
    single = np.flatnonzero(shapely.is_valid(shapes) & ~shapely.is_empty(shapes))
    edges = shapely.coverage_invalid_edges(shapes[single])
    doubtful = single[~shapely.is_empty(edges)]
    tree = shapely.STRtree(shapes[doubtful])
    one, other = tree.query(shapes[doubtful], predicate="intersects")
    one, other = one[one < other], other[one < other]
    shared = shapely.area(
        shapely.intersection(shapes[doubtful[one]], shapes[doubtful[other]], grid_size=0.001)
    )
    over = shared > OVERLAP_M2
    return np.unique(np.concatenate([doubtful[one[over]], doubtful[other[over]]]))


def check_text(texts: pd.Series, column: str, path: Path, encoding: str | None) -> None:
    """Letters that were read in the wrong encoding.

    Raises:
        BadInput: most of what is not ASCII is replaced letters, or Chinese read as Western European.
    """
    strange = [text for text in texts if isinstance(text, str) and not text.isascii()]
    spoiled = [text for text in strange if REPLACED in text or "锟斤拷" in text or _western(text)]
    if spoiled and len(spoiled) * 2 >= len(strange):
        other = "utf-8" if (encoding or "").lower() in {"gbk", "gb18030"} else "gbk"
        raise BadInput(
            f"{path}: the text of {column!r} is spoiled (for example {spoiled[0][:20]!r}): it was read in the wrong "
            f'encoding; set `encoding = "{other}"` in layers.toml, or export it again'
        )


def _western(text: str) -> bool:
    """Pairs of Latin-1 letters that no language writes side by side: two bytes of a Chinese letter."""
    high = [letter for letter in text if "\x80" <= letter <= "ÿ"]
    return (
        len(high) >= 4
        and len(high) == sum(not letter.isascii() for letter in text)
        and any(letter < "À" or letter in "×÷" for letter in high)
    )
