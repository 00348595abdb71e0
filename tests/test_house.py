"""The house has one way down: who may import whom; no file and no function too long to hold in the head."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "ground": set(),
    "imagery": {"ground"},
    "models": {"ground"},
    "detection": {"ground", "imagery", "models"},
    "database": {"ground"},
    "cadastre": {"ground", "database", "detection.changes"},
    "law": {"ground"},
    "spots": {"ground", "database"},
    "clocks": {"ground"},
    "cases": {"ground", "database", "cadastre", "law", "spots", "clocks", "detection.changes"},
    "evidence": {"ground", "database", "cadastre", "law", "cases", "detection.changes"},
    "reports": {"ground", "imagery", "database", "cadastre", "cases", "evidence", "detection.changes"},
    "api": {"ground", "cases", "imagery", "detection.changes"},
    "settings": {"ground"},
    "terminal": set(),
    "pipeline": {"ground", "imagery", "detection", "cadastre", "law", "cases"},
    "demo": {"ground", "imagery", "detection", "pipeline"},
    "model_verbs": {"ground", "terminal", "imagery", "models", "detection"},
    "case_verbs": {"ground", "settings", "terminal", "cases", "evidence"},
    "clock_verbs": {"ground", "settings", "terminal", "database", "cases", "clocks"},
    "spot_verbs": {"ground", "settings", "terminal", "cases", "spots", "evidence"},
    "audit_verbs": {"ground", "settings", "terminal", "database", "cases", "evidence"},
    "cadastre_verbs": {"ground", "settings", "terminal", "database", "cadastre"},
    "evidence_verbs": {"ground", "settings", "terminal", "cases", "evidence", "reports"},
    "replay_verb": {"ground", "settings", "terminal", "cases"},
    "db_verbs": {"ground", "settings", "terminal", "database"},
    "detect_verbs": {"ground", "settings", "terminal", "law", "pipeline"},
    "report_verbs": {"ground", "settings", "terminal", "cases", "evidence", "reports"},
    "split_verbs": {"ground", "settings", "terminal", "law", "cases", "evidence", "detection.changes"},
    "rule_verbs": {"ground", "settings", "terminal", "law", "cases"},
    "cli": {
        "ground",
        "settings",
        "terminal",
        "model_verbs",
        "rule_verbs",
        "split_verbs",
        "case_verbs",
        "clock_verbs",
        "spot_verbs",
        "audit_verbs",
        "cadastre_verbs",
        "replay_verb",
        "report_verbs",
        "db_verbs",
        "detect_verbs",
        "evidence_verbs",
        "imagery",
        "api",
        "demo",
    },
}
ROOMS = [room for room in MAY_IMPORT if (ROOT / room).is_dir()]
FILES = sorted(
    path for room in MAY_IMPORT for path in (*ROOT.glob(f"{room}.py"), *ROOT.glob(f"{room}/**/*.py"))
)
TESTS = sorted((ROOT / "tests").glob("**/*.py"))
VAGUE = {"utils", "util", "core", "base", "helpers", "common", "misc"}
LONGEST_FILE, LONGEST_FUNCTION = 300, 50


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> Iterator[str]:
    """Dotted names a file imports: `from a import b` counts as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_run_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    allowed = MAY_IMPORT[room] | {room}
    upward = [
        name
        for name in imported(path)
        if name.split(".")[0] in MAY_IMPORT
        and not any(name == a or name.startswith(f"{a}.") for a in allowed)
    ]
    assert upward == [], f"{_name(path)} may import {sorted(allowed)} only"


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=_name)
def test_files_and_functions_fit_in_the_head(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    functions = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert text.count("\n") <= LONGEST_FILE
    assert {name: lines for name, lines in functions.items() if lines > LONGEST_FUNCTION} == {}
    assert path.stem not in VAGUE


@pytest.mark.parametrize("path", sorted((ROOT / "api" / "web").glob("*.*")), ids=_name)
def test_web_files_fit_in_the_head(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= LONGEST_FILE


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_in_one_sentence_what_it_is(room: str) -> None:
    doc = importlib.import_module(room).__doc__
    assert doc is not None
    assert len(doc.strip().splitlines()) == 1


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_are_ours_and_not_a_namesake_in_site_packages(room: str) -> None:
    file = importlib.import_module(room).__file__
    assert file is not None
    assert Path(file).is_relative_to(ROOT)


def test_the_web_server_loads_neither_torch_nor_detectors_nor_matplotlib() -> None:
    code = (
        "import sys, api.app; heavy = {'torch', 'matplotlib', 'detection.predict'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_file_names_a_machine_or_a_registry() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    words = ["/wo" + "rk/", "pypi" + ".org", "python" + "hosted", "registry.np" + "mjs", "deb.de" + "bian"]
    found = []
    for name in done.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".gpkg", ".tif", ".safetensors"}:
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{name}: {word}" for word in words if word in text]
    assert found == []
