"""Signed heads: by hand and by every tick, each added to a file; and how faults are counted in words."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from cases.store import CaseFilter
from database import audit
from database.heads import check_key, new_key, read_heads
from ground.errors import BadInput, CannotWrite
from tests.audit_world import unlock
from tests.cases_world import new_store, put, row_of_changes
from tests.test_cli import tiankan


def test_a_tick_signs_where_there_is_a_key(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    db = store.engine.url.render_as_string(hide_password=False)
    key, heads = tmp_path / "k.pem", tmp_path / "heads.jsonl"
    public = new_key(key)
    code, out, _ = tiankan("clocks", "tick", "--db", db, "--json")
    assert code == 0 and "signed" not in json.loads(out)
    said = {"TIANKAN_AUDIT_KEY": str(key), "TIANKAN_AUDIT_HEADS": str(heads)}
    code, out, _ = tiankan("clocks", "tick", "--db", db, "--json", **said)
    (head,) = read_heads(heads)
    with store.transaction() as session:
        end = session.execute(text("SELECT max(place) FROM seal")).scalar_one()
    assert code == 0 and (head.place, head.key) == (end, public)
    assert json.loads(out)["signed"]["place"] == end
    assert tiankan("clocks", "tick", "--db", db, **said)[1].endswith(f"Link {end + 1} signed.\n")
    assert [each.place for each in read_heads(heads)] == [end, end + 1]
    code, out, _ = tiankan("audit", "verify", "--db", db, "--heads", heads, "--key", public)
    assert code == 0 and "2 signed heads, the last at" in out


def test_a_key_that_cannot_be_read_stops_the_tick_before_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    db = store.engine.url.render_as_string(hide_password=False)
    code, _, err = tiankan("clocks", "tick", "--db", db, TIANKAN_AUDIT_KEY=str(tmp_path / "none.pem"))
    assert code == 2 and "none.pem: cannot be read" in err
    code, _, err = tiankan("clocks", "tick", "--db", db, TIANKAN_AUDIT_HEADS=str(tmp_path / "heads"))
    assert code == 2 and "TIANKAN_AUDIT_HEADS is set without TIANKAN_AUDIT_KEY" in err
    with store.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM tick")).scalar_one() == 0


def test_what_was_done_is_said_in_the_right_number(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    db = store.engine.url.render_as_string(hide_password=False)
    case = store.cases(CaseFilter()).items[0].id
    new_key(tmp_path / "k.pem")
    sign = ("audit", "sign", "--key", tmp_path / "k.pem", "--db", db)
    assert "; added to" not in tiankan(*sign)[1]
    code, out, _ = tiankan(*sign, "--out", tmp_path / "heads")
    assert code == 0 and out.startswith("Nothing was written since link ")
    assert " ".join(out.split()).endswith(f"UTC; that head was added to {tmp_path / 'heads'}.")
    assert tiankan(*sign, "--out", tmp_path / "heads")[1].startswith(
        "Nothing was written since the last head"
    )
    assert "1 signed head, the last at" in tiankan("audit", "verify", "--db", db)[1]
    with store.engine.connect() as connection:
        unlock(connection)
        connection.execute(text("UPDATE event SET reason = 'x'"))
        connection.commit()
    _, out, _ = tiankan("audit", "verify", "--db", db)
    assert f"event: row 1 (opened by tiankan, {case}) was altered since link" in out and "sealed it\n" in out
    with store.engine.connect() as connection:
        connection.execute(text("DELETE FROM event"))
        connection.commit()
    _, out, _ = tiankan("audit", "verify", "--db", db)
    assert "event: row 1 is gone: link" in out
    assert f"enforcement_case: row 1 ({case}) stands at suspected, but it has no history" in out


def test_who_is_killed_before_the_file_is_written_is_missed_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    db, heads = store.engine.url.render_as_string(hide_password=False), tmp_path / "heads"
    new_key(tmp_path / "k.pem")

    def killed(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(audit, "_keep", killed)
        with pytest.raises(CannotWrite):
            audit.sign_head(db, tmp_path / "k.pem", heads)
    assert not heads.exists()
    assert audit.sign_and_keep(db, tmp_path / "k.pem", heads).is_added
    assert audit.audit(db, [heads]).faults == []


def test_heads_are_added_to_a_file_of_heads_only(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    db = store.engine.url.render_as_string(hide_password=False)
    new_key(tmp_path / "k.pem")
    before = (tmp_path / "k.pem").read_bytes()
    with pytest.raises(BadInput, match=r"k\.pem: line 1 is no head; give the file"):
        audit.sign_head(db, tmp_path / "k.pem", tmp_path / "k.pem")
    assert (tmp_path / "k.pem").read_bytes() == before
    with store.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM head")).scalar_one() == 0


@pytest.mark.parametrize("line", ["[" * 100_000, '{"at": "0001-01-01T00:00:00+23:00"}', "{}", "7"])
def test_what_is_no_head_is_one_sentence(tmp_path: Path, line: str) -> None:
    (tmp_path / "heads").write_text(line)
    with pytest.raises(BadInput, match="line 1 is no head"):
        read_heads(tmp_path / "heads")
    with pytest.raises(BadInput, match="is no public key"):
        check_key(" ".join(["ab"] * 32))
