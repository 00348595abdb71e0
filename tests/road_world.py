"""Somebody who tries everything on the cases of a county, against a model of the road written from the law alone.

The model is not read from workflow.toml: it says which step may follow which, by whose hand, as the field's rules do.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from cases.rules import Rulebook
from cases.store import CaseFilter, CaseStore
from cases.workflow import as_read
from database.audit import look
from database.revisions import WRITE_LOCK
from ground.errors import IllegalMove
from tests.cases_world import ROAD, book, lonlat_changes, put

MAY_FOLLOW = {
    "suspected": "field_check", "doubt": "field_check", "returned": "field_check", "field_check": "proven",
    "proven": "city_review", "objection": "city_review", "city_review": "province_review returned",
    "province_review": "returned lawful rural_road facility other pseudo_change violation",
    "lawful": "objection", "rural_road": "objection", "facility": "objection", "other": "objection",
    "pseudo_change": "objection", "not_filed": "objection",
    "violation": "objection stop_order filed not_filed rectification police discipline",
    "stop_order": "filed not_filed rectification", "filed": "investigation police discipline",
    "investigation": "audited withdrawn police discipline", "audited": "notice withdrawn investigation",
    "notice": "hearing decision withdrawn", "hearing": "decision withdrawn", "decision": "served",
    "served": "executed court", "executed": "closed", "court": "closed", "rectification": "verification filed",
    "verification": "signed_off rectification filed", "police": "filed closed", "discipline": "filed closed",
    "closed": "", "signed_off": "", "withdrawn": "", "split": "", "merged": "",
}  # fmt: skip
"""By status, what a person may bring the case to next."""
HANDS = {
    "city": "city_review province_review returned signed_off police discipline rectification closed",
    "province": "returned lawful rural_road facility other pseudo_change violation",
    "legal": "audited withdrawn investigation",
    "county": "field_check proven objection stop_order filed not_filed investigation notice hearing decision served "
    "executed court closed rectification verification police discipline",
}
"""By role, where it may bring a case to."""
PENAL = {"notice", "hearing", "decision", "served", "court", "executed"}
TO_A_PENALTY = PENAL | {"province_review", "violation", "filed", "investigation", "audited", "closed"}
TWO = ("李伟; 张敏", "李伟；张敏", "Li Wei;Zhang Min")
ONE = ("李伟", "李伟;李伟", "Li Wei；ＬＩ ＷＥＩ", "李伟;\u200b李伟", "李伟; ", "tiankan;李伟")
ACTORS = ("李伟", "张敏", "王芳", " 李伟 ")
AUDITORS = ("周正", "吴静")
NOBODY = ("", " ", "tiankan", "Tiankan ", "\u200b")
OPEN_AT_ONCE = 12
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BY_HAND = (
    "UPDATE enforcement_case SET status = '{status}' WHERE id = '{case}'",
    "UPDATE enforcement_case SET status = '{status}', held = '{held}' WHERE id = '{case}'",
    "UPDATE enforcement_case SET held = '{{}}' WHERE id = '{case}'",
    "DELETE FROM event WHERE case_id = '{case}'", "UPDATE event SET actor = '赵六' WHERE case_id = '{case}'",
    "UPDATE event SET to_status = 'audited', role = 'legal' WHERE case_id = '{case}'",
    "DELETE FROM seal", "UPDATE seal SET content = digest", "DELETE FROM judgement",
    "UPDATE judgement SET verdict = 'lawful'", "DELETE FROM evidence", "UPDATE sighting SET outcome = 'noted'",
    *(
        "INSERT INTO event (case_id, at, kind, actor, role, from_status, to_status, reason, evidence) SELECT id, "
        f"opened, '{kind}', '李伟', '{role}', {origin}, '{to}', '', '{{{{}}}}' FROM enforcement_case "
        "WHERE id = '{case}'"
        for kind, role, origin, to in (
            ("moved", "legal", "status", "audited"), ("moved", "county", "'field_check'", "proven"),
            ("moved", "legal", "'investigation'", "audited"), ("evidence", "legal", "'audited'", "audited"),
            ("split", "county", "''", "proven"),
        )
    ),
    "UPDATE enforcement_case SET status = 'audited' WHERE id = '{case}'",
    "UPDATE enforcement_case SET status = 'notice', held = '{held}' WHERE id = '{case}'",
    "UPDATE enforcement_case SET status = 'decision', held = '{held}' WHERE id = '{case}'",
    "DELETE FROM enforcement_case WHERE id = '{case}'", "UPDATE enforcement_case SET id = 'x' WHERE id = '{case}'",
    "UPDATE enforcement_case SET change_id = (SELECT min(id) FROM change) WHERE id = '{case}'",
)  # fmt: skip
"""What somebody who reaches the database itself may try."""
FULL = '{"field_evidence": "f", "two_officers": "李伟;张敏", "legal_audit": "l", "photo": "p"}'


@dataclass
class Known:
    """What the model knows of one case."""

    status: str
    version: int = 1
    told: int = 1
    """Events."""
    last: datetime = LONG_AGO
    """When it was moved last."""
    passed: list[tuple[str, str]] = field(default_factory=list)
    """(status, role) of every step."""
    parts: set[tuple[str, bool]] = field(default_factory=set)
    """(name, whether as legal auditor) of who made them."""


@dataclass
class Anybody:
    """Tries anything, step by step, and holds what came of it against the model."""

    store: CaseStore
    dice: random.Random
    cases: dict[str, Known] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    batch: int = 0

    def step(self) -> None:
        """One thing tried."""
        if len(self.open_cases()) < OPEN_AT_ONCE // 2:
            self._open_more()
        case = self.dice.choice(self.open_cases())
        tries = {
            self._drive: 60, self._anything: 16, self._stale: 5, self._by_hand: 8, self._wrong_time: 4,
            self._nobody: 4, self._others_file: 2, self._judge_again: 1,
        }  # fmt: skip
        what = self.dice.choices([*tries], [*tries.values()])[0]
        what(case)
        self._hold(case)

    def open_cases(self) -> list[str]:
        """Those whose road goes on."""
        return [case for case, known in self.cases.items() if MAY_FOLLOW[known.status]]

    def hold_all(self) -> None:
        """Every case is as the model knows it, and the chain is whole."""
        for case in self.cases:
            self._hold(case)
        with self.store.transaction() as session:
            told = look(session, [])
        assert told.faults == [], told.faults[:3]

    def _open_more(self) -> None:
        """A batch of its own row of places; cases of which the road has ended are let go."""
        self.cases = {case: known for case, known in self.cases.items() if MAY_FOLLOW[known.status]}
        boxes = [
            (100 + 0.01 * i, 20 + 0.01 * self.batch, 100.001 + 0.01 * i, 20.001 + 0.01 * self.batch)
            for i in range(OPEN_AT_ONCE)
        ]
        after = self.store.cases(CaseFilter(), limit=1).total
        put(self.store, lonlat_changes(*boxes, pair_id=f"pair{self.batch}"))
        self.batch += 1
        page = self.store.cases(
            CaseFilter(bbox=(99, boxes[0][1] - 0.002, 101, boxes[0][3] + 0.002)), limit=1000
        )
        assert self.store.cases(CaseFilter(), limit=1).total == after + OPEN_AT_ONCE == after + page.total
        self.cases |= {case.id: Known(case.status) for case in page.items}

    def _move(self, case: str, to: str, role: str, actor: str, evidence: dict[str, str], **more: Any) -> bool:
        known = self.cases[case]
        try:
            moved = self.store.move(case, to, ROAD, actor=actor, role=role, evidence=evidence, **more)
        except IllegalMove:
            self.counts["refused"] += 1
            return False
        assert to in MAY_FOLLOW[known.status].split(), f"{known.status} → {to}"
        assert to in HANDS[role].split(), f"{to} by {role}"
        assert as_read(actor) not in {"", "tiankan"}
        known.status, known.version, known.told = to, known.version + 1, known.told + 1
        known.passed.append((to, role))
        known.parts.add((actor.strip(), role == "legal"))
        auditors = {name for name, audits in known.parts if audits}
        officers = {name.strip() for name in moved.held.get("two_officers", "").replace("；", ";").split(";")}
        assert not auditors & ({name for name, audits in known.parts if not audits} | officers), (
            "one in two parts"
        )
        known.last = more.get("at") or datetime.now(UTC)
        assert (moved.status, moved.version) == (to, known.version)
        self.counts["moved"] += 1
        self.counts["into a penalty"] += to in PENAL
        return True

    def _evidence(self, role: str, officers: str) -> dict[str, str]:
        """All that a role may bring."""
        all_kinds = dict.fromkeys(ROAD.evidence, "record 7") | dict.fromkeys(ROAD.days, "2030-01-01")
        mine = {k: v for k, v in all_kinds.items() if k != "legal_audit" or role == "legal"}
        return mine | {"two_officers": officers}

    def _drive(self, case: str) -> None:
        """On, with all in hand; rarely something is lacking."""
        known = self.cases[case]
        ways = MAY_FOLLOW[known.status].split()
        to = self.dice.choices(ways, [12 if way in TO_A_PENALTY else 1 for way in ways])[0]
        role = self.dice.choice([name for name, ends in HANDS.items() if to in ends.split()])
        evidence = self._evidence(role, self.dice.choice(TWO if self.dice.random() < 0.9 else ONE))
        for kind in self.dice.sample(sorted(evidence), self.dice.choice([0, 0, 0, 1, 3])):
            del evidence[kind]
        usual = AUDITORS if role == "legal" and self.dice.random() < 0.9 else ACTORS
        self._move(case, to, role, self.dice.choice(usual), evidence)

    def _anything(self, case: str) -> None:
        role = self.dice.choice(sorted(HANDS))
        evidence = self._evidence(role, self.dice.choice(TWO + ONE)) if self.dice.random() < 0.7 else {}
        self._move(case, self.dice.choice(sorted(MAY_FOLLOW)), role, self.dice.choice(ACTORS), evidence)

    def _stale(self, case: str) -> None:
        known = self.cases[case]
        to = self.dice.choice(MAY_FOLLOW[known.status].split())
        stale = known.version + self.dice.choice([-1, 1, 7])
        for role in HANDS:
            moved = self._move(case, to, role, "李伟", self._evidence(role, TWO[0]), version=stale)
            assert not moved, "a stale version moved it"

    def _wrong_time(self, case: str) -> None:
        known = self.cases[case]
        to = self.dice.choice(MAY_FOLLOW[known.status].split())
        ahead = self.dice.random() < 0.5
        when, was = datetime.now(UTC) + timedelta(days=1) if ahead else LONG_AGO, known.last
        for role in HANDS:
            if self._move(case, to, role, "李伟", self._evidence(role, TWO[0]), at=when):
                assert was <= when <= datetime.now(UTC), "a move of a wrong time"
                return

    def _nobody(self, case: str) -> None:
        to = self.dice.choice(MAY_FOLLOW[self.cases[case].status].split())
        for role in HANDS:
            assert not self._move(case, to, role, self.dice.choice(NOBODY), self._evidence(role, TWO[0]))

    def _others_file(self, case: str) -> None:
        to = self.dice.choice(MAY_FOLLOW[self.cases[case].status].split())
        for role in HANDS:
            evidence = self._evidence(role, TWO[0]) | {"photo": f"sha256:{'ab' * 32}"}
            assert not self._move(case, to, role, "李伟", evidence), "a file of no row was evidence"

    def _judge_again(self, case: str) -> None:
        """The batch of a case judged by another law: the case stays where people brought it."""
        row = self.store.case(case)
        strict: Rulebook = book(effective_from=f"{2000 + self.dice.randrange(20)}-01-01")
        west, south, east, north = row.bbox
        frame = lonlat_changes((west, south, east, north), pair_id="again")
        put(self.store, frame, rulebook=strict)
        self.cases[case].told = len(self.store.events(case))
        self.counts["judged again"] += 1

    def _by_hand(self, case: str) -> None:
        """Statements against the database, one or several: refused, or seen by the audit; taken back either way."""
        connection = self.store.engine.connect()
        transaction = connection.begin()
        if connection.dialect.name == "sqlite":  # Its driver begins nothing before a savepoint.
            connection.execute(text(WRITE_LOCK))
        try:
            taken = [one for one in self._statements(case) if self._taken(connection, one)]
            asked = text("SELECT status, held FROM enforcement_case WHERE id = :case")
            row = connection.execute(asked, {"case": case}).one()
            was = self.cases[case]
            entered = row.status in PENAL and was.status not in PENAL
            assert not entered or {"proven", "audited"} <= {to for to, _ in was.passed}, (
                f"by hand into {row.status}: {taken}"
            )
            if (row.status != was.status or any("event" in one for one in taken)) and self.counts[
                "looked"
            ] < 40:
                self.counts["looked"] += 1
                with Session(bind=connection) as session:
                    assert look(session, []).faults, f"not seen: {taken}"
        finally:
            transaction.rollback()
            connection.close()

    def _statements(self, case: str) -> list[str]:
        chosen = self.dice.choices(BY_HAND, k=self.dice.choice([1, 1, 1, 3, 8]))
        return [
            one.format(case=case, status=self.dice.choice(sorted(MAY_FOLLOW)), held=FULL) for one in chosen
        ]

    def _taken(self, connection: Connection, statement: str) -> bool:
        """Whether the database takes a statement, and it does anything."""
        try:
            with connection.begin_nested():
                done = connection.execute(text(statement.replace(":", "\\:")))
        except DatabaseError:
            self.counts["by hand, refused"] += 1
            return False
        self.counts["by hand"] += 1
        return bool(done.rowcount)

    def _hold(self, case: str) -> None:
        """The case is where the model has it, and its history tells why."""
        known, row = self.cases[case], self.store.case(case)
        assert (row.status, row.version) == (known.status, known.version)
        events = self.store.events(case)
        assert events[-1].to_status == row.status and len(events) == known.told
        if row.status in PENAL:
            steps = [to for to, _ in known.passed]
            assert {"proven", "violation", "investigation"} <= set(steps) and (
                "audited",
                "legal",
            ) in known.passed
            assert all(
                as_read(row.held.get(kind, "")) for kind in ("field_evidence", "two_officers", "legal_audit")
            )
            assert row.held["two_officers"] in TWO
