"""Which spot a change belongs to: pure, the same for any order of the changes of one batch.

A spot goes by the id of its case, and that by the id of the change that opened it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spots import plane
from spots.plane import Overlap
from spots.policy import Policy

CASE = "case-"


class New(NamedTuple):
    """A change that asks where it belongs; `shape` unwrapped. One of no need for a person founds no spot."""

    change_id: str
    shape: Any
    area_m2: float
    needs: bool


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What was seen of a spot, unwrapped; `radius_m` where it stands for a report."""

    spot_id: str
    change_id: str
    shape: Any
    area_m2: float
    radius_m: float | None = None


class Place(NamedTuple):
    """Where a change belongs: a spot that is there, one that it founds, or none. `also`: others it lies over."""

    spot_id: str | None
    founds: bool = False
    why: str = ""
    also: Sequence[tuple[str, Overlap]] = ()
    """By spot, the largest shared area first, whether that makes one place of them or not."""


def spot_id_of(change_id: str) -> str:
    """The id of the spot that a change founds."""
    return CASE + change_id


def founder_of(spot_id: str) -> str:
    """The id of the change that founded a spot."""
    return spot_id.removeprefix(CASE)


def is_one_place(overlap: Overlap, policy: Policy) -> bool:
    """Whether two outlines are one place: alike, or the new one a part of the other."""
    join = policy.join
    alike = overlap.of_smaller >= join.min_share_of_smaller and overlap.iou >= join.min_iou
    larger = overlap.of_other <= overlap.of_new <= join.most_times_larger * overlap.of_other
    return alike or (larger and overlap.of_new >= join.min_inside)


def place(new: Sequence[New], known: Sequence[Outline], policy: Policy) -> dict[str, Place]:
    """Each change's place. Large ones come first, then by id, so the order of rows says nothing.

    A change joins the spot whose outline it shares most area with; of two that share the same, the one of the
    smaller id. What stands for a report takes the nearest change of the batch that belongs nowhere else, and no more.
    """
    order = sorted(range(len(new)), key=lambda i: (-round(new[i].area_m2, 3), new[i].change_id))
    given = [new[i] for i in order]
    shapes, areas = _array(given), [each.area_m2 for each in given]
    seen, reported = _apart(known)
    met: dict[int, dict[str, tuple[Overlap, bool]]] = {}
    for i, k, overlap in plane.overlaps(shapes, areas, _array(seen)):
        same = is_one_place(overlap, policy)
        _keep(met.setdefault(i, {}), seen[k].spot_id, overlap, same)
    placed = {i for i, spots in met.items() if any(same for _, same in spots.values())}
    claims = _claims(given, placed, reported, policy) if reported else {}
    earlier: dict[int, list[tuple[int, Overlap]]] = {}
    for i, k, overlap in plane.overlaps(shapes, areas, shapes):
        if k < i and given[k].needs:
            earlier.setdefault(i, []).append((k, overlap))
    places: list[Place] = []
    for i, change in enumerate(given):
        for k, overlap in earlier.get(i, ()):
            spot = places[k].spot_id
            if spot is not None:
                _keep(met.setdefault(i, {}), spot, overlap, is_one_place(overlap, policy))
        places.append(_decided(change, met.get(i, {}), claims.get(i)))
    return {change.change_id: found for change, found in zip(given, places, strict=True)}


def _array(items: Sequence[New | Outline]) -> plane.Shapes:
    return np.array([*(each.shape for each in items), None], dtype=object)[:-1]


def _apart(known: Sequence[Outline]) -> tuple[list[Outline], list[Outline]]:
    """Outlines that imagery showed, and those of reports where it has shown nothing yet."""
    seen = [each for each in known if each.radius_m is None]
    shown = {each.spot_id for each in seen}
    return seen, [each for each in known if each.radius_m is not None and each.spot_id not in shown]


def _keep(met: dict[str, tuple[Overlap, bool]], spot: str, overlap: Overlap, same: bool) -> None:
    """Of several outlines of one spot the one that makes one place counts, then the one that shares most."""
    was = met.get(spot)
    if was is None or (same, overlap.shared_m2) > (was[1], was[0].shared_m2):
        met[spot] = (overlap, same)


def _claims(
    new: Sequence[New], placed: set[int], reported: Sequence[Outline], policy: Policy
) -> dict[int, tuple[str, float]]:
    """By change the spot of a report that takes it, and how far the point lies from its outline."""
    free = [i for i, change in enumerate(new) if change.needs and i not in placed]
    wanted: list[tuple[float, int, str]] = []
    if not free:
        return {}
    shapes = [new[i].shape for i in free]
    for outline in reported:
        middle = outline.shape.centroid
        away = plane.distances_m(middle.x, middle.y, shapes)
        most = min(outline.radius_m or 0.0, policy.reports.most_accuracy_m) + policy.reports.near_m
        wanted += [(round(float(d), 3), free[n], outline.spot_id) for n, d in enumerate(away) if d <= most]
    claims: dict[int, tuple[str, float]] = {}
    taken: set[str] = set()
    for away_m, i, spot in sorted(wanted):
        if i not in claims and spot not in taken:
            claims[i] = (spot, away_m)
            taken.add(spot)
    return claims


def _decided(change: New, met: dict[str, tuple[Overlap, bool]], claim: tuple[str, float] | None) -> Place:
    if not met and not claim:
        founded = Place(spot_id_of(change.change_id), True, "nothing was known here")
        return founded if change.needs else Place(None)
    ranked = sorted(met.items(), key=lambda item: (-item[1][0].shared_m2, item[0]))
    also = [(spot, overlap) for spot, (overlap, _) in ranked]
    same = [spot for spot, (_, one) in ranked if one]
    if same:
        rest = [(spot, overlap) for spot, overlap in also if spot != same[0]]
        others = [f"{spot} ({met[spot][0].shared_m2:.0f} m²)" for spot in same[1:]]
        why = _shown(met[same[0]][0]) + (f"; it bridges it with {', '.join(others)}" if others else "")
        return Place(spot_id=same[0], why=why, also=rest)
    if claim:
        why = f"its outline lies {claim[1]:.0f} m from the reported point, nearest of its batch"
        return Place(spot_id=claim[0], why=why, also=also)
    if not change.needs:
        return Place(spot_id=None, also=also)
    beside = "; ".join(f"over {spot} by {o.shared_m2:.0f} m², too little to be one place" for spot, o in also)
    return Place(spot_id=spot_id_of(change.change_id), founds=True, why=beside, also=also)


def _shown(overlap: Overlap) -> str:
    return (
        f"shares {overlap.shared_m2:.0f} m²: {overlap.of_new:.0%} of it, {overlap.of_other:.0%} of what was seen "
        f"before, {overlap.iou:.0%} of both"
    )
