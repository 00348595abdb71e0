"""Files of evidence over HTTP: what a move rests on is read back, as the verbs do."""

from pathlib import Path

from fastapi.testclient import TestClient

from api.app import create_app
from evidence.verify import intact_in
from tests.cases_world import new_store
from tests.evidence_world import case_in, files_in, give, true_photo


def test_a_move_over_http_reads_its_files_back(tmp_path: Path) -> None:
    store, case = case_in(new_store(tmp_path))
    files = files_in(tmp_path)
    photo = give(store, files, case, true_photo(tmp_path / "a.jpg")).evidence
    client = TestClient(create_app(store, intact_in(lambda: files)))

    def move(to: str, **evidence: str) -> tuple[int, str]:
        said = {"to": to, "actor": "李伟", "role": "county", "evidence": evidence}
        answer = client.post(f"/cases/{case}/moves", json=said)
        return answer.status_code, answer.text

    assert move("field_check")[0] == 200
    kept = next(Path(files.root).glob(f"*/{photo.sha256}"))
    whole = kept.read_bytes()
    kept.chmod(0o644)
    kept.write_bytes(whole[:-1] + b"x")
    status, said = move("proven", photo=photo.reference, field_evidence="record 7")
    assert (status, "was altered in" in said) == (409, True), said
    kept.write_bytes(whole)
    assert move("proven", photo=photo.reference, field_evidence="record 7")[0] == 200
