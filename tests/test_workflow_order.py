"""The road of a case in any order: somebody drives it to a penalty, others try anything; the lock holds."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cases.workflow import LOCK, MACHINE, PENALTY, check_evidence, check_move, load_workflow
from ground.errors import IllegalMove

ROAD = load_workflow()
EVERYTHING = dict.fromkeys(ROAD.evidence, "record 7") | dict.fromkeys(ROAD.days, "2026-06-30")
START = st.sampled_from(sorted(ROAD.start.values()))
OFFICERS = st.sampled_from(["李伟", "李伟；李伟", "李伟；张敏", "Li Wei;Zhang Min", "tiankan;李伟"])
ACTORS = st.sampled_from(["李伟", "张敏", "李伟", "张敏", MACHINE, "Tiankan ", ""])
ROLES = ["county", "city", "province", "legal", "machine"]
BOTH = {"李伟；张敏", "Li Wei;Zhang Min"}


OTHERS = {"police", "discipline"}


def _nearer() -> dict[str, tuple[str, str]]:
    """From each status from which one leads there: the arrow (to, role) that is nearest to the end of a penalty."""
    nearer: dict[str, tuple[str, str]] = {}
    reached = ["closed"]
    for goal in reached:
        # By a penalty of our own, not by handing the case to others.
        for move in ROAD.moves:
            for origin in set(move.origins) - OTHERS if move.to == goal else []:
                if origin not in reached:
                    nearer[origin] = (goal, move.roles[0])
                    reached.append(origin)
    return nearer


NEARER = _nearer()
GIVERS = ROAD.given_by


class AnyOrder(RuleBasedStateMachine):
    """Someone drives the case to a penalty, with now and then something lacking; others try anything."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, str] = {}
        self.passed: list[tuple[str, str, str, dict[str, str]]] = []

    @initialize(start=START)
    def open(self, start: str) -> None:
        self.status = start

    def attempt(self, to: str, role: str, actor: str, evidence: dict[str, str]) -> None:
        """As the store does it."""
        lasting = {kind: text for kind, text in self.held.items() if kind not in ROAD.fresh}
        try:
            check_evidence(ROAD, evidence, role)
            step = check_move(ROAD, "c", self.status, to, actor=actor, role=role, held=lasting | evidence)
        except IllegalMove:
            return
        self.status = to
        self.held = {kind: text for kind, text in (self.held | evidence).items() if kind not in step.clears}
        self.passed.append((to, actor, role, dict(self.held)))

    @rule(officers=OFFICERS, lacking=st.sets(st.sampled_from(sorted(LOCK)), max_size=1), actor=ACTORS)
    def drive_on(self, officers: str, lacking: set[str], actor: str) -> None:
        if self.status in NEARER:
            to, role = NEARER[self.status]
            evidence = {
                k: v for k, v in EVERYTHING.items() if k not in lacking and role in GIVERS.get(k, [role])
            }
            if "two_officers" in evidence:
                evidence["two_officers"] = officers
            self.attempt(to, role, actor, evidence)

    @rule(to=st.sampled_from(ROAD.statuses), role=st.sampled_from(ROLES), actor=ACTORS)
    def try_anything(self, to: str, role: str, actor: str) -> None:
        self.attempt(to, role, actor, {})

    @invariant()
    def nothing_of_the_penalty_stands_on_a_clue(self) -> None:
        first = next((step for step in self.passed if step[0] in PENALTY), None)
        if first is None:
            return
        _, _, _, held = first
        assert held.keys() >= LOCK
        assert held["two_officers"] in BOTH
        before = [(to, role) for to, _, role, _ in self.passed[: self.passed.index(first)]]
        assert ("proven", "county") in before
        assert ("violation", "province") in before
        assert ("audited", "legal") in before

    @invariant()
    def no_machine_ever_moved_it(self) -> None:
        assert {actor for _, actor, _, _ in self.passed} <= {"李伟", "张敏"}
        assert all(role != "machine" for _, _, role, _ in self.passed)


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_moves_in_any_order_keep_the_lock = AnyOrder.TestCase
