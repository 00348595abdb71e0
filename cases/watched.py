"""Cases under watch: what a later change map says of each, or that it did not see the ground."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pandas as pd
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from database import bulk
from database.geometry import Box
from database.spot_tables import LookRow
from spots import kept
from spots.carrying import CARRIED, NEW_LOOK, REBOUND, Past
from spots.policy import Policy

CHANGED, UNCHANGED, UNSEEN, UNKNOWN = "changed", "unchanged", "unseen", "unknown"
GRAVEST = (REBOUND, NEW_LOOK, "joined", CARRIED, CHANGED)


class Map(Protocol):
    """What is asked of a ledger.Entry."""

    @property
    def scenes(self) -> list[dict[str, Any]]: ...  # noqa: D102
    @property
    def pair(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def observed(self) -> Callable[[Sequence[Any]], Sequence[float | None]] | None: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Watch:
    """The spots under watch on the ground of one pair of scenes that this pair was not held against yet."""

    policy: Policy
    pair: str
    after: datetime | None
    spots: list[str]
    observed: Callable[[Sequence[Any]], Sequence[float | None]] | None

    @classmethod
    def of(cls, session: Session, run: Map, policy: Policy) -> "Watch":
        """None where nobody knows what ground the run covers: then only what changed is known."""
        pair = str(run.pair.get("id", ""))
        scenes = {scene["id"]: scene for scene in run.scenes}
        both = [scenes.get(run.pair.get(name)) for name in ("before_scene", "after_scene")]
        box = _common(both)
        found = kept.watched(session, box, policy) if pair and box else []
        if found:
            done = select(LookRow.case_id).where(
                LookRow.pair_id == pair, bulk.among(session, LookRow.case_id, found)
            )
            looked = set(session.scalars(done))
            found = [spot for spot in found if spot not in looked]
        after = both[1]["acquired"] if both[1] else None
        return cls(policy=policy, pair=pair, after=after, spots=found, observed=run.observed)

    def more(self, session: Session, touched: set[str], known: set[str]) -> list[kept.Sighted]:
        """The outlines of what is under watch and not known yet."""
        missing = ({*self.spots} | touched) - known
        return kept.seen_of(session, missing) if missing else []

    def looks(
        self, pasts: Mapping[str, Past], over: Mapping[str, list[tuple[str, str, str]]], now: datetime
    ) -> list[dict[str, Any]]:
        """A row for each spot under watch, `pasts` as they were before this run."""
        rows, quiet = [], []
        for spot, told in sorted(over.items()):
            if spot in pasts and pasts[spot].status in self.policy.watched:
                pair, outcome, why = min(told, key=lambda one: (GRAVEST.index(one[1]), one[2]))
                rows.append(self._row(spot, pair, outcome, None, why, now))
        for spot in self.spots:
            past = pasts[spot]
            is_later = not (self.after and past.since) or self.after > past.since
            if spot not in over and is_later:
                quiet.append((spot, past))
        shares = self._shares([past for _, past in quiet])
        for (spot, _), share in zip(quiet, shares, strict=True):
            rows.append(self._row(spot, self.pair, *_said(share, self.policy), now))
        return rows

    def _shares(self, pasts: Sequence[Past]) -> Sequence[float | None]:
        if self.observed is None or not pasts:
            return [None] * len(pasts)
        return self.observed([shapely.union_all(list(past.shapes)) for past in pasts])

    def _row(
        self, spot: str, pair: str, outcome: str, share: float | None, why: str, now: datetime
    ) -> dict[str, Any]:
        return {
            "case_id": spot, "pair_id": pair, "at": self.after, "recorded": now, "outcome": outcome, "seen": share,
            "why": why,
        }  # fmt: skip


def _said(share: float | None, policy: Policy) -> tuple[str, float | None, str]:
    if share is None:
        return UNKNOWN, None, "no change is on the map; nobody said whether it shows this ground"
    if share < policy.watch.min_seen:
        return UNSEEN, share, f"the map shows {share:.0%} of it: what happened there was not seen"
    return UNCHANGED, share, f"the map shows {share:.0%} of it and no change"


def _common(scenes: Sequence[dict[str, Any] | None]) -> Box | None:
    """The ground of all scenes; None where one is unknown or they share none."""
    if not scenes or any(scene is None for scene in scenes):
        return None
    known = [scene for scene in scenes if scene is not None]
    west, south = (max(scene[edge] for scene in known) for edge in ("west", "south"))
    east, north = (min(scene[edge] for scene in known) for edge in ("east", "north"))
    return (west, south, east, north) if west <= east and south <= north else None


def moments(column: pd.Series) -> list[datetime | None]:
    """A column of times of the change frame; most of its rows say the same."""
    codes, found = pd.factorize(column)
    known = [*(pd.Timestamp(each).to_pydatetime() for each in found), None]
    return [known[code] for code in codes.tolist()]
