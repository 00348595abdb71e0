"""The workflow: which moves a case may make, read from workflow.toml; what a move needs, decided here."""

from datetime import date
from itertools import combinations
from pathlib import Path

from pydantic import Field, model_validator

from cases.people import MACHINE as MACHINE
from cases.people import MACHINE_ROLE as MACHINE_ROLE
from cases.people import as_read as as_read
from cases.people import fault_of, people_of
from cases.rules import NEED_A_PERSON, Verdict
from cases.steps import Joining as Joining
from cases.steps import Move as Move
from cases.steps import Replacing as Replacing
from cases.steps import Transfer as Transfer
from clocks.calendar import as_day
from database.road import AUDITOR as AUDITOR
from database.road import BEFORE as BEFORE
from database.road import BEYOND
from database.road import LOCK as LOCK
from database.road import MERGED as MERGED
from database.road import PENALTY as PENALTY
from database.road import REPLACED as REPLACED
from database.road import SPLIT as SPLIT
from ground.errors import BadInput, IllegalMove
from ground.files import short_hash
from ground.tables import Strict, load_toml, parse

WORKFLOW_TOML = Path(__file__).with_name("workflow.toml")
SAID_BY_A_PERSON = PENALTY | {"violation"}
"""Where the machine may leave no case."""
AUDITED = PENALTY | {"audited"}
"""Where the legal audit has spoken: what it rests on is added to, never replaced."""


class Workflow(Strict):
    """All moves, and where a case of each verdict begins."""

    effective_from: date
    start: dict[Verdict, str]
    evidence: dict[str, str]
    fresh: list[str] = []
    """Kinds that every move needing them must bring itself: yesterday's reason is no reason today."""
    days: list[str] = []
    """Kinds that are a day, written as 2026-06-30."""
    given_by: dict[str, list[str]] = {}
    """Kinds that only these roles may put into a case."""
    files: list[str] = []
    """Kinds that refer to a file which was given for the case; words are none."""
    apart: list[str] = [AUDITOR]
    """Roles whose holder has no other part in the case (see `cases.parts`); the legal auditor's always."""
    roles: dict[str, str] = Field(alias="role", min_length=1)
    """Who works on cases, and what each is."""
    transfer: Transfer | None = None
    moves: list[Move] = Field(alias="move", min_length=1)
    split: Replacing
    merge: Joining

    @model_validator(mode="after")
    def _is_sound(self) -> "Workflow":
        if set(self.start) != NEED_A_PERSON:
            raise ValueError(f"start must name a status for each of {', '.join(sorted(NEED_A_PERSON))}")
        for verdict, status in self.start.items():
            if status in BEYOND:
                raise ValueError(
                    f"start may not leave {verdict} at {status!r}: only a named person says that"
                )
        reachable = set(self.start.values()) | {move.to for move in self.moves}
        for move in self.moves:
            for origin in move.origins:
                if origin not in reachable:
                    raise ValueError(
                        f"the move to {move.to!r} starts at {origin!r}, where no case ever comes"
                    )
            self._check_words(move)
            self._check_lock(move)
        self._check_replacing()
        return self

    def _check_words(self, move: Move) -> None:
        for need in (*move.needs, *move.clears, *self.fresh, *self.days, *self.given_by, *self.files):
            if need not in self.evidence:
                raise ValueError(
                    f"the move to {move.to!r} needs {need!r}, which [evidence] does not list "
                    f"({', '.join(self.evidence)})"
                )
        for kind in move.wait.unless if move.wait else []:
            if kind not in self.evidence:
                raise ValueError(
                    f"the move to {move.to!r} waits unless there is {kind!r}, which [evidence] does not list"
                )
        if AUDITOR not in self.apart:
            raise ValueError(f"apart must hold {AUDITOR!r}: who audits a case has no other part in it")
        for role in set(self.apart) - {AUDITOR}:
            if role not in self.roles:
                raise ValueError(
                    f"apart holds {role!r}, which [role] does not list ({', '.join(self.roles)})"
                )
        for role in move.roles:
            if role not in {*self.roles, MACHINE_ROLE}:
                raise ValueError(
                    f"the move to {move.to!r} is for role {role!r}, which [role] does not list "
                    f"({', '.join(self.roles)})"
                )
        if MACHINE_ROLE in move.roles:
            raise ValueError(f"the move to {move.to!r} may not be made by role {MACHINE_ROLE!r}")
        if move.to in REPLACED:
            raise ValueError(f"no move leads to {move.to!r}; a case ends there when others take its place")

    def _check_replacing(self) -> None:
        """Parts begin where the whole stood: never where only a named person brings a case."""
        free = set(self.start.values())
        while more := {m.to for m in self.moves if free & set(m.origins)} - free - SAID_BY_A_PERSON:
            free |= more
        for name, said in (("split", self.split), ("merge", self.merge)):
            beyond = [origin for origin in said.origins if origin not in free]
            if beyond:
                raise ValueError(
                    f"{name}.from holds {beyond[0]!r}, which is reached through a violation only"
                )
            if MACHINE_ROLE in said.roles:
                raise ValueError(f"{name}.role holds {MACHINE_ROLE!r}: a named person does that")

    def _check_lock(self, move: Move) -> None:
        if move.to == "violation" and "field_evidence" not in move.needs:
            raise ValueError("the move to 'violation' must need field_evidence: a clue is no proof")
        skipping = set(move.origins) - BEFORE.get(move.to, set(move.origins))
        if skipping:
            raise ValueError(
                f"the move to {move.to!r} may start at {', '.join(sorted(BEFORE[move.to]))} only, not at "
                f"{sorted(skipping)[0]!r}: a penalty is reached from its legal audit"
            )
        if move.to == "decision" and "notice" in move.origins and move.wait is None:
            raise ValueError(
                "the move from 'notice' to 'decision' must wait: the party speaks before it is decided"
            )
        if move.to == "decision" and "hearing" in move.origins and "hearing" not in move.needs:
            raise ValueError("the move from 'hearing' to 'decision' must need hearing, the record of it")
        entered = move.to in {"notice", "decision"} or (
            move.to in PENALTY and not set(move.origins) <= PENALTY
        )
        lacking = LOCK - set(move.needs)
        if entered and lacking:
            raise ValueError(
                f"the move to {move.to!r} must need {', '.join(sorted(lacking))}: a clue is no proof"
            )

    @property
    def version(self) -> str:
        """Hash of all that it says: each move keeps by which workflow it was made."""
        return short_hash(self.model_dump_json(by_alias=True))

    @property
    def statuses(self) -> list[str]:
        """Every status a case can have, in the order of the file."""
        return list(dict.fromkeys([*self.start.values(), *(move.to for move in self.moves), *REPLACED]))

    def from_status(self, status: str) -> list[Move]:
        """The moves that leave a status."""
        return [move for move in self.moves if status in move.origins]


def load_workflow(path: Path = WORKFLOW_TOML, day: date | None = None) -> Workflow:
    """The workflow in force on a day, today unless told: of the editions beside a file (NAME*.toml) the last effective.

    Raises:
        BadInput: a typo with file and key, a road that reaches a penalty on a clue alone, or none is in force yet.
    """
    wanted = day or date.today()
    paths = sorted({path, *path.parent.glob(f"{path.stem}-*.toml")})
    editions: list[Workflow] = [parse(Workflow, load_toml(each), each) for each in paths]
    for one, other in combinations(
        sorted(zip(editions, paths, strict=True), key=lambda e: e[0].effective_from), 2
    ):
        if one[0].effective_from == other[0].effective_from:
            raise BadInput(
                f"{other[1]}: effective_from {other[0].effective_from} is that of {one[1].name}, too; only one edition "
                "holds on a day, give another"
            )
    holding = [each for each in editions if each.effective_from <= wanted]
    if not holding:
        raise BadInput(f"{path}: no edition is effective on {wanted}; add one with an earlier effective_from")
    return max(holding, key=lambda each: each.effective_from)


def check_move(
    workflow: Workflow, case_id: str, status: str, to: str, *, actor: str, role: str, held: dict[str, str]
) -> Move:
    """The move, if this person may make it with what is in hand.

    Raises:
        IllegalMove: and what is possible instead, or what is lacking.
    """
    check_person(case_id, actor)
    onward = workflow.from_status(status)
    to_there = [move for move in onward if move.to == to]
    if not to_there:
        ways = ", ".join(dict.fromkeys(move.to for move in onward)) or "nowhere, its road has ended"
        raise IllegalMove(f"case {case_id} cannot go from {status} to {to}; from here it can go to: {ways}")
    step = next((move for move in to_there if role in move.roles), None)
    if step is None:
        roles = ", ".join(dict.fromkeys(r for move in to_there for r in move.roles))
        raise IllegalMove(f"case {case_id}: role {role!r} may not move it from {status} to {to}; {roles} may")
    lacking = [f"{n} ({workflow.evidence[n]})" for n in step.needs if not as_read(held.get(n) or "")]
    if lacking:
        raise IllegalMove(f"case {case_id} cannot go to {to} without {', '.join(lacking)}")
    if "two_officers" in step.needs and not _are_two(held["two_officers"]):
        raise IllegalMove(f"case {case_id} cannot go to {to}: {_not_two(held['two_officers'])}")
    return step


def _are_two(officers: str) -> bool:
    return len(people_of(officers)) >= 2


def _not_two(officers: str) -> str:
    return f"two_officers {officers!r} does not name two people; write both names separated by a semicolon"


def check_replacing(said: Replacing, what: str, case_id: str, status: str, actor: str, role: str) -> None:
    """Nothing, if this person may let others take the case's place; `what` is split or merged.

    Raises:
        IllegalMove: and who may, or when it could have been.
    """
    check_person(case_id, actor)
    if role not in said.roles:
        raise IllegalMove(f"case {case_id} may not be {what} by role {role!r}; {', '.join(said.roles)} may")
    if status not in said.origins:
        raise IllegalMove(
            f"case {case_id} is at {status} and can no longer be {what}; that is done at {', '.join(said.origins)}"
        )


def check_person(case_id: str, actor: str) -> None:
    """Nothing, if this is a name, and not the machine's.

    Raises:
        IllegalMove: it is not.
    """
    fault = fault_of(actor)
    if fault:
        raise IllegalMove(f"case {case_id}: a move is made by a named person; {fault}")


def check_evidence(workflow: Workflow, evidence: dict[str, str], role: str | None = None) -> None:
    """Nothing, if every kind is one the workflow knows, refers to something and may come from this role.

    Raises:
        IllegalMove: and what would be right.
    """
    for kind, reference in evidence.items():
        if kind not in workflow.evidence:
            raise IllegalMove(f"evidence {kind!r} is unknown; use one of {', '.join(workflow.evidence)}")
        givers = workflow.given_by.get(kind, [])
        if role is not None and givers and role not in givers:
            raise IllegalMove(f"evidence {kind!r} is given by role {', '.join(givers)} only, not by {role!r}")
        if not as_read(reference):
            raise IllegalMove(
                f"evidence {kind!r} refers to nothing; give a document number, file or sentence"
            )
        if kind == "two_officers" and not _are_two(reference):
            # Even where no move asks for it: it would take the place of two names that are in hand.
            raise IllegalMove(f"evidence: {_not_two(reference)}")
        if kind in workflow.days and as_day(reference) is None:
            raise IllegalMove(
                f"evidence {kind!r}: {reference!r} is not a day of 1900 to 2200; write one like 2026-06-30, or leave "
                "it away where there is none"
            )
