"""pyproject.toml, constraints.txt, environment.yml and the Makefile say the same."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and line[0] != "#"
)


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~;\[ ]", text)[0].lower().replace("_", "-") for text in requirements}


def _all_requirements() -> list[str]:
    project = PROJECT["project"]
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    return [*project["dependencies"], *extras]


def test_every_requirement_is_pinned_and_its_pin_lies_in_its_range() -> None:
    from packaging.requirements import Requirement

    for text in _all_requirements():
        requirement = Requirement(text)
        assert PINS[requirement.name.lower()] in requirement.specifier


def test_pins_are_name_and_version_only() -> None:
    assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in PINS)
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in PINS.values())
    assert PINS["torch"] == "2.13.0"


def test_the_extras_that_the_readme_names_exist() -> None:
    assert set(PROJECT["project"]["optional-dependencies"]) == {
        "web", "train", "ray", "postgis", "clouds", "reports", "notebook", "dev",
    }  # fmt: skip


def test_the_conda_environment_is_the_same_installation() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    python, pip, nested = environment["dependencies"]
    assert python == f"python{PROJECT['project']['requires-python']}"
    assert pip == "pip"
    constraint, editable = nested["pip"]
    assert constraint == "-c constraints.txt"
    makefile = (ROOT / "Makefile").read_text()
    assert f"-c constraints.txt -e '{editable.removeprefix('-e ')}'" in makefile
    extras = re.fullmatch(r"-e \.\[(.+)\]", editable)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_packages_are_listed_by_name_and_are_all_there() -> None:
    listed = PROJECT["tool"]["setuptools"]
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert set(listed["packages"]) == rooms
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert set(listed["py-modules"]) == modules


def test_no_test_folder_is_a_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
