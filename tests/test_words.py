"""Words: whatever status, kind of evidence or kind of event there is has its words in Chinese and English."""

import ast
import importlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cases.walked import SAID
from cases.workflow import load_workflow
from evidence.checks import Spot
from reports.definitions import load_definitions
from reports.words import Language, Words, load_words, without_words
from spots.carrying import CARRIED, JOINED, NEW_LOOK, REBOUND
from spots.kept import NOTED, OPENED
from spots.policy import REPORTED, load_policy
from tests.evidence_world import beside, exif_of, photo
from tests.test_evidence_checks import HERE, checked

ROOT = Path(__file__).parent.parent
ROOMS = ("cases", "evidence", "spots", "clocks")


def kinds_of(path: Path) -> Iterator[str]:
    """Kinds of events that a file writes: the third word of each call of history.event, if it is a constant."""
    module = importlib.import_module(f"{path.parent.name}.{path.stem}")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and len(node.args) > 2:
            if ast.unparse(node.func) not in ("history.event", "event"):
                continue
            kind = node.args[2]
            found = kind.value if isinstance(kind, ast.Constant) else getattr(module, ast.unparse(kind), None)
            if isinstance(found, str):
                yield found


def test_every_status_and_kind_of_evidence_of_the_workflow_has_words() -> None:
    assert without_words(load_workflow()) == []
    poor = {table: dict(words) for table, words in load_words().items()}
    del poor["status"]["stop_order"], poor["evidence"]["hearing"]
    assert without_words(load_workflow(), poor) == [
        "words.toml: [status] has no words for 'stop_order'; add them in Chinese and English",
        "words.toml: [evidence] has no words for 'hearing'; add them in Chinese and English",
    ]


FILES = [path for room in ROOMS for path in sorted((ROOT / room).glob("*.py"))]


def test_kinds_of_events_are_found_in_the_source() -> None:
    assert {kind for path in FILES for kind in kinds_of(path)} >= {"moved", "evidence", "bundled"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_kind_of_event_has_words(path: Path) -> None:
    assert set(kinds_of(path)) - set(load_words()["kind"]) == set()


def test_what_others_bring_has_words() -> None:
    words = load_words()
    assert set(words["status"]) >= {"split", "merged", "not_filed", "withdrawn"}
    assert set(words["evidence"]) >= {"valid_until"}
    kinds = "joined carried new_look rebound noted split merged reminded warned lifted numbered supervised released"
    assert set(words["kind"]) >= {*kinds.split(), *SAID, JOINED, CARRIED, NEW_LOOK, REBOUND, NOTED, OPENED}
    assert set(words["class"]) >= set(load_definitions().without_area) == {REPORTED}
    today = datetime.now(UTC).date()
    assert set(words["role"]) >= set(load_policy(today).reports.sources)


def test_no_word_is_empty() -> None:
    empty = [
        (table, key)
        for table, several in load_words().items()
        for key, pair in several.items()
        if not all(pair)
    ]
    assert empty == []


def test_sentences_of_checks_are_said_in_chinese() -> None:
    words = Words(Language.ZH)
    assert words.why("it was taken 4,942 m from the change; at most 300 m show it") == (
        "拍摄点距图斑 4,942 米，最远 300 米方能反映图斑"
    )
    assert Words(Language.EN).why("it can be read to its end") == "it can be read to its end"
    assert words.why("something else") == "something else"


PLACES = [None, (100.0005, 35.0005), *(beside(270, metres) for metres in (15, 50, 310, 5000))]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("azimuth", [None, 90, 270])
@pytest.mark.parametrize("taken", [None, "2021:04:01 10:00:00", "2021:09:05 10:00:00", "2999:01:01 00:00:00"])
def test_whatever_is_found_in_a_photo_is_said_in_chinese(
    tmp_path: Path, place: tuple[float, float] | None, azimuth: float | None, taken: str | None
) -> None:
    path = photo(tmp_path / "a.jpg", exif_of(place, azimuth, taken), size=(40, 30))
    for spot in (HERE, Spot(change=HERE.change, before=None)):
        for one in checked(path, spot).values():
            assert re.search("[\u4e00-\u9fff]", Words(Language.ZH).why(one.why)), one.why


def test_the_map_has_words_in_both_languages() -> None:
    text = (ROOT / "api" / "web" / "words.js").read_text(encoding="utf-8")
    road, words = load_workflow(), load_words()
    wanted = {*road.statuses, *road.evidence, *road.roles, *words["kind"]} - {NOTED}
    for language in text.split("\n  zh: {"):
        assert {name for name in wanted if not re.search(rf"\b{name}: \"", language)} == set()
