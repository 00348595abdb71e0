"""Changes crossed with a layer: which features lie in which change with which area, a block of changes at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cadastre.layers import LayerData
from cadastre.overlay import Shapes, intersection

SAME_M2 = 0.01
"""Areas closer than this are one area: a hundredth of a square metre, far under the ledger's 0.01 亩."""
SAME_M = 0.001
"""A line or point no deeper inside a change than this lies on its border."""
FIRST_DAY, LAST_DAY = pd.Timestamp("0001-01-01"), pd.Timestamp("9999-12-31")
"""In force since ever, and for ever: what a feature without dates means."""
BLOCK = 4096
"""Changes crossed at a time: the pieces of one block lie in memory, not those of a county."""
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
    has_dates: bool
    undated: NDArray[np.bool_]
    has_classes: bool

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
    return Features(
        shapes=shapes,
        tree=shapely.STRtree(shapes),
        thin=shapely.get_dimensions(shapes) < 2,
        frame=frame,
        begins=begins.fillna(FIRST_DAY).to_numpy().astype("datetime64[D]"),
        ends=ends.fillna(LAST_DAY).to_numpy().astype("datetime64[D]"),
        has_dates=bool((begins.notna() | ends.notna()).any()),
        # An empty end means until further notice; an empty beginning says nothing of when.
        undated=begins.isna().to_numpy() & ("valid_from" in columns),
        has_classes="land_class" in columns or bool(frame["land_class"].notna().any()),
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


def cross(changes: Shapes, features: Features, block: int = BLOCK, threads: int = THREADS) -> Pieces:
    """All pieces; the same to the last bit whatever the block and the number of threads."""
    features.tree.query(shapely.Point(0, 0))  # Builds the tree, before several threads ask it.
    order = _by_place(changes)
    parts = [order[start : start + block] for start in range(0, len(order), block)]
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda part: _cross_block(part, changes, features), parts))
    if not found:
        none = np.array([], dtype=np.intp)
        return Pieces(none, none, none.astype(float), none.astype(object), none.astype(bool))
    change = np.concatenate([one.change for one in found])
    feature = np.concatenate([one.feature for one in found])
    area = np.concatenate([one.area_m2 for one in found])
    sort = np.lexsort((feature, area, change))
    overlapping = np.zeros(len(changes), dtype=bool)
    for part, one in zip(parts, found, strict=True):
        overlapping[part] = one.overlapping
    shapes = np.concatenate([one.shapes for one in found])
    return Pieces(change[sort], feature[sort], area[sort], shapes[sort], overlapping)


def _by_place(changes: Shapes) -> NDArray[np.intp]:
    """An order in which neighbors stand together, so that a block asks for the same part of the layer."""
    west, south, _, _ = shapely.bounds(changes).T
    rows = int(np.ceil(np.sqrt(len(changes) / BLOCK))) + 1
    band = np.floor(rows * (south - south.min(initial=0)) / (np.ptp(south) + 1.0)) if len(changes) else south
    return np.lexsort((west, band))


def _cross_block(part: NDArray[np.intp], changes: Shapes, features: Features) -> Pieces:
    shapes = changes[part]
    at, feature = features.tree.query(shapes, predicate="intersects")
    pieces = _cut(shapes, at, features.shapes, feature)
    area = shapely.area(pieces)
    keep = area > SAME_M2
    lines = np.flatnonzero(features.thin[feature])
    if len(lines):
        inside, which = np.unique(at[lines], return_inverse=True)
        cores = shapely.buffer(shapes[inside], -SAME_M)
        keep[lines] |= shapely.intersects(features.shapes[feature[lines]], cores[which])
    at, feature, area, pieces = at[keep], feature[keep], area[keep], pieces[keep]
    overlapping = _overlapping(at, pieces, len(part))
    pieces[~overlapping[at]] = None
    return Pieces(part[at], feature, area, pieces, overlapping)


def _cut(shapes: Shapes, at: NDArray[np.intp], features: Shapes, feature: NDArray[np.intp]) -> Shapes:
    """Intersections; where one lies wholly within the other it is its own, and nothing is cut."""
    change_box, feature_box = shapely.bounds(shapes)[at], shapely.bounds(features[feature])
    shapely.prepare(shapes)
    pieces = np.full(len(at), None, dtype=object)
    around = np.flatnonzero(_encloses(feature_box, change_box))
    around = around[shapely.covers(features[feature[around]], shapes[at[around]])]
    pieces[around] = shapes[at[around]]
    within = np.flatnonzero(_encloses(change_box, feature_box) & (pieces == None))  # noqa: E711
    within = within[shapely.covers(shapes[at[within]], features[feature[within]])]
    pieces[within] = features[feature[within]]
    rest = np.flatnonzero(pieces == None)  # noqa: E711
    pieces[rest] = intersection(features[feature[rest]], shapes[at[rest]])
    return pieces


def _encloses(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.bool_]:
    lower, upper = outer[:, :2] <= inner[:, :2], outer[:, 2:] >= inner[:, 2:]
    return np.asarray(lower.all(axis=1) & upper.all(axis=1))


def _overlapping(at: NDArray[np.intp], pieces: Shapes, count: int) -> NDArray[np.bool_]:
    """For each change, whether any two of its pieces share more than a border. Pairs are told apart by box first."""
    found = np.zeros(count, dtype=bool)
    flat = np.flatnonzero(shapely.area(pieces) > 0)
    flat = flat[np.argsort(at[flat], kind="stable")]
    boxes = shapely.bounds(pieces)
    for ones, others in _pairs(at, flat, pieces):
        one, other = boxes[ones], boxes[others]
        near = ((one[:, :2] < other[:, 2:]) & (other[:, :2] < one[:, 2:])).all(1) & ~found[at[ones]]
        ones, others = ones[near], others[near]
        apart = shapely.touches(pieces[ones], pieces[others])
        ones, others = ones[~apart], others[~apart]
        found[at[ones[shapely.intersects(pieces[ones], pieces[others])]]] = True
    return found


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
