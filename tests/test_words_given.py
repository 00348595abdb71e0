"""What is typed: bytes that are no text, serials that no database gives, names that nobody has."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cases.people import fault_of
from cases.reported import Report, report
from cases.supervising import supervise
from ground.errors import BadInput, IllegalMove
from tests.cases_world import ROAD, new_store, put, row_of_changes
from tests.test_cli import tiankan


@pytest.mark.parametrize(
    ("words", "name", "shown"),
    [
        (("cases", "move", "c", "--to", "x", "--evidence", b"photo=\xff"), "--evidence", r"'photo=\udcff'"),
        (("spots", "report", "--note", b"\xff"), "--note", r"'\udcff'"),
        (("spots", "report", b"--note=\xff"), "--note", r"'--note=\udcff'"),
        (("cases", "changes", "c", "--to", b"/tmp/\xff.gpkg"), "--to", r"'/tmp/\udcff.gpkg'"),
        (("cases", "show", b"\xff"), "argument", r"'\udcff'"),
        ((b"\xe5\xb1",), "argument", r"'\udce5\udcb1'"),
    ],
)
def test_bytes_that_are_no_text(words: tuple[str | bytes, ...], name: str, shown: str) -> None:
    given = [word if isinstance(word, str) else word.decode("utf-8", "surrogateescape") for word in words]
    said = f"tiankan: {name}: {shown} holds a byte that is no UTF-8; write it in UTF-8\n"
    assert tiankan(*given) == (2, "", said)


def test_the_launcher_says_so_too() -> None:
    code, out, err = tiankan("cases", "show", "\udcff", "--db", "山.db", TZ="UTC")
    assert (code, out, err.count("\n"), "argument: '" in err) == (2, "", 1, True)


@pytest.mark.parametrize("verb", ["cases", "spots"])
def test_a_serial_that_no_database_gives(tmp_path: Path, verb: str) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    db = ("--db", store.engine.url.render_as_string(hide_password=False))
    code, _, err = tiankan(verb, "list", "--after", "99999999999999999999", *db)
    assert (code, "Traceback" in err, "9223372036854775807" in err) == (2, False, True)
    assert tiankan(verb, "list", "--after", 2**63 - 1, *db)[0] == 0


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("王芳", ""),
        ("María José Ñandú (county)", ""),
        (" 王芳\n", ""),
        ("李" * 200, ""),
        ("王7", ""),
        ("...", "pass the name of the officer"),
        ("！！", "pass the name of the officer"),
        ("Tiankan.", "pass the name of the officer"),
        ("７", "pass the name of the officer"),
        ("王\n芳", "the name holds a control character; write it on one line"),
        ("王\x00芳", "the name holds a control character; write it on one line"),
        ("王\u2028芳", "the name holds a control character; write it on one line"),
        ("李" * 201, "the name has 201 letters; write one of 200 at most"),
    ],
)
def test_names(tmp_path: Path, name: str, fault: str) -> None:
    assert fault_of(name) == fault
    if not fault:
        return
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    case = store.changes().items[0].case_id
    assert case is not None
    for role, do in (("city", supervise), ("county", store.move)):
        more = {"level": "city", "reason": "r"} if role == "city" else {"to": "field_check", "workflow": ROAD}
        with pytest.raises(IllegalMove, match="by a named person") as error:
            do(*([store] if role == "city" else []), case_id=case, actor=name, role=role, **more)
        assert str(error.value).endswith(f"; {fault}")
    said = Report(
        source="hotline", lon=1.0, lat=1.0, accuracy_m=20.0, at=datetime.now(UTC), who="赵敏", note="a shed"
    )
    if name == "７":  # A hotline is known by its number.
        assert report(store, replace(said, who=name), ROAD).is_new
        return
    with pytest.raises(BadInput, match=r"^--actor: a report is made by a named person; ") as refused:
        report(store, replace(said, who=name), ROAD)
    assert str(refused.value).endswith(fault)
