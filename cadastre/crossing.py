"""Changes crossed with a layer: which features lie in which change with which area, a block of changes at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cadastre.halfplanes import apart, corners_of, shared_m2, supporting
from cadastre.layers import HAPPENED, LayerData
from cadastre.overlay import Shapes, intersection

SAME_M2 = 0.01
"""Areas closer than this are one area: a hundredth of a square metre, far under the ledger's 0.01 亩."""
SAME_M = 0.001
"""A line or point no deeper inside a change than this lies on its border."""
FIRST_DAY, LAST_DAY = pd.Timestamp("0001-01-01"), pd.Timestamp("9999-12-31")
"""In force since ever, and for ever: what a feature without dates means."""
BLOCK = 4096
"""Changes crossed at a time: the pieces of one block lie in memory, not those of a county."""
PAIRS = 65_536
"""Most pairs of change and feature worked on at a time, unless one change alone meets more features."""
MANY = 32
"""In a change of more pieces than this, a tree finds those that may overlap; in others each is held against each."""
THREADS = 2
"""GEOS works outside Python's lock. More threads than cores gain nothing; the result is the same."""


@dataclass(frozen=True)
class Features:
    """A layer's features, ready to be asked; in force from `begins` to `ends`, both days included."""

    shapes: Shapes
    tree: shapely.STRtree
    thin: NDArray[np.bool_]
    frame: pd.DataFrame
    begins: NDArray[np.datetime64]
    ends: NDArray[np.datetime64]
    dated: NDArray[np.bool_]
    """It holds from some day on, or up to some day."""
    undated: NDArray[np.bool_]
    has_classes: bool
    happened: bool
    """Whether a feature counts if it happened between the scenes, not if it was in force all the time."""

    def texts(self, column: str, rows: NDArray[np.intp]) -> NDArray[np.object_]:
        """A column's texts on these rows; None where there is none."""
        found: NDArray[np.object_] = self.frame[column].to_numpy(dtype=object)[rows]
        found[pd.isna(found)] = None
        return found


def features_of(data: LayerData) -> Features:
    """A layer's features with their tree."""
    frame, columns = data.frame, data.layer.columns
    shapes = frame.geometry.to_numpy()
    begins, ends = (frame[name].astype("datetime64[s]") for name in ("valid_from", "valid_to"))
    happened = data.layer.counts == HAPPENED
    if happened:  # An end that is not said: it was over on its day.
        ends = ends.fillna(begins)
    return Features(
        shapes=shapes,
        tree=shapely.STRtree(shapes),
        thin=shapely.get_dimensions(shapes) < 2,
        frame=frame,
        begins=begins.fillna(FIRST_DAY).to_numpy().astype("datetime64[D]"),
        ends=ends.fillna(LAST_DAY).to_numpy().astype("datetime64[D]"),
        dated=(begins.notna() | ends.notna()).to_numpy(),
        # An empty end means until further notice; an empty beginning says nothing of when.
        undated=begins.isna().to_numpy() & (happened or "valid_from" in columns),
        has_classes="land_class" in columns or bool(frame["land_class"].notna().any()),
        happened=happened,
    )


@dataclass(frozen=True)
class Pieces:
    """What lies of which feature in which change, sorted by change and area. What only shares a border is no piece.

    `overlapping`: the changes in which pieces lie over each other; only of these `shapes` are kept, else None.
    """

    change: NDArray[np.intp]
    feature: NDArray[np.intp]
    area_m2: NDArray[np.float64]
    shapes: Shapes
    overlapping: NDArray[np.bool_]


def cross(
    changes: Shapes,
    features: Features,
    block: int = BLOCK,
    threads: int | None = None,
    least_m2: float = SAME_M2,
) -> Pieces:
    """All pieces larger than `least_m2`; the same to the last bit whatever the block and the number of threads."""
    features.tree.query(shapely.Point(0, 0))  # Builds the tree, before several threads ask it.
    order = _by_place(changes)
    parts = [order[start : start + block] for start in range(0, len(order), block)]
    with ThreadPoolExecutor(threads or THREADS) as pool:
        blocks = list(pool.map(lambda part: _cross_block(part, changes, features, least_m2), parts))
    found = [one for several in blocks for one in several]
    if not found:
        none = np.array([], dtype=np.intp)
        return Pieces(none, none, none.astype(float), none.astype(object), none.astype(bool))
    change = np.concatenate([one.change for one in found])
    feature = np.concatenate([one.feature for one in found])
    area = np.concatenate([one.area_m2 for one in found])
    sort = np.lexsort((feature, area, change))
    overlapping = np.zeros(len(changes), dtype=bool)
    overlapping[order] = np.concatenate([one.overlapping for one in found])
    shapes = np.concatenate([one.shapes for one in found])
    return Pieces(change[sort], feature[sort], area[sort], shapes[sort], overlapping)


def _by_place(changes: Shapes) -> NDArray[np.intp]:
    """An order in which neighbors stand together, so that a block asks for the same part of the layer."""
    west, south, _, _ = shapely.bounds(changes).T
    rows = int(np.ceil(np.sqrt(len(changes) / BLOCK))) + 1
    band = np.floor(rows * (south - south.min(initial=0)) / (np.ptp(south) + 1.0)) if len(changes) else south
    return np.lexsort((west, band))


def _cross_block(
    part: NDArray[np.intp], changes: Shapes, features: Features, least_m2: float
) -> list[Pieces]:
    at, feature = features.tree.query(changes[part], predicate="intersects")
    sort = np.lexsort((feature, at))
    at, feature = at[sort], feature[sort]
    ends = np.searchsorted(at, np.arange(len(part)), side="right")
    found, first = [], 0
    while first < len(part):
        begin = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, begin + PAIRS, side="right")))
        rows = slice(begin, int(ends[last - 1]))
        pairs = _Pairs(changes[part[first:last]], at[rows] - first, features.shapes[feature[rows]])
        found.append(_cross_pairs(part[first:last], feature[rows], pairs, features, least_m2))
        first = last
    return found


def _cross_pairs(
    part: NDArray[np.intp], feature: NDArray[np.intp], pairs: "_Pairs", features: Features, least_m2: float
) -> Pieces:
    shapes, at = pairs.shapes, pairs.at
    area, pieces = pairs.cut()
    keep = area > least_m2
    lines = np.flatnonzero(features.thin[feature])
    if len(lines):
        inside, which = np.unique(at[lines], return_inverse=True)
        cores = shapely.buffer(shapes[inside], -SAME_M)
        keep[lines] |= shapely.intersects(features.shapes[feature[lines]], cores[which])
    overlapping = pairs.overlapping(keep & (area > 0), pieces)
    rows = np.flatnonzero(keep)
    at, feature, area, pieces = at[rows], feature[rows], area[rows], pieces[rows]
    pieces[~overlapping[at]] = None
    owed = np.flatnonzero(overlapping[at] & (pieces == None))  # noqa: E711
    pieces[owed] = intersection(features.shapes[feature[owed]], shapes[at[owed]])
    return Pieces(part[at], feature, area, pieces, overlapping)


class _Pairs:
    """Changes of a block and the features that meet them: shapes[at[i]] meets others[i]."""

    def __init__(self, shapes: Shapes, at: NDArray[np.intp], others: Shapes) -> None:
        self.shapes, self.at, self.others = shapes, at, others
        self.boxes, self.other_boxes = shapely.bounds(shapes)[at], shapely.bounds(others)
        origin = self.boxes[:, :2]
        self.corners = corners_of(others, origin)
        # Of each change once for each feature, as a parcel that is not convex may be clipped by a change that is.
        self.own = corners_of(shapes[at], origin)

    def cut(self) -> tuple[NDArray[np.float64], Shapes]:
        """Area and piece of each pair; no piece is made where its area can be had without."""
        area, pieces = np.zeros(len(self.at)), np.full(len(self.at), None, dtype=object)
        todo = np.ones(len(self.at), dtype=bool)
        shapely.prepare(self.shapes)
        around = np.flatnonzero(_encloses(self.other_boxes, self.boxes))
        around = around[shapely.covers(self.others[around], self.shapes[self.at[around]])]
        pieces[around], todo[around] = self.shapes[self.at[around]], False
        within = np.flatnonzero(_encloses(self.boxes, self.other_boxes) & todo)
        within = within[shapely.covers(self.shapes[self.at[within]], self.others[within])]
        pieces[within], todo[within] = self.others[within], False
        for rings, convex in ((self.own, self.corners), (self.corners, self.own)):
            rows = np.flatnonzero(todo & convex.convex & (rings.count > 0))
            area[rows], todo[rows] = shared_m2(rings, rows, convex, rows), False
        rows = np.flatnonzero(todo)
        pieces[rows] = intersection(self.others[rows], self.shapes[self.at[rows]])
        made = np.flatnonzero(pieces != None)  # noqa: E711
        area[made] = shapely.area(pieces[made])
        return area, pieces

    def overlapping(self, flat: NDArray[np.bool_], pieces: Shapes) -> NDArray[np.bool_]:
        """For each change, whether features may share more than a border inside it. Doubtful cases are yes."""
        found = np.zeros(len(self.shapes), dtype=bool)
        rows = np.flatnonzero(flat)
        rows = rows[np.argsort(self.at[rows], kind="stable")]
        drawn = np.where(pieces == None, self.others, pieces)  # noqa: E711
        lines = supporting(self.corners)
        for one, other in _pairs(self.at, rows, drawn):
            near = self._near(one, other) & ~found[self.at[one]]
            one, other = one[near], other[near]
            unsure = ~apart(self.corners, one, other, lines)
            one, other = one[unsure], other[unsure]
            touching = shapely.touches(drawn[one], drawn[other])
            one, other = one[~touching], other[~touching]
            found[self.at[one[shapely.intersects(drawn[one], drawn[other])]]] = True
        return found

    def _near(self, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.bool_]:
        low = np.maximum(
            np.maximum(self.other_boxes[one, :2], self.other_boxes[other, :2]), self.boxes[one, :2]
        )
        high = np.minimum(
            np.minimum(self.other_boxes[one, 2:], self.other_boxes[other, 2:]), self.boxes[one, 2:]
        )
        return np.asarray((low < high).all(axis=1))


def _encloses(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.bool_]:
    lower, upper = outer[:, :2] <= inner[:, :2], outer[:, 2:] >= inner[:, 2:]
    return np.asarray(lower.all(axis=1) & upper.all(axis=1))


def _pairs(
    at: NDArray[np.intp], rows: NDArray[np.intp], pieces: Shapes
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows of two pieces of one change each; `rows` are sorted by change."""
    counts = np.bincount(at[rows], minlength=1)
    few = rows[counts[at[rows]] <= MANY]
    for step in range(1, int(counts[counts <= MANY].max(initial=0))):
        same = np.flatnonzero(at[few[:-step]] == at[few[step:]])
        yield few[same], few[same + step]
    for change in np.flatnonzero(counts > MANY):
        own = rows[at[rows] == change]
        one, other = shapely.STRtree(pieces[own]).query(pieces[own])
        yield own[one[one < other]], own[other[one < other]]
