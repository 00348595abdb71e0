"""A case cut into parts, where that goes wrong: by whom, meanwhile, half-way, by hand; with layers that are gone."""

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from cases import anew, lineage
from cases.issuing import issue
from cases.rulebook import load_rulebook
from cases.store import CaseStore
from cases.whatif import what_if
from evidence.rejudge import replay_bundle
from ground.errors import IllegalMove, NotFound
from reports.case_pdf import Wanted, case_report
from reports.words import Language
from tests.bundle_world import bundled
from tests.cases_world import ROAD, changes_of, new_store, put, row_of_changes
from tests.evidence_world import LIMITS, files_in, give, photo
from tests.splits_world import (
    SQUARE,
    THIRDS,
    TO_REVIEW,
    cases,
    county,
    cut,
    is_whole,
    judge,
    url_of,
    walk,
)
from tests.test_splitting import everything, land_of


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return county(tmp_path)


def test_who_may_not_and_what_is_not_there(store: CaseStore) -> None:
    (whole,) = cases(store)
    with pytest.raises(IllegalMove, match="may not be split by role 'province'; county may"):
        cut(store, whole.id, role="province")
    for nobody in ("", " tiankan "):
        with pytest.raises(IllegalMove, match="by a named person"):
            cut(store, whole.id, actor=nobody)
    with pytest.raises(IllegalMove, match="say why, in a sentence"):
        cut(store, whole.id, reason=" ")
    with pytest.raises(NotFound, match="no case has the id 'case-x'"):
        cut(store, "case-x")
    with pytest.raises(NotFound):
        cut(store.scoped("41"), whole.id)
    walk(store, whole.id, TO_REVIEW[0])
    with pytest.raises(
        IllegalMove, match=r"moved to field_check by 李伟 at .* \(you read version 1, it is at 2\)"
    ):
        cut(store, whole.id, version=1)
    assert len(cut(store, whole.id, version=2).parts) == 3


def test_a_region_cuts_its_own(store: CaseStore) -> None:
    issue(store, "Q3")
    (whole,) = cases(store)
    done = cut(store.scoped("1401"), whole.id)
    assert [part.number[-2:] for part in done.parts] == ["_1", "_2", "_3"]
    assert is_whole(store)


def test_no_move_leads_out_of_the_end_and_no_hand_writes_it(store: CaseStore) -> None:
    (whole,) = cases(store)

    def written(status: str) -> None:
        with store.engine.begin() as by_hand:
            by_hand.execute(
                text("UPDATE enforcement_case SET status = :s WHERE id = :c"), {"s": status, "c": whole.id}
            )

    for end in ("split", "merged"):
        with pytest.raises(IntegrityError, match="only where others took its place"):
            written(end)
    cut(store, whole.id)
    for back in ("suspected", "field_check"):
        with pytest.raises(IntegrityError, match="has ended; its successors go on"):
            written(back)
    with pytest.raises(IllegalMove, match="its road has ended"):
        walk(store, whole.id, TO_REVIEW[0])


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("step", ["_end", "_files"])
def test_a_fault_half_way_leaves_nothing(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch, step: str, fault: type[BaseException]
) -> None:
    (whole,) = cases(store)
    before = everything(store)
    real = getattr(lineage, step)

    def breaks(*given: Any) -> None:
        real(*given)
        raise fault("half-way")

    monkeypatch.setattr(lineage, step, breaks)
    with pytest.raises(fault):
        cut(store, whole.id)
    assert everything(store) == before
    monkeypatch.undo()
    assert len(cut(store, whole.id).parts) == 3 and is_whole(store)


def test_who_moves_it_while_its_parts_are_judged_is_named(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cases import splitting

    (whole,) = cases(store)
    real = splitting.refuse_beyond

    def meanwhile(*given: Any) -> None:
        real(*given)
        walk(store, whole.id, TO_REVIEW[0])

    monkeypatch.setattr(splitting, "refuse_beyond", meanwhile)
    with pytest.raises(IllegalMove, match=r"moved to field_check by 李伟 at .*while its parts were judged"):
        cut(store, whole.id)
    assert len(cases(store)) == 1


def test_judged_by_files_that_are_as_they_were(tmp_path: Path) -> None:
    store = county(tmp_path, by_files=True)
    done = cut(store, cases(store)[0].id)
    assert [part.verdict for part in done.parts] == ["lawful", "suspected_violation", "suspected_violation"]
    assert [one["group_mu"]["cultivated"] for one in land_of(store, *(p.id for p in done.parts))] == [
        7.5,
        0,
        0,
    ]


def test_what_it_was_judged_by_is_gone_and_nothing_is_invented(tmp_path: Path) -> None:
    store = county(tmp_path, by_files=True)
    (tmp_path / "permits.gpkg").unlink()
    (whole,) = cases(store)
    done = cut(store, whole.id)
    assert {(part.verdict, part.rule_id, part.status) for part in done.parts} == {
        ("doubt", "NOT-JUDGED-SINCE", "suspected")
    }
    part = done.parts[0]
    assert part.facts["permits_share"] is None
    assert part.missing["layers"] == (
        f"it was cut from case {whole.id}, and the layers that it was judged by are no longer at hand; "
        "judge it again with `tiankan judge`"
    )
    assert land_of(store, *(p.id for p in done.parts)) == [None] * 3
    # Its changes as a file are what `judge` judges again.
    judge(store, tmp_path, anew.changes_of(store, [one.id for one in done.parts]))
    assert [one.verdict for one in cases(store)[1:]] == [
        "lawful",
        "suspected_violation",
        "suspected_violation",
    ]
    assert [event.kind for event in store.events(part.id)] == ["split", "judged"]
    assert [one["group_mu"]["construction"] for one in land_of(store, *(p.id for p in done.parts))] == [
        1.5,
        10.5,
        10.5,
    ]
    assert is_whole(store)


def test_a_run_judged_once_more_does_not_bring_the_whole_back(tmp_path: Path) -> None:
    store = county(tmp_path)
    (whole,) = cases(store)
    cut(store, whole.id)
    judge(store, tmp_path, changes_of(SQUARE))
    assert [case.status for case in cases(store)] == ["split", "suspected", "suspected", "suspected"]


def test_of_what_was_never_judged_by_layers_all_is_unknown(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    (whole,) = cases(store)
    west, south, east, north = whole.bbox
    from cases.splitting import split

    middle = (west + east) / 2
    parts = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    done = split(store, whole.id, parts, ROAD, actor="王芳", role="county", reason="r")
    assert [part.verdict for part in done.parts] == ["doubt", "doubt"]
    assert sum(part.area_m2 for part in done.parts) == pytest.approx(whole.area_m2, abs=1e-3)


def test_a_part_has_papers_and_a_bundle_of_its_own(store: CaseStore, tmp_path: Path) -> None:
    (whole,) = cases(store)
    ends = shapely.MultiPolygon([THIRDS[0], THIRDS[2]])
    pieces, middle = cut(store, whole.id, ends, THIRDS[1]).parts
    for case in (pieces, middle, store.case(whole.id)):
        told = bundled(store, files_in(tmp_path), case.id, tmp_path / f"{case.id}.zip")
        assert told.same and replay_bundle(tmp_path / f"{case.id}.zip", LIMITS).same
        wanted = Wanted(language=Language.ZH, draft=True)
        assert case_report(store, case.id, ROAD, wanted).pdf[:4] == b"%PDF"


def test_a_machine_that_judges_what_has_ended_splits_nothing(tmp_path: Path) -> None:
    store = county(tmp_path)
    (whole,) = cases(store)
    cut(store, whole.id)
    (tmp_path / "book.toml").write_text((tmp_path / "book.toml").read_text().replace("0.75", "0.2"))
    judge(store, tmp_path, changes_of(SQUARE))
    assert [event.kind for event in store.events(whole.id)] == ["opened", "split", "judged"]
    with pytest.raises(IllegalMove, match="was split by 王芳"):
        cut(store, whole.id)


def test_of_several_at_once_one_cuts(store: CaseStore) -> None:
    (whole,) = cases(store)
    said: list[str] = []

    def work() -> None:
        try:
            cut(store, whole.id)
            said.append("")
        except IllegalMove as error:
            said.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count("") == 1 and all("was split by 王芳" in text for text in said if text)
    assert len(cases(store)) == 4 and is_whole(store)


KILLED = """
import os, signal, sys
from cases import lineage, splitting
from cases.store import open_store
from tests.cases_world import ROAD
from tests.splits_world import THIRDS, degrees

lineage._end = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
who = {"actor": "w", "role": "county", "reason": "r"}
splitting.split(open_store(sys.argv[1]), sys.argv[2], degrees(*THIRDS), ROAD, **who)
"""


def test_killed_half_way_it_leaves_nothing(store: CaseStore) -> None:
    (whole,) = cases(store)
    before = everything(store)
    words = [sys.executable, "-c", KILLED, url_of(store), whole.id]
    assert subprocess.run(words, cwd=Path(__file__).parent.parent, check=False).returncode == -signal.SIGKILL
    assert everything(store) == before
    assert len(cut(store, whole.id).parts) == 3 and is_whole(store)


def test_what_another_book_would_say_counts_the_land_once(store: CaseStore, tmp_path: Path) -> None:
    cut(store, cases(store)[0].id)
    found = what_if(store, [load_rulebook(tmp_path / "book.toml")])
    assert (found.changes, found.turns, sum(flow["area_mu"] for flow in found.flows)) == (3, [], 30.0)


def test_a_part_has_the_files_of_the_whole_in_hand(store: CaseStore, tmp_path: Path) -> None:
    (whole,) = cases(store)
    files = files_in(tmp_path)
    for kind in ("photo", "field_evidence"):
        path = photo(tmp_path / f"{kind}.jpg", seed=len(kind))
        give(store, files, whole.id, path, kind=kind, despite="an old camera")
    part, _ = cut(store, whole.id).parts[:2]
    wanted = Wanted(language=Language.EN, files=files)
    report = case_report(store, part.id, ROAD, wanted)
    assert not [line for line in report.lacking if line.startswith("evidence")]
    assert len(report.said["files"]) == 2
