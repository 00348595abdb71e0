"""One place, one case: what the changes of a run mean for the spots that are known and for their cases."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
from sqlalchemy.orm import Session

from cadastre.facts import Facts
from cases import history, watched
from cases.rules import Judgement, Verdict
from cases.workflow import AUDITED, MACHINE, Workflow
from database import bulk, seals
from database.spot_tables import LookRow, SightingRow
from database.tables import CaseRow
from ground.crs import LONLAT, crs_of, to_crs
from ground.files import short_hash
from spots import joining, kept, plane
from spots.carrying import JOINED, NEW_LOOK, REBOUND, Later, Past, decide
from spots.joining import New, Place
from spots.kept import FIRST, NOTED, OPENED
from spots.policy import REPORTED, Policy, load_policy

NO_EXCUSE = "; its size alone explains nothing there"
"""Of a change that the rules call too small to look at."""
Observed = Callable[[Sequence[Any]], Sequence[float | None]]
"""Of outlines in degrees, the share of each that both scenes of the run show."""


class Run(Protocol):
    """What is asked of a ledger.Entry."""

    @property
    def changes(self) -> gpd.GeoDataFrame: ...  # noqa: D102
    @property
    def facts(self) -> Mapping[str, Facts]: ...  # noqa: D102
    @property
    def judgements(self) -> dict[str, Judgement]: ...  # noqa: D102
    @property
    def scenes(self) -> list[dict[str, Any]]: ...  # noqa: D102
    @property
    def pair(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def observed(self) -> Observed | None: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Nearby:
    """What was known about the places of a run's changes before it was recorded; `fresh`: changes to be placed."""

    policy: Policy
    fresh: list[New]
    known: list[kept.Sighted]
    placed: set[str]
    """Of the changes, those that belong to a spot already."""


def look_around(session: Session, run: Run, now: datetime) -> Nearby:
    """The spots about the changes that have none yet. To be asked before the changes themselves are in the index."""
    policy = load_policy(now.date())
    frame = run.changes
    ids = frame["change_id"].tolist()
    placed = kept.sighted(session, ids)
    needs = [run.judgements[change].needs_a_person for change in ids]
    rows = [
        i for i, change in enumerate(ids) if change not in placed or (placed[change][1] == NOTED and needs[i])
    ]
    if not rows:
        return Nearby(policy=policy, fresh=[], known=[], placed={*placed})
    lonlat = to_crs(frame.geometry.to_numpy(), crs_of(frame.crs, "changes"), LONLAT, "changes")
    shapes = plane.unwrapped(lonlat[np.array(rows)])
    areas = frame["area_m2"].tolist()
    margin = policy.reports.near_m + policy.reports.most_accuracy_m
    found = kept.around(session, plane.boxes_around(shapes, margin))
    known = kept.seen_of(session, found) if found else []
    # Where no spot is, what asks for nobody has nothing to join.
    fresh = [
        New(ids[i], shape, areas[i], needs[i])
        for i, shape in zip(rows, shapes.tolist(), strict=True)
        if needs[i] or known
    ]
    return Nearby(policy=policy, fresh=fresh, known=known, placed={*placed})


def settle(
    session: Session, run: Run, ids: Mapping[str, str], workflow: Workflow, now: datetime, nearby: Nearby
) -> Counter[str]:
    """Places the changes, opens, carries and reopens cases, and writes the history; how many of each outcome."""
    policy = nearby.policy
    places = joining.place(nearby.fresh, [each.outline for each in nearby.known], policy)
    shapes = {each.change_id: each.shape for each in nearby.fresh}
    there = {each.outline.spot_id for each in nearby.known}
    touched = {
        spot for p in places.values() for spot in (p.spot_id, *(s for s, _ in p.also)) if spot in there
    }
    watch = watched.Watch.of(session, run, policy)
    seen = nearby.known + watch.more(session, touched, there)
    pasts = kept.pasts(session, touched | set(watch.spots), seen, policy) if touched or watch.spots else {}
    book = _Book(
        run=run,
        ids=ids,
        workflow=workflow,
        now=now,
        policy=policy,
        pasts=dict(pasts),
        shapes=shapes,
        placed=nearby.placed,
    )
    for change, place in places.items():
        book.put(change, place)
    looks = watch.looks(pasts, book.over, now)
    seals.add(session, CaseRow, book.cases)
    seals.add(session, SightingRow, book.sightings)
    with seals.altering(session, CaseRow, [*book.reopened, *book.stands]):
        bulk.alter(session, CaseRow, "id", list(book.reopened.values()))
        bulk.alter(session, CaseRow, "id", list(book.stands.values()))
    seals.add(session, LookRow, looks)
    history.append(session, book.events)
    return book.counts


@dataclass(kw_only=True)
class _Book:
    """The rows that one run adds, change after change."""

    run: Run
    ids: Mapping[str, str]
    workflow: Workflow
    now: datetime
    policy: Policy
    pasts: dict[str, Past]
    shapes: Mapping[str, Any]
    placed: set[str]
    cases: list[dict[str, Any]] = field(default_factory=list)
    sightings: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    reopened: dict[str, dict[str, Any]] = field(default_factory=dict)
    stands: dict[str, dict[str, Any]] = field(default_factory=dict)
    over: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    """By spot: pair, outcome and why of each change over it."""
    counts: Counter[str] = field(default_factory=Counter)
    founded: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frame = self.run.changes
        columns = [frame[name].tolist() for name in ("pair_id", "change_class", "area_m2")]
        columns += [watched.moments(frame[name]) for name in ("before", "after")]
        self.rows = dict(zip(frame["change_id"].tolist(), zip(*columns, strict=True), strict=True))

    def put(self, change: str, place: Place) -> None:
        """One change: into its spot, or as a new one; and what it means for others that it lies over."""
        if place.spot_id is not None:
            if place.founds:
                self._open(change, place)
            else:
                self._join(change, place.spot_id, place.why)
        for spot, overlap in place.also:
            near = (
                overlap.of_smaller >= self.policy.watch.min_share
                or overlap.shared_m2 >= self.policy.watch.min_m2
            )
            if near and spot in self.pasts:
                within = f", in {place.spot_id}" if place.spot_id else ""
                self._touch(change, spot, f"it lies over it by {overlap.shared_m2:.0f} m²{within}")

    def _open(self, change: str, place: Place) -> None:
        judgement = self.run.judgements[change]
        case, status = str(place.spot_id), self.workflow.start[judgement.verdict]
        self.founded[case] = change
        self.cases.append(
            {
                "id": case, "change_id": change, "judgement_id": self.ids[change], "status": status,
                "opened": self.now, "held": {}, "version": FIRST,
            }
        )  # fmt: skip
        said = f"opened: {judgement.verdict} by rule {judgement.rule_id}"
        beside = f"; {place.why}" if place.also else ""
        self.events.append(history.event(case, self.now, OPENED, said + beside, origin="", to=status))
        self.counts[OPENED] += 1

    def _join(self, change: str, spot: str, why: str) -> None:
        past, judgement = self._past(spot), self.run.judgements[change]
        small = self._no_excuse(change, past)
        if not (judgement.needs_a_person or small):
            self._sight(
                change, spot, past.version, NOTED, f"{judgement.verdict} by rule {judgement.rule_id}; {why}"
            )
            self._noted(change, spot, "changed", f"change {change}: {judgement.verdict}")
            return
        outcome, reason = decide(past, self._later(change), self.policy)
        self._sight(change, spot, past.version, outcome, f"{why}; {reason}")
        self._noted(change, spot, outcome, reason)
        row = self.rows[change]
        told = (
            f"{outcome}: change {change} ({row[1]}, {row[2]:.0f} m², {judgement.verdict} by rule "
            f"{judgement.rule_id}) is the same place, it {why}; {reason}{small}"
        )
        if outcome in (NEW_LOOK, REBOUND):
            self._reopen(change, spot, outcome, told)
            self._stand_on(change, past.case_id)
            return
        if outcome == JOINED and past.classes == {REPORTED} and past.status not in AUDITED:
            self._stand_on(change, past.case_id)
            told += "; the case now stands on it"
            self.pasts[spot] = replace(past, classes=past.classes | {row[1]})
        status = past.status
        evidence = {"change": change}
        self.events.append(
            history.event(past.case_id, self.now, outcome, told, origin=status, to=status, evidence=evidence)
        )

    def _touch(self, change: str, spot: str, why: str) -> None:
        """A change of another spot that lies over a closed one: the closed one's case hears of a rebound."""
        past = self.pasts[spot]
        self._noted(change, spot, "changed", f"change {change}: {why}")
        small = self._no_excuse(change, past)
        needs = self.run.judgements[change].needs_a_person or bool(small)
        if past.status not in self.policy.watch.rebound or not needs:
            return
        outcome, reason = decide(past, self._later(change), self.policy)
        if outcome == REBOUND:
            self._noted(change, spot, outcome, reason)
            told = f"{outcome}: change {change}: {why}; {reason}{small}"
            self._reopen(change, spot, outcome, told)

    def _no_excuse(self, change: str, past: Past) -> str:
        """NO_EXCUSE, where what the rules explain by its size alone is a rebound: the ground was given back."""
        judgement = self.run.judgements[change]
        if judgement.needs_a_person or self.policy.is_excused(past.status, judgement.seen):
            return ""
        return NO_EXCUSE if decide(past, self._later(change), self.policy)[0] == REBOUND else ""

    def _reopen(self, change: str, spot: str, kind: str, told: str) -> None:
        """Back to where cases of its verdict begin, with nothing in hand: what was brought stays in the history."""
        past = self.pasts[spot]
        start = self.workflow.start
        status = start.get(self.run.judgements[change].verdict, start[Verdict.DOUBT])
        self.reopened[past.case_id] = {
            "id": past.case_id, "status": status, "held": {}, "version": past.version + 1,
        }  # fmt: skip
        evidence = {"change": change}
        self.events.append(
            history.event(
                past.case_id, self.now, kind, told, origin=past.status, to=status, evidence=evidence
            )
        )
        self.pasts[spot] = replace(past, status=status, version=past.version + 1)

    def _stand_on(self, change: str, case: str) -> None:
        self.stands[case] = {"id": case, "change_id": change, "judgement_id": self.ids[change]}

    def _past(self, spot: str) -> Past:
        """The case of a spot; of one that this run founded, as it was just opened."""
        if spot not in self.pasts:
            change = self.founded[spot]
            status = self.workflow.start[self.run.judgements[change].verdict]
            self.pasts[spot] = Past(
                case_id=spot, status=status, version=FIRST, since=self.now, by="", held={},
                shapes=[self.shapes[change]], classes=frozenset({self.rows[change][1]}), numbers={},
            )  # fmt: skip
        return self.pasts[spot]

    def _later(self, change: str) -> Later:
        _, kind, area_m2, before, after = self.rows[change]
        return Later(
            change_class=kind, before=before, after=after, shape=self.shapes[change], area_m2=area_m2,
            facts=self.run.facts[change].values,
        )  # fmt: skip

    def _noted(self, change: str, spot: str, outcome: str, why: str) -> None:
        self.over.setdefault(spot, []).append((self.rows[change][0], outcome, why))

    def _sight(self, change: str, spot: str, version: int, outcome: str, why: str) -> None:
        self.counts[outcome] += 1
        key = short_hash("sighting", change, outcome) if change in self.placed else change
        self.sightings.append(
            {
                "id": key, "case_id": spot, "change_id": change, "source": "imagery",
                "at": self.rows[change][4], "recorded": self.now, "version": version, "outcome": outcome,
                "accuracy_m": None, "who": MACHINE, "photo": "",
                "note": "", "why": why,
            }
        )  # fmt: skip
